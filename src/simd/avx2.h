/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_SIMD_AVX2_H
#define MOIETY_SIMD_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/cpu.h"

/* Four 64-bit lanes in a 256-bit register. portable.h says what the operations
 * do. */
#define LANE avx2
#define LANE_TYPE SIMD_AVX2
enum { LANES = 4 };
typedef __m256i lane;

static inline lane lane_load(const uint64_t *from) {
    return _mm256_loadu_si256((const __m256i *)from);
}
static inline void lane_store(uint64_t *to, lane a) { _mm256_storeu_si256((__m256i *)to, a); }
static inline lane lane_load_bytes(const uint8_t *from) {
    return _mm256_loadu_si256((const __m256i *)from);
}
static inline void lane_store_bytes(uint8_t *to, lane a) { _mm256_storeu_si256((__m256i *)to, a); }
/* All ones in the first words. */
static inline lane first_words(size_t words) {
    const lane index = _mm256_set_epi64x(3, 2, 1, 0);
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)words), index);
}
static inline lane lane_load_bytes_of(const uint8_t *from, size_t words) {
    return _mm256_maskload_epi64((const long long *)(const void *)from, first_words(words));
}
static inline void lane_store_bytes_of(uint8_t *to, lane a, size_t words) {
    _mm256_maskstore_epi64((long long *)(void *)to, first_words(words), a);
}
static inline lane lane_splat(uint64_t word) { return _mm256_set1_epi64x((long long)word); }

static inline lane lane_xor(lane a, lane b) { return _mm256_xor_si256(a, b); }
static inline lane lane_and(lane a, lane b) { return _mm256_and_si256(a, b); }
static inline lane lane_or(lane a, lane b) { return _mm256_or_si256(a, b); }
static inline lane lane_andnot(lane a, lane b) { return _mm256_andnot_si256(a, b); }
static inline lane lane_xor3(lane a, lane b, lane c) { return lane_xor(lane_xor(a, b), c); }
static inline lane lane_xor_andnot(lane a, lane b, lane c) {
    return lane_xor(a, lane_andnot(b, c));
}
static inline lane lane_select(lane mask, lane a, lane b) {
    return _mm256_blendv_epi8(b, a, mask);
}
static inline lane lane_shl(lane a, unsigned bits) { return _mm256_slli_epi64(a, (int)bits); }
static inline lane lane_shr(lane a, unsigned bits) { return _mm256_srli_epi64(a, (int)bits); }
static inline lane lane_rotl(lane a, unsigned bits) {
    return lane_or(lane_shl(a, bits), lane_shr(a, 64 - bits));
}

static inline lane lane_add(lane a, lane b) { return _mm256_add_epi64(a, b); }
static inline lane lane_sub(lane a, lane b) { return _mm256_sub_epi64(a, b); }
static inline lane lane_lt(lane a, lane b) {
    const lane sign = lane_splat(UINT64_C(1) << 63); /* the comparison is signed */
    return _mm256_cmpgt_epi64(lane_xor(b, sign), lane_xor(a, sign));
}
static inline lane lane_add_if_lt(lane sum, lane a, lane b, lane x) {
    return lane_add(sum, lane_and(x, lane_lt(a, b)));
}
static inline lane lane_sub_if_lt(lane sum, lane a, lane b, lane x) {
    return lane_sub(sum, lane_and(x, lane_lt(a, b)));
}
static inline lane lane_max(lane a, lane b) { return lane_select(lane_lt(a, b), b, a); }
static inline lane lane_mul_32(lane a, lane b) { return _mm256_mul_epu32(a, b); }
static inline lane lane_mul_wide(lane a, lane b, lane *high) {
    const lane low_word = lane_splat(UINT32_MAX);
    const lane a1 = lane_shr(a, 32), b1 = lane_shr(b, 32);
    const lane p00 = lane_mul_32(a, b), p01 = lane_mul_32(a, b1);
    const lane p10 = lane_mul_32(a1, b), p11 = lane_mul_32(a1, b1);
    const lane middle = lane_add(p10, lane_shr(p00, 32));
    const lane upper = lane_add(p01, lane_and(middle, low_word));
    *high = lane_add(p11, lane_add(lane_shr(middle, 32), lane_shr(upper, 32)));
    return lane_or(lane_and(p00, low_word), lane_shl(upper, 32));
}

static inline void lane_transpose(lane rows[LANES]) {
    const lane even01 = _mm256_unpacklo_epi64(rows[0], rows[1]);
    const lane odd01 = _mm256_unpackhi_epi64(rows[0], rows[1]);
    const lane even23 = _mm256_unpacklo_epi64(rows[2], rows[3]);
    const lane odd23 = _mm256_unpackhi_epi64(rows[2], rows[3]);
    rows[0] = _mm256_permute2x128_si256(even01, even23, 0x20);
    rows[1] = _mm256_permute2x128_si256(odd01, odd23, 0x20);
    rows[2] = _mm256_permute2x128_si256(even01, even23, 0x31);
    rows[3] = _mm256_permute2x128_si256(odd01, odd23, 0x31);
}

static inline uint64_t lane_nonzero(lane a) {
    const lane zero = _mm256_cmpeq_epi64(a, _mm256_setzero_si256());
    return (uint64_t)_mm256_movemask_pd(_mm256_castsi256_pd(zero)) ^ 15;
}

#endif
