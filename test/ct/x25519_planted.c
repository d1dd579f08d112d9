/* SPDX-License-Identifier: Apache-2.0 */
/* In place of the portable kernel: one that branches on the scalar's bits. */
#include "simd/portable.h"

#include "primitive/x25519_element_portable.h"

static inline void planted_swap(element *a, element *b, lane mask) {
    if (mask != 0) {
        const element kept = *a;
        *a = *b;
        *b = kept;
    }
}
#define element_swap planted_swap
#include "primitive/x25519_kernel.h"
