/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_SIMD_AVX512_H
#define MOIETY_SIMD_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/cpu.h"

/* Eight 64-bit lanes in a 512-bit register. portable.h says what the
 * operations do. */
#define LANE avx512
#define LANE_TYPE SIMD_AVX512
enum { LANES = 8 };
typedef __m512i lane;

static inline lane lane_load(const uint64_t *from) { return _mm512_loadu_si512(from); }
static inline void lane_store(uint64_t *to, lane a) { _mm512_storeu_si512(to, a); }
static inline lane lane_load_bytes(const uint8_t *from) {
    return _mm512_loadu_si512(from);
}
static inline void lane_store_bytes(uint8_t *to, lane a) { _mm512_storeu_si512(to, a); }
static inline lane lane_load_bytes_of(const uint8_t *from, size_t words) {
    return _mm512_maskz_loadu_epi64((__mmask8)((1U << words) - 1), from);
}
static inline void lane_store_bytes_of(uint8_t *to, lane a, size_t words) {
    _mm512_mask_storeu_epi64(to, (__mmask8)((1U << words) - 1), a);
}
static inline lane lane_splat(uint64_t word) { return _mm512_set1_epi64((long long)word); }

static inline lane lane_xor(lane a, lane b) { return _mm512_xor_si512(a, b); }
static inline lane lane_and(lane a, lane b) { return _mm512_and_si512(a, b); }
static inline lane lane_or(lane a, lane b) { return _mm512_or_si512(a, b); }
static inline lane lane_andnot(lane a, lane b) { return _mm512_andnot_si512(a, b); }
static inline lane lane_xor3(lane a, lane b, lane c) {
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}
static inline lane lane_xor_andnot(lane a, lane b, lane c) {
    return _mm512_ternarylogic_epi64(a, b, c, 0xD2);
}
static inline lane lane_select(lane mask, lane a, lane b) {
    return _mm512_ternarylogic_epi64(mask, a, b, 0xCA);
}
static inline lane lane_shl(lane a, unsigned bits) { return _mm512_slli_epi64(a, bits); }
static inline lane lane_shr(lane a, unsigned bits) { return _mm512_srli_epi64(a, bits); }
/* The intrinsic wants its constant in place. */
#define lane_rotl(a, bits) _mm512_rol_epi64((a), (bits))

static inline lane lane_add(lane a, lane b) { return _mm512_add_epi64(a, b); }
static inline lane lane_sub(lane a, lane b) { return _mm512_sub_epi64(a, b); }
static inline lane lane_lt(lane a, lane b) {
    return _mm512_movm_epi64(_mm512_cmplt_epu64_mask(a, b));
}
static inline lane lane_add_if_lt(lane sum, lane a, lane b, lane x) {
    return _mm512_mask_add_epi64(sum, _mm512_cmplt_epu64_mask(a, b), sum, x);
}
static inline lane lane_sub_if_lt(lane sum, lane a, lane b, lane x) {
    return _mm512_mask_sub_epi64(sum, _mm512_cmplt_epu64_mask(a, b), sum, x);
}
static inline lane lane_max(lane a, lane b) { return _mm512_max_epu64(a, b); }
static inline lane lane_mul_32(lane a, lane b) { return _mm512_mul_epu32(a, b); }
/* The low 64 bits of each product, in one instruction: for a constant factor
 * GCC makes shifts and additions of the intrinsic. */
static inline lane lane_mul_low(lane a, lane b) {
    lane product;
    __asm__("vpmullq %2, %1, %0" : "=v"(product) : "v"(a), "v"(b));
    return product;
}
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

/* pairs[i] holds, of rows 2i and 2i + 1, every other column from `from` on;
 * gives those columns. */
static inline void transpose_pairs(lane out[LANES], unsigned from, const lane pairs[4]) {
    const lane low01 = _mm512_shuffle_i64x2(pairs[0], pairs[1], 0x88);
    const lane high01 = _mm512_shuffle_i64x2(pairs[0], pairs[1], 0xDD);
    const lane low23 = _mm512_shuffle_i64x2(pairs[2], pairs[3], 0x88);
    const lane high23 = _mm512_shuffle_i64x2(pairs[2], pairs[3], 0xDD);
    out[from] = _mm512_shuffle_i64x2(low01, low23, 0x88);
    out[from + 4] = _mm512_shuffle_i64x2(low01, low23, 0xDD);
    out[from + 2] = _mm512_shuffle_i64x2(high01, high23, 0x88);
    out[from + 6] = _mm512_shuffle_i64x2(high01, high23, 0xDD);
}
static inline void lane_transpose(lane rows[LANES]) {
    lane even[4], odd[4];
    for (unsigned pair = 0; pair < 4; pair++) {
        even[pair] = _mm512_unpacklo_epi64(rows[2 * pair], rows[2 * pair + 1]);
        odd[pair] = _mm512_unpackhi_epi64(rows[2 * pair], rows[2 * pair + 1]);
    }
    transpose_pairs(rows, 0, even);
    transpose_pairs(rows, 1, odd);
}

static inline uint64_t lane_nonzero(lane a) { return _mm512_test_epi64_mask(a, a); }

#ifdef __AVX512IFMA__
/* sum + the low, or the high, 52 bits of the 104-bit product of the low 52
 * bits of a and b. */
static inline lane lane_mul_add_low_52(lane sum, lane a, lane b) {
    return _mm512_madd52lo_epu64(sum, a, b);
}
static inline lane lane_mul_add_high_52(lane sum, lane a, lane b) {
    return _mm512_madd52hi_epu64(sum, a, b);
}
#endif

#endif
