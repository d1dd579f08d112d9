/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include "vdaf/internal.h"

/*
 * What an XOF gives too rarely for seeds to be found, such as numbers outside of
 * Field128: from kernels whose permutation is tampered with, so that one word of
 * the stream is another, in one lane.
 */
static struct {
    const struct keccak_kernel *real;
    size_t word, block; /* of the stream; the block that is squeezed next */
    unsigned lane;
    uint64_t value;
} tampering;

static void permute(uint64_t state[]) {
    const size_t rate = KECCAK_RATE / 8;
    tampering.real->permute(state);
    if (tampering.block++ == tampering.word / rate) {
        state[tampering.word % rate * tampering.real->lanes + tampering.lane] = tampering.value;
    }
}

/* The kernels of a lane type, with that permutation. */
struct tampered {
    struct kernels kernels;
    struct keccak_kernel keccak;
};

static void tamper(struct tampered *out, const struct kernels *kernels, unsigned lane, size_t word,
                   uint64_t value) {
    tampering.real = kernels->keccak;
    tampering.lane = lane;
    tampering.word = word;
    tampering.value = value;
    tampering.block = 0;
    out->keccak = *kernels->keccak;
    out->keccak.permute = permute;
    out->kernels = *kernels;
    out->kernels.keccak = &out->keccak;
}

enum { LENGTH = 40, CTX = 5 };

/* An input that differs between lanes in all that may. */
struct inputs {
    uint8_t ctx[SIMD_LANES_MAX][CTX], seeds[SIMD_LANES_MAX][XOF_SEED_SIZE];
    uint8_t nonces[SIMD_LANES_MAX][XOF_NONCE_SIZE];
    const uint8_t *ctx_of[SIMD_LANES_MAX], *seed_of[SIMD_LANES_MAX], *nonce_of[SIMD_LANES_MAX];
    struct xof_input xof;
};

static void inputs_init(struct inputs *inputs, const uint8_t *binder, size_t binder_len) {
    fill_bytes(inputs->ctx[0], sizeof(inputs->ctx), 1);
    fill_bytes(inputs->seeds[0], sizeof(inputs->seeds), 2);
    fill_bytes(inputs->nonces[0], sizeof(inputs->nonces), 3);
    for (unsigned lane = 0; lane < SIMD_LANES_MAX; lane++) {
        inputs->ctx_of[lane] = inputs->ctx[lane];
        inputs->seed_of[lane] = inputs->seeds[lane];
        inputs->nonce_of[lane] = inputs->nonces[lane];
    }
    inputs->xof = (struct xof_input){.prefix_len = XOF_PREFIX_SIZE,
                                     .ctx = inputs->ctx_of,
                                     .ctx_len = CTX,
                                     .seed = inputs->seed_of,
                                     .binder_len = binder_len,
                                     .nonce = inputs->nonce_of};
    memcpy(inputs->xof.binder, binder, binder_len);
}

/* Element `at` of one lane is drawn outside of the field: the lane is drawn again,
 * by the true XOF, so that all comes out as without the tampering. */
static void check_rejection(const struct kernels *kernels, const struct field_kernel *field,
                            unsigned lane, size_t at) {
    struct inputs inputs;
    struct tampered tampered;
    struct arena arena = ARENA_INIT;
    struct turboshake sponge;
    const size_t words = LENGTH * field->words;
    uint64_t *expected = arena_alloc(&arena, words, sizeof(uint64_t));
    uint64_t *got = arena_alloc(&arena, words, sizeof(uint64_t));
    inputs_init(&inputs, (const uint8_t *)"ab", 2);
    xof_expand(&sponge, kernels, &inputs.xof, field, expected, LENGTH);
    tamper(&tampered, kernels, lane, (at + 1) * field->limbs - 1, UINT64_MAX);
    xof_expand(&sponge, &tampered.kernels, &inputs.xof, field, got, LENGTH);
    cr_assert_eq(memcmp(got, expected, words * sizeof(uint64_t)), 0, "%s %s: element %zu, lane %u",
                 simd_name(kernels->type), field->name, at, lane);
    arena_release(&arena);
}

/* In Field128, whose elements don't fill a block, also those that lie across two. */
Test(rare, a_number_outside_of_the_field_is_drawn_again_wherever_it_is) {
    for (int type = 0; type < SIMD_TYPES; type++) {
        const struct kernels *kernels = kernels_of((enum simd_type)type);
        for (unsigned lane = 0; kernels != NULL && lane < kernels->lanes; lane++) {
            for (size_t at = 0; at < LENGTH; at++) {
                check_rejection(kernels, kernels->field64, lane, at);
                check_rejection(kernels, kernels->field128, lane, at);
            }
        }
    }
}

/* One of several proofs has a root of unity for a test point: word `point` of the
 * query randomness, which comes after `blocks` other blocks. */
static void check_test_point(const struct vdaf *vdaf, unsigned lane, size_t blocks, size_t point,
                             uint64_t root) {
    struct reports reports;
    struct tampered tampered;
    struct verify_batch *batch;
    const size_t count = vdaf->kernels->lanes;
    reports_new(&reports, vdaf, count);
    const struct verify_input *inputs = reports_inputs(&reports, 0);
    struct vdaf unlucky = *vdaf;
    tamper(&tampered, vdaf->kernels, lane, point, root);
    unlucky.kernels = &tampered.kernels;
    tampering.block = 0 - blocks;
    cr_assert(status_ok(verify_batch_new(&unlucky, 0, SPAN_EMPTY, count, &batch)));
    cr_assert(status_ok(verify_batch_init(batch, inputs)));
    cr_assert_eq(tampering.block, 1, "the query randomness was the last block");
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(verify_batch_verdict(batch, i), i == lane ? STATUS_VERIFY_FAILED : STATUS_OK,
                     "%s: lane %u of %u, word %zu", simd_name(vdaf->kernels->type), i, lane,
                     point);
    }
    verify_batch_free(batch);
    reports_release(&reports);
}

/* Before its query randomness there are the joint randomness part, its seed and the
 * joint randomness, a block each. */
Test(rare, no_proof_has_a_root_of_unity_for_a_test_point) {
    for (int type = 0; type < SIMD_TYPES; type++) {
        struct vdaf *vdaf = instance_on((enum simd_type)type, MULTIPROOF);
        for (unsigned lane = 0; vdaf != NULL && lane < vdaf->kernels->lanes; lane++) {
            for (unsigned proof = 0; proof < vdaf->proofs; proof++) {
                check_test_point(vdaf, lane, 3, (proof + 1) * vdaf->flp.query_rand_len - 1, 1);
            }
        }
        vdaf_free(vdaf);
    }
}

/* The smallest proofs have a query of their own, and the roots 1 and -1. */
Test(rare, nor_has_the_smallest_proof) {
    for (int type = 0; type < SIMD_TYPES; type++) {
        struct vdaf *vdaf = instance_on((enum simd_type)type, COUNT);
        for (unsigned lane = 0; vdaf != NULL && lane < vdaf->kernels->lanes; lane++) {
            check_test_point(vdaf, lane, 0, 0, 1);
            check_test_point(vdaf, lane, 0, 0, (uint64_t)vdaf->flp.field->modulus - 1);
        }
        vdaf_free(vdaf);
    }
}
