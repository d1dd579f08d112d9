/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel of x25519.h, written once over elements. Include it after a lane
 * header and an element header; it defines the struct x25519_kernel
 * x25519_<lane type>.
 *
 * Nothing here branches on or is indexed by a scalar or a coordinate.
 */
#include "base/secret.h"
#include "primitive/kernel_name.h"
#include "primitive/little_endian.h"
#include "primitive/x25519.h"

static inline product product_add(const product *a, const product *b) {
    product sum;
#pragma GCC unroll 10
    for (unsigned k = 0; k < LIMBS; k++) {
        sum.at[k] = column_add(a->at[k], b->at[k]);
    }
    return sum;
}

static inline product product_sub(const product *a, const product *b) {
    product difference;
#pragma GCC unroll 10
    for (unsigned k = 0; k < LIMBS; k++) {
        difference.at[k] = column_sub(a->at[k], b->at[k], k);
    }
    return difference;
}

static inline product element_widen(const element *a) {
    product wide;
#pragma GCC unroll 10
    for (unsigned k = 0; k < LIMBS; k++) {
        wide.at[k] = a->limb[k];
    }
    return wide;
}

/*
 * A point of the ladder, x / z, as the sum and the difference of its
 * coordinates, since that is all that a step asks for; so that they are
 * carried once, out of products that nothing else needs.
 */
struct point {
    element sum, difference;
};

static inline struct point point_of(const product *x, const product *z) {
    const product sum = product_add(x, z), difference = product_sub(x, z);
    return (struct point){product_carry(&sum), product_carry(&difference)};
}

static inline element multiply_carried(const element *a, const element *b) {
    const product wide = element_mul(a, b);
    return product_carry(&wide);
}

static inline __attribute__((always_inline)) element square_carried(const element *a) {
    const product wide = element_square(a);
    return product_carry(&wide);
}

/*
 * One step of the ladder: `low` becomes its double and `high` the sum of both,
 * where `base` is the x coordinate of their difference.
 *
 * Doubling: for the sum s and the difference d of the coordinates and
 * e = s^2 - d^2, the double is s^2 d^2 : e (s^2 + 121665 e). Addition: for
 * l = s d' and r = d s', the sum is (l + r)^2 : base (l - r)^2. The two take
 * turns, so that there is always work that doesn't wait for a result.
 */
static inline void ladder_step(struct point *low, struct point *high, const element *base) {
    const product left = element_mul(&low->sum, &high->difference);
    const product right = element_mul(&low->difference, &high->sum);
    const element s = square_carried(&low->sum), d = square_carried(&low->difference);
    const struct point crossed = point_of(&left, &right);
    const product wide_s = element_widen(&s), wide_d = element_widen(&d);
    const product wide_e = product_sub(&wide_s, &wide_d);
    const element e = product_carry(&wide_e);
    const element square = square_carried(&crossed.difference);
    const product wide_f = element_mul_add_small(&s, &e, 121665);
    const product low_x = element_mul(&s, &d);
    const element f = product_carry(&wide_f);
    const product high_x = element_square(&crossed.sum);
    const product low_z = element_mul(&e, &f);
    const product high_z = element_mul(&square, base);
    *low = point_of(&low_x, &low_z);
    *high = point_of(&high_x, &high_z);
}

static __attribute__((noipa)) void element_square_times(element *a, unsigned times) {
    for (; times > 0; times--) {
        *a = square_carried(a);
    }
}

/* a^(2^times) * b */
static element power_mul(element a, unsigned times, const element *b) {
    element_square_times(&a, times);
    return multiply_carried(&a, b);
}

