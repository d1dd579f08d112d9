/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel of field.h, written once over the element arithmetic of one
 * field. Include it after a lane header and an element header; it defines the
 * struct field_kernel <field>_<lane type>.
 */
#include "primitive/field.h"
#include "primitive/kernel_name.h"
#include "primitive/little_endian.h"

enum { WORDS = LIMBS * LANES, ENCODED_BYTES = 8 * ENCODED_WORDS };

static inline element get(const uint64_t vector[], size_t i) {
    return element_load(vector + i * WORDS);
}
static inline void put(uint64_t vector[], size_t i, element a) {
    element_store(vector + i * WORDS, a);
}
static inline element constant_at(const uint64_t constants[], size_t i) {
    return constant_load(constants + i * LIMBS);
}

static lane_mask decode(uint64_t out[], const uint8_t *const in[], size_t n) {
    lane bad = lane_splat(0);
    for (size_t i = 0; i < n; i++) {
        uint64_t words[ENCODED_WORDS * LANES];
        for (size_t w = 0; w < ENCODED_WORDS; w++) {
            for (size_t l = 0; l < LANES; l++) {
                words[w * LANES + l] = load_le64(in[l] + i * ENCODED_BYTES + 8 * w);
            }
        }
        put(out, i, element_from_words(words, &bad));
    }
    return lane_nonzero(bad);
}

static void encode(uint8_t *const out[], const uint64_t in[], size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t words[ENCODED_WORDS * LANES];
        element_to_words(words, get(in, i));
        for (size_t w = 0; w < ENCODED_WORDS; w++) {
            for (size_t l = 0; l < LANES; l++) {
                store_le64(out[l] + i * ENCODED_BYTES + 8 * w, words[w * LANES + l]);
            }
        }
    }
}

static lane_mask sample(uint64_t out[], const uint64_t words[], size_t n) {
    lane bad = lane_splat(0);
    for (size_t i = 0; i < n; i++) {
        put(out, i, element_from_words(words + i * ENCODED_WORDS * LANES, &bad));
    }
    return lane_nonzero(bad);
}

static void from_u64(uint64_t out[], const uint64_t in[]) {
    uint64_t words[ENCODED_WORDS * LANES] = {0};
    for (size_t l = 0; l < LANES; l++) {
        words[l] = in[l];
    }
    lane bad = lane_splat(0);
    put(out, 0, element_from_words(words, &bad));
}

static void constant(uint64_t out[], field_value value) { constant_store(out, value); }
static void splat(uint64_t out[], field_value value) { put(out, 0, element_splat(value)); }

static void add(uint64_t out[], const uint64_t a[], const uint64_t b[], size_t n) {
    for (size_t i = 0; i < n; i++) {
        put(out, i, element_add(get(a, i), get(b, i)));
    }
}

static void sub(uint64_t out[], const uint64_t a[], const uint64_t b[], size_t n) {
    for (size_t i = 0; i < n; i++) {
        put(out, i, element_sub(get(a, i), get(b, i)));
    }
}

static void mul(uint64_t out[], const uint64_t a[], const uint64_t b[], size_t n) {
    for (size_t i = 0; i < n; i++) {
        put(out, i, element_mul(get(a, i), get(b, i)));
    }
}

static void mul_add(uint64_t out[], const uint64_t a[], const uint64_t b[], size_t n) {
    for (size_t i = 0; i < n; i++) {
        put(out, i, element_add(get(out, i), element_mul(get(a, i), get(b, i))));
    }
}

static void scale_by(uint64_t out[], const uint64_t a[], element b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        put(out, i, element_mul(get(a, i), b));
    }
}

static void scale(uint64_t out[], const uint64_t a[], const uint64_t b[], size_t n) {
    scale_by(out, a, get(b, 0), n);
}

static void scale_constant(uint64_t out[], const uint64_t a[], const uint64_t constants[],
                           size_t n) {
    scale_by(out, a, constant_at(constants, 0), n);
}

static void to_factor(uint64_t out[], const uint64_t in[], size_t n) {
    for (size_t i = 0; i < n; i++) {
        put(out, i, element_to_factor(get(in, i)));
    }
}

static void sum(uint64_t out[], const uint64_t in[], size_t n, size_t stride) {
    element total = element_splat(0);
    for (size_t i = 0; i < n; i++) {
        total = element_add(total, get(in, i * stride));
    }
    put(out, 0, total);
}

static void dot(uint64_t out[], const uint64_t a[], size_t a_stride, const uint64_t b[],
                size_t b_stride, size_t n) {
    accumulator total = accumulator_zero();
    for (size_t i = 0; i < n; i++) {
        accumulator_mul_add(&total, get(a, i * a_stride), get(b, i * b_stride));
    }
    put(out, 0, accumulator_reduce(&total));
}

static void dot_constants(uint64_t out[], const uint64_t constants[], const uint64_t b[],
                          size_t n) {
    accumulator total = accumulator_zero();
    for (size_t i = 0; i < n; i++) {
        accumulator_mul_add(&total, constant_at(constants, i), get(b, i));
    }
    put(out, 0, accumulator_reduce(&total));
}

/* 1 + y + ... + y^(n-1) is the product of 1 + y^(2^k) over all k < log2(n).
 * y^(2^k) takes n / 2^k values, in pairs that differ in sign alone; so the
 * products grow from one value to n, each step doubling their number. */
