/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_PRIMITIVE_FIELD_SUPPORT_H
#define MOIETY_TEST_PRIMITIVE_FIELD_SUPPORT_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "primitive/kernels.h"

/* The fields of every kernel that this machine runs, or NULL: two for each lane
 * type, then what AVX-512 uses where it lacks the 52-bit multiply-add. */
enum { FIELDS_TESTED = 2 * SIMD_TYPES + 2 };
static inline const struct field_kernel *field_tested(int i) {
    const struct kernels *kernels =
        kernels_of(i < 2 * SIMD_TYPES ? (enum simd_type)(i / 2) : SIMD_AVX512);
    if (kernels == NULL) {
        return NULL;
    }
#if defined(__x86_64__)
    if (i >= 2 * SIMD_TYPES) {
        return i % 2 == 0 ? &field64_avx512 : &field128_avx512;
    }
#endif
    return i % 2 == 0 ? kernels->field64 : kernels->field128;
}

#define FOR_EACH_FIELD(field, body)                               \
    for (int tested_ = 0; tested_ < FIELDS_TESTED; tested_++) {   \
        const struct field_kernel *field = field_tested(tested_); \
        if (field != NULL) {                                      \
            body;                                                 \
        }                                                         \
    }

/* A vector in memory of its own. */
static inline uint64_t *vector_new(const struct field_kernel *field, size_t n) {
    const size_t bytes = (n * field->words * sizeof(uint64_t) + 63) / 64 * 64;
    uint64_t *vector = aligned_alloc(64, bytes > 0 ? bytes : 64);
    memset(vector, 0, bytes);
    return vector;
}

/* Element i of one lane, by way of the wire's encoding. */
static inline field_value vector_get(const struct field_kernel *field, const uint64_t *vector,
                                     size_t i, unsigned lane) {
    uint8_t bytes[SIMD_LANES_MAX][FIELD_BYTES_MAX];
    uint8_t *out[SIMD_LANES_MAX];
    for (unsigned l = 0; l < field->lanes; l++) {
        out[l] = bytes[l];
    }
    field->encode(out, field_at_const(field, vector, i), 1);
    field_value value = 0;
    for (size_t byte = field->encoded_size; byte-- > 0;) {
        value = value << 8 | bytes[lane][byte];
    }
    return value;
}

/* Sets element i, values[lane] in each lane. */
static inline lane_mask vector_put(const struct field_kernel *field, uint64_t *vector, size_t i,
                                   const field_value values[]) {
    uint8_t bytes[SIMD_LANES_MAX][FIELD_BYTES_MAX];
    const uint8_t *in[SIMD_LANES_MAX];
    for (unsigned l = 0; l < field->lanes; l++) {
        for (size_t byte = 0; byte < field->encoded_size; byte++) {
            bytes[l][byte] = (uint8_t)(values[l] >> (8 * byte));
        }
        in[l] = bytes[l];
    }
    return field->decode(field_at(field, vector, i), in, 1);
}

/* Numbers below the modulus: edge values first, then random ones; a fixed
 * sequence, so that a failure comes again. */
enum { EDGES = 22 };
static inline field_value number(const struct field_kernel *field, size_t i) {
    const field_value p = field->modulus, one = 1;
    const field_value edges[EDGES] = {
        0, 1, 2, p - 1, p - 2, p / 2, p / 2 + 1, UINT64_MAX, UINT64_MAX - 1, (one << 64),
        (one << 64) + 1, ~(field_value)0, ~(field_value)0 - 1, one << 63, (one << 32) - 1,
        one << 32,
        (one << 32) + 1, UINT64_MAX ^ UINT32_MAX, one << 127, (one << 66) - 1, one << 66,
        ((field_value)7 << 66) - 1,
    };
    if (i < EDGES) {
        return edges[i] % p;
    }
    uint64_t state = i * UINT64_C(0x9E3779B97F4A7C15), words[2];
    for (int w = 0; w < 2; w++) { /* splitmix64 */
        state += UINT64_C(0x9E3779B97F4A7C15);
        uint64_t z = (state ^ state >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
        words[w] = z ^ z >> 31;
    }
    return ((field_value)words[1] << 64 | words[0]) % p;
}

#endif
