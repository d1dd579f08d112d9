/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "primitive/kernels.h"
#include "secrets.h"

/* Every operation of every field kernel that valgrind runs, on secret elements;
 * lengths, strides, constants and masks of lanes are public. */

enum { LENGTH = 16, CHUNK = 3, CALLS = 5, WORDS = LENGTH * FIELD_LIMBS_MAX * SIMD_LANES_MAX };

static _Alignas(64) uint64_t a[WORDS], b[WORDS], out[WORDS], odd[WORDS];
static _Alignas(64) uint64_t power[FIELD_LIMBS_MAX * SIMD_LANES_MAX];
static uint64_t constants[2 * LENGTH * FIELD_LIMBS_MAX];
static uint8_t bytes[SIMD_LANES_MAX][LENGTH * FIELD_BYTES_MAX];

/* Elements may be anything here, since nothing looks at them. */
static void prepare(const struct field_kernel *field) {
    for (size_t i = 0; i < LENGTH; i++) {
        field->splat(a + i * field->words, field->modulus - 1 - i);
        field->splat(b + i * field->words, i);
    }
    for (size_t i = 0; i < 2 * LENGTH; i++) {
        field->constant(constants + i * field->limbs, field->modulus / 5 + i);
    }
    secret_mark(a, sizeof(a));
    secret_mark(b, sizeof(b));
    secret_mark(bytes, sizeof(bytes));
}

/* That `out` has n elements made of secrets; and makes them known again. */
static void check(const struct field_kernel *field, size_t n) {
    const size_t size = n * field->words * sizeof(uint64_t);
    must(secret_is_marked((const uint8_t *)out, size), "a result doesn't depend on secrets");
    memset(out, 0, sizeof(out));
}

static void run_vectors(const struct field_kernel *field) {
    field->add(out, a, b, LENGTH);
    check(field, LENGTH);
    field->sub(out, a, b, LENGTH);
    check(field, LENGTH);
    field->mul(out, a, b, LENGTH);
    check(field, LENGTH);
    field->mul_add(out, a, b, LENGTH);
    check(field, LENGTH);
    field->scale(out, a, b, LENGTH);
    check(field, LENGTH);
    field->scale_constant(out, a, constants, LENGTH);
    check(field, LENGTH);
    field->to_factor(out, a, LENGTH);
    check(field, LENGTH);
}

static void run_sums(const struct field_kernel *field) {
    const uint64_t *const vectors[2] = {a, b};
    const lane_mask masks[2] = {~(lane_mask)0, ~(lane_mask)0};
    field->sum(out, a, LENGTH / 2, 2);
    check(field, 1);
    field->dot(out, a, 2, b, 1, LENGTH / 2);
    check(field, 1);
    field->dot_constants(out, constants, b, LENGTH);
    check(field, 1);
    field->sum_vectors(out, vectors, masks, 2, LENGTH);
    check(field, LENGTH);
}

static void run_polynomials(const struct field_kernel *field) {
    struct field_wires in = {a, b, a, b, b, CALLS, CHUNK};
    field->lagrange(out, odd, power, a, constants, constants, LENGTH);
    check(field, LENGTH);
    memcpy(out, odd, sizeof(out));
    check(field, LENGTH);
    memcpy(out, power, sizeof(power));
    check(field, 1);
    memcpy(out, a, sizeof(out));
    field->shift(out, constants, 2, constants, LENGTH);
    check(field, LENGTH);
    field->wires(out, &in);
    check(field, 2 * CHUNK);
    in.rand = NULL;
    field->wires(out, &in);
    check(field, 2 * CHUNK);
    (void)field->query_single(out, a, b, a, constants);
    check(field, 3);
}

/* decode() and sample() reveal what they return, by the branch that is listed in
 * valgrind.supp; what differ() returns is for its callers to reveal. */
static void run_encodings(const struct field_kernel *field) {
    uint8_t *to[SIMD_LANES_MAX];
    const uint8_t *from[SIMD_LANES_MAX];
    for (unsigned lane = 0; lane < field->lanes; lane++) {
        from[lane] = to[lane] = bytes[lane];
    }
    (void)field->decode(out, from, LENGTH);
    check(field, LENGTH);
    (void)field->sample(out, a, LENGTH);
    check(field, LENGTH);
    const lane_mask differing = field->differ(a, b);
    must(secret_is_marked((const uint8_t *)&differing, 1), "differ() tells nothing");
    memset(bytes, 0, sizeof(bytes));
    field->encode(to, a, LENGTH);
    must(secret_is_marked(bytes[0], LENGTH * field->encoded_size), "encode() gives no secrets");
    uint64_t small[SIMD_LANES_MAX];
    secret_mark(small, sizeof(small));
    field->from_u64(out, small);
    must(secret_is_marked((const uint8_t *)out, 8), "from_u64() gives no secrets");
    memset(out, 0, sizeof(out));
}

/* On encodings, for which there is one implementation for all lane types. Whether
 * they are canonical is what these functions reveal. */
static void run_encoded_sums(const struct field_kernel *field) {
    memset(bytes, 0, sizeof(bytes));
    secret_mark(bytes, sizeof(bytes));
    (void)!field_is_canonical(field, bytes[0], LENGTH);
}

static void run(const struct field_kernel *field) {
    prepare(field);
    run_vectors(field);
    run_sums(field);
    run_polynomials(field);
    run_encodings(field);
    run_encoded_sums(field);
    printf("%s %s\n", simd_name(field->type), field->name);
}

int main(void) {
    must_run_on_valgrind();
    for (int type = 0; type < SIMD_TYPES; type++) {
        const struct kernels *kernels = kernels_of((enum simd_type)type);
        if (kernels != NULL) {
            run(kernels->field64);
            run(kernels->field128);
        }
    }
    return EXIT_SUCCESS;
}
