/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/collection_freeze.h"

#include "aggregator/leader_batch.h"
#include "dap/interval.h"

/* Whether an interval is complete and large enough; its total if so. An overlap
 * with what another job collected meanwhile is BATCH_OVERLAP. */
static struct status interval_ready(const struct freeze *freeze, struct store_tx *tx,
                                    const struct batch *batch, struct span agg_param,
                                    struct batch_total *total, bool *ready) {
    const struct served_task *task = freeze->task;
    bool collected;
    *ready = false;
    TRY(commit_is_collected(task, tx, batch, &collected));
    if (collected) {
        return FAIL(BATCH_OVERLAP);
    }
    struct store_pending pending;
    TRY(store_pending_interval(tx, task->dap.id.bytes, batch->interval.start,
                               batch->interval.duration, &pending));
    if (pending.unassigned > 0 || pending.jobs > 0) {
        return OK;
    }
    TRY(commit_total(task, tx, freeze->arena, agg_param, batch, total));
    *ready = total->report_count >= task->dap.configuration.min_batch_size;
    return OK;
}

/* The same for the next batch of the leader's choice, which then belongs to
 * this collection job. */
static struct status selected_ready(const struct freeze *freeze, struct store_tx *tx,
                                    struct batch *batch, struct span agg_param,
                                    struct batch_total *total, bool *ready) {
    struct store_batch next;
    TRY(leader_batch_next(freeze->task, tx, freeze->arena, agg_param, freeze->row->created_at,
                          freeze->now, &next, total, ready));
    if (!*ready) {
        return OK;
    }
    memcpy(batch->id.bytes, next.id, sizeof batch->id.bytes);
    next.state = STORE_BATCH_COLLECTING;
    return store_batch_put(tx, freeze->task->dap.id.bytes, &next);
}

static struct status selector_encode(const struct batch *batch, struct arena *arena,
                                     struct span *out) {
    struct batch_selector selector;
    struct buffer bytes = BUFFER_INIT;
    TRY(batch_to_selector(batch, arena, &selector));
    struct status status = batch_selector_encode(&selector, &bytes);
    if (status_ok(status)) {
        status = arena_copy(arena, buffer_span(&bytes), out);
    }
    buffer_release(&bytes);
    return status;
}

/* The record of what is collected, with our share sealed: from here on nothing
 * that a retry sends depends on anything else. */
static struct status note_make(const struct freeze *freeze, const struct batch *batch,
                               const struct batch_total *total, struct span *out) {
    struct buffer share = BUFFER_INIT, bytes = BUFFER_INIT;
    struct collection_note note = {
        .report_count = total->report_count,
        .interval = {total->time_min, total->time_max - total->time_min + 1},
    };
    memcpy(note.checksum, total->checksum, sizeof note.checksum);
    struct status status;
    TRY_GOTO(status, selector_encode(batch, freeze->arena, &note.selector), end);
    TRY_GOTO(
        status,
        commit_seal(freeze->provider, freeze->task, freeze->row->request, total->agg_share, &share),
        end);
    note.leader_share = buffer_span(&share);
    TRY_GOTO(status, collection_note_encode(&note, &bytes), end);
    status = arena_copy(freeze->arena, buffer_span(&bytes), out);
end:
    buffer_release(&share);
    buffer_release(&bytes);
    return status;
}

static struct status freeze_batch(const struct freeze *freeze, struct store_tx *tx,
                                  struct span *note, bool *ready) {
    struct collection_job_req request;
    struct batch batch;
    struct batch_total total;
    TRY(collection_job_req_decode(freeze->row->request, freeze->arena, &request));
    TRY(batch_of_query(&request.query, freeze->task->dap.configuration.batch_mode, &batch));
    TRY(task_is_time_interval(freeze->task)
            ? interval_ready(freeze, tx, &batch, request.agg_param, &total, ready)
            : selected_ready(freeze, tx, &batch, request.agg_param, &total, ready));
    if (!*ready) {
        return OK;
    }
    TRY(note_make(freeze, &batch, &total, note));
    return commit_mark_collected(freeze->task, tx, &batch);
}

struct status collection_freeze_run(struct store_tx *tx, void *argument) {
    struct freeze *freeze = argument;
    struct store_resource row = *freeze->row;
    bool ready = false;
    struct status status = freeze_batch(freeze, tx, &row.note, &ready);
    if (status.code == STATUS_BATCH_OVERLAP) {
        row.state = STORE_RESOURCE_FAILED;
        row.problem = STATUS_BATCH_OVERLAP;
        freeze->outcome = FREEZE_FAILED;
        return store_resource_update(tx, &row, 0);
    }
    TRY(status);
    freeze->outcome = ready ? FREEZE_DONE : FREEZE_WAIT;
    row.retry_at = ready ? freeze->now : freeze->look_again_at;
    freeze->note = row.note;
    return store_resource_update(tx, &row, ready ? freeze->lease_until : 0);
}
