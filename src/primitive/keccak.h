/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PRIMITIVE_KECCAK_H
#define MOIETY_PRIMITIVE_KECCAK_H

#include <stdint.h>

#include "simd/cpu.h"

/* The state of one Keccak-p[1600], in 64-bit words. */
enum { KECCAK_WORDS = 25 };

/*
 * Keccak-p[1600,12] (RFC 9861, section 2.2), the permutation under
 * TurboSHAKE, on as many states as there are lanes. Word i of the state in
 * lane l is state[i * lanes + l]; the array is aligned to 64 bytes. Constant
 * time and thread-safe.
 */
struct keccak_kernel {
    enum simd_type type;
    unsigned lanes;
    void (*permute)(uint64_t state[]);
};

extern const struct keccak_kernel keccak_portable;
#if defined(__x86_64__)
extern const struct keccak_kernel keccak_avx2;
extern const struct keccak_kernel keccak_avx512;
#endif

#endif
