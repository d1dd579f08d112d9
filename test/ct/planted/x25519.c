/* SPDX-License-Identifier: Apache-2.0 */
/* An X25519 kernel that leaks the scalars' bits. */
#include PLANTED_LANE

#include PLANTED_ELEMENT

#include "leak.h"

static inline void planted_swap(element *a, element *b, lane mask) {
    planted_leak(mask);
    element_swap(a, b, mask);
}
#define element_swap planted_swap
#include "primitive/x25519_kernel.h"
