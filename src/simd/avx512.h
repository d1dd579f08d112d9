/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_SIMD_AVX512_H
#define MOIETY_SIMD_AVX512_H

#include <immintrin.h>
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
static inline lane lane_splat(uint64_t word) { return _mm512_set1_epi64((long long)word); }

static inline lane lane_xor(lane a, lane b) { return _mm512_xor_si512(a, b); }
static inline lane lane_and(lane a, lane b) { return _mm512_and_si512(a, b); }
static inline lane lane_or(lane a, lane b) { return _mm512_or_si512(a, b); }
static inline lane lane_andnot(lane a, lane b) { return _mm512_andnot_si512(a, b); }
static inline lane lane_shl(lane a, unsigned bits) { return _mm512_slli_epi64(a, bits); }
static inline lane lane_shr(lane a, unsigned bits) { return _mm512_srli_epi64(a, bits); }
static inline lane lane_rotl(lane a, unsigned bits) {
    return _mm512_rolv_epi64(a, lane_splat(bits));
}

static inline lane lane_add(lane a, lane b) { return _mm512_add_epi64(a, b); }
static inline lane lane_sub(lane a, lane b) { return _mm512_sub_epi64(a, b); }
static inline lane lane_lt(lane a, lane b) {
    return _mm512_movm_epi64(_mm512_cmplt_epu64_mask(a, b));
}
static inline lane lane_mul_32(lane a, lane b) { return _mm512_mul_epu32(a, b); }
/* The low 64 bits of each product. */
static inline lane lane_mul_low(lane a, lane b) { return _mm512_mullo_epi64(a, b); }
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
