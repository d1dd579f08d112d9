/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_WIRE_READER_H
#define MOIETY_WIRE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * A bounded reader of the TLS presentation language (RFC 8446, section 3):
 * big-endian integers and length-prefixed vectors.
 *
 * It fails sticky: after the first failure every read gives zero or an empty
 * span and the reader stays failed, so a decoder reads field after field and
 * asks once at the end. It must be finished: reader_finish() is INVALID_MESSAGE
 * if anything failed or if bytes are left over. Spans that it gives borrow the
 * input. Not thread-safe.
 */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct reader reader_of(struct span input) {
    return (struct reader){input.data, input.len > 0 ? input.data + input.len : input.data, false};
}

static inline size_t reader_left(const struct reader *reader) {
    return (size_t)(reader->end - reader->at);
}

/* Marks the input as invalid for a reason that the reader can't see. */
static inline void reader_fail(struct reader *reader) {
    reader->failed = true;
    reader->at = reader->end;
}

uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);

/* Exactly `len` bytes. */
struct span reader_bytes(struct reader *reader, size_t len);
/* Copies exactly `len` bytes to `out`, or zeroes it on failure. */
void reader_copy(struct reader *reader, void *out, size_t len);

/* opaque<min..max> with a length prefix of `prefix` bytes (1, 2 or 4). A
 * length outside [min, max] fails. */
struct span reader_vector(struct reader *reader, unsigned prefix, size_t min, size_t max);

/* All that is left, as in `opaque rest[message_length]`. */
struct span reader_rest(struct reader *reader);

struct status reader_finish(const struct reader *reader);

#endif