static void lagrange(uint64_t out[], const uint64_t t[], const uint64_t scale_factor[],
                     const uint64_t scale_constants[], const uint64_t roots[], size_t stride,
                     size_t n) {
    element squares[64]; /* t^(2^k) */
    size_t levels = 0;
    squares[0] = get(t, 0);
    for (size_t size = n; size > 1; size /= 2, levels++) {
        squares[levels + 1] = element_mul(squares[levels], squares[levels]);
    }
    put(out, 0, scale_factor != NULL ? get(scale_factor, 0) : constant_at(scale_constants, 0));
    for (size_t half = 1; half < n; half *= 2) {
        const element power = squares[--levels];
        const size_t step = n / (2 * half) * stride;
        for (size_t i = 0; i < half; i++) {
            /* 1 / root^i = root^(n - i), where root^n = 1 */
            const element inverse = constant_at(roots, i == 0 ? 0 : (2 * half - i) * step);
            const element parent = get(out, i);
            const element y = element_mul(element_mul(parent, inverse), power);
            put(out, i, element_add(parent, y));
            put(out, i + half, element_sub(parent, y));
        }
    }
}

/* Natural order in, bit-reversed order out; times n. */
static void ntt_inverse(uint64_t values[], const uint64_t roots[], size_t stride, size_t n) {
    for (size_t half = n / 2; half >= 1; half /= 2) {
        const size_t step = n / (2 * half) * stride;
        for (size_t j = 0; j < half; j++) {
            const element w = constant_at(roots, j == 0 ? 0 : (2 * half - j) * step);
            for (size_t at = j; at < n; at += 2 * half) {
                const element u = get(values, at), v = get(values, at + half);
                put(values, at, element_add(u, v));
                put(values, at + half, element_mul(element_sub(u, v), w));
            }
        }
    }
}

/* Bit-reversed order in, natural order out. */
static void ntt(uint64_t values[], const uint64_t roots[], size_t stride, size_t n) {
    for (size_t half = 1; half < n; half *= 2) {
        const size_t step = n / (2 * half) * stride;
        for (size_t j = 0; j < half; j++) {
            const element w = constant_at(roots, j * step);
            for (size_t at = j; at < n; at += 2 * half) {
                const element u = get(values, at);
                const element v = element_mul(get(values, at + half), w);
                put(values, at, element_add(u, v));
                put(values, at + half, element_sub(u, v));
            }
        }
    }
}

static void shift(uint64_t values[], const uint64_t roots[], size_t stride,
                  const uint64_t twist[], size_t n) {
    ntt_inverse(values, roots, stride, n);
    for (size_t i = 0; i < n; i++) {
        put(values, i, element_mul(get(values, i), constant_at(twist, i)));
    }
    ntt(values, roots, stride, n);
}

/* One pair of wires. `advance`: leaves the powers ready for the next pair. */
static void wire_pair(uint64_t out[], const struct field_wires *in, size_t j, int advance) {
    accumulator even = accumulator_zero(), odd = accumulator_zero();
    const element first = get(in->weights, 0);
    accumulator_mul_add(&even, first, get(in->seeds, 2 * j));
    accumulator_mul_add(&odd, first, get(in->seeds, 2 * j + 1));
    for (size_t k = 0; k < in->calls; k++) {
        const element m = get(in->meas, k * in->chunk + j), power = get(in->powers, k);
        accumulator_mul_add(&even, power, m);
        accumulator_mul_add(&odd, get(in->weights, k + 1), m);
        if (advance) {
            put(in->powers, k, element_mul(power, get(in->rand, k)));
        }
    }
    put(out, 2 * j, accumulator_reduce(&even));
    put(out, 2 * j + 1, element_sub(accumulator_reduce(&odd), get(in->offset, 0)));
}

static void wires(uint64_t out[], const struct field_wires *in) {
    for (size_t k = 0; k < in->calls; k++) {
        const element weight = get(in->weights, k + 1);
        put(in->powers, k, in->rand == NULL ? weight : element_mul(weight, get(in->rand, k)));
    }
    for (size_t j = 0; j < in->chunk; j++) {
        wire_pair(out, in, j, in->rand != NULL && j + 1 < in->chunk);
    }
}

static lane_mask differ(const uint64_t a[], const uint64_t b[]) {
    return element_differ(get(a, 0), get(b, 0));
}

const struct field_kernel KERNEL_NAME(FIELD) = {
    .name = FIELD_NAME,
    .type = LANE_TYPE,
    .lanes = LANES,
    .words = WORDS,
    .limbs = LIMBS,
    .encoded_size = ENCODED_BYTES,
    .encoded_words = ENCODED_WORDS,
    .modulus = MODULUS,
    .generator_base = GENERATOR_BASE,
    .generator_log2 = GENERATOR_LOG2,
    .decode = decode,
    .encode = encode,
    .sample = sample,
    .from_u64 = from_u64,
    .constant = constant,
    .splat = splat,
    .add = add,
    .sub = sub,
    .mul = mul,
    .mul_add = mul_add,
    .scale = scale,
    .scale_constant = scale_constant,
    .to_factor = to_factor,
    .sum = sum,
    .dot = dot,
    .dot_constants = dot_constants,
    .lagrange = lagrange,
    .shift = shift,
    .wires = wires,
    .differ = differ,
};
