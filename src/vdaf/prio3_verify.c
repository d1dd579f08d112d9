/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/secret.h"
#include "vdaf/prio3.h"

/* One group's inputs, a pointer for each lane. */
struct group_inputs {
    struct prio3_ctx ctx;
    const uint8_t *verify_key[SIMD_LANES_MAX];
    const uint8_t *nonce[SIMD_LANES_MAX];
    const uint8_t *input_share[SIMD_LANES_MAX];
    const uint8_t *public_share[SIMD_LANES_MAX];
};

/* One group's outputs. */
struct group_outputs {
    uint8_t *share[SIMD_LANES_MAX];
    uint8_t *state[SIMD_LANES_MAX]; /* the joint randomness seed */
    struct verify_outputs *outputs;
};

static void advance(const struct vdaf *vdaf, const uint8_t *to[], lane_bytes from, size_t by) {
    for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
        to[lane] = from[lane] + by;
    }
}

static void advance_out(const struct vdaf *vdaf, uint8_t *to[], uint8_t *const from[], size_t by) {
    for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
        to[lane] = from[lane] + by;
    }
}

/* expand_input_share: fills work->meas and work->proofs, and points blind[] to
 * each lane's blind if there is one. Gives the lanes whose share doesn't
 * decode. */
static lane_mask expand_share(struct prio3_work *work, unsigned share,
                              const struct group_inputs *in, const uint8_t *blind[]) {
    const struct vdaf *vdaf = work->vdaf;
    const struct field_kernel *field = vdaf->flp.field;
    if (share == 0) {
        const uint8_t *proofs[SIMD_LANES_MAX];
        advance(vdaf, proofs, in->input_share, prio3_encoded_meas_size(vdaf));
        advance(vdaf, blind, proofs, prio3_encoded_proofs_size(vdaf));
        return field->decode(work->meas, in->input_share, vdaf->flp.circuit.meas_len) |
               field->decode(work->proofs, proofs, vdaf->flp.proof_len * vdaf->proofs);
    }
    prio3_expand_meas(work, &in->ctx, share, in->input_share, work->meas);
    prio3_expand_proofs(work, &in->ctx, share, in->input_share, work->proofs);
    advance(vdaf, blind, in->input_share, XOF_SEED_SIZE);
    return 0;
}

/* Derives the joint randomness: the aggregator's own part ends the verifier
 * share, the seed that follows from it and the others' parts as the client
 * claims them is the state. */
static void derive_joint_rand(struct prio3_work *work, unsigned share,
                              const struct group_inputs *in, lane_bytes blind,
                              const struct group_outputs *out) {
    const struct vdaf *vdaf = work->vdaf;
    uint8_t *own[SIMD_LANES_MAX];
    const uint8_t *claimed[VDAF_SHARES_MAX][SIMD_LANES_MAX];
    lane_bytes parts[VDAF_SHARES_MAX];
    advance_out(vdaf, own, out->share, prio3_encoded_verifiers_size(vdaf));
    prio3_joint_rand_part(work, &in->ctx, share, blind, in->nonce, work->meas, own);
    for (unsigned j = 0; j < vdaf->shares; j++) {
        advance(vdaf, claimed[j], in->public_share, (size_t)j * XOF_SEED_SIZE);
        parts[j] = j == share ? (lane_bytes)own : claimed[j];
    }
    prio3_joint_rand_seed(work, &in->ctx, parts, out->state);
    prio3_expand_joint_rands(work, &in->ctx, (lane_bytes)out->state);
}

/* The verdicts of lanes by what went wrong. */
struct group_faults {
    lane_mask undecodable, refused;
};

