/* SPDX-License-Identifier: Apache-2.0
 *
 * Elements for x25519_kernel.h in ten limbs of 26 and 25 bits in turn, for
 * lanes that multiply 32 by 32 bits.
 *
 * Factors have limbs that exceed their width by less than 2^16. Limb k weighs
 * 2^ceil(25.5 k), so the product of two odd limbs counts twice in its column.
 */
enum { LIMBS = 10 };
#define LIMB_OFFSET(k) ((51 * (k) + 1) / 2)
#include "primitive/x25519_element.h"

/* A product, or a sum or difference of two, before the carries. A product's
 * columns are below 2^59: the lowest is the largest, with one product of even
 * limbs, 19 times four and 38 times five of odd ones, or 124.5 * 2^52. */
typedef lane column;
typedef struct {
    column at[LIMBS];
} product;

static inline column column_add(column a, column b) { return lane_add(a, b); }
/* a + k p - b: columns of 2^35 p are above 2^59, so nothing is borrowed. */
static inline column column_sub(column a, column b, unsigned k) {
    return lane_sub(lane_add(a, lane_splat(LIMB_MODULUS(k) << 35)), b);
}

static inline void carry_from(lane limb[LIMBS], unsigned k) {
    const lane carry = lane_shr(limb[k], LIMB_WIDTH(k));
    const unsigned next = (k + 1) % LIMBS;
    limb[k] = lane_and(limb[k], lane_splat(LIMB_MASK(k)));
    limb[next] = lane_add(limb[next], next == 0 ? lane_times_19(carry) : carry);
}

/* Two chains of carries at once, from limb 0 and from limb 5, each one limb
 * into the other. Columns below 2^62 carry less than 2^37 until then, and less
 * than 2^16 in the end. */
static inline element product_carry(const product *wide) {
    element a;
#pragma GCC unroll 10
    for (unsigned k = 0; k < LIMBS; k++) {
        a.limb[k] = wide->at[k];
    }
#pragma GCC unroll 6
    for (unsigned k = 0; k < LIMBS / 2 + 1; k++) {
        carry_from(a.limb, k);
        carry_from(a.limb, (k + LIMBS / 2) % LIMBS);
    }
    return a;
}

/* Row i of the product a * b: each limb of b by a's limb i, or by its double
 * where both are odd. `wrapped` is 19 b. */
static inline void add_row(product *wide, const element *a, const element *b,
                           const element *wrapped, unsigned i) {
    const lane factor = a->limb[i], twice = lane_add(factor, factor);
#pragma GCC unroll 10
    for (unsigned j = 0; j < LIMBS; j++) {
        const lane other = i + j >= LIMBS ? wrapped->limb[j] : b->limb[j];
        const unsigned k = (i + j) % LIMBS;
        wide->at[k] = lane_add(wide->at[k], lane_mul_32((i & j & 1) ? twice : factor, other));
    }
}

static inline element element_times_19(const element *a) {
    element result;
#pragma GCC unroll 10
    for (unsigned k = 0; k < LIMBS; k++) {
        result.limb[k] = lane_mul_32(a->limb[k], lane_splat(19));
    }
    return result;
}

static inline product element_mul(const element *a, const element *b) {
    const element wrapped = element_times_19(b);
    product wide;
#pragma GCC unroll 10
    for (unsigned k = 0; k < LIMBS; k++) {
        wide.at[k] = lane_splat(0);
    }
#pragma GCC unroll 10
    for (unsigned i = 0; i < LIMBS; i++) {
        add_row(&wide, a, b, &wrapped, i);
    }
    return wide;
}

static inline product element_square(const element *a) {
    const element wrapped = element_times_19(a);
    product wide;
#pragma GCC unroll 10
    for (unsigned k = 0; k < LIMBS; k++) {
        wide.at[k] = lane_splat(0);
    }
#pragma GCC unroll 10
    for (unsigned i = 0; i < LIMBS; i++) {
        const lane once = a->limb[i], twice = lane_add(once, once), four = lane_add(twice, twice);
#pragma GCC unroll 10
        for (unsigned j = i; j < LIMBS; j++) {
            const unsigned k = (i + j) % LIMBS, times = ((i & j & 1) ? 2 : 1) * (i == j ? 1 : 2);
            const lane factor = times == 1 ? once : times == 2 ? twice : four;
            const lane other = i + j >= LIMBS ? wrapped.limb[j] : a->limb[j];
            wide.at[k] = lane_add(wide.at[k], lane_mul_32(factor, other));
        }
    }
    return wide;
}

/* a + b * factor, for a factor below 2^17. */
static inline product element_mul_add_small(const element *a, const element *b, uint32_t factor) {
    product wide;
#pragma GCC unroll 10
    for (unsigned k = 0; k < LIMBS; k++) {
        wide.at[k] = lane_add(a->limb[k], lane_mul_32(b->limb[k], lane_splat(factor)));
    }
    return wide;
}
