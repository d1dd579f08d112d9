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

/* Theta, part one: the parity of column x and what it adds to each column. */
#define COLUMN(a, x) \
    lane_xor3(lane_xor3((a)[(x)], (a)[(x) + 5], (a)[(x) + 10]), (a)[(x) + 15], (a)[(x) + 20])

/* One output row: theta's rest, rho and pi pick five source words and rotate
 * them; chi mixes them. */
#define ROW(a, e, row, s0, r0, s1, r1, s2, r2, s3, r3, s4, r4)              \
    do {                                                                    \
        const lane b0 = lane_rotl(lane_xor((a)[s0], d[(s0) % 5]), (r0));    \
        const lane b1 = lane_rotl(lane_xor((a)[s1], d[(s1) % 5]), (r1));    \
        const lane b2 = lane_rotl(lane_xor((a)[s2], d[(s2) % 5]), (r2));    \
        const lane b3 = lane_rotl(lane_xor((a)[s3], d[(s3) % 5]), (r3));    \
        const lane b4 = lane_rotl(lane_xor((a)[s4], d[(s4) % 5]), (r4));    \
        (e)[5 * (row)] = lane_xor_andnot(b0, b1, b2);\
        (e)[5 * (row) + 1] = lane_xor_andnot(b1, b2, b3);\
        (e)[5 * (row) + 2] = lane_xor_andnot(b2, b3, b4);\
        (e)[5 * (row) + 3] = lane_xor_andnot(b3, b4, b0);\
        (e)[5 * (row) + 4] = lane_xor_andnot(b4, b0, b1);\
    } while (0)

#define ROUND(a, e, constant)                                                  \
    do {                                                                       \
        const lane c0 = COLUMN(a, 0), c1 = COLUMN(a, 1), c2 = COLUMN(a, 2);    \
        const lane c3 = COLUMN(a, 3), c4 = COLUMN(a, 4);                       \
        const lane d[5] = {                                                    \
            lane_xor(c4, lane_rotl(c1, 1)), lane_xor(c0, lane_rotl(c2, 1)),    \
            lane_xor(c1, lane_rotl(c3, 1)), lane_xor(c2, lane_rotl(c4, 1)),    \
            lane_xor(c3, lane_rotl(c0, 1)),                                    \
        };                                                                     \
        ROW(a, e, 0, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14);                     \
        ROW(a, e, 1, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61);                     \
        ROW(a, e, 2, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18);                       \
        ROW(a, e, 3, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56);                    \
        ROW(a, e, 4, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2);                     \
        (e)[0] = lane_xor((e)[0], lane_splat(constant));                       \
    } while (0)

static void permute(uint64_t state[]) {
    lane a[KECCAK_WORDS], e[KECCAK_WORDS];
    for (int i = 0; i < KECCAK_WORDS; i++) {
        a[i] = lane_load(state + i * LANES);
    }
    for (int round = 0; round < 12; round += 2) {
        ROUND(a, e, round_constants[round]);
        ROUND(e, a, round_constants[round + 1]);
    }
    for (int i = 0; i < KECCAK_WORDS; i++) {
        lane_store(state + i * LANES, a[i]);
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

const struct keccak_kernel KERNEL_NAME(keccak) = {
    .type = LANE_TYPE,
    .lanes = LANES,
    .permute = permute,
    .absorb = absorb,
    .absorb_same = absorb_same,
    .gather = words_gather,
    .scatter = words_scatter,
};
