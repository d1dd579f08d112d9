/* SPDX-License-Identifier: Apache-2.0 */
#include "field_support.h"

/* The operations on vectors against the plain formulas of field.h. */

enum { N = 37 };

/* Different numbers in every lane. */
static uint64_t *numbers_new(const struct field_kernel *field, size_t n, size_t from) {
    uint64_t *vector = vector_new(field, n);
    for (size_t i = 0; i < n; i++) {
        field_value values[SIMD_LANES_MAX];
        for (unsigned lane = 0; lane < field->lanes; lane++) {
            values[lane] = number(field, from + i * field->lanes + lane);
        }
        (void)vector_put(field, vector, i, values);
    }
    return vector;
}

static field_value add(const struct field_kernel *field, field_value a, field_value b) {
    return a >= field->modulus - b ? a - (field->modulus - b) : a + b;
}

static field_value negate(const struct field_kernel *field, field_value a) {
    return a == 0 ? 0 : field->modulus - a;
}

#define MUL(a, b) field_mul_vartime(field, (a), (b))
#define GET(vector, i) vector_get(field, (vector), (i), lane)
#define FOR_EACH_LANE for (unsigned lane = 0; lane < field->lanes; lane++)

static void check_sums(const struct field_kernel *field) {
    uint64_t *a = numbers_new(field, N, 0), *b = numbers_new(field, 2 * N, 1000);
    uint64_t *factors = vector_new(field, N), *out = vector_new(field, N);
    uint64_t constants[N * FIELD_LIMBS_MAX];
    field->to_factor(factors, a, N);
    for (size_t n = 0; n <= N; n++) {
        field->sum(out, b, n, 2);
        FOR_EACH_LANE {
            field_value expected = 0;
            for (size_t i = 0; i < n; i++) {
                expected = add(field, expected, GET(b, 2 * i));
            }
            cr_assert_eq(GET(out, 0), expected);
        }
        field->dot(out, factors, 1, b, 2, n);
        FOR_EACH_LANE {
            field_value expected = 0;
            for (size_t i = 0; i < n; i++) {
                expected = add(field, expected, MUL(GET(a, i), GET(b, 2 * i)));
            }
            cr_assert_eq(GET(out, 0), expected);
        }
        for (size_t i = 0; i < N; i++) {
            field->constant(constants + i * field->limbs, number(field, i + 5));
        }
        field->dot_constants(out, constants, b, n);
        FOR_EACH_LANE {
            field_value expected = 0;
            for (size_t i = 0; i < n; i++) {
                expected = add(field, expected, MUL(number(field, i + 5), GET(b, i)));
            }
            cr_assert_eq(GET(out, 0), expected);
        }
    }
    memcpy(out, b, N * field->words * sizeof(*out));
    field->mul_add(out, factors, a, N);
    FOR_EACH_LANE {
        for (size_t i = 0; i < N; i++) {
            cr_assert_eq(GET(out, i), add(field, GET(b, i), MUL(GET(a, i), GET(a, i))));
        }
    }
    free(a);
    free(b);
    free(factors);
    free(out);
}

Test(field_vector, sums) { FOR_EACH_FIELD(field, check_sums(field)); }

/* Sums of the largest products, so that every carry happens. */
static void check_carries(const struct field_kernel *field) {
    enum { MANY = 5000 };
    uint64_t *a = vector_new(field, MANY), *out = vector_new(field, 1);
    for (size_t i = 0; i < MANY; i++) {
        field->splat(field_at(field, a, i), field->modulus - 1);
    }
    field->dot(out, a, 1, a, 1, MANY);
    field->to_factor(out, out, 1);
    FOR_EACH_LANE { cr_assert_eq(GET(out, 0), MANY); }
    field->sum(out, a, MANY, 1);
    FOR_EACH_LANE { cr_assert_eq(GET(out, 0), negate(field, MANY)); }
    /* In Field128, of a sum that is reduced at once: after 63 of the largest the
     * upper 128 bits are about 126 * 28 * 2^64 below 2^128, the last adds 95 such
     * units, and what has gone over counts 62: a carry of its own. */
    enum { ONCE = 64 };
    const field_value last = ((field_value)(126 - 31) * 28 << 64) % field->modulus;
    uint64_t *b = vector_new(field, ONCE);
    memcpy(b, a, ONCE * field->words * sizeof(*a));
    field->splat(field_at(field, b, ONCE - 1), last);
    field->dot(out, a, 1, b, 1, ONCE);
    field->to_factor(out, out, 1);
    FOR_EACH_LANE { cr_assert_eq(GET(out, 0), add(field, ONCE - 1, negate(field, last))); }
    free(b);
    free(a);
    free(out);
}

