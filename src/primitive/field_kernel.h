/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel of field.h, written once over the element arithmetic of one
 * field. Include it after a lane header and an element header; it defines the
 * struct field_kernel <field>_<lane type>.
 */
#include <string.h>

#include "primitive/field.h"
#include "primitive/kernel_name.h"
#include "primitive/transpose.h"

enum {
    WORDS = LIMBS * LANES,
    LOOSE_WORDS = LOOSE_LIMBS * LANES,
    ENCODED_BYTES = 8 * LIMBS,
    DECODE_BLOCK = 8, /* elements: what is decoded at once */
};

static inline element get(const uint64_t vector[], size_t i) {
    return element_load(vector + i * WORDS);
}
static inline void put(uint64_t vector[], size_t i, element a) {
    element_store(vector + i * WORDS, a);
}
static inline element constant_at(const uint64_t constants[], size_t i) {
    return constant_load(constants + i * LIMBS);
}

/* Clears what isn't below the modulus and gives its lanes. `top` is the largest
 * of the highest words: an element whose highest is below TOP_MIN is below the
 * modulus, so that the rest is hardly ever looked at. */
static lane_mask check(uint64_t out[], size_t n, lane top) {
    if (lane_nonzero(lane_lt(lane_splat(TOP_MIN - 1), top)) == 0) {
        return 0;
    }
    lane bad = lane_splat(0);
    for (size_t i = 0; i < n; i++) {
        words_check(out + i * WORDS, &bad);
    }
    return lane_nonzero(bad);
}

static lane_mask sample(uint64_t out[], const uint64_t words[], size_t n) {
    lane top = lane_splat(0);
    for (size_t i = 0; i < n; i++, out += WORDS, words += WORDS) {
        for (size_t word = 0; word < WORDS; word += LANES) {
            const lane a = lane_load(words + word);
            lane_store(out + word, a);
            top = word + LANES == WORDS ? lane_max(top, a) : top;
        }
    }
    return check(out - n * WORDS, n, top);
}

static lane_mask decode(uint64_t out[], const uint8_t *const in[], size_t n) {
    lane top = lane_splat(0);
    const uint8_t *at[LANES];
    for (size_t i = 0; i < n; i += DECODE_BLOCK) {
        const size_t size = n - i < DECODE_BLOCK ? n - i : DECODE_BLOCK;
        for (size_t l = 0; l < LANES; l++) {
            at[l] = in[l] + i * ENCODED_BYTES;
        }
        words_gather(out + i * WORDS, at, size * LIMBS);
        for (size_t j = i; j < i + size; j++) {
            top = lane_max(top, lane_load(out + (j + 1) * WORDS - LANES));
        }
    }
    return check(out, n, top);
}

static void encode(uint8_t *const out[], const uint64_t in[], size_t n) {
    words_scatter(out, in, n * LIMBS);
}

