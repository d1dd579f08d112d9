/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/prio3.h"

#include <string.h>

struct status prio3_work_init(struct prio3_work *work, const struct vdaf *vdaf, bool with_meas) {
    const struct flp *flp = &vdaf->flp;
    const size_t words = flp->field->words, proofs = vdaf->proofs;
    const size_t rands = flp->prove_rand_len > flp->query_rand_len ? flp->prove_rand_len
                                                                   : flp->query_rand_len;
    *work = (struct prio3_work){.vdaf = vdaf, .arena = ARENA_INIT};
    const struct {
        uint64_t **vector;
        size_t len;
    } wanted[] = {
        {&work->meas, with_meas ? flp_meas_room(flp) : 0},
        {&work->proofs, proofs * flp->proof_len},
        {&work->joint_rands, proofs * flp->circuit.joint_rand_len},
        {&work->rands, proofs * rands},
        {&work->verifiers, proofs * flp->verifier_len},
    };
    bool complete = status_ok(flp_work_init(&work->flp, flp, &work->arena));
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        *wanted[i].vector = arena_reserve(&work->arena, wanted[i].len * words, sizeof(uint64_t));
        complete = complete && *wanted[i].vector != NULL;
    }
    work->sponge = ARENA_NEW(&work->arena, struct turboshake);
    if (!complete || work->sponge == NULL) {
        prio3_work_release(work);
        return FAIL(NO_MEMORY);
    }
    if (with_meas) {
        prio3_clear_padding(vdaf, work->meas);
    }
    return OK;
}

void prio3_clear_padding(const struct vdaf *vdaf, uint64_t meas[]) {
    const struct flp *flp = &vdaf->flp;
    const size_t len = flp->circuit.meas_len;
    memset(field_at(flp->field, meas, len), 0,
           (flp_meas_room(flp) - len) * flp->field->words * sizeof(*meas));
}

void prio3_work_release(struct prio3_work *work) { arena_release(&work->arena); }

/* All of an input but the nonce. The binder has at most two bytes. */
static struct xof_input input_of(struct prio3_work *work, enum prio3_usage usage,
                                 const struct prio3_ctx *ctx, lane_bytes seed,
                                 const uint8_t binder[], size_t binder_len) {
    const uint32_t codepoint = work->vdaf->type->codepoint;
    return (struct xof_input){
        .prefix = {VDAF_VERSION, 0, (uint8_t)(codepoint >> 24), (uint8_t)(codepoint >> 16),
                   (uint8_t)(codepoint >> 8), (uint8_t)codepoint, 0, (uint8_t)usage},
        .prefix_len = XOF_PREFIX_SIZE,
        .ctx = ctx->bytes,
        .ctx_len = ctx->len,
        .seed = seed,
        .binder = {binder_len > 0 ? binder[0] : 0, binder_len > 1 ? binder[1] : 0},
        .binder_len = binder_len,
        .tag = &work->tag,
    };
}

void prio3_expand_meas(struct prio3_work *work, const struct prio3_ctx *ctx, unsigned share,
                       lane_bytes seed, uint64_t meas[]) {
    const struct vdaf *vdaf = work->vdaf;
    const uint8_t binder[] = {(uint8_t)share};
    const struct xof_input input =
        input_of(work, PRIO3_MEAS_SHARE, ctx, seed, binder, sizeof(binder));
    xof_expand(work->sponge, vdaf->kernels, &input, vdaf->flp.field, meas,
               vdaf->flp.circuit.meas_len);
}

void prio3_expand_proofs(struct prio3_work *work, const struct prio3_ctx *ctx, unsigned share,
                         lane_bytes seed, uint64_t proofs[]) {
    const struct vdaf *vdaf = work->vdaf;
    const uint8_t binder[] = {(uint8_t)vdaf->proofs, (uint8_t)share};
    const struct xof_input input =
        input_of(work, PRIO3_PROOF_SHARE, ctx, seed, binder, sizeof(binder));
    xof_expand(work->sponge, vdaf->kernels, &input, vdaf->flp.field, proofs,
               vdaf->flp.proof_len * vdaf->proofs);
}