Test(field_vector, carries) { FOR_EACH_FIELD(field, check_carries(field)); }

/* Lanes that are masked out may hold anything. */
static void check_sum_vectors(const struct field_kernel *field, size_t count) {
    uint64_t *out = vector_new(field, N);
    const uint64_t *vectors[70] = {0};
    lane_mask masks[70] = {0};
    for (size_t v = 0; v < count; v++) {
        uint64_t *vector = numbers_new(field, N, 37 * v);
        masks[v] = number(field, 50 + v) & (((lane_mask)1 << field->lanes) - 1);
        FOR_EACH_LANE {
            for (size_t word = lane; word < N * field->words; word += field->lanes) {
                vector[word] |= masks[v] >> lane & 1 ? 0 : UINT64_MAX;
            }
        }
        vectors[v] = vector;
    }
    field->sum_vectors(out, vectors, masks, count, N);
    FOR_EACH_LANE {
        for (size_t i = 0; i < N; i++) {
            field_value expected = 0;
            for (size_t v = 0; v < count; v++) {
                expected = masks[v] >> lane & 1 ? add(field, expected, GET(vectors[v], i))
                                                : expected;
            }
            cr_assert_eq(GET(out, i), expected);
        }
    }
    for (size_t v = 0; v < count; v++) {
        free((void *)vectors[v]);
    }
    free(out);
}

Test(field_vector, sums_of_vectors) {
    FOR_EACH_FIELD(field, {
        check_sum_vectors(field, 0);
        check_sum_vectors(field, 1);
        check_sum_vectors(field, 70); /* sums are reduced every 64 vectors */
    });
}

static void check_wires(const struct field_kernel *field, size_t calls, size_t chunk,
                        bool random) {
    uint64_t *weights = numbers_new(field, calls + 1, 30), *rand = numbers_new(field, calls, 90);
    uint64_t *seeds = numbers_new(field, 2 * chunk, 7), *offset = numbers_new(field, 1, 500);
    uint64_t *meas = numbers_new(field, calls * chunk, 11);
    uint64_t *factors = vector_new(field, calls + 1), *rand_factors = vector_new(field, calls);
    uint64_t *out = vector_new(field, 2 * chunk);
    field->to_factor(factors, weights, calls + 1);
    field->to_factor(rand_factors, rand, calls);
    const struct field_wires in = {factors, random ? rand_factors : NULL, seeds, meas, offset,
                                   calls, chunk};
    field->wires(out, &in);
    FOR_EACH_LANE {
        for (size_t j = 0; j < chunk; j++) {
            field_value even = MUL(GET(weights, 0), GET(seeds, 2 * j));
            field_value odd = MUL(GET(weights, 0), GET(seeds, 2 * j + 1));
            for (size_t k = 0; k < calls; k++) {
                const field_value m = MUL(GET(weights, k + 1), GET(meas, k * chunk + j));
                const field_value r = random ? field_pow_vartime(field, GET(rand, k), j + 1) : 1;
                even = add(field, even, MUL(r, m));
                odd = add(field, odd, m);
            }
            cr_assert_eq(GET(out, 2 * j), even);
            cr_assert_eq(GET(out, 2 * j + 1), add(field, odd, negate(field, GET(offset, 0))));
        }
    }
    uint64_t *const all[] = {weights, rand, seeds, offset, meas, factors, rand_factors, out};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        free(all[i]);
    }
}

