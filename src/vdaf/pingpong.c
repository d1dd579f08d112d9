/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "vdaf/internal.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* The messages of section 5.7.1: a type, then vectors with four bytes of
 * length. */
enum message_type { MESSAGE_INITIALIZE, MESSAGE_CONTINUE, MESSAGE_FINISH };

struct message {
    enum message_type type;
    struct span verifier_message; /* not in MESSAGE_INITIALIZE */
    struct span verifier_share;   /* not in MESSAGE_FINISH */
};

static struct status decode_message(struct span encoded, struct message *out) {
    struct reader reader = reader_of(encoded);
    struct message message = {.type = reader_u8(&reader)};
    if (message.type > MESSAGE_FINISH) {
        reader_fail(&reader);
    }
    if (message.type != MESSAGE_INITIALIZE) {
        message.verifier_message = reader_vector(&reader, 4, 0, UINT32_MAX);
    }
    if (message.type != MESSAGE_FINISH) {
        message.verifier_share = reader_vector(&reader, 4, 0, UINT32_MAX);
    }
    TRY(reader_finish(&reader));
    *out = message;
    return OK;
}

/* Sets a report's outbound message, in the batch's arena. */
static struct status encode_message(struct verify_batch *batch, struct verify_report *report,
                                    const struct message *message) {
    struct buffer buffer = BUFFER_INIT;
    struct writer writer = writer_to(&buffer);
    writer_u8(&writer, (uint8_t)message->type);
    if (message->type != MESSAGE_INITIALIZE) {
        writer_vector(&writer, 4, 0, UINT32_MAX, message->verifier_message);
    }
    if (message->type != MESSAGE_FINISH) {
        writer_vector(&writer, 4, 0, UINT32_MAX, message->verifier_share);
    }
    struct status status = writer_finish(&writer);
    if (status_ok(status)) {
        status = arena_copy(&batch->arena, buffer_span(&buffer), &report->outbound);
    }
    buffer_release(&buffer);
    return status;
}

/* The reports of one step: those whose inbound message decoded. */
struct step {
    struct span *shares;   /* two a report, the leader's first */
    struct span *messages; /* verifier messages */
    struct span *ctx;
    enum status_code *verdicts; /* STATUS_OK for those that take part */
    struct message *inbound;
};

static struct status step_new(struct verify_batch *batch, struct arena *arena, struct step *out) {
    *out = (struct step){
        .shares = ARENA_ARRAY(arena, struct span, 2 * batch->count),
        .messages = ARENA_ARRAY(arena, struct span, batch->count),
        .ctx = ARENA_ARRAY(arena, struct span, batch->count),
        .verdicts = ARENA_ARRAY(arena, enum status_code, batch->count),
        .inbound = ARENA_ARRAY(arena, struct message, batch->count),
    };
    if (out->shares == NULL || out->messages == NULL || out->ctx == NULL ||
        out->verdicts == NULL || out->inbound == NULL) {
        return FAIL(NO_MEMORY);
    }
    return OK;
}

/* ping_pong_transition for the reports that have both verifier shares: their
 * message moves them on, and goes to the peer. */
static struct status transition(struct verify_batch *batch, struct arena *arena,
                                struct step *step) {
    TRY(verify_shares_to_message(batch->vdaf, batch->agg_param, step->ctx, step->shares,
                                 batch->count, arena, step->messages, step->verdicts));
    const struct vdaf_scheme *scheme = batch->vdaf->type->scheme;
    for (size_t i = 0; i < batch->count; i++) {
        struct verify_report *report = &batch->reports[i];
        if (report->verdict != STATUS_OK || report->state != VERIFY_CONTINUED) {
            continue;
        }
        if (step->verdicts[i] != STATUS_OK) {
            verify_batch_refuse(batch, i, step->verdicts[i]);
            continue;
        }
        TRY(scheme->verify_next(batch, report, step->messages[i]));
        if (report->verdict != STATUS_OK) {
            continue;
        }
        const bool last = ++report->round == scheme->rounds;
        const struct message outbound = {last ? MESSAGE_FINISH : MESSAGE_CONTINUE,
                                         step->messages[i], report->share};
        TRY(encode_message(batch, report, &outbound));
        report->state = last ? VERIFY_FINISHED_WITH_OUTBOUND : VERIFY_CONTINUED;
    }
    return OK;
}

