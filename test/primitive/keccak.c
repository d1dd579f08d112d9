/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/keccak.h"

#include <criterion/criterion.h>
#include <string.h>

#include "primitive/kernels.h"

/* Every lane of every Keccak kernel against the portable one, which
 * turboshake.c holds against the standard's figures. */

enum { WORDS = 50, WORDS_MAX = WORDS * SIMD_LANES_MAX };

/* Words of a fixed sequence (splitmix64). */
static void fill(uint64_t words[], size_t n, uint64_t seed) {
    for (size_t i = 0; i < n; i++) {
        uint64_t z = seed * 1000 + (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
        z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
        words[i] = z ^ z >> 31;
    }
}

/* One lane of n words, alone. */
static void lane_of(uint64_t out[], const uint64_t words[], size_t n, unsigned lane,
                    unsigned lanes) {
    for (size_t i = 0; i < n; i++) {
        out[i] = words[i * lanes + lane];
    }
}

static void check_permute(const struct keccak_kernel *kernel, uint64_t seed) {
    _Alignas(64) uint64_t before[KECCAK_WORDS * SIMD_LANES_MAX], after[KECCAK_WORDS * SIMD_LANES_MAX];
    fill(before, KECCAK_WORDS * kernel->lanes, seed);
    memcpy(after, before, sizeof(before));
    kernel->permute(after);
    for (unsigned lane = 0; lane < kernel->lanes; lane++) {
        _Alignas(64) uint64_t expected[KECCAK_WORDS];
        uint64_t got[KECCAK_WORDS];
        lane_of(expected, before, KECCAK_WORDS, lane, kernel->lanes);
        keccak_portable.permute(expected);
        lane_of(got, after, KECCAK_WORDS, lane, kernel->lanes);
        cr_assert_arr_eq(got, expected, sizeof(got), "%s, lane %u", simd_name(kernel->type), lane);
    }
}

/* `len` bytes from byte `at` on, their own in each lane or the same. */
static void check_absorb(const struct keccak_kernel *kernel, size_t at, size_t len, bool same) {
    _Alignas(64) uint64_t before[KECCAK_WORDS * SIMD_LANES_MAX], after[KECCAK_WORDS * SIMD_LANES_MAX];
    uint64_t words[WORDS_MAX] = {0};
    const unsigned stride = same ? 1 : kernel->lanes;
    const uint64_t last = len % 8 == 0 ? UINT64_MAX : (UINT64_C(1) << 8 * (len % 8)) - 1;
    fill(before, KECCAK_WORDS * kernel->lanes, at);
    fill(words, (len + 7) / 8 * stride, len);
    for (unsigned i = 0; len > 0 && i < stride; i++) {
        words[(len - 1) / 8 * stride + i] &= last; /* zeros after the end */
    }
    memcpy(after, before, sizeof(before));
    const size_t end = (same ? kernel->absorb_same : kernel->absorb)(after, at, words, len);
    for (unsigned lane = 0; lane < kernel->lanes; lane++) {
        _Alignas(64) uint64_t expected[KECCAK_WORDS];
        uint64_t own[WORDS], got[KECCAK_WORDS];
        lane_of(expected, before, KECCAK_WORDS, lane, kernel->lanes);
        lane_of(own, words, (len + 7) / 8, same ? 0 : lane, stride);
        cr_assert_eq(end, keccak_portable.absorb(expected, at, own, len));
        lane_of(got, after, KECCAK_WORDS, lane, kernel->lanes);
        cr_assert_arr_eq(got, expected, sizeof(got), "%s, lane %u, %zu bytes at %zu",
                         simd_name(kernel->type), lane, len, at);
    }
}

/* Bytes at any alignment into lanes, and back. */
static void check_gather(const struct keccak_kernel *kernel, size_t n, size_t offset) {
    uint8_t bytes[SIMD_LANES_MAX][8 * WORDS + 8], back[SIMD_LANES_MAX][8 * WORDS + 8] = {0};
    const uint8_t *in[SIMD_LANES_MAX];
    uint8_t *out[SIMD_LANES_MAX];
    _Alignas(64) uint64_t words[WORDS_MAX], alone[WORDS], own[WORDS];
    for (unsigned lane = 0; lane < kernel->lanes; lane++) {
        fill(own, WORDS, 70 + lane);
        memcpy(bytes[lane] + offset, own, sizeof(own));
        in[lane] = bytes[lane] + offset;
        out[lane] = back[lane] + offset;
    }
    kernel->gather(words, in, n);
    kernel->scatter(out, words, n);
    for (unsigned lane = 0; lane < kernel->lanes; lane++) {
        keccak_portable.gather(own, &in[lane], n);
        lane_of(alone, words, n, lane, kernel->lanes);
        cr_assert_arr_eq(alone, own, 8 * n, "%s, lane %u, %zu words", simd_name(kernel->type),
                         lane, n);
        cr_assert_arr_eq(out[lane], in[lane], 8 * n);
    }
}

#define FOR_EACH_KERNEL(kernel, body)                                           \
    for (int type_ = 0; type_ < SIMD_TYPES; type_++) {                          \
        const struct kernels *kernels_ = kernels_of((enum simd_type)type_);     \
        const struct keccak_kernel *kernel = kernels_ ? kernels_->keccak : NULL; \
        if (kernel != NULL) {                                                   \
            body;                                                               \
        }                                                                       \
    }

Test(keccak, permutations_equal_the_portable_ones) {
    FOR_EACH_KERNEL(kernel, {
        for (uint64_t seed = 0; seed < 500; seed++) {
            check_permute(kernel, seed);
        }
    });
}

Test(keccak, absorption_equals_the_portable_one) {
    const size_t places[] = {0, 1, 7, 8, 80, 159, 160, 161, 167};
    FOR_EACH_KERNEL(kernel, {
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            for (size_t len = 0; len <= 8 * WORDS; len += len < 20 ? 1 : 13) {
                check_absorb(kernel, places[i], len, false);
                check_absorb(kernel, places[i], len, true);
            }
        }
    });
}

Test(keccak, bytes_go_into_lanes_and_back) {
    FOR_EACH_KERNEL(kernel, {
        for (size_t n = 0; n <= WORDS; n++) {
            for (size_t offset = 0; offset < 8; offset++) {
                check_gather(kernel, n, offset);
            }
        }
    });
}
