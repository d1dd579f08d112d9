/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_WIRE_WRITER_H
#define MOIETY_WIRE_WRITER_H

#include <stdint.h>

#include "base/bytes.h"

/*
 * Writes the TLS presentation language (RFC 8446, section 3) to a buffer. It
 * fails sticky, like the reader: writer_finish() gives the first failure, which
 * is NO_MEMORY, or INVALID_ARGUMENT for a vector that is longer than its
 * length prefix or its bounds allow. Not thread-safe.
 */
struct writer {
    struct buffer *out;
    enum status_code failure;
};

static inline struct writer writer_to(struct buffer *out) {
    return (struct writer){out, STATUS_OK};
}

void writer_u8(struct writer *writer, uint8_t value);
void writer_u16(struct writer *writer, uint16_t value);
void writer_u32(struct writer *writer, uint32_t value);
void writer_u64(struct writer *writer, uint64_t value);
void writer_bytes(struct writer *writer, struct span bytes);

/* opaque<min..max> whose bytes are at hand. */
void writer_vector(struct writer *writer, unsigned prefix, size_t min, size_t max,
                   struct span bytes);

/* A vector whose elements are written one by one: begin gives a mark, end
 * fills in the length that stands there. They nest. */
size_t writer_begin(struct writer *writer, unsigned prefix);
void writer_end(struct writer *writer, unsigned prefix, size_t min, size_t max, size_t mark);

static inline struct status writer_finish(const struct writer *writer) {
    return (struct status){writer->failure};
}

#endif
