/* SPDX-License-Identifier: Apache-2.0 */
#include "units.h"

#include "bench.h"

/* Vectors that fit the first-level cache. */
enum { UNIT_LENGTH = 32, UNIT_ROUNDS = 200, UNIT_REPEATS = 60 };

static _Alignas(64) uint64_t state[KECCAK_WORDS * SIMD_LANES_MAX];
static _Alignas(64) uint64_t a[UNIT_LENGTH * FIELD_LIMBS_MAX * SIMD_LANES_MAX];
static _Alignas(64) uint64_t b[UNIT_LENGTH * FIELD_LIMBS_MAX * SIMD_LANES_MAX];
static _Alignas(64) uint64_t out[UNIT_LENGTH * FIELD_LIMBS_MAX * SIMD_LANES_MAX];

double unit_permutation_ns(const struct keccak_kernel *keccak) {
    struct bench_min min = {0};
    for (int repeat = 0; repeat < UNIT_REPEATS; repeat++) {
        bench_start(&min);
        for (int round = 0; round < UNIT_ROUNDS; round++) {
            keccak->permute(state);
        }
        bench_stop(&min);
    }
    return min.least / UNIT_ROUNDS / keccak->lanes;
}

static void fill(const struct field_kernel *field) {
    for (size_t i = 0; i < UNIT_LENGTH; i++) {
        field->splat(a + i * field->words, field->modulus - 1 - i);
        field->splat(b + i * field->words, field->modulus / 3 + i);
    }
}

double unit_product_ns(const struct field_kernel *field) {
    fill(field);
    struct bench_min min = {0};
    for (int repeat = 0; repeat < UNIT_REPEATS; repeat++) {
        bench_start(&min);
        for (int round = 0; round < UNIT_ROUNDS; round++) {
            field->mul(out, a, b, UNIT_LENGTH);
        }
        bench_stop(&min);
    }
    return min.least / UNIT_ROUNDS / UNIT_LENGTH / field->lanes;
}

static void time_dots(const struct field_kernel *field, size_t n, struct bench_min *min) {
    bench_start(min);
    for (int round = 0; round < UNIT_ROUNDS; round++) {
        field->dot(out, a, 1, b, 1, n);
    }
    bench_stop(min);
}

/* Of a long sum, by two lengths, so that its end doesn't count: in turns, since a
 * difference takes in what disturbed either. */
double unit_term_ns(const struct field_kernel *field) {
    struct bench_min whole = {0}, half = {0};
    fill(field);
    for (int repeat = 0; repeat < 5 * UNIT_REPEATS; repeat++) {
        time_dots(field, UNIT_LENGTH, &whole);
        time_dots(field, UNIT_LENGTH / 2, &half);
    }
    return (whole.least - half.least) / UNIT_ROUNDS / (UNIT_LENGTH - UNIT_LENGTH / 2) /
           field->lanes;
}