/* verify_init of one group. */
static struct group_faults init_group(struct prio3_work *work, unsigned share,
                                      const struct group_inputs *in,
                                      const struct group_outputs *out) {
    const struct vdaf *vdaf = work->vdaf;
    const struct flp *flp = &vdaf->flp;
    const struct field_kernel *field = flp->field;
    const uint8_t *blind[SIMD_LANES_MAX];
    struct group_faults faults = {0, 0};
    if (flp->circuit.truncate == NULL) { /* the output shares are in it */
        work->meas = out->outputs->vector;
        prio3_clear_padding(vdaf, work->meas);
    }
    faults.undecodable = expand_share(work, share, in, blind);
    if (prio3_has_joint_rand(vdaf)) {
        derive_joint_rand(work, share, in, blind, out);
    }
    prio3_expand_rands(work, &in->ctx, PRIO3_QUERY_RANDOMNESS, in->verify_key, in->nonce,
                       work->rands, flp->query_rand_len * vdaf->proofs);
    for (unsigned i = 0; i < vdaf->proofs; i++) {
        const uint64_t *rand = prio3_has_joint_rand(vdaf)
                                   ? field_at(field, work->joint_rands,
                                              i * flp->circuit.joint_rand_len)
                                   : NULL;
        faults.refused |=
            flp_query(flp, &work->flp, work->meas,
                      field_at(field, work->proofs, i * flp->proof_len),
                      field_at(field, work->rands, i * flp->query_rand_len), rand,
                      field_at(field, work->verifiers, i * flp->verifier_len));
    }
    field->encode(out->share, work->verifiers, flp->verifier_len * vdaf->proofs);
    if (flp->circuit.truncate != NULL) {
        flp->circuit.truncate(flp, work->meas, out->outputs->vector);
    }
    return faults;
}

/* Lengths, which are public, before any lane is taken. */
struct input_lengths {
    size_t verify_key, public_share, input_share;
};

static struct input_lengths input_lengths(const struct vdaf *vdaf, unsigned share) {
    return (struct input_lengths){vdaf_verify_key_size(vdaf), vdaf_public_share_size(vdaf),
                                  vdaf_input_share_size(vdaf, share)};
}

static enum status_code check_lengths(const struct input_lengths *right,
                                      const struct verify_input *input) {
    if (input->verify_key.len != right->verify_key || input->ctx.len > PRIO3_CTX_MAX) {
        return STATUS_INVALID_ARGUMENT;
    }
    return input->public_share.len == right->public_share &&
                   input->input_share.len == right->input_share
               ? STATUS_OK
               : STATUS_INVALID_MESSAGE;
}

static struct status prepare_group(struct verify_batch *batch, const struct lane_group *group,
                                   const struct verify_input inputs[], struct group_inputs *in,
                                   struct group_outputs *out) {
    const struct vdaf *vdaf = batch->vdaf;
    const size_t share_size = prio3_encoded_verifiers_size(vdaf) + prio3_joint_rand_size(vdaf);
    const size_t size = share_size + prio3_joint_rand_size(vdaf);
    uint8_t *bytes = arena_reserve(&batch->arena, vdaf->kernels->lanes, size);
    if (bytes == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(verify_outputs_new(batch, &out->outputs));
    in->ctx.len = inputs[group->index[0]].ctx.len;
    for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++, bytes += size) {
        const struct verify_input *input = &inputs[group->index[lane]];
        in->ctx.bytes[lane] = input->ctx.data;
        in->verify_key[lane] = input->verify_key.data;
        in->nonce[lane] = input->nonce;
        in->input_share[lane] = input->input_share.data;
        in->public_share[lane] = input->public_share.data;
        out->share[lane] = bytes;
        out->state[lane] = bytes + share_size;
    }
    return OK;
}

/* The verdict on one lane's report, if it is at fault. */
static enum status_code verdict_of(const struct group_faults *faults, unsigned lane) {
    if ((faults->undecodable | faults->refused) == 0) {
        return STATUS_OK;
    }
    return faults->undecodable >> lane & 1 ? STATUS_INVALID_MESSAGE
           : faults->refused >> lane & 1   ? STATUS_VERIFY_FAILED
                                           : STATUS_OK;
}

