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
#include "primitive/little_endian.h"

#define FIELD field128
#define FIELD_NAME "Field128"
enum { LIMBS = 2, ENCODED_WORDS = 2 };

#define MODULUS ((((field_value)UINT64_C(0xFFFFFFFFFFFFFFE4)) << 64) | 1)
#define GENERATOR_BASE 7
#define GENERATOR_LOG2 66

typedef struct {
    field_value v;
} element;

static inline field_value mask_if(unsigned condition) { return (field_value)0 - condition; }

/* v mod p for v < 2^128, which is below 2p. */
static inline element canonical(field_value v) {
    return (element){v - (MODULUS & mask_if(v >= MODULUS))};
}

static inline element element_load(const uint64_t *from) {
    return (element){(field_value)from[1] << 64 | from[0]};
}
static inline void element_store(uint64_t *to, element a) {
    to[0] = (uint64_t)a.v;
    to[1] = (uint64_t)(a.v >> 64);
}
static inline element constant_load(const uint64_t *from) { return element_load(from); }
static inline element element_splat(field_value value) { return (element){value}; }
static inline element element_from_words(const uint64_t *words, lane *bad) {
    const element raw = element_load(words);
    *bad |= (uint64_t)(raw.v >= MODULUS);
    return canonical(raw.v);
}
static inline void element_to_words(uint64_t *words, element a) { element_store(words, a); }

static inline element element_add(element a, element b) {
    const field_value sum = a.v + b.v;
    return (element){sum - (MODULUS & mask_if((unsigned)(sum < a.v) | (unsigned)(sum >= MODULUS)))};
}

static inline element element_sub(element a, element b) {
    return (element){a.v - b.v + (MODULUS & mask_if(a.v < b.v))};
}

/* (high * 2^128 + low) / R for high < p. */
static inline element reduce_wide(field_value high, field_value low) {
    const uint64_t l0 = (uint64_t)low, l1 = (uint64_t)(low >> 64);
    const field_value scaled = (field_value)28 * l0;
    const uint64_t q1 = l1 + (uint64_t)scaled; /* q = q1, l0 */
    const uint64_t carry = (uint64_t)(q1 < l1);
    const field_value q = (field_value)q1 << 64 | l0;
    const field_value round_up = (field_value)28 * q1 + (uint64_t)(scaled >> 64) + carry;
    return element_sub((element){high}, (element){q - round_up});
}

static inline void multiply(field_value a, field_value b, field_value *high, field_value *low) {
    const uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64);
    const uint64_t b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    const field_value p00 = (field_value)a0 * b0, p01 = (field_value)a0 * b1;
    const field_value p10 = (field_value)a1 * b0, p11 = (field_value)a1 * b1;
    const field_value middle = p10 + (p00 >> 64); /* no carry: p10 <= (2^64 - 1)^2 */
    const field_value upper = p01 + (uint64_t)middle;
    *low = upper << 64 | (uint64_t)p00;
    *high = p11 + (middle >> 64) + (upper >> 64);
}

static inline element element_mul(element a, element b) {
    field_value high, low;
    multiply(a.v, b.v, &high, &low);
    return reduce_wide(high, low);
}
/* 2^128 = 7 * 2^66 - 1 (mod p), and its square. */
#define FIELD128_R (((field_value)7 << 66) - 1)
static inline element element_to_factor(element a) {
    /* R^2 = 49 * 2^132 - 14 * 2^66 + 1, and 2^132 = 16 R. */
    const field_value square = 49 * 16 * FIELD128_R - ((field_value)14 << 66) + 1;
    return element_mul(a, (element){square});
}
static inline uint64_t *constant_store(uint64_t *to, field_value value) {
    element_store(to, element_to_factor((element){value}));
    return to;
}

/* A sum of fewer than 2^32 products, not reduced. */
typedef struct {
    field_value low, high;
    uint64_t top;
} accumulator;

static inline accumulator accumulator_zero(void) { return (accumulator){0, 0, 0}; }
static inline void accumulator_mul_add(accumulator *sum, element a, element b) {
    field_value high, low;
    multiply(a.v, b.v, &high, &low);
    sum->low += low;
    high += (uint64_t)(sum->low < low); /* high < p, so this can't overflow */
    sum->high += high;
    sum->top += (uint64_t)(sum->high < high);
}
static inline element accumulator_reduce(const accumulator *sum) {
    /* top < 2^32, so top * R < 2^101: at most one carry, worth R again. */
    const field_value high = sum->high + sum->top * FIELD128_R;
    const field_value carry = FIELD128_R & mask_if(high < sum->high);
    return reduce_wide(canonical(high + carry).v, sum->low);
}

static inline uint64_t element_differ(element a, element b) { return (uint64_t)(a.v != b.v); }
