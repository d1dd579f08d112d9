/* SPDX-License-Identifier: Apache-2.0
 *
 * Field128, p = 2^128 - 7 * 2^66 + 1, in vector lanes, for field_kernel.h:
 * three limbs of 52 bits, the unit of AVX-512's multiply-add. Include it after
 * a lane header, and let one of these include it that give the products:
 * field128_element_ifma.h, field128_element_26.h. They define
 *
 *   accumulator: a sum of products, in columns;
 *   accumulator_zero(), accumulator_mul_add(); zero stands as 4 p R, with
 *   SPARE in the columns from the third on, so that none goes below zero;
 *   columns_of(): the five columns of 52 bits, each below 2^62, that the
 *   accumulator stands for after up to ACCUMULATOR_STEPS products;
 *   add_low_c(sum, x), add_high_c(sum, x): sum + the low, or the higher, 52 bits
 *   of c x, for x < 2^52 and c = 7 * 2^14;
 *   sub_shifted_24(&low, &high, x): takes x 2^24 from high 2^52 + low, at most
 *   2^52 from either.
 *
 * An element's limbs are below 2^52, the third below 2^24. It is "loose" if
 * it is below 2^128 + 2^114 instead of the modulus: then the third is at most
 * 2^24 + 2^10. R is 2^104, two limbs:
 *
 *   p = 1 - c 2^52 (mod 2^104), so 1 / p = 1 + c 2^52. Let T = h * 2^104 + l
 *   and q = l / p = l + c 2^52 l0 (mod 2^104). Then T / R = (T - q p) / 2^104
 *   (mod p), where q p = q + q 2^128 - q c 2^52, so that this is
 *   h - q 2^24 + (l - q + q c 2^52) / 2^104, of which the last is exact.
 */
#define FIELD_NAME "Field128"
#define MODULUS ((((field_value)UINT64_C(0xFFFFFFFFFFFFFFE4)) << 64) | 1)
#define GENERATOR_BASE 7
#define GENERATOR_LOG2 66

static inline element element_unpack(lane low, lane high) {
    const lane mask = lane_splat(MASK_52);
    return (element){{lane_and(low, mask),
                      lane_and(lane_or(lane_shr(low, 52), lane_shl(high, 12)), mask),
                      lane_shr(high, 40)}};
}
static inline element element_load(const uint64_t *from) {
    return element_unpack(lane_load(from), lane_load(from + LANES));
}
static inline void element_store(uint64_t *to, element a) {
    lane_store(to, lane_or(a.v[0], lane_shl(a.v[1], 52)));
    lane_store(to + LANES, lane_or(lane_shr(a.v[1], 12), lane_shl(a.v[2], 40)));
}
static inline element constant_load(const uint64_t *from) {
    return element_unpack(lane_splat(from[0]), lane_splat(from[1]));
}
static inline element element_splat(field_value value) {
    const uint64_t words[] = {(uint64_t)value, (uint64_t)(value >> 64)};
    return constant_load(words);
}
static inline element masked_load(const uint64_t *from, lane mask) {
    return element_unpack(lane_and(lane_load(from), mask),
                          lane_and(lane_load(from + LANES), mask));
}
static inline element loose_load(const uint64_t *from) {
    return (element){{lane_load(from), lane_load(from + LANES), lane_load(from + 2 * LANES)}};
}
static inline void loose_store(uint64_t *to, element a) {
    for (int i = 0; i < LOOSE_LIMBS; i++) {
        lane_store(to + i * LANES, a.v[i]);
    }
}

#define TOP_MIN ((uint64_t)(MODULUS >> 64))
/* Stored words as the wire has them: marks the lanes that aren't below the
 * modulus, and clears them. */
static inline void words_check(uint64_t *words, lane *bad) {
    const lane low = lane_load(words), high = lane_load(words + LANES);
    const lane below = lane_lt(high, lane_splat((uint64_t)(MODULUS >> 64)));
    const lane even = lane_lt(high, lane_splat((uint64_t)(MODULUS >> 64) + 1));
    const lane ok = lane_or(below, lane_and(even, lane_lt(low, lane_splat(1))));
    *bad = lane_or(*bad, lane_andnot(ok, lane_splat(UINT64_MAX)));
    lane_store(words, lane_and(low, ok));
    lane_store(words + LANES, lane_and(high, ok));
}

/* Moves what exceeds 52 bits up from the lower limbs. */
static inline element carry(element a) {
    const lane mask = lane_splat(MASK_52);
    a.v[1] = lane_add(a.v[1], lane_shr(a.v[0], 52));
    a.v[2] = lane_add(a.v[2], lane_shr(a.v[1], 52));
    a.v[0] = lane_and(a.v[0], mask);
    a.v[1] = lane_and(a.v[1], mask);
    return a;
}

