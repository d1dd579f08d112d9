/* SPDX-License-Identifier: Apache-2.0
 *
 * Field64, p = 2^64 - 2^32 + 1, over the operations of a lane header, for
 * field_kernel.h. Since 2^64 = 2^32 - 1 and 2^96 = -1 (mod p), a product is
 * reduced by a few additions and R is 1. Include after a lane header one of
 * these, which give the products: field64_element_64.h, field64_element_ifma.h.
 * They include this one and define
 *
 *   accumulator: a sum of up to ACCUMULATOR_STEPS products, not reduced;
 *   accumulator_zero(), accumulator_mul_add(), accumulator_reduce();
 *   loose_mul().
 */
#define FIELD_NAME "Field64"
enum { LIMBS = 1, LOOSE_LIMBS = 1, ACCUMULATOR_STEPS = 64 };

#define FIELD64_P UINT64_C(0xFFFFFFFF00000001)
#define FIELD64_EPSILON UINT64_C(0xFFFFFFFF) /* 2^64 mod p */
#define MODULUS ((field_value)FIELD64_P)
#define GENERATOR_BASE 7
#define GENERATOR_LOG2 32

typedef struct {
    lane v;
} element;

/* v mod p for v < 2^64, which is below 2p. */
static inline element canonical(lane v) {
    const lane p = lane_splat(FIELD64_P);
    return (element){lane_sub_if_lt(v, lane_splat(FIELD64_P - 1), v, p)};
}

static inline element element_load(const uint64_t *from) { return (element){lane_load(from)}; }
static inline void element_store(uint64_t *to, element a) { lane_store(to, a.v); }
static inline element constant_load(const uint64_t *from) {
    return (element){lane_splat(*from)};
}
static inline element element_splat(field_value value) {
    return (element){lane_splat((uint64_t)value)};
}
static inline element masked_load(const uint64_t *from, lane mask) {
    return (element){lane_and(lane_load(from), mask)};
}
/* "Loose" is any 64-bit number. */
static inline element loose_load(const uint64_t *from) { return element_load(from); }
static inline void loose_store(uint64_t *to, element a) { element_store(to, a); }
#define TOP_MIN FIELD64_P
/* Stored words as the wire has them: marks the lanes that aren't below the
 * modulus, and clears them. */
static inline void words_check(uint64_t *words, lane *bad) {
    const lane v = lane_load(words), ok = lane_lt(v, lane_splat(FIELD64_P));
    *bad = lane_or(*bad, lane_andnot(ok, lane_splat(UINT64_MAX)));
    lane_store(words, lane_and(v, ok));
}

static inline element element_add(element a, element b) {
    const lane sum = lane_add(a.v, b.v);
    /* With a carry, sum + 2^64 - p = sum + epsilon, which is below p. */
    return canonical(lane_add_if_lt(sum, sum, a.v, lane_splat(FIELD64_EPSILON)));
}

static inline element element_sub(element a, element b) {
    const lane difference = lane_sub(a.v, b.v);
    return (element){lane_sub_if_lt(difference, a.v, b.v, lane_splat(FIELD64_EPSILON))};
}

/* high * 2^64 + low, mod p and loose: the upper half of high counts -1, the
 * lower one epsilon. */
static inline lane reduce_wide(lane high, lane low) {
    const lane epsilon = lane_splat(FIELD64_EPSILON);
    const lane top = lane_shr(high, 32);
    const lane t = lane_sub_if_lt(lane_sub(low, top), low, top, epsilon);
    const lane u = lane_mul_32(high, epsilon); /* of the lower half; below p */
    const lane r = lane_add(t, u);
    return lane_add_if_lt(r, r, u, epsilon);
}

static inline element loose_mul(element a, element b);
static inline element element_mul(element a, element b) { return canonical(loose_mul(a, b).v); }
static inline element element_to_factor(element a) { return a; }
static inline void constant_store(uint64_t *to, field_value value) {
    to[0] = (uint64_t)value;
}

/* A sum of fewer than 2^32 elements. */
typedef struct {
    lane low, high;
} summation;

static inline summation summation_zero(void) {
    return (summation){lane_splat(0), lane_splat(0)};
}
static inline void summation_add(summation *sum, element a) {
    sum->low = lane_add(sum->low, a.v);
    sum->high = lane_add_if_lt(sum->high, sum->low, a.v, lane_splat(1));
}
static inline element summation_reduce(const summation *sum) {
    return canonical(reduce_wide(sum->high, sum->low));
}

static inline uint64_t element_differ(element a, element b) {
    return lane_nonzero(lane_xor(a.v, b.v));
}
