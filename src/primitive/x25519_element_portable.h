/* SPDX-License-Identifier: Apache-2.0
 *
 * Elements for x25519_kernel.h in five limbs of 51 bits of a single lane, with
 * columns of 128 bits. Factors have limbs below 2^51 + 2^18.
 */
enum { LIMBS = 5 };
#define LIMB_OFFSET(k) (51 * (k))
#include "primitive/x25519_element.h"

/* A product, or a sum or difference of two, before the carries. A product's
 * columns are below 77 * 2^103. */
typedef unsigned __int128 column;
typedef struct {
    column at[LIMBS];
} product;

static inline column column_add(column a, column b) { return a + b; }
/* a + k p - b: columns of 2^61 p are above 2^111, so nothing is borrowed. */
static inline column column_sub(column a, column b, unsigned k) {
    return a + ((column)LIMB_MODULUS(k) << 61) - b;
}

static inline element product_carry(const product *wide) {
    element a;
    column carry = 0;
    for (unsigned k = 0; k < LIMBS; k++) {
        const column sum = wide->at[k] + carry;
        a.limb[k] = (uint64_t)sum & LIMB_MASK(k);
        carry = sum >> 51;
    }
    const column lowest = a.limb[0] + 19 * carry;
    a.limb[0] = (uint64_t)lowest & LIMB_MASK(0);
    a.limb[1] += (uint64_t)(lowest >> 51);
    return a;
}

static inline product element_mul(const element *a, const element *b) {
    product wide = {{0}};
#pragma GCC unroll 5
    for (unsigned i = 0; i < LIMBS; i++) {
#pragma GCC unroll 5
        for (unsigned j = 0; j < LIMBS; j++) {
            const uint64_t wrapped = i + j >= LIMBS ? 19 : 1; /* 2^255 = 19 */
            wide.at[(i + j) % LIMBS] += (column)a->limb[i] * (b->limb[j] * wrapped);
        }
    }
    return wide;
}

static inline product element_square(const element *a) {
    product wide = {{0}};
#pragma GCC unroll 5
    for (unsigned i = 0; i < LIMBS; i++) {
#pragma GCC unroll 5
        for (unsigned j = i; j < LIMBS; j++) {
            const uint64_t times = (i + j >= LIMBS ? 19 : 1) * (i == j ? 1 : 2);
            wide.at[(i + j) % LIMBS] += (column)a->limb[i] * (a->limb[j] * times);
        }
    }
    return wide;
}

/* a + b * factor, for a factor below 2^17. */
static inline product element_mul_add_small(const element *a, const element *b, uint32_t factor) {
    product wide;
    for (unsigned k = 0; k < LIMBS; k++) {
        wide.at[k] = a->limb[k] + (column)b->limb[k] * factor;
    }
    return wide;
}
