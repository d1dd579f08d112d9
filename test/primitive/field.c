/* SPDX-License-Identifier: Apache-2.0 */
#include "field_support.h"

/* Single elements against GMP: sums, differences, products, encodings. */

enum { NUMBERS = 200 };

static void expect(const struct field_kernel *field, const uint64_t *got, const mpz_t expected,
                   const char *operation) {
    for (unsigned lane = 0; lane < field->lanes; lane++) {
        cr_assert_eq(vector_get(field, got, 0, lane), mpz_get_value(expected), "%s %s: %s",
                     simd_name(field->type), field->name, operation);
    }
}

static void check_pair(const struct field_kernel *field, field_value a, field_value b) {
    uint64_t *x = vector_new(field, 1), *y = vector_new(field, 1), *z = vector_new(field, 1);
    mpz_t p, u, v, w;
    mpz_inits(p, u, v, w, NULL);
    mpz_set_value(p, field->modulus);
    mpz_set_value(u, a);
    mpz_set_value(v, b);
    field->splat(x, a);
    field->splat(y, b);
    field->add(z, x, y, 1);
    mpz_add(w, u, v);
    mpz_mod(w, w, p);
    expect(field, z, w, "add");
    field->sub(z, x, y, 1);
    mpz_sub(w, u, v);
    mpz_mod(w, w, p);
    expect(field, z, w, "sub");
    cr_assert_eq(field->differ(x, y) != 0, a != b);
    field->to_factor(x, x, 1);
    field->mul(z, x, y, 1);
    mpz_mul(w, u, v);
    mpz_mod(w, w, p);
    expect(field, z, w, "mul");
    cr_assert_eq(field_mul_vartime(field, a, b), mpz_get_value(w));
    uint64_t constant[FIELD_LIMBS_MAX];
    field->constant(constant, a);
    field->scale_constant(z, y, constant, 1);
    expect(field, z, w, "scale_constant");
    mpz_clears(p, u, v, w, NULL);
    free(x);
    free(y);
    free(z);
}

static void check_pairs(const struct field_kernel *field) {
    for (size_t i = 0; i < NUMBERS; i++) {
        for (size_t j = 0; j < NUMBERS; j++) {
            check_pair(field, number(field, i), number(field, j));
        }
    }
}

Test(field, arithmetic) { FOR_EACH_FIELD(field, check_pairs(field)); }

/* Numbers that aren't below the modulus are refused in their lane alone. */
static void check_decode(const struct field_kernel *field) {
    const field_value top = field->encoded_size == 8 ? UINT64_MAX : ~(field_value)0;
    uint64_t *x = vector_new(field, 1);
    for (unsigned bad = 0; bad < field->lanes; bad++) {
        const field_value wrong[] = {field->modulus, field->modulus + 1, top};
        for (size_t i = 0; i < 3; i++) {
            field_value values[SIMD_LANES_MAX];
            for (unsigned lane = 0; lane < field->lanes; lane++) {
                values[lane] = lane == bad ? wrong[i] : field->modulus - 1;
            }
            cr_assert_eq(vector_put(field, x, 0, values), (lane_mask)1 << bad);
        }
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        field_value values[SIMD_LANES_MAX];
        for (unsigned lane = 0; lane < field->lanes; lane++) {
            values[lane] = number(field, i + lane);
        }
        cr_assert_eq(vector_put(field, x, 0, values), 0);
        for (unsigned lane = 0; lane < field->lanes; lane++) {
            cr_assert_eq(vector_get(field, x, 0, lane), values[lane]);
        }
    }
    free(x);
}

Test(field, decode) { FOR_EACH_FIELD(field, check_decode(field)); }

static void check_sample(const struct field_kernel *field) {
    uint64_t words[2 * SIMD_LANES_MAX] = {0};
    uint64_t *x = vector_new(field, 1);
    for (unsigned bad = 0; bad < field->lanes; bad++) {
        for (size_t w = 0; w < field->limbs; w++) {
            for (unsigned lane = 0; lane < field->lanes; lane++) {
                const field_value value = field->modulus - (lane == bad ? 0 : 1);
                words[w * field->lanes + lane] = (uint64_t)(value >> (64 * w));
            }
        }
        cr_assert_eq(field->sample(x, words, 1), (lane_mask)1 << bad);
        for (unsigned lane = 0; lane < field->lanes; lane++) {
            cr_assert(lane == bad || vector_get(field, x, 0, lane) == field->modulus - 1);
        }
    }
    free(x);
}

Test(field, sample) { FOR_EACH_FIELD(field, check_sample(field)); }

static void check_roots(const struct field_kernel *field) {
    mpz_t p, root;
    mpz_inits(p, root, NULL);
    mpz_set_value(p, field->modulus);
    cr_assert_neq(mpz_probab_prime_p(p, 30), 0);
    for (unsigned log2 = 1; log2 <= field->generator_log2; log2++) {
        mpz_set_value(root, field_root_vartime(field, log2));
        for (unsigned i = 1; i < log2; i++) {
            mpz_powm_ui(root, root, 2, p);
        }
        mpz_add_ui(root, root, 1);
        cr_assert_eq(mpz_cmp(root, p), 0, "a root's power is -1, so its order is exact");
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        const field_value a = number(field, i);
        cr_assert(a == 0 || field_mul_vartime(field, a, field_inv_vartime(field, a)) == 1);
    }
    mpz_clears(p, root, NULL);
}

Test(field, roots_and_inverses) { FOR_EACH_FIELD(field, check_roots(field)); }

static void store(const struct field_kernel *field, uint8_t *to, field_value value) {
    for (size_t byte = 0; byte < field->encoded_size; byte++) {
        to[byte] = (uint8_t)(value >> (8 * byte));
    }
}

static void check_encoded(const struct field_kernel *field) {
    const size_t size = field->encoded_size;
    for (size_t i = 0; i < NUMBERS; i++) {
        uint8_t a[2 * FIELD_BYTES_MAX], b[2 * FIELD_BYTES_MAX], before[sizeof(a)], sum[sizeof(a)];
        store(field, a, number(field, i));
        store(field, a + size, number(field, 2 * i));
        store(field, b, number(field, i / 7));
        store(field, b + size, number(field, i + 3));
        memcpy(before, a, 2 * size);
        cr_assert(field_add_encoded(field, a, b, 2));
        const field_value p = field->modulus, x = number(field, i), y = number(field, i / 7);
        store(field, sum, x >= p - y ? x - (p - y) : x + y);
        cr_assert_eq(memcmp(a, sum, size), 0);
        cr_assert(field_sub_encoded(field, a, b, 2));
        cr_assert_eq(memcmp(a, before, 2 * size), 0);
        store(field, b + size, p);
        cr_assert_not(field_add_encoded(field, a, b, 2));
        cr_assert_not(field_sub_encoded(field, b, a, 2));
        cr_assert_eq(memcmp(a, before, 2 * size), 0, "unchanged on failure");
    }
}

Test(field, encoded) { FOR_EACH_FIELD(field, check_encoded(field)); }
