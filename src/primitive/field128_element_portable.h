/* SPDX-License-Identifier: Apache-2.0
 *
 * Field128, p = 2^128 - 7 * 2^66 + 1, in two 64-bit limbs of a single lane,
 * for field_kernel.h. R is 2^128. The prime's form makes Montgomery's
 * reduction two multiplications by 28:
 *
 *   Let T = h * 2^128 + l and q = l / p (mod 2^128). Then q p and T agree in
 *   their lower halves, and T / R = h - floor(q p / 2^128) (mod p).
 *   1 / p = 1 + 7 * 2^66 (mod 2^128), so q = l + 28 * 2^64 * (l mod 2^64).
 *   q p = q * 2^128 - 28 q * 2^64 + q, whose upper half is
 *   q - ceil((28 q * 2^64 - q) / 2^128).
 */
#include "primitive/carry.h"
#include "simd/barrier.h"

#define FIELD field128
#define FIELD_NAME "Field128"
enum { LIMBS = 2, LOOSE_LIMBS = 2, ACCUMULATOR_STEPS = 64 };

#define MODULUS ((((field_value)UINT64_C(0xFFFFFFFFFFFFFFE4)) << 64) | 1)
#define GENERATOR_BASE 7
#define GENERATOR_LOG2 66

/* 2^128 = 7 * 2^66 - 1 (mod p): what a carry out of 128 bits is worth. */
#define R_LOW UINT64_C(0xFFFFFFFFFFFFFFFF)
#define R_HIGH UINT64_C(0x1B)

typedef struct {
    uint64_t low, high;
} element;

static inline element from_value(field_value value) {
    return (element){(uint64_t)value, (uint64_t)(value >> 64)};
}

/* v + R if it carries out of 128 bits, which is v - p, or if `carried`; else
 * v. Canonical if v < 2p where v has its carry in `carried`. */
static inline element subtract_modulus(element v, uint64_t carried) {
    uint64_t carry = 0;
    const uint64_t low = add_carry(v.low, R_LOW, &carry);
    const uint64_t high = add_carry(v.high, R_HIGH, &carry);
    const uint64_t mask = mask_of(carried | carry);
    return (element){v.low ^ ((v.low ^ low) & mask), v.high ^ ((v.high ^ high) & mask)};
}

static inline element element_load(const uint64_t *from) { return (element){from[0], from[1]}; }
static inline void element_store(uint64_t *to, element a) {
    to[0] = a.low;
    to[1] = a.high;
}
static inline element constant_load(const uint64_t *from) { return element_load(from); }
static inline element element_splat(field_value value) { return from_value(value); }
static inline element masked_load(const uint64_t *from, lane mask) {
    return (element){from[0] & mask, from[1] & mask};
}
static inline element loose_load(const uint64_t *from) { return element_load(from); }
static inline void loose_store(uint64_t *to, element a) { element_store(to, a); }
#define TOP_MIN ((uint64_t)(MODULUS >> 64))
static inline void words_check(uint64_t *words, lane *bad) {
    uint64_t carry = 0;
    (void)add_carry(words[0], R_LOW, &carry);
    (void)add_carry(words[1], R_HIGH, &carry);
    *bad |= carry;
    words[0] &= ~mask_of(carry);
    words[1] &= ~mask_of(carry);
}

static inline element element_add(element a, element b) {
    uint64_t carry = 0;
    element sum;
    sum.low = add_carry(a.low, b.low, &carry);
    sum.high = add_carry(a.high, b.high, &carry);
    return subtract_modulus(sum, carry);
}

static inline element element_sub(element a, element b) {
    uint64_t borrow = 0;
    element difference;
    difference.low = sub_borrow(a.low, b.low, &borrow);
    difference.high = sub_borrow(a.high, b.high, &borrow);
    const uint64_t mask = mask_of(borrow);
    borrow = 0; /* adding p is subtracting R */
    difference.low = sub_borrow(difference.low, R_LOW & mask, &borrow);
    difference.high = sub_borrow(difference.high, R_HIGH & mask, &borrow);
    return difference;
}