void prio3_expand_rands(struct prio3_work *work, const struct prio3_ctx *ctx,
                        enum prio3_usage usage, lane_bytes seed, lane_bytes nonce,
                        uint64_t rands[], size_t n) {
    const struct vdaf *vdaf = work->vdaf;
    const uint8_t binder[] = {(uint8_t)vdaf->proofs};
    struct xof_input input = input_of(work, usage, ctx, seed, binder, sizeof(binder));
    input.nonce = nonce;
    xof_expand(work->sponge, vdaf->kernels, &input, vdaf->flp.field, rands, n);
}

void prio3_joint_rand_part(struct prio3_work *work, const struct prio3_ctx *ctx, unsigned share,
                           lane_bytes blind, lane_bytes nonce, const uint64_t meas[],
                           uint8_t *const out[]) {
    const struct vdaf *vdaf = work->vdaf;
    const uint8_t binder[] = {(uint8_t)share};
    struct xof_input input =
        input_of(work, PRIO3_JOINT_RAND_PART, ctx, blind, binder, sizeof(binder));
    input.nonce = nonce;
    xof_start(work->sponge, vdaf->kernels, &input);
    turboshake_absorb_words(work->sponge, meas, prio3_encoded_meas_size(vdaf));
    xof_derive_seed(work->sponge, out);
}

void prio3_joint_rand_seed(struct prio3_work *work, const struct prio3_ctx *ctx,
                           const lane_bytes parts[], uint8_t *const out[]) {
    const struct vdaf *vdaf = work->vdaf;
    const uint8_t *zeros[SIMD_LANES_MAX];
    for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
        zeros[lane] = work->zeros;
    }
    const struct xof_input input = input_of(work, PRIO3_JOINT_RAND_SEED, ctx, zeros, NULL, 0);
    xof_start(work->sponge, vdaf->kernels, &input);
    for (unsigned share = 0; share < vdaf->shares; share++) {
        turboshake_absorb(work->sponge, parts[share], XOF_SEED_SIZE);
    }
    xof_derive_seed(work->sponge, out);
}

void prio3_expand_joint_rands(struct prio3_work *work, const struct prio3_ctx *ctx,
                              lane_bytes seed) {
    const struct vdaf *vdaf = work->vdaf;
    const size_t n = vdaf->flp.circuit.joint_rand_len * vdaf->proofs;
    prio3_expand_rands(work, ctx, PRIO3_JOINT_RANDOMNESS, seed, NULL, work->joint_rands, n);
    vdaf->flp.field->to_factor(work->joint_rands, work->joint_rands, n);
}

static size_t rand_size(const struct vdaf *vdaf) {
    return vdaf->shares * (XOF_SEED_SIZE + prio3_joint_rand_size(vdaf));
}

static size_t public_share_size(const struct vdaf *vdaf) {
    return vdaf->shares * prio3_joint_rand_size(vdaf);
}

static size_t input_share_size(const struct vdaf *vdaf, unsigned share) {
    const size_t vectors = prio3_encoded_meas_size(vdaf) + prio3_encoded_proofs_size(vdaf);
    return (share == 0 ? vectors : (size_t)XOF_SEED_SIZE) + prio3_joint_rand_size(vdaf);
}

/* The joint randomness seed. */
static size_t state_size(const struct vdaf *vdaf) { return prio3_joint_rand_size(vdaf); }

static bool agg_param_valid(const struct vdaf *vdaf, struct span agg_param) {
    (void)vdaf;
    return agg_param.len == 0;
}

const struct vdaf_scheme prio3_scheme = {
    .rounds = 1,
    .rand_size = rand_size,
    .public_share_size = public_share_size,
    .input_share_size = input_share_size,
    .state_size = state_size,
    .agg_param_valid = agg_param_valid,
    .shard = prio3_shard,
    .verify_init = prio3_verify_init,
    .shares_to_message = prio3_shares_to_message,
    .verify_next = prio3_verify_next,
};
