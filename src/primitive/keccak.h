/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PRIMITIVE_KECCAK_H
#define MOIETY_PRIMITIVE_KECCAK_H

#include <stddef.h>
#include <stdint.h>

#include "simd/cpu.h"

/* The state of one Keccak-p[1600], in 64-bit words. */
enum { KECCAK_WORDS = 25 };

/*
 * Keccak-p[1600,12] (RFC 9861, section 2.2), the permutation under TurboSHAKE,
 * on as many states as there are lanes, and how bytes get into and out of a
 * sponge's rate of KECCAK_RATE bytes. Word i of the state in lane l is
 * state[i * lanes + l]; the array is aligned to 64 bytes. Constant time and
 * thread-safe.
 */
enum { KECCAK_RATE = 168 };

struct keccak_kernel {
    enum simd_type type;
    unsigned lanes;
    void (*permute)(uint64_t state[]);
    /* A state that has absorbed a block of KECCAK_RATE / 8 words, not permuted, the
     * same in every lane. */
    void (*begin)(uint64_t state[], const uint64_t block[]);
    /* Absorbs `len` bytes a lane from byte `at` < KECCAK_RATE of the rate on,
     * permuting wherever the rate is full; gives the new `at`. The bytes are
     * those of whole words, zero after `len`, side by side; or, for
     * absorb_same(), the same in every lane, which words[] holds once. */
    size_t (*absorb)(uint64_t state[], size_t at, const uint64_t words[], size_t len);
    size_t (*absorb_same)(uint64_t state[], size_t at, const uint64_t words[], size_t len);
    /* Adds the domain's byte after `at` bytes of the rate, and the bit that ends it. */
    void (*pad)(uint64_t state[], size_t at, uint8_t domain);
    /* Between n words a lane, side by side, and each lane's 8 n bytes. */
    void (*gather)(uint64_t words[], const uint8_t *const in[], size_t n);
    void (*scatter)(uint8_t *const out[], const uint64_t words[], size_t n);
};

extern const struct keccak_kernel keccak_portable;
#if defined(__x86_64__)
extern const struct keccak_kernel keccak_avx2;
extern const struct keccak_kernel keccak_avx512;
#elif defined(__aarch64__)
extern const struct keccak_kernel keccak_neon;
#endif

#endif
