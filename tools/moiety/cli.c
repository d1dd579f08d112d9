/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "config/scalar.h"
#include "support/database.h"

static void say(const char *format, va_list arguments) {
    fprintf(stderr, "moiety: ");
    vfprintf(stderr, format, arguments);
}

int cli_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    return EXIT_FAILURE;
}

int cli_fail_status(struct status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    fprintf(stderr, ": %s\n", status_text(status.code));
    return EXIT_FAILURE;
}

void cli_warn(const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "moiety: warning: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

bool cli_options(const struct command_spec *command, int *argc, char **argv, int *result) {
    switch (options_parse(command, argc, argv)) {
    case OPTIONS_RUN: return true;
    case OPTIONS_HELP: *result = EXIT_SUCCESS; return false;
    case OPTIONS_BAD: break;
    }
    *result = EXIT_USAGE;
    return false;
}

/* ---- The server's database ---- */

bool cli_server_load(struct cli_server *server, const char *path) {
    struct buffer errors = BUFFER_INIT;
    const char *from_environment = getenv("MOIETY_CONFIG");
    if (path == NULL) {
        path = from_environment != NULL ? from_environment : "moietyd.yaml";
    }
    *server = (struct cli_server){.arena = ARENA_INIT};
    struct status status = server_config_load(path, &server->arena, &server->config, &errors);
    if (!status_ok(status)) {
        if (errors.len > 0) {
            fprintf(stderr, "%.*s", (int)errors.len, (const char *)errors.data);
        } else {
            cli_fail_status(status, "%s", path);
        }
        arena_release(&server->arena);
    }
    buffer_release(&errors);
    return status_ok(status);
}

bool cli_server_open(struct cli_server *server, const char *path, bool write) {
    if (!cli_server_load(server, path)) {
        return false;
    }
    if (!status_ok(database_open(&server->config, write ? DATABASE_CREATE : DATABASE_READ,
                                 &server->store))) {
        arena_release(&server->arena);
        return false;
    }
    return true;
}

void cli_server_close(struct cli_server *server) {
    if (server->store != NULL) {
        store_close(server->store);
    }
    arena_release(&server->arena);
    server->store = NULL;
}

int cli_on_server(const struct command_spec *command, const char *const *config_path, bool write,
                  int argc, char **argv, int (*run)(struct cli_server *server, char **argv)) {
    int result;
    struct cli_server server;
    if (!cli_options(command, &argc, argv, &result)) {
        return result;
    }
    if (!cli_server_open(&server, *config_path, write)) {
        return EXIT_FAILURE;
    }
    result = run(&server, argv);
    cli_server_close(&server);
    return result;
}

/* ---- Text ---- */

bool cli_parse_time(const char *text, uint64_t *seconds) {
    static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%MZ",
                                          "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"};
    if (strcmp(text, "now") == 0) {
        *seconds = clock_now_s(&clock_system);
        return true;
    }
    if (scalar_integer(text, seconds)) {
        return true;
    }
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct tm tm = {0};
        const char *end = strptime(text, formats[i], &tm);
        time_t time = end != NULL && *end == '\0' ? timegm(&tm) : -1;
        if (time >= 0) {
            *seconds = (uint64_t)time;
            return true;
        }
    }
    return false;
}

const char *cli_format_time(uint64_t seconds, char text[CLI_TIME_MAX]) {
    struct tm tm;
    time_t time = (time_t)seconds;
    if (seconds > (uint64_t)253402300799 || gmtime_r(&time, &tm) == NULL ||
        strftime(text, CLI_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        snprintf(text, CLI_TIME_MAX, "%llu", (unsigned long long)seconds);
    }
    return text;
}

const char *cli_format_count(uint64_t value, char text[CLI_COUNT_MAX]) {
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            text[at++] = ',';
        }
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}
