/* SPDX-License-Identifier: Apache-2.0 */
#include "field_support.h"
#include "reference.h"

/* Single elements against another arithmetic: sums, differences, products,
 * encodings. */

enum { NUMBERS = 200 };

/* Each lane of x is what `apply` makes of the lanes of a and b. */
static void expect(const struct field_kernel *field, const uint64_t *x, reference_operation *apply,
                   const field_value a[], const field_value b[], const char *operation) {
    for (unsigned lane = 0; lane < field->lanes; lane++) {
        cr_assert_eq(vector_get(field, x, 0, lane), apply(field->modulus, a[lane], b[lane]),
                     "%s %s: %s", simd_name(field->type), field->name, operation);
    }
}

/* Numbers i and j in lane 0, and others in the other lanes. */
static void check_pair(const struct field_kernel *field, size_t i, size_t j) {
    uint64_t *x = vector_new(field, 1), *y = vector_new(field, 1), *z = vector_new(field, 1);
    field_value a[SIMD_LANES_MAX], b[SIMD_LANES_MAX], same[SIMD_LANES_MAX];
    lane_mask differ = 0;
    for (unsigned lane = 0; lane < field->lanes; lane++) {
        same[lane] = number(field, i);
        a[lane] = number(field, i + lane);
        b[lane] = number(field, j + 2 * lane);
        differ |= (lane_mask)(a[lane] != b[lane]) << lane;
    }
    (void)vector_put(field, x, 0, a);
    (void)vector_put(field, y, 0, b);
    field->add(z, x, y, 1);
    expect(field, z, reference_add, a, b, "add");
    field->sub(z, x, y, 1);
    expect(field, z, reference_sub, a, b, "sub");
    cr_assert_eq(field->differ(x, y), differ);
    field->to_factor(x, x, 1);
    field->mul(z, x, y, 1);
    expect(field, z, reference_mul, a, b, "mul");
    cr_assert_eq(field_mul_vartime(field, a[0], b[0]), vector_get(field, z, 0, 0));
    uint64_t constant[FIELD_LIMBS_MAX];
    field->constant(constant, same[0]);
    field->scale_constant(z, y, constant, 1);
    expect(field, z, reference_mul, same, b, "scale_constant");
    field->splat(x, same[0]);
    field->to_factor(x, x, 1);
    field->scale(z, y, x, 1);
    expect(field, z, reference_mul, same, b, "scale");
    free(x);
    free(y);
    free(z);
}

static void check_pairs(const struct field_kernel *field) {
    for (size_t i = 0; i < NUMBERS; i++) {
        for (size_t j = 0; j < NUMBERS; j++) {
            check_pair(field, i, j);
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
            for (unsigned lane = 0; lane < field->lanes; lane++) { /* below the modulus */
                cr_assert_eq(vector_get(field, x, 0, lane), lane == bad ? 0 : values[lane]);
            }
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
    const field_value p = field->modulus;
    cr_assert(reference_prime(p));
    for (unsigned log2 = 1; log2 <= field->generator_log2; log2++) {
        field_value root = field_root_vartime(field, log2);
        for (unsigned i = 1; i < log2; i++) {
            root = reference_mul(p, root, root);
        }
        cr_assert_eq(root, p - 1, "a root's power is -1, so its order is exact");
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        const field_value a = number(field, i);
        cr_assert(a == 0 || field_mul_vartime(field, a, field_inv_vartime(field, a)) == 1);
    }
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
