/* SPDX-License-Identifier: Apache-2.0 */
#include "steps.h"

#include "vdaf/prio3.h"

/* A group's inputs to one aggregator, and where its outputs go. */
struct group {
    struct prio3_ctx ctx;
    const uint8_t *verify_key[SIMD_LANES_MAX];
    const uint8_t *nonce[SIMD_LANES_MAX];
    const uint8_t *share[SIMD_LANES_MAX];  /* or the helper's seed */
    const uint8_t *proofs[SIMD_LANES_MAX]; /* the leader's */
    const uint8_t *blind[SIMD_LANES_MAX];
    const uint8_t *claimed[2][SIMD_LANES_MAX]; /* joint randomness parts */
    uint8_t *verifier[SIMD_LANES_MAX];
    uint8_t *part[SIMD_LANES_MAX];
    uint8_t *seed[SIMD_LANES_MAX];
};

struct steps {
    struct run *run;
    struct prio3_work work;
    struct arena arena;
    size_t count;
    struct group *groups[2];
    uint64_t *output; /* room for one group's output shares */
};

static void *must_have(void *memory) {
    if (memory == NULL) {
        run_must(FAIL(NO_MEMORY));
    }
    return memory;
}

static void group_init(struct steps *steps, const struct lane_group *lanes, unsigned who,
                       struct group *out) {
    const struct vdaf *vdaf = steps->run->vdaf;
    const size_t meas = prio3_encoded_meas_size(vdaf), proofs = prio3_encoded_proofs_size(vdaf);
    const size_t verifiers = prio3_encoded_verifiers_size(vdaf);
    for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
        const struct verify_input *input = &steps->run->inputs[who][lanes->index[lane]];
        const uint8_t *share = input->input_share.data;
        out->ctx.bytes[lane] = input->ctx.data;
        out->ctx.len = input->ctx.len;
        out->verify_key[lane] = input->verify_key.data;
        out->nonce[lane] = input->nonce;
        out->share[lane] = share;
        out->proofs[lane] = share + (who == 0 ? meas : 0);
        out->blind[lane] = share + (who == 0 ? meas + proofs : XOF_SEED_SIZE);
        for (unsigned j = 0; j < 2; j++) {
            out->claimed[j][lane] = input->public_share.data + (size_t)j * XOF_SEED_SIZE;
        }
        out->verifier[lane] =
            must_have(arena_alloc(&steps->arena, verifiers + 2 * XOF_SEED_SIZE, 1));
        out->part[lane] = out->verifier[lane] + verifiers;
        out->seed[lane] = out->part[lane] + XOF_SEED_SIZE;
    }
}

struct steps *steps_new(struct run *run) {
    const struct vdaf *vdaf = run->vdaf;
    struct arena arena = ARENA_INIT;
    struct steps *steps = must_have(ARENA_NEW(&run->arena, struct steps));
    struct lane_item *items = must_have(lane_items_new(&arena, run->count));
    *steps = (struct steps){.run = run, .arena = ARENA_INIT};
    run_must(prio3_work_init(&steps->work, vdaf, true));
    steps->output = must_have(arena_alloc(
        &steps->arena, flp_output_room(&vdaf->flp) * vdaf->flp.field->words, sizeof(uint64_t)));
    for (size_t i = 0; i < run->count; i++) {
        items[i] = (struct lane_item){(uint32_t)i, RUN_CTX_SIZE};
    }
    for (unsigned who = 0; who < 2; who++) {
        struct lane_group lanes;
        steps->groups[who] = must_have(ARENA_ARRAY(&steps->arena, struct group, run->count));
        steps->count = 0;
        for (size_t at = 0; lane_group_next(vdaf->kernels, items, run->count, &at, &lanes);) {
            group_init(steps, &lanes, who, &steps->groups[who][steps->count++]);
        }
    }
    arena_release(&arena);
    return steps;
}

void steps_free(struct steps *steps) {
    prio3_work_release(&steps->work);
    arena_release(&steps->arena);
}

/*
 * The steps. What one leaves in the scratch is another group's when the next
 * one begins, which changes no time: none depends on what it computes with.
 */
typedef void (*step_body)(struct steps *steps, unsigned who, const struct group *group);

