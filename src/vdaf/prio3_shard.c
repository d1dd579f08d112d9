/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/secret.h"
#include "vdaf/prio3.h"

/*
 * Sharding one group. The random bytes are seeds, in the order of section 7.2.1:
 * for each helper its share and, with joint randomness, its blind; then the
 * leader's blind; then the prover's seed.
 */
struct shard_group {
    struct prio3_ctx ctx;
    const uint8_t *nonce[SIMD_LANES_MAX];
    const uint8_t *rand[SIMD_LANES_MAX];
    uint8_t *public_share[SIMD_LANES_MAX];
    uint8_t *leader_share[SIMD_LANES_MAX];
    uint64_t *leader_meas, *leader_proofs; /* scratch, as in struct prio3_work */
};

static void seed_at(const struct prio3_work *work, const struct shard_group *group, size_t i,
                    const uint8_t *out[]) {
    for (unsigned lane = 0; lane < work->vdaf->kernels->lanes; lane++) {
        out[lane] = group->rand[lane] + i * XOF_SEED_SIZE;
    }
}

static size_t seeds_per_share(const struct vdaf *vdaf) {
    return prio3_has_joint_rand(vdaf) ? 2 : 1;
}

/* Puts the joint randomness part of a share into the public share. `meas` are
 * the share's elements. */
static void publish_part(struct prio3_work *work, const struct shard_group *group, unsigned share,
                         const uint64_t meas[]) {
    const struct vdaf *vdaf = work->vdaf;
    if (!prio3_has_joint_rand(vdaf)) {
        return;
    }
    const uint8_t *blind[SIMD_LANES_MAX];
    uint8_t *out[SIMD_LANES_MAX];
    const size_t helpers = vdaf->shares - 1;
    seed_at(work, group, share == 0 ? 2 * helpers : 2 * ((size_t)share - 1) + 1, blind);
    for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
        out[lane] = group->public_share[lane] + (size_t)share * XOF_SEED_SIZE;
    }
    prio3_joint_rand_part(work, &group->ctx, share, blind, group->nonce, meas, out);
}

/* The leader's measurement share is what the helpers' leave: they pass through
 * `helper` one by one. */
static void share_meas(struct prio3_work *work, const struct shard_group *group,
                       uint64_t helper[]) {
    const struct vdaf *vdaf = work->vdaf;
    const struct field_kernel *field = vdaf->flp.field;
    const size_t n = vdaf->flp.circuit.meas_len;
    memcpy(group->leader_meas, work->meas, n * field->words * sizeof(*helper));
    for (unsigned share = 1; share < vdaf->shares; share++) {
        const uint8_t *seed[SIMD_LANES_MAX];
        seed_at(work, group, (share - 1) * seeds_per_share(vdaf), seed);
        prio3_expand_meas(work, &group->ctx, share, seed, helper);
        field->sub(group->leader_meas, group->leader_meas, helper, n);
        publish_part(work, group, share, helper);
    }
    publish_part(work, group, 0, group->leader_meas);
}

static void derive_joint_rands(struct prio3_work *work, const struct shard_group *group) {
    const struct vdaf *vdaf = work->vdaf;
    const uint8_t *parts[VDAF_SHARES_MAX][SIMD_LANES_MAX];
    lane_bytes all_parts[VDAF_SHARES_MAX];
    uint8_t seeds[SIMD_LANES_MAX][XOF_SEED_SIZE];
    uint8_t *seed[SIMD_LANES_MAX];
    for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
        seed[lane] = seeds[lane];
        for (unsigned share = 0; share < vdaf->shares; share++) {
            parts[share][lane] = group->public_share[lane] + (size_t)share * XOF_SEED_SIZE;
        }
    }
    for (unsigned share = 0; share < vdaf->shares; share++) {
        all_parts[share] = parts[share];
    }
    prio3_joint_rand_seed(work, &group->ctx, all_parts, seed);
    prio3_expand_joint_rands(work, &group->ctx, (lane_bytes)seed);
    secret_wipe(seeds, sizeof(seeds));
}

