/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_SIMD_NEON_H
#define MOIETY_SIMD_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/cpu.h"

/* Two 64-bit lanes in a 128-bit register of a little-endian AArch64.
 * portable.h says what the operations do. */
#define LANE neon
#define LANE_TYPE SIMD_NEON
enum { LANES = 2 };
typedef uint64x2_t lane;

static inline lane lane_load(const uint64_t *from) { return vld1q_u64(from); }
static inline void lane_store(uint64_t *to, lane a) { vst1q_u64(to, a); }
static inline lane lane_load_bytes(const uint8_t *from) {
    return vreinterpretq_u64_u8(vld1q_u8(from));
}
static inline void lane_store_bytes(uint8_t *to, lane a) { vst1q_u8(to, vreinterpretq_u8_u64(a)); }
static inline lane lane_load_bytes_of(const uint8_t *from, size_t words) {
    (void)words; /* one */
    return vreinterpretq_u64_u8(vcombine_u8(vld1_u8(from), vdup_n_u8(0)));
}
static inline void lane_store_bytes_of(uint8_t *to, lane a, size_t words) {
    (void)words;
    vst1_u8(to, vget_low_u8(vreinterpretq_u8_u64(a)));
}
static inline lane lane_splat(uint64_t word) { return vdupq_n_u64(word); }

static inline lane lane_xor(lane a, lane b) { return veorq_u64(a, b); }
static inline lane lane_and(lane a, lane b) { return vandq_u64(a, b); }
static inline lane lane_or(lane a, lane b) { return vorrq_u64(a, b); }
static inline lane lane_andnot(lane a, lane b) { return vbicq_u64(b, a); }
static inline lane lane_xor3(lane a, lane b, lane c) { return lane_xor(lane_xor(a, b), c); }
static inline lane lane_xor_andnot(lane a, lane b, lane c) {
    return lane_xor(a, lane_andnot(b, c));
}
static inline lane lane_select(lane mask, lane a, lane b) { return vbslq_u64(mask, a, b); }
/* Of these the compiler makes shifts by a constant where it knows one, which
 * the intrinsics want in place. */
static inline lane lane_shl(lane a, unsigned bits) { return a << bits; }
static inline lane lane_shr(lane a, unsigned bits) { return a >> bits; }
/* The upper bits, and the lower ones inserted below them. */
#define lane_rotl(a, bits) vsriq_n_u64(vshlq_n_u64((a), (bits)), (a), 64 - (bits))

static inline lane lane_add(lane a, lane b) { return vaddq_u64(a, b); }
static inline lane lane_sub(lane a, lane b) { return vsubq_u64(a, b); }
static inline lane lane_lt(lane a, lane b) { return vcltq_u64(a, b); }
static inline lane lane_add_if_lt(lane sum, lane a, lane b, lane x) {
    return lane_add(sum, lane_and(x, lane_lt(a, b)));
}
static inline lane lane_sub_if_lt(lane sum, lane a, lane b, lane x) {
    return lane_sub(sum, lane_and(x, lane_lt(a, b)));
}
static inline lane lane_max(lane a, lane b) { return lane_select(lane_lt(a, b), b, a); }
static inline lane lane_mul_32(lane a, lane b) { return vmull_u32(vmovn_u64(a), vmovn_u64(b)); }
static inline lane lane_mul_wide(lane a, lane b, lane *high) {
    const lane low_word = lane_splat(UINT32_MAX);
    const uint32x2_t a0 = vmovn_u64(a), a1 = vshrn_n_u64(a, 32);
    const uint32x2_t b0 = vmovn_u64(b), b1 = vshrn_n_u64(b, 32);
    const lane p00 = vmull_u32(a0, b0);
    const lane middle = vmlal_u32(lane_shr(p00, 32), a1, b0);
    const lane upper = vmlal_u32(lane_and(middle, low_word), a0, b1);
    *high = lane_add(vmlal_u32(lane_shr(middle, 32), a1, b1), lane_shr(upper, 32));
    return vsliq_n_u64(p00, upper, 32);
}

static inline void lane_transpose(lane rows[LANES]) {
    const lane even = vtrn1q_u64(rows[0], rows[1]);
    rows[1] = vtrn2q_u64(rows[0], rows[1]);
    rows[0] = even;
}

static inline uint64_t lane_nonzero(lane a) {
    const lane set = vtstq_u64(a, a);
    return (vgetq_lane_u64(set, 0) & 1) | (vgetq_lane_u64(set, 1) & 2);
}

#endif
