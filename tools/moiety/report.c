/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli.h"
#include "config/schema.h"
#include "dap/messages.h"
#include "task_file.h"
#include "wire/base64url.h"

static const char *task_path;

static const struct option_spec options[] = {
    {"task", OPTION_STRING, &task_path, "FILE", "a file of its task, to show times as dates", NULL},
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "moiety report decode",
    .arguments = "[options] FILE",
    .summary = "Shows what an encoded report, or a whole upload, says in the clear.",
    .help = "FILE holds bytes, or their base64url; - is standard input. What is encrypted stays\n"
            "so: nobody learns a measurement from one report, this program neither.\n",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
};

enum { INPUT_MAX = 256 << 20 };

static struct status read_stream(FILE *stream, struct arena *arena, struct span *out) {
    struct buffer all = BUFFER_INIT;
    uint8_t piece[65536];
    struct status status = OK;
    size_t got;
    while (status_ok(status) && (got = fread(piece, 1, sizeof(piece), stream)) > 0) {
        status = all.len > INPUT_MAX ? FAIL(TOO_LARGE) : buffer_append(&all, span_of(piece, got));
    }
    if (status_ok(status)) {
        status = arena_copy(arena, buffer_span(&all), out);
    }
    buffer_release(&all);
    return status;
}

/* Takes base64url for what it encodes, and other bytes as they are. */
static struct span unwrap(struct arena *arena, struct span input) {
    struct span text = input, bytes;
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
        text.len--;
    }
    return text.len > 0 && status_ok(base64url_decode_any(arena, text, &bytes)) ? bytes : input;
}

static void print_ciphertext(const char *whose, const struct hpke_ciphertext *c) {
    printf("  %s share: key %u, encapsulated key of %zu bytes, ciphertext of %zu bytes\n", whose,
           c->config_id, c->enc.len, c->payload.len);
}

static void print_report(struct arena *arena, const struct report *report, uint64_t precision) {
    char time[CLI_TIME_MAX];
    const struct report_metadata *metadata = &report->report_metadata;
    const char *id = base64url_string(arena, SPAN_OF_ARRAY(metadata->report_id.bytes));
    printf("report %s\n  time %llu", id == NULL ? "?" : id, (unsigned long long)metadata->time);
    if (precision != 0 && metadata->time < UINT64_MAX / precision) {
        printf(" (%s)", cli_format_time(metadata->time * precision, time));
    }
    printf("\n");
    for (size_t i = 0; i < metadata->public_extensions.count; i++) {
        const struct extension *e = &metadata->public_extensions.items[i];
        printf("  public extension %u, %zu bytes\n", (unsigned)e->extension_type,
               e->extension_data.len);
    }
    printf("  public share of %zu bytes\n", report->public_share.len);
    print_ciphertext("leader's", &report->leader_encrypted_input_share);
    print_ciphertext("helper's", &report->helper_encrypted_input_share);
}

static int decode(const char *path, struct arena *arena) {
    struct span input;
    struct task_file file = {0};
    struct upload_request request;
    struct status status = strcmp(path, "-") == 0
                               ? read_stream(stdin, arena, &input)
                               : file_read(path, INPUT_MAX, arena, &input);
    if (!status_ok(status)) {
        return cli_fail_status(status, "%s can't be read", path);
    }
    if (task_path != NULL && !task_file_read(task_path, arena, &file)) {
        return EXIT_FAILURE;
    }
    status = upload_request_decode(unwrap(arena, input), arena, &request);
    if (!status_ok(status) || request.reports.count == 0) {
        return cli_fail("%s: expected one or more encoded reports (DAP's Report), found %zu bytes "
                        "of something else",
                        path, input.len);
    }
    for (size_t i = 0; i < request.reports.count; i++) {
        print_report(arena, &request.reports.items[i], file.task.configuration.time_precision);
    }
    return EXIT_SUCCESS;
}

int report_decode_main(int argc, char **argv) {
    int result;
    struct arena arena = ARENA_INIT;
    if (!cli_options(&command, &argc, argv, &result)) {
        return result;
    }
    result = decode(argv[0], &arena);
    arena_release(&arena);
    return result;
}
