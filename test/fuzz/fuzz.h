/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_FUZZ_H
#define MOIETY_TEST_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

/*
 * What must hold for any bytes whatever, for each message: the decoder neither
 * crashes nor reads beyond them, and what it accepts it writes back byte for
 * byte. The tables are generated (tools/dapgen); libFuzzer and ctest run them.
 */
struct fuzz_target {
    const char *name;
    bool (*run)(struct span bytes); /* whether they decode; aborts if broken */
};

/* Each ends with a NULL name. */
extern const struct fuzz_target fuzz_targets_messages[];
extern const struct fuzz_target fuzz_targets_janus[];

static inline void fuzz_require(bool holds, const char *message, const char *what) {
    if (!holds) {
        fprintf(stderr, "%s: %s\n", message, what);
        abort();
    }
}

#define FUZZ_ROUND_TRIP(message)                                                              \
    static bool fuzz_##message(struct span bytes) {                                           \
        struct arena arena = ARENA_INIT;                                                      \
        struct buffer out = BUFFER_INIT;                                                      \
        struct message value, checked;                                                        \
        bool decoded = status_ok(message##_decode(bytes, &arena, &value));                    \
        fuzz_require(decoded == status_ok(message##_decode(bytes, NULL, &checked)), #message, \
                     "a check without an arena differs");                                     \
        if (decoded) {                                                                        \
            fuzz_require(status_ok(message##_encode(&value, &out)), #message,                 \
                         "what decodes does not encode");                                     \
            fuzz_require(span_equal_vartime(buffer_span(&out), bytes), #message,              \
                         "the encoding differs from what was decoded");                       \
        }                                                                                     \
        buffer_release(&out);                                                                 \
        arena_release(&arena);                                                                \
        return decoded;                                                                       \
    }

/* Walking a sequence must find the elements that decoding finds. */
#define FUZZ_WALK(message, element, sequence)                                                  \
    static bool fuzz_walk_##message(struct span bytes) {                                       \
        struct reader reader = reader_of(bytes);                                               \
        struct message head, whole;                                                            \
        struct element item;                                                                   \
        size_t count = 0;                                                                      \
        bool found = true;                                                                     \
        struct status status = message##_begin(&reader, NULL, &head);                          \
        while (status_ok(status) && found) {                                                   \
            status = message##_next(&reader, NULL, &item, &found);                             \
            count += status_ok(status) && found;                                               \
        }                                                                                      \
        bool walked = status_ok(status) && status_ok(reader_finish(&reader));                  \
        bool decoded = status_ok(message##_decode(bytes, NULL, &whole));                       \
        fuzz_require(walked == decoded, #message, "walking and decoding differ");              \
        fuzz_require(!walked || count == whole.sequence.count, #message, "the counts differ"); \
        return walked;                                                                         \
    }

#endif
