/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PRIMITIVE_FIELD_H
#define MOIETY_PRIMITIVE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/cpu.h"

/*
 * Prime fields with large roots of unity (VDAF, section 6.1), in lanes.
 *
 * A vector of n elements holds n elements for each lane: it is an array of
 * n * kernel->words words, aligned to 64 bytes. Word w of element i in lane l,
 * of the 64-bit words that make up the element from the lowest on, is word
 * (i * kernel->limbs + w) * kernel->lanes + l. A constant is the same in every
 * lane: kernel->limbs words.
 *
 * An element is held in one of two forms. Plain: what the wire carries.
 * Factor: scaled by the kernel's R (Montgomery's trick; R is 1 where the prime
 * makes reduction cheap without it). A product of two numbers loses one R, so
 * factor x plain is plain and factor x factor is factor; sums need the same
 * form. Measurements and proofs stay plain all the way, and what they are
 * multiplied with is turned into factors, few as they are. Constants are
 * always factors.
 *
 * Invariant: every element of a vector is below the modulus, in either form.
 * All operations are constant-time in the elements' values, except that
 * sample() and decode() tell by their result what they refused. Outputs may be
 * the same vector as an input, not one that overlaps it otherwise. Thread-safe.
 */
enum { FIELD_BYTES_MAX = 16, FIELD_LIMBS_MAX = 2 };

typedef unsigned __int128 field_value;

/* Which lanes: bit l is lane l. */
typedef uint64_t lane_mask;

struct field_wires;

struct field_kernel {
    const char *name;
    enum simd_type type;
    unsigned lanes;
    size_t words;         /* of an element, all lanes together */
    size_t limbs;         /* 64-bit words of a constant, or of an element in one lane */
    size_t encoded_size;  /* bytes of an element on the wire, little-endian */
    field_value modulus;
    unsigned generator_base; /* generates the multiplicative group */
    unsigned generator_log2; /* its order's power of two */

    /* in[l] and out[l]: n * encoded_size bytes of lane l. decode() gives the
     * lanes that hold an element not below the modulus. */
    lane_mask (*decode)(uint64_t out[], const uint8_t *const in[], size_t n);
    void (*encode)(uint8_t *const out[], const uint64_t in[], size_t n);
    /* From n * limbs words a lane, side by side as Keccak leaves
     * them; gives the lanes with a word that is to be sampled again. */
    lane_mask (*sample)(uint64_t out[], const uint64_t words[], size_t n);
    /* One plain element; lane l is in[l], a number below 2^63. */
    void (*from_u64)(uint64_t out[], const uint64_t in[]);

    /* `out` has `limbs` words, `value` is below the modulus. */
    void (*constant)(uint64_t out[], field_value value);
    /* One plain element, the same in every lane. */
    void (*splat)(uint64_t out[], field_value value);

    void (*add)(uint64_t out[], const uint64_t a[], const uint64_t b[], size_t n);
    void (*sub)(uint64_t out[], const uint64_t a[], const uint64_t b[], size_t n);
    void (*mul)(uint64_t out[], const uint64_t a[], const uint64_t b[], size_t n);
    /* out[i] += a[i] * b[i] */
    void (*mul_add)(uint64_t out[], const uint64_t a[], const uint64_t b[], size_t n);
    /* out[i] = a[i] * b[0], and with a constant for b */
    void (*scale)(uint64_t out[], const uint64_t a[], const uint64_t b[], size_t n);
    void (*scale_constant)(uint64_t out[], const uint64_t a[], const uint64_t constant[],
                           size_t n);
    /* Plain to factor. */
    void (*to_factor)(uint64_t out[], const uint64_t in[], size_t n);

    /* One element each: the sum of in[i * stride]; of a[i * a_stride] *
     * b[i * b_stride]; of constants[i] * b[i]. */
    void (*sum)(uint64_t out[], const uint64_t in[], size_t n, size_t stride);
    void (*dot)(uint64_t out[], const uint64_t a[], size_t a_stride, const uint64_t b[],
                size_t b_stride, size_t n);
    void (*dot_constants)(uint64_t out[], const uint64_t constants[], const uint64_t b[],
                          size_t n);

    /* out[i] = the sum of in[v][i] over v < count, in the lanes of masks[v],
     * for i < n. */
    void (*sum_vectors)(uint64_t out[], const uint64_t *const in[], const lane_mask masks[],
                        size_t count, size_t n);