static void prove_all(struct prio3_work *work, const struct shard_group *group) {
    const struct vdaf *vdaf = work->vdaf;
    const struct flp *flp = &vdaf->flp;
    const struct field_kernel *field = flp->field;
    const uint8_t *seed[SIMD_LANES_MAX];
    seed_at(work, group, vdaf->shares * seeds_per_share(vdaf) - 1, seed);
    prio3_expand_rands(work, &group->ctx, PRIO3_PROVE_RANDOMNESS, seed, NULL, work->rands,
                       flp->prove_rand_len * vdaf->proofs);
    for (unsigned i = 0; i < vdaf->proofs; i++) {
        const uint64_t *rand = prio3_has_joint_rand(vdaf)
                                   ? field_at(field, work->joint_rands,
                                              i * flp->circuit.joint_rand_len)
                                   : NULL;
        flp_prove(flp, &work->flp, work->meas,
                  field_at(field, work->rands, i * flp->prove_rand_len), rand,
                  field_at(field, group->leader_proofs, i * flp->proof_len));
    }
}

static void share_proofs(struct prio3_work *work, const struct shard_group *group) {
    const struct vdaf *vdaf = work->vdaf;
    const size_t n = vdaf->flp.proof_len * vdaf->proofs;
    for (unsigned share = 1; share < vdaf->shares; share++) {
        const uint8_t *seed[SIMD_LANES_MAX];
        seed_at(work, group, (share - 1) * seeds_per_share(vdaf), seed);
        prio3_expand_proofs(work, &group->ctx, share, seed, work->proofs);
        vdaf->flp.field->sub(group->leader_proofs, group->leader_proofs, work->proofs, n);
    }
}

static void encode_leader(struct prio3_work *work, const struct shard_group *group) {
    const struct vdaf *vdaf = work->vdaf;
    const struct field_kernel *field = vdaf->flp.field;
    uint8_t *proofs[SIMD_LANES_MAX];
    const uint8_t *blind[SIMD_LANES_MAX];
    seed_at(work, group, 2 * ((size_t)vdaf->shares - 1), blind);
    field->encode(group->leader_share, group->leader_meas, vdaf->flp.circuit.meas_len);
    for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
        proofs[lane] = group->leader_share[lane] + prio3_encoded_meas_size(vdaf);
        if (prio3_has_joint_rand(vdaf)) {
            memcpy(proofs[lane] + prio3_encoded_proofs_size(vdaf), blind[lane], XOF_SEED_SIZE);
        }
    }
    field->encode(proofs, group->leader_proofs, vdaf->flp.proof_len * vdaf->proofs);
}

/* The elements of each lane's measurement, into work->meas. `values` is room
 * for those of one report. */
static void encode_meas(struct prio3_work *work, const struct lane_group *group,
                        const struct shard_input inputs[], uint64_t *values[]) {
    const struct vdaf *vdaf = work->vdaf;
    const struct flp *flp = &vdaf->flp;
    for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
        vdaf->type->encode(&flp->circuit, inputs[group->index[lane]].values, values[lane]);
    }
    for (size_t i = 0; i < flp->circuit.meas_len; i++) {
        uint64_t element[SIMD_LANES_MAX];
        for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
            element[lane] = values[lane][i];
        }
        flp->field->from_u64(field_at(flp->field, work->meas, i), element);
    }
}

