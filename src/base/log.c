/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static struct {
    enum log_level level;
    enum log_format format;
    int fd;
} sink = {LOG_INFO, LOG_TEXT, STDERR_FILENO};

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

void log_configure(enum log_level level, enum log_format format, int fd) {
    sink.level = level;
    sink.format = format;
    sink.fd = fd;
}

bool log_enabled(enum log_level level) { return level >= sink.level && level < LOG_OFF; }

/* Lines are built in a fixed buffer, since a log line must not fail for lack
 * of memory. A string is cut where the room ends; a field that has no room at
 * all is left out, so that the line stays whole. */
struct line {
    char text[2048];
    size_t len;
    bool overflowed; /* something did not fit */
};

enum { LINE_TAIL = 4 }; /* room that always stays for what closes the line */

static void line_char(struct line *line, char c) {
    if (line->len < sizeof(line->text) - LINE_TAIL) {
        line->text[line->len++] = c;
    } else {
        line->overflowed = true;
    }
}

static void line_string(struct line *line, const char *string) {
    for (; *string != '\0'; string++) {
        line_char(line, *string);
    }
}

static void line_quoted(struct line *line, const char *string) {
    line_char(line, '"');
    /* An escape is written whole or not at all. */
    for (; *string != '\0' && line->len + 8 < sizeof(line->text) - LINE_TAIL; string++) {
        unsigned char c = (unsigned char)*string;
        if (c == '"' || c == '\\') {
            line_char(line, '\\');
            line_char(line, (char)c);
        } else if (c < 0x20 || c >= 0x7f) {
            char escape[8];
            snprintf(escape, sizeof(escape), "\\u%04x", c);
            line_string(line, escape);
        } else {
            line_char(line, (char)c);
        }
    }
    line_char(line, '"');
}

static void line_id(struct line *line, struct span id) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < id.len; i += 3) {
        size_t left = id.len - i;
        uint32_t group = (uint32_t)id.data[i] << 16;
        group |= left > 1 ? (uint32_t)id.data[i + 1] << 8 : 0;
        group |= left > 2 ? id.data[i + 2] : 0;
        for (size_t j = 0; j < (left > 2 ? 4 : left + 1); j++) {
            line_char(line, alphabet[group >> (18 - 6 * j) & 63]);
        }
    }
}

static void line_value(struct line *line, const struct log_field *field) {
    char number[24];
    switch (field->kind) {
    case LOG_FIELD_STRING:
        line_quoted(line, field->value.string == NULL ? "" : field->value.string);
        break;
    case LOG_FIELD_INTEGER:
        snprintf(number, sizeof(number), "%" PRId64, field->value.integer);
        line_string(line, number);
        break;
    case LOG_FIELD_ID:
        line_char(line, '"');
        line_id(line, field->value.id);
        line_char(line, '"');
        break;
    }
}

static void line_field(struct line *line, bool json, const struct log_field *field) {
    line_char(line, json ? ',' : ' ');
    if (json) {
        line_quoted(line, field->key);
    } else {
        line_string(line, field->key);
    }
    line_char(line, json ? ':' : '=');
    line_value(line, field);
}

static void line_time(struct line *line) {
    int64_t now = clock_now_us(&clock_system);
    time_t seconds = (time_t)(now / 1000000);
    struct tm utc;
    char text[40];
    gmtime_r(&seconds, &utc);
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(now / 1000 % 1000));
    line_string(line, text);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               int count) {
    struct line line = {.len = 0};
    bool json = sink.format == LOG_JSON;
    line_string(&line, json ? "{\"time\":\"" : "");
    line_time(&line);
    line_string(&line, json ? "\",\"level\":\"" : " ");
    line_string(&line, level_names[level]);
    line_string(&line, json ? "\",\"event\":" : " ");
    if (json) {
        line_quoted(&line, event);
    } else {
        line_string(&line, event);
    }
    for (int i = 0; i < count; i++) {
        size_t before = line.len;
        line_field(&line, json, &fields[i]);
        if (line.overflowed) {
            line.len = before;
            break;
        }
    }
    if (json) {
        line.text[line.len++] = '}';
    }
    line.text[line.len++] = '\n';
    /* Nothing can be done about a log that can't be written. */
    ssize_t written = write(sink.fd, line.text, line.len);
    (void)written;
}
