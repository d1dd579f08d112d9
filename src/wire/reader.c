/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/reader.h"

/* Takes the next `len` bytes, or fails and gives NULL. The one place that
 * moves the reader forward. */
static const uint8_t *take(struct reader *reader, size_t len) {
    if (len > reader_left(reader)) {
        reader_fail(reader);
    }
    if (reader->failed) {
        return NULL;
    }
    const uint8_t *at = reader->at;
    if (len > 0) {
        reader->at += len;
    }
    return at;
}

static uint64_t read_integer(struct reader *reader, size_t width) {
    const uint8_t *bytes = take(reader, width);
    uint64_t value = 0;
    for (size_t i = 0; bytes != NULL && i < width; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

uint8_t reader_u8(struct reader *reader) { return (uint8_t)read_integer(reader, 1); }
uint16_t reader_u16(struct reader *reader) { return (uint16_t)read_integer(reader, 2); }
uint32_t reader_u32(struct reader *reader) { return (uint32_t)read_integer(reader, 4); }
uint64_t reader_u64(struct reader *reader) { return read_integer(reader, 8); }

struct span reader_bytes(struct reader *reader, size_t len) {
    const uint8_t *bytes = take(reader, len);
    return bytes == NULL ? SPAN_EMPTY : span_of(bytes, len);
}

void reader_copy(struct reader *reader, void *out, size_t len) {
    const uint8_t *bytes = take(reader, len);
    if (len == 0) {
        return;
    }
    if (bytes == NULL) {
        memset(out, 0, len);
    } else {
        memcpy(out, bytes, len);
    }
}

struct span reader_vector(struct reader *reader, unsigned prefix, size_t min, size_t max) {
    uint64_t len = read_integer(reader, prefix);
    if (len < min || len > max) {
        reader_fail(reader);
    }
    return reader->failed ? SPAN_EMPTY : reader_bytes(reader, (size_t)len);
}

struct span reader_rest(struct reader *reader) {
    return reader_bytes(reader, reader_left(reader));
}

struct status reader_finish(const struct reader *reader) {
    return reader->failed || reader_left(reader) > 0 ? FAIL(INVALID_MESSAGE) : OK;
}
