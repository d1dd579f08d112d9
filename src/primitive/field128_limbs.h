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
