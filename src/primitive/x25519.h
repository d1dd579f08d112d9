/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PRIMITIVE_X25519_H
#define MOIETY_PRIMITIVE_X25519_H

#include <stddef.h>
#include <stdint.h>

#include "simd/cpu.h"

enum { X25519_SIZE = 32 };

/*
 * X25519 (RFC 7748, section 5) of up to X25519_GROUPS_MAX times as many pairs
 * of a scalar and a point as there are lanes: out[i] of scalars[i] and
 * points[i], 32 bytes each. Bit i of the result is set if out[i] is not all
 * zeros. The groups share one inversion, so that many cost less than one each.
 * Constant time in all but their number; thread-safe.
 */
enum { X25519_GROUPS_MAX = 8, X25519_PAIRS_MAX = X25519_GROUPS_MAX * SIMD_LANES_MAX };
struct x25519_kernel {
    enum simd_type type;
    unsigned lanes;
    uint64_t (*multiply)(uint8_t out[][X25519_SIZE], const uint8_t *const scalars[],
                         const uint8_t *const points[], unsigned groups);
};

extern const struct x25519_kernel x25519_portable;
#if defined(__x86_64__)
extern const struct x25519_kernel x25519_avx2;
extern const struct x25519_kernel x25519_avx512; /* needs IFMA */
#elif defined(__aarch64__)
extern const struct x25519_kernel x25519_neon;
#endif

/* The kernel for a lane type that this processor runs, or NULL if it doesn't.
 * AVX-512 without IFMA has AVX2's, whose lane type the kernel then names.
 * Thread-safe. */
const struct x25519_kernel *x25519_kernel_of(enum simd_type type);

/* The best there is, or that of the lane type which the environment variable
 * MOIETY_CPU names. INVALID_CONFIG as simd_pick() says. Thread-safe. */
struct status x25519_kernel_pick(const struct x25519_kernel **out);

/* The same for any number of pairs. good[i] says whether out[i] is not all
 * zeros; where it is, the point was of small order and must be refused
 * (RFC 7748, section 6.1). Lanes left over are padded. Constant time but for
 * the count. */
void x25519_batch(const struct x25519_kernel *kernel, uint8_t out[][X25519_SIZE], bool good[],
                  const uint8_t *const scalars[], const uint8_t *const points[], size_t count);

#endif