static void from_u64(uint64_t out[], const uint64_t in[]) {
    memset(out, 0, sizeof(uint64_t[WORDS]));
    memcpy(out, in, sizeof(uint64_t[LANES]));
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

/* Sums are reduced after ACCUMULATOR_STEPS addends, and what that leaves is
 * added up. */
static inline size_t steps_from(size_t done, size_t n) {
    return n - done < ACCUMULATOR_STEPS ? n - done : ACCUMULATOR_STEPS;
}

static void sum(uint64_t out[], const uint64_t in[], size_t n, size_t stride) {
    element total = element_splat(0);
    for (size_t done = 0; done < n; done += ACCUMULATOR_STEPS) {
        summation part = summation_zero();
        for (size_t i = done; i < done + steps_from(done, n); i++) {
            summation_add(&part, get(in, i * stride));
        }
        total = element_add(total, summation_reduce(&part));
    }
    put(out, 0, total);
}

/* Sums of vectors go by blocks of a few of them: more at once, each of more than
 * caches hold, are too many for the processor to foresee what it reads next. */
enum { SUM_BLOCK = 32, SUM_STREAMS = 4 };

struct sum_stream {
    const uint64_t *vector, *ahead; /* where it is read now, and what is read next */
    lane mask;
};

static inline void add_streams(summation parts[], const struct sum_stream streams[], size_t count,
                               size_t n) {
    for (size_t i = 0; i < n; i++) {
        summation part = parts[i];
        for (size_t s = 0; s < count; s++) {
            __builtin_prefetch(streams[s].ahead + i * WORDS);
            __builtin_prefetch(streams[s].ahead + i * WORDS + WORDS / 2);
            summation_add(&part, masked_load(streams[s].vector + i * WORDS, streams[s].mask));
        }
        parts[i] = part;
    }
}

/* Adds the sums of elements [from, from + n) of up to ACCUMULATOR_STEPS vectors. */
static inline void add_block(uint64_t out[], const uint64_t *const in[],
                             const uint64_t masks[][LANES], size_t count, size_t from, size_t n) {
    summation parts[SUM_BLOCK];
    for (size_t i = 0; i < n; i++) {
        parts[i] = summation_zero();
    }
    for (size_t v = 0; v < count; v += SUM_STREAMS) {
        struct sum_stream streams[SUM_STREAMS] = {0};
        const size_t some = count - v < SUM_STREAMS ? count - v : SUM_STREAMS;
        for (size_t s = 0; s < some; s++) {
            const size_t next = v + SUM_STREAMS + s;
            streams[s].vector = in[v + s] + from * WORDS;
            /* The next vectors' block, or the first ones' next. */
            const size_t ahead_from = next < count ? from : from + n;
            streams[s].ahead = in[next < count ? next : s] + ahead_from * WORDS;
            streams[s].mask = lane_load(masks[v + s]);
        }
        if (some == SUM_STREAMS) {
            add_streams(parts, streams, SUM_STREAMS, n);
        } else {
            add_streams(parts, streams, some, n);
        }
    }
    for (size_t i = 0; i < n; i++) {
        put(out, from + i, element_add(get(out, from + i), summation_reduce(&parts[i])));
    }
}

/* Adds the sums of up to ACCUMULATOR_STEPS vectors. */
static inline void add_vectors(uint64_t out[], const uint64_t *const in[],
                               const lane_mask masks[], size_t count, size_t n) {
    uint64_t words[ACCUMULATOR_STEPS][LANES];
    for (size_t v = 0; v < count; v++) {
        for (size_t l = 0; l < LANES; l++) {
            words[v][l] = 0 - (masks[v] >> l & 1);
        }
    }
    for (size_t from = 0; from < n; from += SUM_BLOCK) {
        add_block(out, in, words, count, from, n - from < SUM_BLOCK ? n - from : SUM_BLOCK);
    }
}

static void sum_vectors(uint64_t out[], const uint64_t *const in[], const lane_mask masks[],
                        size_t count, size_t n) {
    memset(out, 0, n * sizeof(uint64_t[WORDS]));
    for (size_t done = 0; done < count; done += ACCUMULATOR_STEPS) {
        add_vectors(out, in + done, masks + done, steps_from(done, count), n);
    }
}

static void dot(uint64_t out[], const uint64_t a[], size_t a_stride, const uint64_t b[],
                size_t b_stride, size_t n) {
    element total = element_splat(0);
    for (size_t done = 0; done < n; done += ACCUMULATOR_STEPS) {
        accumulator part = accumulator_zero();
        for (size_t i = done; i < done + steps_from(done, n); i++) {
            accumulator_mul_add(&part, get(a, i * a_stride), get(b, i * b_stride));
        }
        total = element_add(total, accumulator_reduce(&part));
    }
    put(out, 0, total);
}

static void dot_constants(uint64_t out[], const uint64_t constants[], const uint64_t b[],
                          size_t n) {
    element total = element_splat(0);
    for (size_t done = 0; done < n; done += ACCUMULATOR_STEPS) {
        accumulator part = accumulator_zero();
        for (size_t i = done; i < done + steps_from(done, n); i++) {
            accumulator_mul_add(&part, constant_at(constants, i), get(b, i));
        }
        total = element_add(total, accumulator_reduce(&part));
    }
    put(out, 0, total);
}

/* Two children in place of a parent: parent * (1 + y), and (1 - y) at a distance. */
static inline void split_parent(uint64_t at[], size_t distance, element y) {
    const element parent = get(at, 0), product = element_mul(parent, y);
    put(at, 0, element_add(parent, product));
    put(at, distance, element_sub(parent, product));
}

/* 1 + y + ... + y^(n-1) is the product of 1 + y^(2^k) over all k < log2(n).
 * y^(2^k) takes n / 2^k values, in pairs that differ in sign alone; so the
 * products grow from one value to n, each step doubling their number. The two
 * bases go side by side, since what fills a small one is waiting. */
static void lagrange(uint64_t even[], uint64_t odd[], uint64_t power[], const uint64_t t[],
                     const uint64_t scale[], const uint64_t roots[], size_t n) {
    element even_power[64], odd_power[64]; /* to the 2^k */
    size_t levels = 0;
    even_power[0] = get(t, 0);
    odd_power[0] = loose_mul(even_power[0], constant_at(roots, 2 * n - 1));
    for (size_t size = n; size > 1; size /= 2, levels++) {
        even_power[levels + 1] = element_mul(even_power[levels], even_power[levels]);
        odd_power[levels + 1] = loose_mul(odd_power[levels], odd_power[levels]);
    }
    put(power, 0, even_power[levels]);
    put(even, 0, constant_at(scale, 0));
    put(odd, 0, constant_at(scale, 1));
    for (size_t half = 1; half < n; half *= 2) {
        const element even_y = even_power[--levels], odd_y = odd_power[levels];
        split_parent(even, half, even_y);
        split_parent(odd, half, odd_y);
        for (size_t i = 1; i < half; i++) {
            /* 1 / root^(2i) = root^(2n - 2i) */
            const element inverse = constant_at(roots, (2 * half - i) * (n / half));
            split_parent(even + i * WORDS, half, loose_mul(even_y, inverse));
            split_parent(odd + i * WORDS, half, loose_mul(odd_y, inverse));
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

/* A call's power of rand, rand itself and its weight, as they are while the
 * wires are summed up. */
enum { POWER = 0, RAND = LOOSE_WORDS, WEIGHT = 2 * LOOSE_WORDS, CALL_WORDS = 3 * LOOSE_WORDS };

/* What calls [from, from + n) add to one pair of wires; makes the powers ready
 * for the next pair. */
static inline void wire_pair(uint64_t out[], const struct field_wires *in, uint64_t calls[],
                             size_t from, size_t n, size_t j) {
    accumulator even = accumulator_zero(), odd = accumulator_zero();
    const uint64_t *meas = in->meas + (from * in->chunk + j) * WORDS;
    for (size_t k = 0; k < n; k++, calls += CALL_WORDS, meas += in->chunk * WORDS) {
        const element m = get(meas, 0), power = loose_load(calls + POWER);
        accumulator_mul_add(&even, power, m);
        accumulator_mul_add(&odd, loose_load(calls + WEIGHT), m);
        if (in->rand != NULL) {
            loose_store(calls + POWER, loose_mul(power, loose_load(calls + RAND)));
        }
    }
    put(out, 2 * j, element_add(get(out, 2 * j), accumulator_reduce(&even)));
    put(out, 2 * j + 1, element_add(get(out, 2 * j + 1), accumulator_reduce(&odd)));
}

/* The calls are taken ACCUMULATOR_STEPS at a time, so that they stay in cache
 * and that sums of their products need no carries. */
static void wires(uint64_t out[], const struct field_wires *in) {
    _Alignas(64) uint64_t calls[ACCUMULATOR_STEPS * CALL_WORDS];
    const element seed_weight = get(in->weights, 0), offset = get(in->offset, 0);
    for (size_t j = 0; j < in->chunk; j++) {
        put(out, 2 * j, element_mul(seed_weight, get(in->seeds, 2 * j)));
        put(out, 2 * j + 1,
            element_sub(element_mul(seed_weight, get(in->seeds, 2 * j + 1)), offset));
    }
    for (size_t from = 0; from < in->calls; from += ACCUMULATOR_STEPS) {
        const size_t n = steps_from(from, in->calls);
        for (size_t k = 0; k < n; k++) {
            uint64_t *call = calls + k * CALL_WORDS;
            const element weight = get(in->weights, from + k + 1);
            const element rand = in->rand != NULL ? get(in->rand, from + k) : weight;
            loose_store(call + WEIGHT, weight);
            loose_store(call + RAND, rand);
            loose_store(call + POWER, in->rand != NULL ? loose_mul(weight, rand) : weight);
        }
        for (size_t j = 0; j < in->chunk; j++) {
            wire_pair(out, in, calls, from, n, j);
        }
    }
}

/* Wires at t, from their values at 1 and -1, and the gadget polynomial, c0 + c1 x +
 * c2 x^2, from its values at 1, w and -1: with half * (P(1) - P(-1)) = c1 and
 * P(1) - c1 = c0 + c2, P(w) - w c1 = c0 - c2. */
static lane_mask query_single(uint64_t out[], const uint64_t meas[], const uint64_t proof[],
                              const uint64_t t[], const uint64_t halves[]) {
    const element half = constant_at(halves, 0), one = element_splat(1), m = get(meas, 0);
    const element x = element_to_factor(get(t, 0)), square = element_mul(get(t, 0), x);
    const element at_1 = element_to_factor(element_mul(element_add(get(t, 0), one), half));
    put(out, 0, element_add(m, element_mul(element_sub(get(proof, 0), m), at_1)));
    put(out, 1, element_add(m, element_mul(element_sub(get(proof, 1), m), at_1)));
    const element difference = element_sub(get(proof, 2), get(proof, 4));
    const element c1 = element_mul(difference, half);
    const element c1_w = element_mul(difference, constant_at(halves, 1));
    const element sum = element_sub(get(proof, 2), c1), less = element_sub(get(proof, 3), c1_w);
    const element c0 = element_mul(element_add(sum, less), half);
    const element c2 = element_mul(element_sub(sum, less), half);
    accumulator rest = accumulator_zero();
    accumulator_mul_add(&rest, x, c1);
    accumulator_mul_add(&rest, element_to_factor(square), c2);
    put(out, 2, element_add(c0, accumulator_reduce(&rest)));
    const lane_mask all = ((lane_mask)1 << LANES) - 1;
    return all & ~element_differ(square, one);
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
    .sum_vectors = sum_vectors,
    .dot = dot,
    .dot_constants = dot_constants,
    .lagrange = lagrange,
    .shift = shift,
    .wires = wires,
    .query_single = query_single,
    .differ = differ,
};
