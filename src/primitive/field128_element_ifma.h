/* SPDX-License-Identifier: Apache-2.0
 *
 * The products of field128_element_lanes.h by multiply-add of 52 bits. Column i
 * takes the low halves of a_j b_(i-j) and the high ones of a_j b_(i-1-j); the
 * high half of a_2 b_2 < 2^52 is zero.
 */
#include <string.h>

#include "primitive/field128_limbs.h"

#define FIELD field128_ifma

typedef struct {
    lane column[5];
} accumulator;

static inline accumulator accumulator_zero(void) {
    const lane zero = lane_splat(0);
    return (accumulator){
        {zero, zero, lane_splat(SPARE[0]), lane_splat(SPARE[1]), lane_splat(SPARE[2])}};
}
static inline void accumulator_mul_add(accumulator *sum, element a, element b) {
    for (int i = 0; i < LOOSE_LIMBS; i++) {
        for (int j = 0; j < LOOSE_LIMBS; j++) {
            lane *column = &sum->column[i + j];
            column[0] = lane_mul_add_low_52(column[0], a.v[i], b.v[j]);
            if (i + j < 4) {
                column[1] = lane_mul_add_high_52(column[1], a.v[i], b.v[j]);
            }
        }
    }
}
static inline void columns_of(const accumulator *sum, lane columns[5]) {
    memcpy(columns, sum->column, sizeof(sum->column));
}
static inline lane add_low_c(lane sum, lane x) {
    return lane_mul_add_low_52(sum, x, lane_splat(C));
}
static inline lane add_high_c(lane sum, lane x) {
    return lane_mul_add_high_52(sum, x, lane_splat(C));
}
/* -2^24 = d - 2^52 */
static inline void sub_shifted_24(lane *low, lane *high, lane x) {
    const lane d = lane_splat(MASK_52 - MASK_24);
    *low = lane_mul_add_low_52(*low, x, d);
    *high = lane_sub(lane_mul_add_high_52(*high, x, d), x);
}

#include "primitive/field128_element_lanes.h"
