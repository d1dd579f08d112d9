/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/xof.h"

#include <stdio.h>
#include <stdlib.h>

#include "run.h"

static bool check_turboshake(const char *name, struct vector *vector,
                             const struct kernels *kernels, const struct xof_input *input,
                             size_t length) {
    const struct field_kernel *field = kernels->field128;
    struct turboshake sponge;
    uint8_t *seeds[SIMD_LANES_MAX], *encoded[SIMD_LANES_MAX];
    uint64_t *elements =
        arena_alloc(&vector->arena, length * field->words, sizeof(uint64_t));
    bool complete = elements != NULL;
    for (unsigned lane = 0; lane < kernels->lanes; lane++) {
        seeds[lane] = arena_alloc(&vector->arena, XOF_SEED_SIZE, 1);
        encoded[lane] = arena_alloc(&vector->arena, length * field->encoded_size, 1);
        complete = complete && seeds[lane] != NULL && encoded[lane] != NULL;
    }
    if (!complete) {
        return false;
    }
    xof_start(&sponge, kernels, input);
    xof_derive_seed(&sponge, seeds);
    xof_expand(&sponge, kernels, input, field, elements, length);
    field->encode(encoded, elements, length);
    return expect_bytes(name, vector, "derive_seed", "derived_seed",
                        span_of(seeds[0], XOF_SEED_SIZE)) &
           expect_bytes(name, vector, "expand_into_vec", "expanded_vec_field128",
                        span_of(encoded[0], length * field->encoded_size));
}

enum outcome run_xof(const char *name, struct vector *vector) {
    const struct kernels *kernels;
    struct span seed, dst, binder;
    uint64_t *length;
    if (strcmp(vector_text(vector, "xof"), "XofTurboShake128") != 0) {
        fprintf(stderr, "%s: skipped: this build has no such XOF\n", name);
        return SKIPPED;
    }
    const char *length_text = vector_text(vector, "length");
    if (!status_ok(kernels_pick(&kernels)) || !vector_bytes(vector, &seed, "seed") ||
        !vector_bytes(vector, &dst, "dst") || !vector_bytes(vector, &binder, "binder") ||
        length_text == NULL || vector_numbers(vector, length_text, &length) != 1 ||
        length[0] > UINT32_MAX || seed.len != XOF_SEED_SIZE || dst.len > XOF_DST_MAX ||
        binder.len > XOF_BINDER_MAX) {
        fprintf(stderr, "%s: not a vector of this XOF\n", name);
        return FAILED;
    }
    /* Every lane gets the same input; the first one's output is looked at. */
    const uint8_t *tags[SIMD_LANES_MAX], *seeds[SIMD_LANES_MAX];
    for (unsigned lane = 0; lane < SIMD_LANES_MAX; lane++) {
        tags[lane] = dst.data;
        seeds[lane] = seed.data;
    }
    struct xof_input input = {
        .ctx = tags, .ctx_len = dst.len, .seed = seeds, .binder_len = binder.len};
    memcpy(input.binder, binder.data, binder.len);
    return check_turboshake(name, vector, kernels, &input, length[0]) ? PASSED : FAILED;
}