    /* The weights of two Lagrange bases at the factor t, as factors: with roots[i]
     * the constant root^i of a 2n-th root of unity, n a power of two,
     *   even[i] = scale[0] * (1 + y + ... + y^(n-1)) with y = t / root^(2i),
     *   odd[i]  = scale[1] * the same with y = t / root^(2i+1);
     * *power is t^n. `scale` are two constants. For a polynomial P of degree below
     * n, the sum of even[i] * P(root^(2i)) is n * scale[0] * P(t), and the sum of
     * odd[i] * P(root^(2i+1)) is n * scale[1] * P(t). */
    void (*lagrange)(uint64_t even[], uint64_t odd[], uint64_t power[], const uint64_t t[],
                     const uint64_t scale[], const uint64_t roots[], size_t n);
    /* From the values of a polynomial of degree below n at the n-th roots of
     * unity to its values at those roots times s, a 2n-th root of unity; in
     * place. roots as above; twist[bit-reversed i] is the constant s^i / n. */
    void (*shift)(uint64_t values[], const uint64_t roots[], size_t stride,
                  const uint64_t twist[], size_t n);
    void (*wires)(uint64_t out[], const struct field_wires *wires);

    /* All of a query where there is one call of one product of a measurement's only
     * element with itself: `proof` is two seeds and the gadget polynomial's values at 1,
     * w and -1, `halves` the constants 1/2 and w/2; out[] takes the two wires and the
     * polynomial at t. Gives the lanes where t is 1 or -1. */
    lane_mask (*query_single)(uint64_t out[], const uint64_t meas[], const uint64_t proof[],
                              const uint64_t t[], const uint64_t halves[]);

    /* Lanes where a and b, one element each, differ. */
    lane_mask (*differ)(const uint64_t a[], const uint64_t b[]);
};

/*
 * The wire polynomials of parallel range checks, at a point given by Lagrange
 * weights: for each j < chunk, with m[k][j] = meas[k * chunk + j],
 *   out[2j]   = weights[0] seeds[2j]   + sum_k weights[k+1] rand[k]^(j+1) m[k][j]
 *   out[2j+1] = weights[0] seeds[2j+1] + sum_k weights[k+1] m[k][j] - offset
 * The weights and rand are factors, all else plain.
 */
struct field_wires {
    const uint64_t *weights; /* calls + 1 */
    const uint64_t *rand;    /* calls, or NULL for ones */
    const uint64_t *seeds;   /* 2 * chunk */
    const uint64_t *meas;    /* calls * chunk, zeros at the end */
    const uint64_t *offset;  /* one */
    size_t calls;
    size_t chunk;
};

extern const struct field_kernel field64_portable;
extern const struct field_kernel field128_portable;
#if defined(__x86_64__)
extern const struct field_kernel field64_avx2;
extern const struct field_kernel field128_avx2;
extern const struct field_kernel field64_avx512;
extern const struct field_kernel field128_avx512;
extern const struct field_kernel field64_ifma_avx512;
extern const struct field_kernel field128_ifma_avx512;
#elif defined(__aarch64__)
extern const struct field_kernel field64_neon;
extern const struct field_kernel field128_neon;
#endif

static inline uint64_t *field_at(const struct field_kernel *field, uint64_t *vector, size_t i) {
    return vector + i * field->words;
}
static inline const uint64_t *field_at_const(const struct field_kernel *field,
                                             const uint64_t *vector, size_t i) {
    return vector + i * field->words;
}

/* Arithmetic on public numbers below the modulus, for tables and parameters. */
field_value field_mul_vartime(const struct field_kernel *field, field_value a, field_value b);
field_value field_pow_vartime(const struct field_kernel *field, field_value a, field_value e);
/* The inverse of a number that isn't zero. */
field_value field_inv_vartime(const struct field_kernel *field, field_value a);
/* A root of unity of order 2^log2, the power of the generator that VDAF takes. */
field_value field_root_vartime(const struct field_kernel *field, unsigned log2);

/* Element by element on encodings: into += from, or -=. False, with `into`
 * unchanged, if either holds an element that isn't below the modulus. */
bool field_add_encoded(const struct field_kernel *field, uint8_t into[], const uint8_t from[],
                       size_t n);
bool field_sub_encoded(const struct field_kernel *field, uint8_t into[], const uint8_t from[],
                       size_t n);
bool field_is_canonical(const struct field_kernel *field, const uint8_t encoded[], size_t n);

#endif