/* (high * 2^128 + low) / R for high < p. */
static inline element reduce_wide(element high, element low) {
    const field_value scaled = (field_value)28 * low.low;
    uint64_t carry = 0, borrow = 0;
    const uint64_t q1 = add_carry(low.high, (uint64_t)scaled, &carry); /* q = q1, low.low */
    const field_value round_up = (field_value)28 * q1 + (uint64_t)(scaled >> 64) + carry;
    element product; /* the upper half of q p */
    product.low = sub_borrow(low.low, (uint64_t)round_up, &borrow);
    product.high = sub_borrow(q1, (uint64_t)(round_up >> 64), &borrow);
    return element_sub(high, product);
}

static inline void multiply(element a, element b, element *high, element *low) {
    const field_value p00 = (field_value)a.low * b.low, p01 = (field_value)a.low * b.high;
    const field_value p10 = (field_value)a.high * b.low, p11 = (field_value)a.high * b.high;
    /* No sum carries: a product is at most (2^64 - 1)^2. */
    const field_value middle = p10 + (uint64_t)(p00 >> 64);
    const field_value upper = p01 + (uint64_t)middle;
    *low = (element){(uint64_t)p00, (uint64_t)upper};
    *high = from_value(p11 + (uint64_t)(middle >> 64) + (uint64_t)(upper >> 64));
}

static inline element element_mul(element a, element b) {
    element high, low;
    multiply(a, b, &high, &low);
    return reduce_wide(high, low);
}

static inline element loose_mul(element a, element b) { return element_mul(a, b); }

static inline element element_to_factor(element a) {
    /* R^2 = 49 * 2^132 - 14 * 2^66 + 1, and 2^132 = 16 R. */
    const field_value r = ((field_value)R_HIGH << 64) | R_LOW;
    return element_mul(a, from_value(49 * 16 * r - ((field_value)14 << 66) + 1));
}
static inline void constant_store(uint64_t *to, field_value value) {
    element_store(to, element_to_factor(from_value(value)));
}

/* v + top R, for top < 2^32. top R = 28 * 2^64 * top - top < 2^101, so there is
 * at most one carry, worth R again; what is left after it is below 2^101. */
static inline element add_top(element v, uint64_t top) {
    const field_value excess = ((field_value)28 * top << 64) - top;
    uint64_t carry = 0;
    v.low = add_carry(v.low, (uint64_t)excess, &carry);
    v.high = add_carry(v.high, (uint64_t)(excess >> 64), &carry);
    return subtract_modulus(v, carry);
}

/* A sum of fewer than 2^32 products, not reduced. */
typedef struct {
    element low, high;
    uint64_t top;
} accumulator;

static inline accumulator accumulator_zero(void) { return (accumulator){{0, 0}, {0, 0}, 0}; }
static inline void accumulator_mul_add(accumulator *sum, element a, element b) {
    element high, low;
    uint64_t carry = 0;
    multiply(a, b, &high, &low);
    sum->low.low = add_carry(sum->low.low, low.low, &carry);
    sum->low.high = add_carry(sum->low.high, low.high, &carry);
    sum->high.low = add_carry(sum->high.low, high.low, &carry);
    sum->high.high = add_carry(sum->high.high, high.high, &carry);
    sum->top += carry;
}
static inline element accumulator_reduce(const accumulator *sum) {
    return reduce_wide(add_top(sum->high, sum->top), sum->low);
}

/* A sum of fewer than 2^32 elements. */
typedef struct {
    element sum;
    uint64_t top;
} summation;

static inline summation summation_zero(void) { return (summation){{0, 0}, 0}; }
static inline void summation_add(summation *sum, element a) {
    uint64_t carry = 0;
    sum->sum.low = add_carry(sum->sum.low, a.low, &carry);
    sum->sum.high = add_carry(sum->sum.high, a.high, &carry);
    sum->top += carry;
}
static inline element summation_reduce(const summation *sum) {
    return add_top(sum->sum, sum->top);
}

static inline uint64_t element_differ(element a, element b) {
    return lane_nonzero((a.low ^ b.low) | (a.high ^ b.high));
}
