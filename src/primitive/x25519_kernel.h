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
#include "simd/barrier.h"

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

static __attribute__((noinline)) void element_square_times(element *a, unsigned times) {
    for (; times > 0; times--) {
        *a = square_carried(a);
    }
}

/* a^(2^times) * b */
static element power_mul(element a, unsigned times, const element *b) {
    element_square_times(&a, (unsigned)value_barrier(times)); /* one copy of it is enough */
    return multiply_carried(&a, b);
}

/* a^(p - 2), which is 1 / a, and 0 for 0. p - 2 = 2^255 - 21. */
static __attribute__((noinline)) element element_invert(const element *a) {
    const element a2 = square_carried(a);
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

/* A result before the division. */
struct fraction {
    element x, z;
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

/* The scalar times the point whose x coordinate is `base`. */
static __attribute__((noinline)) struct fraction ladder(const lane scalar[4], const element *base) {
    const element one = element_one();
    const product wide_one = element_widen(&one), wide_base = element_widen(base);
    lane swapped = lane_splat(0);
    /* n times the base, from 1 : 0, the neutral point; and n + 1 times. */
    struct point low = {one, one}, high = point_of(&wide_base, &wide_one);
    for (unsigned bit = 255; bit-- > 0;) {
        const lane now = scalar_bit(scalar, bit);
        const lane swap = lane_xor(swapped, now);
        element_swap(&low.sum, &high.sum, swap);
        element_swap(&low.difference, &high.difference, swap);
        swapped = now;
        ladder_step(&low, &high, base);
    }
    /* A clamped scalar ends in a zero bit: they lie as they should.
     * sum + difference = 2 x, sum - difference = 2 z. */
    const product sum = element_widen(&low.sum), difference = element_widen(&low.difference);
    const struct point twice = point_of(&sum, &difference);
    return (struct fraction){twice.sum, twice.difference};
}

static struct fraction multiply_group(const uint8_t *const scalars[],
                                      const uint8_t *const points[]) {
    lane scalar[4], words[4];
    load(scalar, scalars);
    clamp(scalar);
    load(words, points);
    const element base = element_from_words(words);
    const struct fraction result = ladder(scalar, &base);
    secret_wipe(scalar, sizeof(scalar));
    return result;
}

/* Makes 0 / 1 of what has no denominator: a point of small order gave it, and
 * X25519's result is then zero. */
static void settle_zero(struct fraction *a) {
    const lane zero = element_zero(a->z);
    for (unsigned k = 0; k < LIMBS; k++) {
        a->x.limb[k] = lane_andnot(zero, a->x.limb[k]);
    }
    a->z.limb[0] = lane_add(a->z.limb[0], lane_and(zero, lane_splat(1)));
}

/* Divides all by one inversion: of the product of all denominators, from which
 * each inverse follows by those before and after it. Denominators aren't zero. */
static void divide(element quotients[], const struct fraction fractions[], unsigned count) {
    element before[X25519_GROUPS_MAX]; /* the product of the denominators up to i */
    before[0] = fractions[0].z;
    for (unsigned i = 1; i < count; i++) {
        before[i] = multiply_carried(&before[i - 1], &fractions[i].z);
    }
    element inverse = element_invert(&before[count - 1]);
    for (unsigned i = count; i-- > 1;) {
        const element own = multiply_carried(&inverse, &before[i - 1]);
        quotients[i] = multiply_carried(&fractions[i].x, &own);
        inverse = multiply_carried(&inverse, &fractions[i].z);
    }
    quotients[0] = multiply_carried(&fractions[0].x, &inverse);
}

static uint64_t multiply(uint8_t out[][X25519_SIZE], const uint8_t *const scalars[],
                         const uint8_t *const points[], unsigned groups) {
    struct fraction fractions[X25519_GROUPS_MAX] = {};
    element quotients[X25519_GROUPS_MAX];
    uint64_t nonzero = 0;
    for (unsigned g = 0; g < groups; g++) {
        fractions[g] = multiply_group(scalars + g * LANES, points + g * LANES);
        settle_zero(&fractions[g]);
    }
    divide(quotients, fractions, groups);
    for (unsigned g = 0; g < groups; g++) {
        lane words[4];
        element_to_words(words, quotients[g]);
        store(out + g * LANES, words);
        const lane any = lane_or(lane_or(words[0], words[1]), lane_or(words[2], words[3]));
        nonzero |= lane_nonzero(any) << (g * LANES);
    }
    secret_wipe(fractions, sizeof(fractions));
    secret_wipe(quotients, sizeof(quotients));
    return nonzero;
}

const struct x25519_kernel KERNEL_NAME(x25519) = {LANE_TYPE, LANES, multiply};