/* a^(p - 2), which is 1 / a, and 0 for 0. p - 2 = 2^255 - 21. */
static element element_invert(const element *a) {
    element a2 = *a;
    element_square_times(&a2, 1);
    const element a9 = power_mul(a2, 2, a);
    const element a11 = multiply_carried(&a9, &a2);
    const element ones_5 = power_mul(a11, 1, &a9); /* a^(2^5 - 1) */
    const element ones_10 = power_mul(ones_5, 5, &ones_5);
    const element ones_20 = power_mul(ones_10, 10, &ones_10);
    const element ones_40 = power_mul(ones_20, 20, &ones_20);
    const element ones_50 = power_mul(ones_40, 10, &ones_10);
    const element ones_100 = power_mul(ones_50, 50, &ones_50);
    const element ones_200 = power_mul(ones_100, 100, &ones_100);
    const element ones_250 = power_mul(ones_200, 50, &ones_50);
    return power_mul(ones_250, 5, &a11);
}

/* Everything that depends on a secret and outlives a function. */
struct work {
    lane scalar[4];
    element base;
    struct point low, high; /* n times the base, and n + 1 times */
};

static void load(lane words[4], const uint8_t *const in[]) {
    uint64_t gathered[4 * LANES];
    for (unsigned w = 0; w < 4; w++) {
        for (unsigned l = 0; l < LANES; l++) {
            gathered[w * LANES + l] = load_le64(in[l] + 8 * w);
        }
        words[w] = lane_load(gathered + w * LANES);
    }
    secret_wipe(gathered, sizeof(gathered));
}

static void store(uint8_t out[][X25519_SIZE], const lane words[4]) {
    for (unsigned w = 0; w < 4; w++) {
        uint64_t scattered[LANES];
        lane_store(scattered, words[w]);
        for (unsigned l = 0; l < LANES; l++) {
            store_le64(out[l] + 8 * w, scattered[l]);
        }
    }
}

/* decodeScalar25519 of RFC 7748, section 5, but for bit 255, which the ladder
 * doesn't read. */
static void clamp(lane scalar[4]) {
    scalar[0] = lane_and(scalar[0], lane_splat(~UINT64_C(7)));
    scalar[3] = lane_or(scalar[3], lane_splat(UINT64_C(1) << 62));
}

/* All ones where the bit is set. */
static inline lane scalar_bit(const lane scalar[4], unsigned bit) {
    const lane lowest = lane_and(lane_shr(scalar[bit / 64], bit % 64), lane_splat(1));
    return lane_sub(lane_splat(0), lowest);
}

static void ladder(struct work *work) {
    const element one = element_one();
    const product wide_one = element_widen(&one), wide_base = element_widen(&work->base);
    lane swapped = lane_splat(0);
    work->low = (struct point){one, one}; /* 1 : 0, the neutral point */
    work->high = point_of(&wide_base, &wide_one);
    for (unsigned bit = 255; bit-- > 0;) {
        const lane now = scalar_bit(work->scalar, bit);
        const lane swap = lane_xor(swapped, now);
        element_swap(&work->low.sum, &work->high.sum, swap);
        element_swap(&work->low.difference, &work->high.difference, swap);
        swapped = now;
        ladder_step(&work->low, &work->high, &work->base);
    }
    /* A clamped scalar ends in a zero bit: they lie as they should. */
}

static uint64_t multiply(uint8_t out[][X25519_SIZE], const uint8_t *const scalars[],
                         const uint8_t *const points[]) {
    struct work work;
    lane words[4];
    load(work.scalar, scalars);
    clamp(work.scalar);
    load(words, points);
    work.base = element_from_words(words);
    ladder(&work);

    /* sum + difference = 2 x, sum - difference = 2 z. */
    const product s = element_widen(&work.low.sum), d = element_widen(&work.low.difference);
    const struct point doubled = point_of(&s, &d);
    const element inverse = element_invert(&doubled.difference);
    element_to_words(words, multiply_carried(&doubled.sum, &inverse));
    store(out, words);
    const lane any = lane_or(lane_or(words[0], words[1]), lane_or(words[2], words[3]));
    secret_wipe(&work, sizeof(work));
    secret_wipe(words, sizeof(words));
    return lane_nonzero(any);
}

const struct x25519_kernel KERNEL_NAME(x25519) = {LANE_TYPE, LANES, multiply};
