/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PRIMITIVE_TURBOSHAKE_H
#define MOIETY_PRIMITIVE_TURBOSHAKE_H

#include <stddef.h>
#include <stdint.h>

#include "primitive/keccak.h"

enum { TURBOSHAKE128_RATE = KECCAK_RATE };

/*
 * TurboSHAKE128 (RFC 9861, section 2) in every lane at once: the lanes absorb
 * different bytes, but the same number of them. Absorb, then finish, then
 * squeeze. Holds what it absorbed, so one that took secrets is to be wiped by
 * its owner. Constant time; not thread-safe.
 *
 * Invariant: at < TURBOSHAKE128_RATE while absorbing; while squeezing, `at`
 * bytes of the state's rate are used up, and at <= TURBOSHAKE128_RATE.
 */
struct turboshake {
    const struct keccak_kernel *kernel;
    size_t at;
    _Alignas(64) uint64_t state[KECCAK_WORDS * SIMD_LANES_MAX];
    _Alignas(64) uint64_t input[KECCAK_RATE / 8 * SIMD_LANES_MAX]; /* on its way in */
};

void turboshake_init(struct turboshake *sponge, const struct keccak_kernel *kernel);
/* The same, and absorbs the first `len` bytes, less than all, of a block of words, in
 * every lane. All others of the block are zero. */
void turboshake_init_block(struct turboshake *sponge, const struct keccak_kernel *kernel,
                           const uint64_t block[KECCAK_RATE / 8], size_t len);
/* Fills in what the block had as zeros: n words of each lane, from byte `at` on. */
void turboshake_fill_in(struct turboshake *sponge, size_t at, const uint8_t *const data[],
                        size_t n);

/* data[l] has `len` bytes for lane l. */
void turboshake_absorb(struct turboshake *sponge, const uint8_t *const data[], size_t len);
/* `len` bytes a lane that stand side by side in words, as Keccak leaves them. */
void turboshake_absorb_words(struct turboshake *sponge, const uint64_t words[], size_t len);
/* The same bytes in every lane. */
void turboshake_absorb_same(struct turboshake *sponge, const void *data, size_t len);

/* `domain` is the standard's D, from 0x01 to 0x7f. */
void turboshake_finish(struct turboshake *sponge, uint8_t domain);

/* The next `len` bytes of each lane's stream. */
void turboshake_squeeze(struct turboshake *sponge, uint8_t *const out[], size_t len);

/* The next words of the stream, in place: up to `wanted`, at least one, and
 * *got is how many. Only where the bytes taken before were a multiple of 8. */
const uint64_t *turboshake_words(struct turboshake *sponge, size_t wanted, size_t *got);

#endif
