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

/* Of a long sum, by two lengths, so that its end doesn't count. */
double unit_term_ns(const struct field_kernel *field) {
    double ns[2];
    fill(field);
    for (int half = 0; half < 2; half++) {
        struct bench_min min = {0};
        for (int repeat = 0; repeat < UNIT_REPEATS; repeat++) {
            bench_start(&min);
            for (int round = 0; round < UNIT_ROUNDS; round++) {
                field->dot(out, a, 1, b, 1, half ? UNIT_LENGTH / 2 : UNIT_LENGTH);
            }
            bench_stop(&min);
        }
        ns[half] = min.least / UNIT_ROUNDS;
    }
    return (ns[0] - ns[1]) / (UNIT_LENGTH - UNIT_LENGTH / 2) / field->lanes;
}
