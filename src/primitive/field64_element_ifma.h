/* SPDX-License-Identifier: Apache-2.0
 *
 * The products of field64_element_lanes.h by multiply-add of 52 bits, which
 * takes the low 52 bits of its factors by itself: limbs of 52 and 12 bits.
 */
#define FIELD field64_ifma
#include "primitive/field64_element_lanes.h"

#define MASK_52 ((UINT64_C(1) << 52) - 1)

/* The sum of columns of 52 bits, mod p and loose: c0 < 2^52, c1 < 2^62,
 * c2 < 2^36. Of c1 2^52, the bits from 12 on count epsilon, from 44 on -1; c2
 * 2^104 is -c2 2^8. */
static inline element reduce_columns(lane c0, lane c1, lane c2) {
    const lane epsilon = lane_splat(FIELD64_EPSILON);
    const lane low = lane_add(c0, lane_shl(c1, 52));
    const lane middle = lane_mul_32(lane_shr(c1, 12), epsilon);
    const lane minus = lane_add(lane_shr(c1, 44), lane_shl(c2, 8));
    lane sum = lane_add(low, middle);
    sum = lane_add_if_lt(sum, sum, low, epsilon); /* no second carry: middle < p - epsilon */
    return (element){lane_sub_if_lt(lane_sub(sum, minus), sum, minus, epsilon)};
}

static inline element loose_mul(element a, element b) {
    const lane zero = lane_splat(0), a1 = lane_shr(a.v, 52), b1 = lane_shr(b.v, 52);
    lane c1 = lane_mul_add_high_52(zero, a.v, b.v), c2 = lane_mul_add_high_52(zero, a.v, b1);
    c1 = lane_mul_add_low_52(lane_mul_add_low_52(c1, a.v, b1), a1, b.v);
    c2 = lane_mul_add_low_52(lane_mul_add_high_52(c2, a1, b.v), a1, b1);
    return reduce_columns(lane_mul_add_low_52(zero, a.v, b.v), c1, c2);
}

/* Each kind of product by itself, so that none waits for another. */
typedef struct {
    lane low, high, low_a1, low_b1, high_a1, high_b1, top;
} accumulator;

static inline accumulator accumulator_zero(void) {
    const lane zero = lane_splat(0);
    return (accumulator){zero, zero, zero, zero, zero, zero, zero};
}
static inline void accumulator_mul_add(accumulator *sum, element a, element b) {
    const lane a1 = lane_shr(a.v, 52), b1 = lane_shr(b.v, 52);
    sum->low = lane_mul_add_low_52(sum->low, a.v, b.v);
    sum->high = lane_mul_add_high_52(sum->high, a.v, b.v);
    sum->low_a1 = lane_mul_add_low_52(sum->low_a1, a1, b.v);
    sum->low_b1 = lane_mul_add_low_52(sum->low_b1, a.v, b1);
    sum->high_a1 = lane_mul_add_high_52(sum->high_a1, a1, b.v);
    sum->high_b1 = lane_mul_add_high_52(sum->high_b1, a.v, b1);
    sum->top = lane_mul_add_low_52(sum->top, a1, b1);
}
static inline element accumulator_reduce(const accumulator *sum) {
    const lane c1 = lane_add(lane_add(sum->high, lane_shr(sum->low, 52)),
                             lane_add(sum->low_a1, sum->low_b1));
    const lane c2 = lane_add(lane_add(sum->high_a1, sum->high_b1), sum->top);
    return canonical(reduce_columns(lane_and(sum->low, lane_splat(MASK_52)), c1, c2).v);
}
