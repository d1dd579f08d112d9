/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_SIMD_PORTABLE_H
#define MOIETY_SIMD_PORTABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/barrier.h"
#include "simd/cpu.h"

/*
 * The portable lane type: one 64-bit lane in plain C.
 *
 * A header of this kind describes one machine to the kernels. It defines LANE,
 * LANE_TYPE, LANES, the type `lane` (LANES unsigned 64-bit integers) and the
 * operations below, each on all lanes at once and in constant time. In memory
 * the lanes of a value stand side by side: lane l of value i of an array is
 * word i * LANES + l. A "mask" has each lane all ones or all zeros.
 */
#define LANE portable
#define LANE_TYPE SIMD_PORTABLE
enum { LANES = 1 };
typedef uint64_t lane;

static inline lane lane_load(const uint64_t *from) { return *from; }
static inline void lane_store(uint64_t *to, lane a) { *to = a; }
/* LANES little-endian words in a row, at any alignment. */
static inline lane lane_load_bytes(const uint8_t *from) {
    uint64_t word;
    memcpy(&word, from, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}
static inline void lane_store_bytes(uint8_t *to, lane a) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    a = __builtin_bswap64(a);
#endif
    memcpy(to, &a, sizeof(a));
}
/* The first `words` of them, fewer than LANES but not none, the others zero; no
 * more is read or written. */
static inline lane lane_load_bytes_of(const uint8_t *from, size_t words) {
    (void)words;
    return lane_load_bytes(from);
}
static inline void lane_store_bytes_of(uint8_t *to, lane a, size_t words) {
    (void)words;
    lane_store_bytes(to, a);
}
static inline lane lane_splat(uint64_t word) { return word; }

static inline lane lane_xor(lane a, lane b) { return a ^ b; }
static inline lane lane_and(lane a, lane b) { return a & b; }
static inline lane lane_or(lane a, lane b) { return a | b; }
/* (not a) and b */
static inline lane lane_andnot(lane a, lane b) { return ~a & b; }
/* a xor b xor c; a xor ((not b) and c) */
static inline lane lane_xor3(lane a, lane b, lane c) { return a ^ b ^ c; }
static inline lane lane_xor_andnot(lane a, lane b, lane c) { return a ^ (~b & c); }
/* a where the mask is set, else b */
static inline lane lane_select(lane mask, lane a, lane b) { return b ^ ((a ^ b) & mask); }
static inline lane lane_shl(lane a, unsigned bits) { return a << bits; }
static inline lane lane_shr(lane a, unsigned bits) { return a >> bits; }
/* `bits` is a constant expression below 64. */
static inline lane lane_rotl(lane a, unsigned bits) {
    return (a << bits) | (a >> ((64 - bits) & 63));
}

static inline lane lane_add(lane a, lane b) { return a + b; }
static inline lane lane_sub(lane a, lane b) { return a - b; }
/* The mask of a < b, unsigned. */
static inline lane lane_lt(lane a, lane b) { return mask_of((uint64_t)(a < b)); }
/* sum + x, or - x, where a < b, unsigned; else sum. */
static inline lane lane_add_if_lt(lane sum, lane a, lane b, lane x) {
    return lane_add(sum, lane_and(x, lane_lt(a, b)));
}
static inline lane lane_sub_if_lt(lane sum, lane a, lane b, lane x) {
    return lane_sub(sum, lane_and(x, lane_lt(a, b)));
}
static inline lane lane_max(lane a, lane b) { return lane_select(lane_lt(a, b), b, a); }
/* The product of the low 32 bits of each. */
static inline lane lane_mul_32(lane a, lane b) { return (uint64_t)(uint32_t)a * (uint32_t)b; }
/* The low 64 bits of each product; the high ones in *high. */
static inline lane lane_mul_wide(lane a, lane b, lane *high) {
    unsigned __int128 product = (unsigned __int128)a * b;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
}

/* Word w of lane l trades places with word l of lane w. */
static inline void lane_transpose(lane rows[LANES]) { (void)rows; }

/* Bit l of the result is set if lane l is not zero. */
static inline uint64_t lane_nonzero(lane a) { return (uint64_t)(a != 0); }

#endif