struct status pingpong_leader_init(struct verify_batch *batch,
                                   const struct verify_input inputs[]) {
    assert(batch->aggregator_id == 0 && vdaf_shares(batch->vdaf) == 2);
    TRY(verify_batch_init(batch, inputs));
    for (size_t i = 0; i < batch->count; i++) {
        struct verify_report *report = &batch->reports[i];
        if (report->verdict == STATUS_OK) {
            const struct message outbound = {.type = MESSAGE_INITIALIZE,
                                             .verifier_share = report->share};
            TRY(encode_message(batch, report, &outbound));
        }
    }
    return OK;
}

/* Pairs the peer's verifier share with the aggregator's own. */
static void pair_shares(const struct verify_batch *batch, struct step *step, size_t i) {
    const struct verify_report *report = &batch->reports[i];
    const unsigned own = batch->aggregator_id;
    step->ctx[i] = report->ctx;
    step->verdicts[i] = STATUS_OK;
    step->shares[2 * i + own] = report->share;
    step->shares[2 * i + 1 - own] = step->inbound[i].verifier_share;
}

/* Decodes the inbound message of a report that still takes part. */
static bool receive(struct verify_batch *batch, struct step *step, size_t i,
                    const struct span inbound[]) {
    const struct verify_report *report = &batch->reports[i];
    step->verdicts[i] = STATUS_INVALID_MESSAGE;
    if (report->verdict != STATUS_OK || report->state != VERIFY_CONTINUED) {
        return false;
    }
    assert(report->verify_state != NULL);
    if (!status_ok(decode_message(inbound[i], &step->inbound[i]))) {
        verify_batch_refuse(batch, i, STATUS_INVALID_MESSAGE);
        return false;
    }
    return true;
}

struct status pingpong_helper_init(struct verify_batch *batch, const struct verify_input inputs[],
                                   const struct span inbound[]) {
    assert(batch->aggregator_id == 1 && vdaf_shares(batch->vdaf) == 2);
    TRY(verify_batch_init(batch, inputs));
    struct arena arena = ARENA_INIT;
    struct step step;
    struct status status;
    TRY_GOTO(status, step_new(batch, &arena, &step), done);
    for (size_t i = 0; i < batch->count; i++) {
        if (!receive(batch, &step, i, inbound)) {
            continue;
        }
        if (step.inbound[i].type != MESSAGE_INITIALIZE) {
            verify_batch_refuse(batch, i, STATUS_INVALID_MESSAGE);
        } else {
            pair_shares(batch, &step, i);
        }
    }
    status = transition(batch, &arena, &step);
done:
    arena_release(&arena);
    return status;
}

/* The peer's verifier message ends a round for one report: either the last, or
 * one whose next verifier shares are now both at hand. */
static struct status end_round(struct verify_batch *batch, struct step *step, size_t i) {
    struct verify_report *report = &batch->reports[i];
    const struct vdaf_scheme *scheme = batch->vdaf->type->scheme;
    const bool last = report->round + 1U == scheme->rounds;
    if (step->inbound[i].type != (last ? MESSAGE_FINISH : MESSAGE_CONTINUE)) {
        verify_batch_refuse(batch, i, STATUS_INVALID_MESSAGE);
        return OK;
    }
    report->share = report->outbound = SPAN_EMPTY;
    TRY(scheme->verify_next(batch, report, step->inbound[i].verifier_message));
    if (report->verdict != STATUS_OK) {
        return OK;
    }
    report->round++;
    if (last) {
        report->state = VERIFY_FINISHED;
    } else {
        pair_shares(batch, step, i);
    }
    return OK;
}

static struct status continued(struct verify_batch *batch, const struct span inbound[]) {
    struct arena arena = ARENA_INIT;
    struct step step;
    struct status status;
    TRY_GOTO(status, step_new(batch, &arena, &step), done);
    for (size_t i = 0; i < batch->count; i++) {
        if (receive(batch, &step, i, inbound)) {
            TRY_GOTO(status, end_round(batch, &step, i), done);
        }
    }
    if (vdaf_rounds(batch->vdaf) > 1) {
        status = transition(batch, &arena, &step);
    }
done:
    arena_release(&arena);
    return status;
}

struct status pingpong_leader_continued(struct verify_batch *batch, const struct span inbound[]) {
    assert(batch->aggregator_id == 0);
    return continued(batch, inbound);
}

struct status pingpong_helper_continued(struct verify_batch *batch, const struct span inbound[]) {
    assert(batch->aggregator_id == 1);
    return continued(batch, inbound);
}

enum verify_state pingpong_state(const struct verify_batch *batch, size_t i) {
    assert(i < batch->count);
    return batch->reports[i].state;
}

struct span pingpong_outbound(const struct verify_batch *batch, size_t i) {
    assert(i < batch->count);
    return batch->reports[i].outbound;
}
