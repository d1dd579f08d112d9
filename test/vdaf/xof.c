/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/xof.h"

#include "support.h"

/* A seed whose stream, under an empty tag and binder, has as its 1298th word a
 * number that is not below Field64's modulus, 0xffffffffe986a2fa reduced; it
 * took a search. Figures from the draft's reference implementation. */
enum { REJECTED_AT = 1298, LENGTH = 1400, CTX_MAX = 360 };

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

/* The first bytes of a lane's stream, from TurboSHAKE128 and the standard's letter. */
static void stream_of(const struct xof_input *input, unsigned lane, uint8_t out[XOF_SEED_SIZE]) {
    const size_t dst_len = input->prefix_len + input->ctx_len;
    const uint8_t dst_size[] = {(uint8_t)dst_len, (uint8_t)(dst_len >> 8)};
    const uint8_t seed_size = XOF_SEED_SIZE;
    struct turboshake sponge;
    turboshake_init(&sponge, &keccak_portable);
    turboshake_absorb_same(&sponge, dst_size, sizeof(dst_size));
    turboshake_absorb_same(&sponge, input->prefix, input->prefix_len);
    turboshake_absorb_same(&sponge, input->ctx[lane], input->ctx_len);
    turboshake_absorb_same(&sponge, &seed_size, 1);
    turboshake_absorb_same(&sponge, input->seed[lane], XOF_SEED_SIZE);
    turboshake_absorb_same(&sponge, input->binder, input->binder_len);
    if (input->nonce != NULL) {
        turboshake_absorb_same(&sponge, input->nonce[lane], XOF_NONCE_SIZE);
    }
    turboshake_finish(&sponge, 1);
    turboshake_squeeze(&sponge, (uint8_t *const[]){out}, XOF_SEED_SIZE);
}

/* All lanes' contexts are in one place but that of lane `other`, if there is one. The
 * prefix and the binder have bytes behind their ends too, which don't count. */
static void check_contexts(const struct kernels *kernels, size_t prefix_len, size_t ctx_len,
                           unsigned other, bool with_nonce) {
    uint8_t seeds[SIMD_LANES_MAX][XOF_SEED_SIZE], out[SIMD_LANES_MAX][XOF_SEED_SIZE];
    const uint8_t *seed_of[SIMD_LANES_MAX], *ctx_of[SIMD_LANES_MAX];
    uint8_t *out_of[SIMD_LANES_MAX], common[CTX_MAX], own[CTX_MAX];
    fill_bytes(seeds[0], sizeof(seeds), ctx_len);
    fill_bytes(common, ctx_len, 4);
    fill_bytes(own, ctx_len, 5);
    for (unsigned lane = 0; lane < kernels->lanes; lane++) {
        seed_of[lane] = seeds[lane];
        ctx_of[lane] = ctx_len == 0 ? NULL : lane == other ? own : common;
        out_of[lane] = out[lane];
    }
    const struct xof_input input = {.prefix = {1, 2, 3, 4, 5, 6, 7, 8},
                                    .prefix_len = prefix_len,
                                    .ctx = ctx_of,
                                    .ctx_len = ctx_len,
                                    .seed = seed_of,
                                    .binder = {9, 10, 11},
                                    .binder_len = ctx_len % 3,
                                    .nonce = with_nonce ? seed_of : NULL};
    struct turboshake sponge;
    xof_start(&sponge, kernels, &input);
    xof_derive_seed(&sponge, out_of);
    for (unsigned lane = 0; lane < kernels->lanes; lane++) {
        uint8_t expected[XOF_SEED_SIZE];
        stream_of(&input, lane, expected);
        cr_assert_eq(memcmp(out[lane], expected, XOF_SEED_SIZE), 0, "%s: %zu bytes, lane %u",
                     simd_name(kernels->type), ctx_len, lane);
    }
}

/* With the tag shorter than a block, as long as one, and longer. */
Test(xof, contexts_of_any_length_and_place) {
    for (int type = 0; type < SIMD_TYPES; type++) {
        const struct kernels *kernels = kernels_of((enum simd_type)type);
        for (size_t ctx_len = 0; kernels != NULL && ctx_len <= CTX_MAX; ctx_len++) {
            for (unsigned other = 0; other <= kernels->lanes; other++) {
                check_contexts(kernels, XOF_PREFIX_SIZE, ctx_len, other, true);
                check_contexts(kernels, XOF_PREFIX_SIZE, ctx_len, other, false);
                check_contexts(kernels, ctx_len / 2 % XOF_PREFIX_SIZE, ctx_len, other, true);
            }
        }
    }
}

static void derive(const struct kernels *kernels, const struct xof_input *input,
                   uint8_t out[SIMD_LANES_MAX][XOF_SEED_SIZE]) {
    uint8_t *out_of[SIMD_LANES_MAX];
    for (unsigned lane = 0; lane < kernels->lanes; lane++) {
        out_of[lane] = out[lane];
    }
    struct turboshake sponge;
    xof_start(&sponge, kernels, input);
    xof_derive_seed(&sponge, out_of);
}

/* One tag for inputs that differ in where their context is, how long it is, and in
 * the prefix's last byte. */
Test(xof, a_tag_is_kept_for_its_context_alone) {
    static const struct {
        size_t at, len;
        uint8_t usage;
    } steps[] = {{0, 38, 1}, {0, 38, 2}, {0, 37, 2}, {1, 37, 3}, {0, 38, 1}, {0, 0, 1}};
    const struct kernels *kernels = kernels_of(SIMD_PORTABLE);
    uint8_t contexts[64], seed[XOF_SEED_SIZE];
    fill_bytes(contexts, sizeof(contexts), 6);
    fill_bytes(seed, sizeof(seed), 7);
    struct xof_tag tag = {0};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const uint8_t *seed_of[SIMD_LANES_MAX], *ctx_of[SIMD_LANES_MAX];
        for (unsigned lane = 0; lane < kernels->lanes; lane++) {
            seed_of[lane] = seed;
            ctx_of[lane] = contexts + steps[i].at;
        }
        struct xof_input input = {.prefix = {1, 2, 3, 4, 5, 6, 7, steps[i].usage},
                                  .prefix_len = XOF_PREFIX_SIZE,
                                  .ctx = ctx_of,
                                  .ctx_len = steps[i].len,
                                  .seed = seed_of,
                                  .tag = &tag};
        uint8_t kept[SIMD_LANES_MAX][XOF_SEED_SIZE], anew[SIMD_LANES_MAX][XOF_SEED_SIZE];
        derive(kernels, &input, kept);
        input.tag = NULL;
        derive(kernels, &input, anew);
        cr_assert_eq(memcmp(kept, anew, kernels->lanes * XOF_SEED_SIZE), 0, "step %zu", i);
    }
}