/* The output of lane `lane`, whose helper shares are bytes of the input. */
static struct status allocate_output(const struct vdaf *vdaf, const struct shard_input *input,
                                     struct arena *arena, struct shard_group *group,
                                     unsigned lane, struct shard_output *out) {
    const size_t leader_size = vdaf_input_share_size(vdaf, 0);
    const size_t per_share = seeds_per_share(vdaf) * XOF_SEED_SIZE;
    group->public_share[lane] = arena_alloc(arena, vdaf_public_share_size(vdaf), 1);
    group->leader_share[lane] = arena_alloc(arena, leader_size, 1);
    struct span *shares = ARENA_ARRAY(arena, struct span, vdaf->shares);
    if (group->public_share[lane] == NULL || group->leader_share[lane] == NULL || shares == NULL) {
        return FAIL(NO_MEMORY);
    }
    shares[0] = span_of(group->leader_share[lane], leader_size);
    for (unsigned share = 1; share < vdaf->shares; share++) {
        TRY(arena_copy(arena, span_of(input->rand + (share - 1) * per_share, per_share),
                       &shares[share]));
    }
    out->public_share = span_of(group->public_share[lane], vdaf_public_share_size(vdaf));
    out->input_shares = shares;
    return OK;
}

static struct status prepare_group(struct prio3_work *work, const struct lane_group *lanes,
                                   const struct shard_input inputs[], struct arena *arena,
                                   struct shard_group *group, struct shard_output outputs[]) {
    group->ctx.len = inputs[lanes->index[0]].ctx.len;
    for (unsigned lane = 0; lane < work->vdaf->kernels->lanes; lane++) {
        const struct shard_input *input = &inputs[lanes->index[lane]];
        struct shard_output spare;
        group->ctx.bytes[lane] = input->ctx.data;
        group->nonce[lane] = input->nonce;
        group->rand[lane] = input->rand;
        TRY(allocate_output(work->vdaf, input, arena, group, lane,
                            lane < lanes->used ? &outputs[lanes->index[lane]] : &spare));
    }
    return OK;
}

static struct status allocate_scratch(struct prio3_work *work, struct shard_group *group,
                                      uint64_t **helper, uint64_t *values[]) {
    const struct flp *flp = &work->vdaf->flp;
    const size_t words = flp->field->words, meas = flp->circuit.meas_len;
    const size_t proofs = flp->proof_len * work->vdaf->proofs;
    group->leader_meas = arena_alloc(&work->arena, meas * words, sizeof(uint64_t));
    group->leader_proofs = arena_alloc(&work->arena, proofs * words, sizeof(uint64_t));
    *helper = arena_alloc(&work->arena, meas * words, sizeof(uint64_t));
    bool complete = group->leader_meas != NULL && group->leader_proofs != NULL && *helper != NULL;
    for (unsigned lane = 0; lane < work->vdaf->kernels->lanes; lane++) {
        values[lane] = ARENA_ARRAY(&work->arena, uint64_t, meas);
        complete = complete && values[lane] != NULL;
    }
    return complete ? OK : FAIL(NO_MEMORY);
}

/* The draft's order: measurement shares, joint randomness from them, proofs
 * with it, proof shares. */
static void shard_group(struct prio3_work *work, const struct shard_group *group,
                        uint64_t helper[]) {
    share_meas(work, group, helper);
    if (prio3_has_joint_rand(work->vdaf)) {
        derive_joint_rands(work, group);
    }
    prove_all(work, group);
    share_proofs(work, group);
    encode_leader(work, group);
}

struct status prio3_shard(const struct vdaf *vdaf, const struct shard_input inputs[],
                          size_t count, struct arena *arena, struct shard_output outputs[]) {
    struct prio3_work work;
    TRY(prio3_work_init(&work, vdaf, true));
    struct shard_group group;
    struct lane_group lanes;
    uint64_t *helper, *values[SIMD_LANES_MAX];
    struct status status;
    TRY_GOTO(status, allocate_scratch(&work, &group, &helper, values), done);
    struct lane_item *items = lane_items_new(&work.arena, count);
    if (items == NULL) {
        status = FAIL(NO_MEMORY);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct lane_item){(uint32_t)i, (uint32_t)inputs[i].ctx.len};
    }
    for (size_t at = 0; lane_group_next(vdaf->kernels, items, count, &at, &lanes);) {
        TRY_GOTO(status, prepare_group(&work, &lanes, inputs, arena, &group, outputs), done);
        encode_meas(&work, &lanes, inputs, values);
        shard_group(&work, &group, helper);
    }
done:
    prio3_work_release(&work);
    return status;
}
