/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BASE_BYTES_H
#define MOIETY_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"

/*
 * A borrowed, read-only run of bytes. Invariant: `data` points to at least
 * `len` readable bytes; it may be NULL only if `len` is 0. A span owns
 * nothing: whoever makes one says whose memory it borrows.
 */
struct span {
    const uint8_t *data;
    size_t len;
};

#define SPAN_EMPTY ((struct span){NULL, 0})
#define SPAN_OF_ARRAY(array) ((struct span){(const uint8_t *)(array), sizeof(array)})
#define SPAN_OF_LITERAL(literal) ((struct span){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline struct span span_of(const void *data, size_t len) {
    return (struct span){(const uint8_t *)data, len};
}

static inline struct span span_of_string(const char *string) {
    return span_of(string, strlen(string));
}

/* Compares public bytes; its time depends on them. For secrets use
 * secret_equal(). */
static inline bool span_equal_vartime(struct span a, struct span b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/*
 * A growing, owned run of bytes. Invariant: `len <= capacity`, and `data` is
 * NULL exactly if `capacity` is 0. Initialise with BUFFER_INIT, release with
 * buffer_release(), which wipes nothing: secrets belong in a struct secret.
 * Not thread-safe.
 */
struct buffer {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

#define BUFFER_INIT ((struct buffer){NULL, 0, 0})

/* Makes room for `more` bytes beyond `len`. NO_MEMORY leaves it unchanged. */
struct status buffer_reserve(struct buffer *buffer, size_t more);
struct status buffer_append(struct buffer *buffer, struct span bytes);
struct status buffer_append_u8(struct buffer *buffer, uint8_t byte);
struct status buffer_append_string(struct buffer *buffer, const char *string);
struct status buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_clear(struct buffer *buffer);
void buffer_release(struct buffer *buffer);

static inline struct span buffer_span(const struct buffer *buffer) {
    return span_of(buffer->data, buffer->len);
}

#endif
