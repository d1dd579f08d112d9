/* SPDX-License-Identifier: Apache-2.0
 *
 * What the element headers of x25519_kernel.h have in common: elements of the
 * field of 2^255 - 19 as LIMBS limbs a lane, limb k weighing 2^LIMB_OFFSET(k).
 * Include it in an element header, after its definition of LIMBS and
 * LIMB_OFFSET.
 *
 * Invariant: an element is a valid factor. Its limbs exceed their width
 * (LIMB_WIDTH) by less than a thousandth, and its value is not canonical.
 */
#include <stdint.h>

typedef struct {
    lane limb[LIMBS];
} element;

#define LIMB_WIDTH(k) ((unsigned)(LIMB_OFFSET((k) + 1) - LIMB_OFFSET(k)))
#define LIMB_MASK(k) ((UINT64_C(1) << LIMB_WIDTH(k)) - 1)
/* Limb k of p = 2^255 - 19. */
#define LIMB_MODULUS(k) (LIMB_MASK(k) - ((k) == 0 ? 18 : 0))

/* 2^255 = 19 (mod p). */
static inline lane lane_times_19(lane a) {
    return lane_add(lane_add(a, lane_shl(a, 1)), lane_shl(a, 4));
}

/* A 256-bit little-endian number without its highest bit, which X25519
 * ignores. */
static inline element element_from_words(const lane words[4]) {
    element a;
    for (unsigned k = 0; k < LIMBS; k++) {
        const unsigned word = LIMB_OFFSET(k) / 64, bit = LIMB_OFFSET(k) % 64;
        lane limb = lane_shr(words[word], bit);
        if (bit + LIMB_WIDTH(k) > 64) {
            limb = lane_or(limb, lane_shl(words[word + 1], 64 - bit));
        }
        a.limb[k] = lane_and(limb, lane_splat(LIMB_MASK(k)));
    }
    return a;
}

/* Carries from limb to limb and returns what leaves the last one. */
static inline lane limbs_carry(lane limb[LIMBS], lane carry) {
    for (unsigned k = 0; k < LIMBS; k++) {
        const lane sum = lane_add(limb[k], carry);
        limb[k] = lane_and(sum, lane_splat(LIMB_MASK(k)));
        carry = lane_shr(sum, LIMB_WIDTH(k));
    }
    return carry;
}

/* The canonical value, below p. */
static inline void element_to_words(lane words[4], element a) {
    /* Twice, since the first carry out of the top may make another. */
    a.limb[0] = lane_add(a.limb[0], lane_times_19(limbs_carry(a.limb, lane_splat(0))));
    a.limb[0] = lane_add(a.limb[0], lane_times_19(limbs_carry(a.limb, lane_splat(0))));
    /* The value is below 2^255: it is p or more if adding 19 carries out. */
    element above = a;
    const lane is_above = limbs_carry(above.limb, lane_splat(19));
    (void)limbs_carry(a.limb, lane_times_19(is_above));
    for (unsigned w = 0; w < 4; w++) {
        words[w] = lane_splat(0);
    }
    for (unsigned k = 0; k < LIMBS; k++) {
        const unsigned word = LIMB_OFFSET(k) / 64, bit = LIMB_OFFSET(k) % 64;
        words[word] = lane_or(words[word], lane_shl(a.limb[k], bit));
        if (bit + LIMB_WIDTH(k) > 64) {
            words[word + 1] = lane_or(words[word + 1], lane_shr(a.limb[k], 64 - bit));
        }
    }
}

static inline element element_one(void) {
    element a;
    for (unsigned k = 0; k < LIMBS; k++) {
        a.limb[k] = lane_splat(k == 0);
    }
    return a;
}

/* Exchanges a and b where the mask is set. */
static inline void element_swap(element *a, element *b, lane mask) {
    for (unsigned k = 0; k < LIMBS; k++) {
        const lane difference = lane_and(lane_xor(a->limb[k], b->limb[k]), mask);
        a->limb[k] = lane_xor(a->limb[k], difference);
        b->limb[k] = lane_xor(b->limb[k], difference);
    }
}

/* The mask of zeros: a value that is a multiple of p. */
static inline lane element_zero(element a) {
    lane words[4];
    element_to_words(words, a);
    const lane any = lane_or(lane_or(words[0], words[1]), lane_or(words[2], words[3]));
    return lane_lt(any, lane_splat(1));
}