/* The element below p, for a value below 2p: v, or v - p = v + c 2^52 - 1 -
 * 2^128 if that isn't negative. */
static inline element canonical(element a) {
    element less = {{lane_add(a.v[0], lane_splat(MASK_52)), lane_add(a.v[1], lane_splat(C - 1)),
                     a.v[2]}};
    less = carry(less);
    const lane below = lane_lt(less.v[2], lane_splat(MASK_24 + 1));
    less.v[2] = lane_and(less.v[2], lane_splat(MASK_24));
    for (int i = 0; i < LOOSE_LIMBS; i++) {
        a.v[i] = lane_select(below, a.v[i], less.v[i]);
    }
    return a;
}

static inline element element_add(element a, element b) {
    for (int i = 0; i < LOOSE_LIMBS; i++) {
        a.v[i] = lane_add(a.v[i], b.v[i]);
    }
    return canonical(carry(a));
}

static inline element element_sub(element a, element b) {
    /* a + p - b, whose limbs don't go below zero, the third once it has its carry:
     * p is 1, 2^52 - c and 2^24 - 1, of which each borrows from the next. */
    const uint64_t p[] = {MASK_52 + 2, 2 * (MASK_52 + 1) - C - 1, MASK_24 - 1};
    for (int i = 0; i < LOOSE_LIMBS; i++) {
        a.v[i] = lane_sub(lane_add(a.v[i], lane_splat(p[i])), b.v[i]);
    }
    return canonical(carry(a));
}

/* h 2^128 = h c 2^52 - h (mod p) for what exceeds 128 bits, h < 2^34; loose
 * after that. The first limb is above h. */
static inline element fold(element a) {
    const lane h = lane_shr(a.v[2], 24);
    a.v[0] = lane_sub(a.v[0], h);
    a.v[1] = add_low_c(a.v[1], h);
    a.v[2] = lane_and(a.v[2], lane_splat(MASK_24));
    return carry(a);
}

/* From columns: T / R as explained above, loose. */
static inline element reduce_columns(const lane t[5]) {
    const lane mask = lane_splat(MASK_52);
    const lane q0 = lane_and(t[0], mask);
    const lane s = add_low_c(lane_add(t[1], lane_shr(t[0], 52)), q0), q1 = lane_and(s, mask);
    element r;
    r.v[0] = add_low_c(add_high_c(lane_add(t[2], lane_shr(s, 52)), q0), q1);
    r.v[1] = add_high_c(t[3], q1);
    r.v[2] = t[4];
    sub_shifted_24(&r.v[0], &r.v[1], q0);
    sub_shifted_24(&r.v[1], &r.v[2], q1);
    return fold(r);
}

static inline element accumulator_reduce(const accumulator *sum) {
    lane columns[5];
    columns_of(sum, columns);
    return canonical(reduce_columns(columns));
}

static inline element loose_mul(element a, element b) {
    accumulator product = accumulator_zero();
    lane columns[5];
    accumulator_mul_add(&product, a, b);
    columns_of(&product, columns);
    return reduce_columns(columns);
}
static inline element element_mul(element a, element b) { return canonical(loose_mul(a, b)); }

static inline element element_to_factor(element a) {
    /* R^2 = 2^208, with 2^128 = 7 * 2^66 - 1 */
    const field_value one = 1;
    return element_mul(a, element_splat(49 * (one << 84) - 7 * (one << 18) - (one << 80)));
}
static inline void constant_store(uint64_t *to, field_value value) {
    uint64_t words[LIMBS * LANES];
    element_store(words, element_to_factor(element_splat(value)));
    for (int i = 0; i < LIMBS; i++) {
        to[i] = words[i * LANES];
    }
}

/* A sum of up to ACCUMULATOR_STEPS elements. */
typedef element summation;

static inline summation summation_zero(void) { return element_splat(0); }
static inline void summation_add(summation *sum, element a) {
    for (int i = 0; i < LOOSE_LIMBS; i++) {
        sum->v[i] = lane_add(sum->v[i], a.v[i]);
    }
}
static inline element summation_reduce(const summation *sum) {
    element a = carry(*sum);
    a.v[0] = lane_add(a.v[0], lane_splat(MASK_52 + 1)); /* which fold() borrows */
    a.v[1] = lane_sub(a.v[1], lane_splat(1));
    return canonical(fold(a));
}

static inline uint64_t element_differ(element a, element b) {
    return lane_nonzero(lane_or(lane_or(lane_xor(a.v[0], b.v[0]), lane_xor(a.v[1], b.v[1])),
                                lane_xor(a.v[2], b.v[2])));
}