Test(field_vector, wires) {
    FOR_EACH_FIELD(field, {
        check_wires(field, 1, 1, false);
        check_wires(field, 5, 3, false);
        check_wires(field, 1, 4, true);
        check_wires(field, 7, 1, true);
        check_wires(field, 6, 5, true);
        check_wires(field, 64, 2, true); /* sums are reduced every 64 calls */
        check_wires(field, 130, 2, true);
        check_wires(field, 130, 2, false);
    });
}

/* The powers of a root of unity of order n * stride, as constants. */
static uint64_t *roots_new(const struct field_kernel *field, size_t order, field_value *root) {
    uint64_t *roots = calloc(order * field->limbs, sizeof(uint64_t));
    field_value power = 1;
    *root = field_root_vartime(field, (unsigned)__builtin_ctzll(order));
    for (size_t i = 0; i < order; i++) {
        field->constant(roots + i * field->limbs, power);
        power = MUL(power, *root);
    }
    return roots;
}

/* From factors to plain numbers. */
static void to_plain(const struct field_kernel *field, uint64_t vector[], size_t n) {
    uint64_t *one = vector_new(field, 1);
    field->splat(one, 1);
    field->scale(vector, vector, one, n);
    free(one);
}

static void check_weights(const struct field_kernel *field, const uint64_t *weights,
                          const uint64_t *t, field_value root, size_t first, field_value scale,
                          size_t n) {
    FOR_EACH_LANE {
        for (size_t i = 0; i < n; i++) {
            const field_value inverse = field_pow_vartime(field, root, 2 * n - 2 * i - first);
            const field_value y = MUL(GET(t, 0), inverse);
            field_value expected = 0;
            for (size_t power = n; power-- > 0;) {
                expected = add(field, MUL(expected, y), 1);
            }
            cr_assert_eq(GET(weights, i), MUL(expected, scale));
        }
    }
}

static void check_lagrange(const struct field_kernel *field, size_t n) {
    field_value root;
    uint64_t *roots = roots_new(field, 2 * n, &root), *power = vector_new(field, 1);
    uint64_t *even = vector_new(field, n), *odd = vector_new(field, n);
    uint64_t *t = numbers_new(field, 1, 40 + n), *factor = vector_new(field, 1);
    uint64_t scale[2 * FIELD_LIMBS_MAX];
    field->constant(scale, 5);
    field->constant(scale + field->limbs, 6);
    field->to_factor(factor, t, 1);
    field->lagrange(even, odd, power, factor, scale, roots, n);
    to_plain(field, even, n);
    to_plain(field, odd, n);
    to_plain(field, power, 1);
    check_weights(field, even, t, root, 0, 5, n);
    check_weights(field, odd, t, root, 1, 6, n);
    FOR_EACH_LANE { cr_assert_eq(GET(power, 0), field_pow_vartime(field, GET(t, 0), n)); }
    uint64_t *const all[] = {roots, power, even, odd, t, factor};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        free(all[i]);
    }
}

Test(field_vector, lagrange) {
    FOR_EACH_FIELD(field, {
        for (size_t n = 1; n <= 64; n *= 2) {
            check_lagrange(field, n);
        }
    });
}

static size_t reverse(size_t i, size_t n) {
    size_t reversed = 0;
    for (size_t bit = 1; bit < n; bit *= 2, i /= 2) {
        reversed = 2 * reversed + i % 2;
    }
    return reversed;
}

static field_value evaluate(const struct field_kernel *field, const uint64_t *coefficients,
                            size_t n, unsigned lane, field_value x) {
    field_value value = 0;
    for (size_t i = n; i-- > 0;) {
        value = add(field, MUL(value, x), GET(coefficients, i));
    }
    return value;
}

