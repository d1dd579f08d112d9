/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel of keccak.h, written once over lane operations. Include it after
 * a lane header; it defines the struct keccak_kernel keccak_<lane type>.
 */
#include "primitive/keccak.h"
#include "primitive/kernel_name.h"
#include "primitive/transpose.h"

/* The last twelve of Keccak-f[1600]'s 24 round constants. */
static const uint64_t round_constants[12] = {
    0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/*
 * The state stays in place, so that it stays in registers: a row of five words
 * that a round gives replaces the five that the row was made of. Where word
 * (x, y) then stands comes round every four rounds (Keccak implementation
 * overview, section 2.5): in round r it is (x, u_r x + v_r y) of the array.
 */
#define PLACE_0(x, y) ((x) + 5 * ((y) % 5))
#define PLACE_1(x, y) ((x) + 5 * (((x) + 2 * (y)) % 5))
#define PLACE_2(x, y) ((x) + 5 * ((3 * (x) + 4 * (y)) % 5))
#define PLACE_3(x, y) ((x) + 5 * ((2 * (x) + 3 * (y)) % 5))
#define PLACE_4(x, y) PLACE_0(x, y)

/* Theta, part one: the parity of column x, which is the same in any order. */
#define COLUMN(x) \
    lane_xor3(lane_xor3(a[(x)], a[(x) + 5], a[(x) + 10]), a[(x) + 15], a[(x) + 20])

/* Theta's rest, rho and pi: word (x, y) of row y comes from (x + 3y, x). */
#define SOURCE(r, x, y, rotation) \
    lane_rotl(lane_xor(a[PLACE_##r(((x) + 3 * (y)) % 5, x)], d[((x) + 3 * (y)) % 5]), rotation)

/* One row, which chi mixes. */
#define ROW(r, next, y, r0, r1, r2, r3, r4)                                                 \
    do {                                                                                    \
        const lane b0 = SOURCE(r, 0, y, r0), b1 = SOURCE(r, 1, y, r1);                      \
        const lane b2 = SOURCE(r, 2, y, r2), b3 = SOURCE(r, 3, y, r3);                      \
        const lane b4 = SOURCE(r, 4, y, r4);                                                \
        a[PLACE_##next(0, y)] = lane_xor_andnot(b0, b1, b2);                                \
        a[PLACE_##next(1, y)] = lane_xor_andnot(b1, b2, b3);                                \
        a[PLACE_##next(2, y)] = lane_xor_andnot(b2, b3, b4);                                \
        a[PLACE_##next(3, y)] = lane_xor_andnot(b3, b4, b0);                                \
        a[PLACE_##next(4, y)] = lane_xor_andnot(b4, b0, b1);                                \
    } while (0)

#define ROUND(r, next, constant)                                                            \
    do {                                                                                    \
        const lane c0 = COLUMN(0), c1 = COLUMN(1), c2 = COLUMN(2);                          \
        const lane c3 = COLUMN(3), c4 = COLUMN(4);                                          \
        const lane d[5] = {                                                                 \
            lane_xor(c4, lane_rotl(c1, 1)), lane_xor(c0, lane_rotl(c2, 1)),                 \
            lane_xor(c1, lane_rotl(c3, 1)), lane_xor(c2, lane_rotl(c4, 1)),                 \
            lane_xor(c3, lane_rotl(c0, 1)),                                                 \
        };                                                                                  \
        ROW(r, next, 0, 0, 44, 43, 21, 14);                                                 \
        a[0] = lane_xor(a[0], lane_splat(constant));                                        \
        ROW(r, next, 1, 28, 20, 3, 45, 61);                                                 \
        ROW(r, next, 2, 1, 6, 25, 8, 18);                                                   \
        ROW(r, next, 3, 27, 36, 10, 15, 56);                                                \
        ROW(r, next, 4, 62, 55, 39, 41, 2);                                                 \
    } while (0)

static void permute(uint64_t state[]) {
    lane a[KECCAK_WORDS];
#pragma GCC unroll 25
    for (int i = 0; i < KECCAK_WORDS; i++) {
        a[i] = lane_load(state + i * LANES);
    }
    for (int round = 0; round < 12; round += 4) {
        ROUND(0, 1, round_constants[round]);
        ROUND(1, 2, round_constants[round + 1]);
        ROUND(2, 3, round_constants[round + 2]);
        ROUND(3, 4, round_constants[round + 3]);
    }
#pragma GCC unroll 25
    for (int i = 0; i < KECCAK_WORDS; i++) {
        lane_store(state + i * LANES, a[i]);
    }
}

static void begin(uint64_t state[], const uint64_t block[]) {
#pragma GCC unroll 25
    for (size_t i = 0; i < KECCAK_WORDS; i++) {
        lane_store(state + i * LANES, lane_splat(i < KECCAK_RATE / 8 ? block[i] : 0));
    }
}

static inline void xor_word(uint64_t state[], size_t word, lane a) {
    lane_store(state + word * LANES, lane_xor(lane_load(state + word * LANES), a));
}

/* Where the input's words begin within one of the state's, each fills that one
 * up, and what is left of it goes before the next. */
static inline size_t absorb_words(uint64_t state[], size_t at, const uint64_t words[], size_t len,
                                  int same) {
    const size_t offset = at % 8, end = at + len;
    size_t word = at / 8;
    lane rest = lane_splat(0);
    for (size_t done = 0; done < len; done += 8, words += same ? 1 : LANES) {
        const lane a = same ? lane_splat(*words) : lane_load(words);
        xor_word(state, word, lane_or(rest, lane_shl(a, 8 * (unsigned)offset)));
        rest = offset == 0 ? rest : lane_shr(a, 64 - 8 * (unsigned)offset);
        if (offset + (len - done) >= 8 && ++word == KECCAK_RATE / 8) {
            permute(state);
            word = 0;
        }
    }
    xor_word(state, word, rest);
    return 8 * word + end % 8;
}

static size_t absorb(uint64_t state[], size_t at, const uint64_t words[], size_t len) {
    return absorb_words(state, at, words, len, 0);
}
static size_t absorb_same(uint64_t state[], size_t at, const uint64_t words[], size_t len) {
    return absorb_words(state, at, words, len, 1);
}

static void pad(uint64_t state[], size_t at, uint8_t domain) {
    xor_word(state, at / 8, lane_splat((uint64_t)domain << (8 * (at % 8))));
    xor_word(state, KECCAK_RATE / 8 - 1, lane_splat(UINT64_C(1) << 63));
}

const struct keccak_kernel KERNEL_NAME(keccak) = {
    .type = LANE_TYPE,
    .lanes = LANES,
    .permute = permute,
    .begin = begin,
    .absorb = absorb,
    .absorb_same = absorb_same,
    .pad = pad,
    .gather = words_gather,
    .scatter = words_scatter,
};
