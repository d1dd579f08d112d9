/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BASE_LOG_H
#define MOIETY_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * Structured log lines: an event in words, then named fields. A line is either
 * text (`time level event key=value ...`) or one JSON object. Never pass a
 * secret, a token, a share or a measurement. Thread-safe: a line is written
 * with a single write(2).
 */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *key;
    enum { LOG_FIELD_STRING, LOG_FIELD_INTEGER, LOG_FIELD_ID } kind;
    union {
        const char *string;
        int64_t integer;
        struct span id; /* public bytes, shown as unpadded base64url */
    } value;
};

#define LOG_STRING(name, text) ((struct log_field){(name), LOG_FIELD_STRING, {.string = (text)}})
#define LOG_INT(name, number) ((struct log_field){(name), LOG_FIELD_INTEGER, {.integer = (int64_t)(number)}})
#define LOG_BYTES(name, bytes) ((struct log_field){(name), LOG_FIELD_ID, {.id = (bytes)}})

/* Set before other threads start. `fd` is borrowed. */
void log_configure(enum log_level level, enum log_format format, int fd);
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const struct log_field *fields, int count);

/* log_event(LOG_INFO, "task made", LOG_BYTES("task", id), LOG_INT("reports", n)); */
#define log_event(level, event, ...)                                                      \
    do {                                                                                  \
        if (log_enabled(level)) {                                                         \
            const struct log_field log_fields_[] = {{0}, ##__VA_ARGS__};                  \
            log_write((level), (event), log_fields_ + 1,                                  \
                      (int)(sizeof(log_fields_) / sizeof(log_fields_[0])) - 1);           \
        }                                                                                 \
    } while (0)

#endif