static void check_shift(const struct field_kernel *field, size_t n) {
    field_value root;
    uint64_t *roots = roots_new(field, 2 * n, &root), *values = vector_new(field, n);
    uint64_t *coefficients = numbers_new(field, n, 77);
    uint64_t *twist = calloc(n * field->limbs, sizeof(uint64_t));
    for (size_t i = 0; i < n; i++) {
        field_value evaluated[SIMD_LANES_MAX];
        FOR_EACH_LANE {
            evaluated[lane] = evaluate(field, coefficients, n, lane,
                                       field_pow_vartime(field, root, 2 * i));
        }
        (void)vector_put(field, values, i, evaluated);
        field->constant(twist + reverse(i, n) * field->limbs,
                        MUL(field_pow_vartime(field, root, i), field_inv_vartime(field, n)));
    }
    field->shift(values, roots, 2, twist, n);
    FOR_EACH_LANE {
        for (size_t i = 0; i < n; i++) {
            cr_assert_eq(GET(values, i), evaluate(field, coefficients, n, lane,
                                                  field_pow_vartime(field, root, 2 * i + 1)));
        }
    }
    free(roots);
    free(values);
    free(coefficients);
    free(twist);
}

Test(field_vector, shift) {
    FOR_EACH_FIELD(field, {
        for (size_t n = 1; n <= 32; n *= 2) {
            check_shift(field, n);
        }
    });
}

/* At t, from the values of a polynomial of degree below n at the given points. */
static field_value interpolate(const struct field_kernel *field, const field_value points[],
                               const field_value values[], size_t n, field_value t) {
    field_value sum = 0;
    for (size_t i = 0; i < n; i++) {
        field_value weight = values[i];
        for (size_t j = 0; j < n; j++) {
            const field_value minus = negate(field, points[j]);
            const field_value distance = field_inv_vartime(field, add(field, points[i], minus));
            weight = j == i ? weight : MUL(weight, MUL(add(field, t, minus), distance));
        }
        sum = add(field, sum, weight);
    }
    return sum;
}

/* Values of all sizes, and test points that go through 1, -1 and other roots of
 * unity, another in every lane. */
static void check_query_single(const struct field_kernel *field, size_t step) {
    const field_value half = field_inv_vartime(field, 2), w = field_root_vartime(field, 2);
    const field_value points[] = {1, w, field->modulus - 1};
    const field_value special[] = {1, w, field->modulus - 1, negate(field, w), 0, 2};
    uint64_t halves[2 * FIELD_LIMBS_MAX];
    uint64_t *meas = numbers_new(field, 1, 3 * step), *proof = numbers_new(field, 5, 5 * step + 1);
    uint64_t *t = numbers_new(field, 1, 7 * step), *out = vector_new(field, 3);
    field->constant(halves, half);
    field->constant(halves + field->limbs, MUL(half, w));
    field_value test_points[SIMD_LANES_MAX];
    FOR_EACH_LANE {
        test_points[lane] = step % 3 == 2 ? GET(t, 0) : special[(step + 5 * lane) % 6];
    }
    (void)vector_put(field, t, 0, test_points);
    const lane_mask bad = field->query_single(out, meas, proof, t, halves);
    FOR_EACH_LANE {
        const field_value at = test_points[lane], m = GET(meas, 0);
        const field_value ends[] = {points[0], points[2]};
        const field_value wires[2][2] = {{GET(proof, 0), m}, {GET(proof, 1), m}};
        const field_value gadget[] = {GET(proof, 2), GET(proof, 3), GET(proof, 4)};
        cr_assert_eq(bad >> lane & 1, at == points[0] || at == points[2]);
        cr_assert_eq(GET(out, 0), interpolate(field, ends, wires[0], 2, at));
        cr_assert_eq(GET(out, 1), interpolate(field, ends, wires[1], 2, at));
        cr_assert_eq(GET(out, 2), interpolate(field, points, gadget, 3, at));
    }
    cr_assert_eq(bad >> field->lanes, 0, "no lanes but those that there are");
    free(meas);
    free(proof);
    free(t);
    free(out);
}

Test(field_vector, single_queries) {
    FOR_EACH_FIELD(field, {
        for (size_t step = 0; step < 60; step++) {
            check_query_single(field, step);
        }
    });
}