static void settle_group(struct verify_batch *batch, const struct lane_group *group,
                         const struct group_outputs *out, const struct group_faults *faults) {
    const struct vdaf *vdaf = batch->vdaf;
    const size_t share_size = prio3_encoded_verifiers_size(vdaf) + prio3_joint_rand_size(vdaf);
    for (unsigned lane = 0; lane < group->used; lane++) {
        const size_t i = group->index[lane];
        const enum status_code verdict = verdict_of(faults, lane);
        verify_outputs_assign(batch, out->outputs, i);
        if (verdict != STATUS_OK) {
            verify_batch_refuse(batch, i, verdict);
        } else {
            batch->reports[i].share = span_of(out->share[lane], share_size);
            batch->reports[i].verify_state = out->state[lane];
        }
    }
}

struct status prio3_verify_init(struct verify_batch *batch, const struct verify_input inputs[]) {
    const struct vdaf *vdaf = batch->vdaf;
    struct prio3_work work;
    TRY(prio3_work_init(&work, vdaf, vdaf->flp.circuit.truncate != NULL));
    struct status status = OK;
    struct lane_item *items = lane_items_new(&work.arena, batch->count);
    const struct input_lengths lengths = input_lengths(vdaf, batch->aggregator_id);
    size_t count = 0;
    for (size_t i = 0; i < batch->count && items != NULL; i++) {
        const enum status_code fault = check_lengths(&lengths, &inputs[i]);
        if (fault != STATUS_OK) {
            verify_batch_refuse(batch, i, fault);
        } else if (batch->reports[i].verdict == STATUS_OK) {
            items[count++] = (struct lane_item){(uint32_t)i, (uint32_t)inputs[i].ctx.len};
        }
    }
    struct lane_group group;
    if (items == NULL) {
        status = FAIL(NO_MEMORY);
    }
    for (size_t at = 0;
         status_ok(status) && lane_group_next(vdaf->kernels, items, count, &at, &group);) {
        struct group_inputs in;
        struct group_outputs out;
        TRY_GOTO(status, prepare_group(batch, &group, inputs, &in, &out), done);
        const struct group_faults faults = init_group(&work, batch->aggregator_id, &in, &out);
        settle_group(batch, &group, &out, &faults);
    }
done:
    prio3_work_release(&work);
    return status;
}

/* Adds up the group's verifier shares in work->verifiers, by way of
 * work->proofs; gives the lanes with a share that doesn't decode. parts[j]
 * points to where share j's joint randomness part is. */
static lane_mask sum_shares(struct prio3_work *work, const struct lane_group *group,
                            const struct span shares[],
                            const uint8_t *parts[][SIMD_LANES_MAX]) {
    const struct vdaf *vdaf = work->vdaf;
    const struct field_kernel *field = vdaf->flp.field;
    const size_t n = vdaf->flp.verifier_len * vdaf->proofs;
    lane_mask bad = 0;
    for (unsigned j = 0; j < vdaf->shares; j++) {
        const uint8_t *encoded[SIMD_LANES_MAX];
        for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
            encoded[lane] = shares[group->index[lane] * vdaf->shares + j].data;
        }
        advance(vdaf, parts[j], encoded, prio3_encoded_verifiers_size(vdaf));
        uint64_t *into = j == 0 ? work->verifiers : work->proofs;
        bad |= field->decode(into, encoded, n);
        if (j > 0) {
            field->add(work->verifiers, work->verifiers, into, n);
        }
    }
    return bad;
}

/* Decides each proof; then out[l] gets the joint randomness seed. */
static struct group_faults message_of_group(struct prio3_work *work,
                                            const struct lane_group *group,
                                            const struct span ctx[], const struct span shares[],
                                            uint8_t *const out[]) {
    const struct vdaf *vdaf = work->vdaf;
    const uint8_t *parts[VDAF_SHARES_MAX][SIMD_LANES_MAX];
    struct group_faults faults = {0, 0};
    faults.undecodable = sum_shares(work, group, shares, parts);
    for (unsigned i = 0; i < vdaf->proofs; i++) {
        faults.refused |= flp_decide(&vdaf->flp, &work->flp,
                                     field_at(vdaf->flp.field, work->verifiers,
                                              i * vdaf->flp.verifier_len));
    }
    if (prio3_has_joint_rand(vdaf)) {
        struct prio3_ctx group_ctx = {.len = ctx[group->index[0]].len};
        lane_bytes all_parts[VDAF_SHARES_MAX];
        for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
            group_ctx.bytes[lane] = ctx[group->index[lane]].data;
        }
        for (unsigned j = 0; j < vdaf->shares; j++) {
            all_parts[j] = parts[j];
        }
        prio3_joint_rand_seed(work, &group_ctx, all_parts, out);
    }
    return faults;
}

