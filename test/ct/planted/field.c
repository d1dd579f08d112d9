/* SPDX-License-Identifier: Apache-2.0 */
/* A field's kernel that leaks what is subtracted. */
#include PLANTED_LANE

#include "primitive/field.h"
#include PLANTED_ELEMENT

#include "leak.h"

static inline element planted_sub(element a, element b) {
    uint64_t words[LIMBS * LANES];
    element_store(words, b);
    planted_leak(lane_load(words));
    return element_sub(a, b);
}
#define element_sub planted_sub
#include "primitive/field_kernel.h"