static void expand(struct steps *steps, unsigned who, const struct group *group) {
    struct prio3_work *work = &steps->work;
    const struct vdaf *vdaf = work->vdaf;
    if (who == 0) {
        const struct field_kernel *field = vdaf->flp.field;
        const size_t proofs = vdaf->flp.proof_len * vdaf->proofs;
        const lane_mask bad = field->decode(work->meas, group->share, vdaf->flp.circuit.meas_len) |
                              field->decode(work->proofs, group->proofs, proofs);
        run_must(bad == 0 ? OK : FAIL(INVALID_MESSAGE));
        return;
    }
    prio3_expand_meas(work, &group->ctx, who, group->share, work->meas);
    prio3_expand_proofs(work, &group->ctx, who, group->share, work->proofs);
}

static void joint_rand(struct steps *steps, unsigned who, const struct group *group) {
    struct prio3_work *work = &steps->work;
    lane_bytes parts[] = {group->claimed[0], group->claimed[1]};
    parts[who] = (lane_bytes)group->part;
    prio3_joint_rand_part(work, &group->ctx, who, group->blind, group->nonce, work->meas,
                          group->part);
    prio3_joint_rand_seed(work, &group->ctx, parts, group->seed);
    prio3_expand_joint_rands(work, &group->ctx, (lane_bytes)group->seed);
}

static void query_rand(struct steps *steps, unsigned who, const struct group *group) {
    const struct vdaf *vdaf = steps->run->vdaf;
    (void)who;
    prio3_expand_rands(&steps->work, &group->ctx, PRIO3_QUERY_RANDOMNESS, group->verify_key,
                       group->nonce, steps->work.rands, vdaf->flp.query_rand_len * vdaf->proofs);
}

static void query(struct steps *steps, unsigned who, const struct group *group) {
    struct prio3_work *work = &steps->work;
    const struct flp *flp = &work->vdaf->flp;
    const struct field_kernel *field = flp->field;
    (void)who, (void)group;
    for (unsigned i = 0; i < work->vdaf->proofs; i++) {
        uint64_t *joint_rands = field_at(field, work->joint_rands, i * flp->circuit.joint_rand_len);
        (void)flp_query(flp, &work->flp, work->meas,
                        field_at(field, work->proofs, i * flp->proof_len),
                        field_at(field, work->rands, i * flp->query_rand_len),
                        prio3_has_joint_rand(work->vdaf) ? joint_rands : NULL,
                        field_at(field, work->verifiers, i * flp->verifier_len));
    }
}

static void encode(struct steps *steps, unsigned who, const struct group *group) {
    const struct flp *flp = &steps->run->vdaf->flp;
    (void)who;
    flp->field->encode(group->verifier, steps->work.verifiers,
                       flp->verifier_len * steps->run->vdaf->proofs);
}

static void truncate_meas(struct steps *steps, unsigned who, const struct group *group) {
    const struct flp *flp = &steps->run->vdaf->flp;
    (void)who, (void)group;
    flp->circuit.truncate(flp, steps->work.meas, steps->output);
}

static void time_step(struct steps *steps, unsigned who, enum step step, step_body body) {
    bench_start(&steps->run->steps[step]);
    for (size_t i = 0; i < steps->count; i++) {
        body(steps, who, &steps->groups[who][i]);
    }
    bench_stop(&steps->run->steps[step]);
}

void steps_run(struct steps *steps) {
    const struct vdaf *vdaf = steps->run->vdaf;
    const struct {
        enum step of[2];
        step_body body;
        bool wanted;
    } all[] = {
        {{LEADER_DECODE, HELPER_EXPAND}, expand, true},
        {{LEADER_JOINT_RAND, HELPER_JOINT_RAND}, joint_rand, prio3_has_joint_rand(vdaf)},
        {{LEADER_QUERY_RAND, HELPER_QUERY_RAND}, query_rand, true},
        {{LEADER_QUERY, HELPER_QUERY}, query, true},
        {{LEADER_ENCODE, HELPER_ENCODE}, encode, true},
        {{LEADER_TRUNCATE, HELPER_TRUNCATE}, truncate_meas, vdaf->flp.circuit.truncate != NULL},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        for (unsigned who = 0; who < 2 && all[i].wanted; who++) {
            time_step(steps, who, all[i].of[who], all[i].body);
        }
    }
}
