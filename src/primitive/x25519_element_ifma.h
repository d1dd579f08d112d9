/* SPDX-License-Identifier: Apache-2.0
 *
 * Elements for x25519_kernel.h in five limbs of 51 bits, for lanes that
 * multiply 52 by 52 bits and add either half of the product.
 *
 * Factors have limbs below 2^51 + 2^16, so that 52 bits hold them. The lower
 * half of the product of two belongs to the column of its weight; the upper
 * half weighs 2^52 more, which is twice the next column.
 */
enum { LIMBS = 5 };
#define LIMB_OFFSET(k) (51 * (k))
#include "primitive/x25519_element.h"

/* A product, or a sum or difference of two, before the carries. A product's
 * columns are below 2^59: the lowest is the largest, with one lower half and 19
 * times four lower and twice five upper halves, or 124.5 * 2^52. */
typedef lane column;
typedef struct {
    column at[LIMBS];
} product;

static inline column column_add(column a, column b) { return lane_add(a, b); }
/* a + k p - b: columns of 2^9 p are above 2^59, so nothing is borrowed. */
static inline column column_sub(column a, column b, unsigned k) {
    return lane_sub(lane_add(a, lane_splat(LIMB_MODULUS(k) << 9)), b);
}

/* Columns below 2^61 carry less than 2^10 each: one pass will do. */
static inline element product_carry(const product *wide) {
    element a;
    lane carry[LIMBS];
#pragma GCC unroll 5
    for (unsigned k = 0; k < LIMBS; k++) {
        carry[k] = lane_shr(wide->at[k], 51);
        a.limb[k] = lane_and(wide->at[k], lane_splat(LIMB_MASK(k)));
    }
    a.limb[0] = lane_mul_add_low_52(a.limb[0], carry[LIMBS - 1], lane_splat(19));
#pragma GCC unroll 5
    for (unsigned k = 1; k < LIMBS; k++) {
        a.limb[k] = lane_add(a.limb[k], carry[k - 1]);
    }
    return a;
}

/* The upper five columns weigh 2^255, which is 19. */
static inline product columns_fold(const lane sums[2 * LIMBS]) {
    product wide;
#pragma GCC unroll 5
    for (unsigned k = 0; k < LIMBS; k++) {
        wide.at[k] = lane_add(sums[k], lane_mul_low(sums[k + LIMBS], lane_splat(19)));
    }
    return wide;
}

static inline void columns_double(lane sums[2 * LIMBS]) {
#pragma GCC unroll 10
    for (unsigned k = 0; k < 2 * LIMBS; k++) {
        sums[k] = lane_add(sums[k], sums[k]);
    }
}

static inline product element_mul(const element *a, const element *b) {
    lane sums[2 * LIMBS];
#pragma GCC unroll 10
    for (unsigned k = 0; k < 2 * LIMBS; k++) {
        sums[k] = lane_splat(0);
    }
#pragma GCC unroll 5
    for (unsigned i = 0; i < LIMBS; i++) {
#pragma GCC unroll 5
        for (unsigned j = 0; j < LIMBS; j++) {
            sums[i + j + 1] = lane_mul_add_high_52(sums[i + j + 1], a->limb[i], b->limb[j]);
        }
    }
    columns_double(sums);
#pragma GCC unroll 5
    for (unsigned i = 0; i < LIMBS; i++) {
#pragma GCC unroll 5
        for (unsigned j = 0; j < LIMBS; j++) {
            sums[i + j] = lane_mul_add_low_52(sums[i + j], a->limb[i], b->limb[j]);
        }
    }
    return columns_fold(sums);
}

/* Products of two different limbs count twice, and their upper halves four
 * times. */
static inline product element_square(const element *a) {
    lane sums[2 * LIMBS];
#pragma GCC unroll 10
    for (unsigned k = 0; k < 2 * LIMBS; k++) {
        sums[k] = lane_splat(0);
    }
#pragma GCC unroll 5
    for (unsigned i = 0; i < LIMBS; i++) {
#pragma GCC unroll 5
        for (unsigned j = i + 1; j < LIMBS; j++) {
            sums[i + j + 1] = lane_mul_add_high_52(sums[i + j + 1], a->limb[i], a->limb[j]);
        }
    }
    columns_double(sums);
#pragma GCC unroll 5
    for (unsigned i = 0; i < LIMBS; i++) {
        sums[2 * i + 1] = lane_mul_add_high_52(sums[2 * i + 1], a->limb[i], a->limb[i]);
#pragma GCC unroll 5
        for (unsigned j = i + 1; j < LIMBS; j++) {
            sums[i + j] = lane_mul_add_low_52(sums[i + j], a->limb[i], a->limb[j]);
        }
    }
    columns_double(sums);
#pragma GCC unroll 5
    for (unsigned i = 0; i < LIMBS; i++) {
        sums[2 * i] = lane_mul_add_low_52(sums[2 * i], a->limb[i], a->limb[i]);
    }
    return columns_fold(sums);
}

/* a + b * factor, for a factor below 2^17. */
static inline product element_mul_add_small(const element *a, const element *b, uint32_t factor) {
    const lane small = lane_splat(factor);
    product wide;
    lane high[LIMBS];
#pragma GCC unroll 5
    for (unsigned k = 0; k < LIMBS; k++) {
        wide.at[k] = lane_mul_add_low_52(a->limb[k], b->limb[k], small);
        high[k] = lane_mul_add_high_52(lane_splat(0), b->limb[k], small);
    }
    wide.at[0] = lane_mul_add_low_52(wide.at[0], high[LIMBS - 1], lane_splat(2 * 19));
#pragma GCC unroll 5
    for (unsigned k = 1; k < LIMBS; k++) {
        wide.at[k] = lane_add(wide.at[k], lane_add(high[k - 1], high[k - 1]));
    }
    return wide;
}
