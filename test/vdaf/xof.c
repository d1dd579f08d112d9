/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/xof.h"

#include "support.h"

/* A seed whose stream, under an empty tag and binder, has as its 1298th word a
 * number that is not below Field64's modulus, 0xffffffffe986a2fa reduced; it
 * took a search. Figures from the draft's reference implementation. */
enum { REJECTED_AT = 1298, LENGTH = 1400 };

static field_value element(const struct field_kernel *field, const uint64_t *vector, size_t i,
                           unsigned lane) {
    uint8_t bytes[SIMD_LANES_MAX][8];
    uint8_t *out[SIMD_LANES_MAX];
    for (unsigned l = 0; l < field->lanes; l++) {
        out[l] = bytes[l];
    }
    field->encode(out, field_at_const(field, vector, i), 1);
    uint64_t value;
    memcpy(&value, bytes[lane], sizeof(value));
    return value;
}

static void check_rejection(const struct kernels *kernels, unsigned unlucky) {
    const struct field_kernel *field = kernels->field64;
    const uint8_t seed[XOF_SEED_SIZE] = {0x86, 0x90, 0x27};
    const uint8_t other[XOF_SEED_SIZE] = {1};
    const uint8_t *seeds[SIMD_LANES_MAX];
    for (unsigned lane = 0; lane < kernels->lanes; lane++) {
        seeds[lane] = lane == unlucky ? seed : other;
    }
    const struct xof_input input = {.ctx = seeds, .seed = seeds};
    struct arena arena = ARENA_INIT;
    uint64_t *out = arena_alloc(&arena, LENGTH * field->words, sizeof(uint64_t));
    struct turboshake sponge;
    xof_expand(&sponge, kernels, &input, field, out, LENGTH);
    cr_assert_eq(element(field, out, REJECTED_AT - 1, unlucky), 0x8414f68d39414105);
    cr_assert_eq(element(field, out, REJECTED_AT, unlucky), 0xe894c1f701c5ba09);
    cr_assert_eq(element(field, out, REJECTED_AT + 1, unlucky), 0x1b4c27606d68f40);
    cr_assert_eq(element(field, out, LENGTH - 1, unlucky), 0x366242ea035f6831);
    for (unsigned lane = 0; lane < kernels->lanes; lane++) { /* the others' streams are whole */
        const uint8_t *const same[] = {other};
        const struct xof_input single = {.ctx = same, .seed = same};
        uint64_t alone[4];
        xof_expand(&sponge, kernels_of(SIMD_PORTABLE), &single, &field64_portable, alone, 4);
        for (size_t i = 0; i < 4 && lane != unlucky; i++) {
            cr_assert_eq(element(field, out, i, lane), alone[i]);
        }
    }
    arena_release(&arena);
}

Test(xof, a_rejected_sample_is_drawn_again) {
    for (int type = 0; type < SIMD_TYPES; type++) {
        const struct kernels *kernels = kernels_of((enum simd_type)type);
        for (unsigned lane = 0; kernels != NULL && lane < kernels->lanes; lane++) {
            check_rejection(kernels, lane);
        }
    }
}