static enum status_code check_shares(const struct vdaf *vdaf, struct span ctx, size_t size,
                                     const struct span shares[]) {
    for (unsigned j = 0; j < vdaf->shares; j++) {
        if (shares[j].len != size) {
            return STATUS_INVALID_MESSAGE;
        }
    }
    return ctx.len > PRIO3_CTX_MAX ? STATUS_INVALID_ARGUMENT : STATUS_OK;
}

static void settle_messages(const struct vdaf *vdaf, const struct lane_group *group,
                            const struct group_faults *faults, uint8_t *const out[],
                            struct span messages[], enum status_code verdicts[]) {
    const size_t size = prio3_joint_rand_size(vdaf);
    for (unsigned lane = 0; lane < group->used; lane++) {
        const size_t i = group->index[lane];
        verdicts[i] = verdict_of(faults, lane);
        if (verdicts[i] == STATUS_OK) {
            messages[i] = span_of(out[lane], size);
        }
    }
}

struct status prio3_shares_to_message(const struct vdaf *vdaf, struct span agg_param,
                                      const struct span ctx[], const struct span shares[],
                                      size_t count, struct arena *arena, struct span messages[],
                                      enum status_code verdicts[]) {
    (void)agg_param;
    struct prio3_work work;
    TRY(prio3_work_init(&work, vdaf, false));
    struct status status = OK;
    struct lane_item *items = lane_items_new(&work.arena, count);
    const size_t size = prio3_encoded_verifiers_size(vdaf) + prio3_joint_rand_size(vdaf);
    size_t eligible = 0;
    for (size_t i = 0; i < count && items != NULL; i++) {
        messages[i] = SPAN_EMPTY;
        if (verdicts[i] == STATUS_OK) {
            verdicts[i] = check_shares(vdaf, ctx[i], size, shares + i * vdaf->shares);
        }
        if (verdicts[i] == STATUS_OK) {
            items[eligible++] = (struct lane_item){(uint32_t)i, (uint32_t)ctx[i].len};
        }
    }
    struct lane_group group;
    if (items == NULL) {
        status = FAIL(NO_MEMORY);
    }
    for (size_t at = 0;
         status_ok(status) && lane_group_next(vdaf->kernels, items, eligible, &at, &group);) {
        uint8_t *out[SIMD_LANES_MAX];
        const size_t message_size = prio3_joint_rand_size(vdaf);
        uint8_t *bytes = arena_reserve(arena, vdaf->kernels->lanes, message_size);
        if (bytes == NULL) {
            status = FAIL(NO_MEMORY);
            goto done;
        }
        for (unsigned lane = 0; lane < vdaf->kernels->lanes; lane++) {
            out[lane] = bytes + lane * message_size;
        }
        const struct group_faults faults = message_of_group(&work, &group, ctx, shares, out);
        settle_messages(vdaf, &group, &faults, out, messages, verdicts);
    }
done:
    prio3_work_release(&work);
    return status;
}

struct status prio3_verify_next(struct verify_batch *batch, struct verify_report *report,
                                struct span message) {
    const struct vdaf *vdaf = batch->vdaf;
    const size_t size = prio3_joint_rand_size(vdaf);
    const size_t i = (size_t)(report - batch->reports);
    if (message.len != size) {
        verify_batch_refuse(batch, i, STATUS_INVALID_MESSAGE);
    } else if (size > 0 && !secret_equal(report->verify_state, message.data, size)) {
        verify_batch_refuse(batch, i, STATUS_VERIFY_FAILED);
    }
    return OK;
}
