/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TOOLS_VDAF_VECTORS_VECTOR_H
#define MOIETY_TOOLS_VDAF_VECTORS_VECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"

/* A test vector as tools/import-vectors writes it. All of it lives in the
 * arena. */
struct vector_line {
    const char *key;
    const char *value;
};

struct vector_op {
    const char *name;
    int report, aggregator, round; /* -1 for what there isn't */
    bool success;
};

struct vector {
    struct arena arena;
    struct vector_line *lines; /* sorted by key */
    size_t line_count;
    struct vector_op *ops;
    size_t op_count;
};

/* IO if the file can't be read, INVALID_MESSAGE if it isn't in the format.
 * Whatever the result, vector_release() it. */
struct status vector_load(const char *path, struct vector *out);
void vector_release(struct vector *vector);

/* The value of a key that is printed like printf(); NULL if there is none. */
const char *vector_text(const struct vector *vector, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A value as bytes, in the vector's arena; false if there is none or if it
 * isn't hexadecimal. */
bool vector_bytes(struct vector *vector, struct span *out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Numbers separated by commas; gives their count, or -1. */
int64_t vector_numbers(struct vector *vector, const char *text, uint64_t **out);

#endif
