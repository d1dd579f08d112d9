/* SPDX-License-Identifier: Apache-2.0
 *
 * What field128_element_lanes.h and the headers of its products share.
 */
enum { LIMBS = 2, LOOSE_LIMBS = 3, ACCUMULATOR_STEPS = 64 };

typedef struct {
    lane v[LOOSE_LIMBS];
} element;

#define MASK_52 ((UINT64_C(1) << 52) - 1)
#define MASK_24 ((UINT64_C(1) << 24) - 1)
/* 2^128 = c 2^52 - 1 (mod p) */
#define C (UINT64_C(7) << 14)

/* 4 p in limbs of which each lent to the one below: what may be taken from
 * columns 2 to 4 of a sum of products while it is reduced. */
static const uint64_t SPARE[LOOSE_LIMBS] = {
    2 * (MASK_52 + 1) + 4,
    4 * (MASK_52 + 1) - 4 * C - 2,
    4 * (MASK_24 + 1) - 4,
};
