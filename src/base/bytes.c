/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct status buffer_reserve(struct buffer *buffer, size_t more) {
    if (more > SIZE_MAX - buffer->len) {
        return FAIL(NO_MEMORY);
    }
    size_t needed = buffer->len + more;
    if (needed <= buffer->capacity) {
        return OK;
    }
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < needed) {
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    }
    uint8_t *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        return FAIL(NO_MEMORY);
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return OK;
}

struct status buffer_append(struct buffer *buffer, struct span bytes) {
    if (bytes.len == 0) {
        return OK;
    }
    TRY(buffer_reserve(buffer, bytes.len));
    memcpy(buffer->data + buffer->len, bytes.data, bytes.len);
    buffer->len += bytes.len;
    return OK;
}

struct status buffer_append_u8(struct buffer *buffer, uint8_t byte) {
    return buffer_append(buffer, span_of(&byte, 1));
}

struct status buffer_append_string(struct buffer *buffer, const char *string) {
    return buffer_append(buffer, span_of_string(string));
}

struct status buffer_printf(struct buffer *buffer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        return FAIL(INTERNAL);
    }
    /* vsnprintf() writes a terminator, which stays outside `len`. */
    TRY(buffer_reserve(buffer, (size_t)length + 1));
    va_start(arguments, format);
    vsnprintf((char *)buffer->data + buffer->len, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->len += (size_t)length;
    return OK;
}

void buffer_clear(struct buffer *buffer) { buffer->len = 0; }

void buffer_release(struct buffer *buffer) {
    free(buffer->data);
    *buffer = BUFFER_INIT;
}
