/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <unistd.h>

/* A pipe that the log writes to. */
static int pipe_ends[2];

static void setup(void) { cr_assert_eq(pipe(pipe_ends), 0); }

TestSuite(log, .init = setup);

static size_t read_line(char *out, size_t room) {
    ssize_t got = read(pipe_ends[0], out, room - 1);
    cr_assert_gt(got, 0);
    out[got] = '\0';
    return (size_t)got;
}

/* The one line that was written, parsed. */
static json_t *read_json(void) {
    char line[8192];
    size_t len = read_line(line, sizeof(line));
    cr_assert_eq(line[len - 1], '\n');
    cr_assert_eq(strchr(line, '\n'), line + len - 1, "a line break inside the line");
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    cr_assert_not_null(object, "%s: %s", error.text, line);
    return object;
}

static const char *field(json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));
    cr_assert_not_null(value, "%s", key);
    return value;
}

Test(log, a_json_line_holds_its_fields) {
    log_configure(LOG_INFO, LOG_JSON, pipe_ends[1]);
    log_event(LOG_WARN, "report \"rejected\"", LOG_STRING("reason", "a\\b\n\t\x01 \"q\""),
              LOG_INT("count", -42), LOG_BYTES("task", SPAN_OF_LITERAL("\xff\xfe\xfd\xfc")));
    json_t *object = read_json();
    cr_assert_str_eq(field(object, "level"), "warn");
    cr_assert_str_eq(field(object, "event"), "report \"rejected\"");
    cr_assert_str_eq(field(object, "reason"), "a\\b\n\t\x01 \"q\"");
    cr_assert_str_eq(field(object, "task"), "__79_A");
    cr_assert_eq(json_integer_value(json_object_get(object, "count")), -42);
    const char *time = field(object, "time");
    int year, month, day, hour, minute, milli;
    double second;
    cr_assert_eq(sscanf(time, "%d-%d-%dT%d:%d:%lfZ", &year, &month, &day, &hour, &minute, &second),
                 6);
    cr_assert_eq(sscanf(strchr(time, '.'), ".%3dZ", &milli), 1);
    cr_assert_eq(strlen(time), strlen("2026-01-01T00:00:00.000Z"));
    json_decref(object);
}

Test(log, any_byte_keeps_the_line_valid) {
    log_configure(LOG_DEBUG, LOG_JSON, pipe_ends[1]);
    for (int c = 1; c < 256; c++) {
        char text[] = {'<', (char)c, '>', '\0'};
        log_event(LOG_DEBUG, text, LOG_STRING("value", text));
        json_decref(read_json());
    }
}

/* However much there is to say, what arrives is one whole object. */
Test(log, a_line_that_is_too_long_is_cut_but_valid) {
    log_configure(LOG_INFO, LOG_JSON, pipe_ends[1]);
    static char text[4000];
    static uint8_t bytes[4000];
    for (size_t len = 1800; len < 2100; len++) {
        memset(text, len % 2 == 0 ? 'x' : '\n', len);
        text[len] = '\0';
        log_event(LOG_INFO, "event", LOG_STRING("long", text), LOG_STRING("next", "value"),
                  LOG_INT("number", 1234567));
        json_decref(read_json());
        log_event(LOG_INFO, "event", LOG_BYTES("long", span_of(bytes, len * 3 / 4)),
                  LOG_BYTES("id", SPAN_OF_LITERAL("identifier")), LOG_INT("number", 1234567));
        json_decref(read_json());
    }
}

Test(log, a_text_line_cannot_be_forged) {
    log_configure(LOG_INFO, LOG_TEXT, pipe_ends[1]);
    char line[4096];
    log_event(LOG_ERROR, "task made", LOG_STRING("name", "x\n2026-01-01 error forged=1"),
              LOG_INT("n", 3));
    read_line(line, sizeof(line));
    cr_assert_not_null(strstr(line, "error task made name=\"x\\u000a2026-01-01 error forged=1\" n=3\n"));
}

Test(log, levels_below_the_threshold_are_silent) {
    log_configure(LOG_WARN, LOG_TEXT, pipe_ends[1]);
    cr_assert(!log_enabled(LOG_INFO));
    cr_assert(log_enabled(LOG_WARN));
    log_event(LOG_INFO, "unseen");
    log_event(LOG_ERROR, "seen");
    char line[4096];
    read_line(line, sizeof(line));
    cr_assert_null(strstr(line, "unseen"));
    log_configure(LOG_OFF, LOG_TEXT, pipe_ends[1]);
    cr_assert(!log_enabled(LOG_OFF));
    cr_assert(!log_enabled(LOG_ERROR));
}
