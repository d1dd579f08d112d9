/* SPDX-License-Identifier: Apache-2.0
 *
 * The products of field64_element_lanes.h, of 128 bits in two words.
 */
#define FIELD field64
#include "primitive/field64_element_lanes.h"

static inline element loose_mul(element a, element b) {
    lane high;
    const lane low = lane_mul_wide(a.v, b.v, &high);
    return (element){reduce_wide(high, low)};
}

/* Good for fewer than 2^32 products. */
typedef struct {
    lane low, high, top;
} accumulator;

static inline accumulator accumulator_zero(void) {
    const lane zero = lane_splat(0);
    return (accumulator){zero, zero, zero};
}
static inline void accumulator_mul_add(accumulator *sum, element a, element b) {
    lane high;
    const lane low = lane_mul_wide(a.v, b.v, &high);
    sum->low = lane_add(sum->low, low);
    /* high <= 2^64 - 2, so that a carry into it fits. */
    high = lane_add_if_lt(high, sum->low, low, lane_splat(1));
    sum->high = lane_add(sum->high, high);
    sum->top = lane_add_if_lt(sum->top, sum->high, high, lane_splat(1));
}
static inline element accumulator_reduce(const accumulator *sum) {
    /* 2^128 = -2^32 (mod p) */
    return element_sub(canonical(reduce_wide(sum->high, sum->low)),
                       canonical(lane_shl(sum->top, 32)));
}
