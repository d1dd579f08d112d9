/* SPDX-License-Identifier: Apache-2.0
 *
 * The products of field128_element_lanes.h where there are none wider than 32
 * bits: of half limbs of 26 bits, whose sums stay below 64 bits.
 */
#include "primitive/field128_limbs.h"

#define FIELD field128
enum { HALVES = 5 };
#define MASK_26 ((UINT64_C(1) << 26) - 1)

typedef struct {
    lane column[2 * HALVES - 1]; /* of 26 bits */
} accumulator;

static inline accumulator accumulator_zero(void) {
    accumulator sum;
    for (int i = 0; i < 2 * HALVES - 1; i++) {
        sum.column[i] = lane_splat(i >= 4 && i % 2 == 0 ? SPARE[i / 2 - 2] : 0);
    }
    return sum;
}
static inline void split(lane halves[HALVES], element a) {
    const lane mask = lane_splat(MASK_26);
    halves[0] = lane_and(a.v[0], mask);
    halves[1] = lane_shr(a.v[0], 26);
    halves[2] = lane_and(a.v[1], mask);
    halves[3] = lane_shr(a.v[1], 26);
    halves[4] = a.v[2];
}
static inline void accumulator_mul_add(accumulator *sum, element a, element b) {
    lane x[HALVES], y[HALVES];
    split(x, a);
    split(y, b);
    for (int i = 0; i < HALVES; i++) {
        for (int j = 0; j < HALVES; j++) {
            sum->column[i + j] = lane_add(sum->column[i + j], lane_mul_32(x[i], y[j]));
        }
    }
}
static inline void columns_of(const accumulator *sum, lane columns[5]) {
    const lane mask = lane_splat(MASK_26);
    columns[0] = sum->column[0];
    for (int i = 1; i < HALVES; i++) {
        const lane odd = sum->column[2 * i - 1];
        columns[i - 1] = lane_add(columns[i - 1], lane_shl(lane_and(odd, mask), 26));
        columns[i] = lane_add(sum->column[2 * i], lane_shr(odd, 26));
    }
}
static inline lane add_low_c(lane sum, lane x) {
    const lane x7 = lane_sub(lane_shl(x, 3), x);
    return lane_add(sum, lane_and(lane_shl(x7, 14), lane_splat(MASK_52)));
}
static inline lane add_high_c(lane sum, lane x) {
    return lane_add(sum, lane_shr(lane_sub(lane_shl(x, 3), x), 38));
}
static inline void sub_shifted_24(lane *low, lane *high, lane x) {
    *low = lane_sub(*low, lane_and(lane_shl(x, 24), lane_splat(MASK_52)));
    *high = lane_sub(*high, lane_shr(x, 28));
}

#include "primitive/field128_element_lanes.h"
