/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "task_file.h"

static const struct command_spec command = {
    .name = "moiety task header",
    .arguments = "FILE",
    .summary = "Prints a task as a C header, for an app that reports to it.",
    .help = "FILE is the client's file. The header defines `struct moiety_task NAME_task`, NAME\n"
            "being the task's info, for moiety_client_new() and moiety_client_curl_new().\n",
    .min_arguments = 1,
    .max_arguments = 1,
};

enum { NAME_SIZE = 48, BYTES_A_LINE = 12 };

/* What is no letter or digit becomes an underscore; a first digit gets one. */
static void c_name(struct span info, char name[NAME_SIZE]) {
    size_t len = 0;
    if (info.len > 0 && isdigit(info.data[0])) {
        name[len++] = '_';
    }
    for (size_t i = 0; i < info.len && len < NAME_SIZE - 1; i++) {
        name[len++] = isalnum(info.data[i]) ? (char)info.data[i] : '_';
    }
    name[len] = '\0';
}

static void print_bytes(const char *name, const char *what, struct span bytes) {
    printf("static const uint8_t %s_%s[%zu] = {", name, what, bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        printf("%s0x%02x,", i % BYTES_A_LINE == 0 ? "\n    " : " ", bytes.data[i]);
    }
    printf("\n};\n");
}

static void print_header(const struct task *task) {
    char name[NAME_SIZE];
    c_name(task->configuration.task_info, name);
    printf("/* Made by `moiety task header`. No secret is in here. */\n"
           "#include <moiety/task.h>\n\n");
    print_bytes(name, "task_id", task_id_span(&task->id));
    print_bytes(name, "configuration", task->encoded);
    printf("static const struct moiety_task %s_task = {\n"
           "    .size = sizeof(struct moiety_task),\n"
           "    .task_id = %s_task_id,\n"
           "    .configuration = %s_configuration,\n"
           "    .configuration_len = sizeof(%s_configuration),\n"
           "};\n",
           name, name, name, name);
}

int task_header_main(int argc, char **argv) {
    int result;
    struct task_file file;
    struct arena arena = ARENA_INIT;
    if (!cli_options(&command, &argc, argv, &result)) {
        return result;
    }
    bool read = task_file_read(argv[0], &arena, &file);
    if (read) {
        print_header(&file.task);
    }
    arena_release(&arena);
    return read ? EXIT_SUCCESS : EXIT_FAILURE;
}
