/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX-512 kernel with a branch on the scalars' bits: not run, only looked
 * at. */
#include "simd/avx512.h"

#include "primitive/x25519_element_ifma.h"

static inline void planted_swap(element *a, element *b, lane mask) {
    if (lane_nonzero(mask) != 0) {
        element_swap(a, b, mask);
    }
}
#define element_swap planted_swap
#include "primitive/x25519_kernel.h"
