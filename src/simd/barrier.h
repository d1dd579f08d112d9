/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_SIMD_BARRIER_H
#define MOIETY_SIMD_BARRIER_H

#include <stdint.h>

/* The same value, of which the compiler knows nothing: so that it doesn't turn
 * a mask made from a comparison of secrets into a branch. */
static inline uint64_t value_barrier(uint64_t value) {
    __asm__("" : "+r"(value));
    return value;
}

/* All ones if `condition` is 1, zero if it is 0. */
static inline uint64_t mask_of(uint64_t condition) {
    return value_barrier((uint64_t)0 - condition);
}

#endif
