/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/leader_batch.h"

static bool deadline_passed(const struct served_task *task, const struct store_batch *batch,
                            int64_t now) {
    uint32_t deadline = task->settings.batch_deadline_s;
    return deadline != 0 && now - batch->opened_at >= (int64_t)deadline * 1000000;
}

static bool large_enough(const struct served_task *task, const struct store_batch *batch) {
    return batch->assigned >= task->dap.configuration.min_batch_size;
}

/* A target below the minimum would close batches that nobody can collect. */
static uint64_t target_size(const struct served_task *task) {
    uint64_t target = task->settings.batch_target_size;
    uint64_t least = task->dap.configuration.min_batch_size;
    return target != 0 && target < least ? least : target;
}

static struct status batch_make(struct aggregator *aggregator, int64_t now,
                                struct store_batch *out) {
    struct store_batch batch = {.state = STORE_BATCH_OPEN, .opened_at = now};
    if (aggregator->options.provider->random(batch.id, sizeof batch.id) != 0) {
        return FAIL(CRYPTO);
    }
    *out = batch;
    return OK;
}

/* Closes an open batch whose deadline has passed; `*closed` says whether. */
static struct status batch_close_if_late(const struct served_task *task, struct store_tx *tx,
                                         struct store_batch *batch, int64_t now, bool *closed) {
    *closed = deadline_passed(task, batch, now) && large_enough(task, batch);
    if (!*closed) {
        return OK;
    }
    batch->state = STORE_BATCH_CLOSED;
    return store_batch_put(tx, task->dap.id.bytes, batch);
}

struct status leader_batch_open(struct aggregator *aggregator, const struct served_task *task,
                                struct store_tx *tx, struct arena *arena, int64_t now,
                                struct store_batch *out, uint64_t *room) {
    uint64_t target = target_size(task);
    struct store_batch *open;
    size_t count;
    TRY(store_batch_list(tx, arena, task->dap.id.bytes, STORE_BATCH_OPEN, &open, &count));
    for (size_t i = 0; i < count; i++) {
        bool closed;
        TRY(batch_close_if_late(task, tx, &open[i], now, &closed));
        if (!closed && (target == 0 || open[i].assigned < target)) {
            *out = open[i];
            *room = target == 0 ? UINT64_MAX : target - open[i].assigned;
            return OK;
        }
    }
    TRY(batch_make(aggregator, now, out));
    *room = target == 0 ? UINT64_MAX : target;
    return OK;
}

struct status leader_batch_grow(const struct served_task *task, struct store_tx *tx,
                                struct store_batch *batch, uint64_t count) {
    batch->assigned += count;
    uint64_t target = target_size(task);
    if (target != 0 && batch->assigned >= target) {
        batch->state = STORE_BATCH_CLOSED;
    }
    return store_batch_put(tx, task->dap.id.bytes, batch);
}

struct status leader_batch_shrink(const struct served_task *task, struct store_tx *tx,
                                  const uint8_t batch_id[STORE_BATCH_ID_SIZE], uint64_t count) {
    if (count == 0) {
        return OK;
    }
    struct store_batch batch;
    TRY(store_batch_get(tx, task->dap.id.bytes, batch_id, &batch));
    batch.assigned -= count < batch.assigned ? count : batch.assigned;
    if (batch.state == STORE_BATCH_CLOSED && !large_enough(task, &batch)) {
        batch.state = STORE_BATCH_OPEN;
    }
    return store_batch_put(tx, task->dap.id.bytes, &batch);
}

/* Whether a closed batch can be collected now, and what it holds. */
static struct status batch_is_ready(const struct served_task *task, struct store_tx *tx,
                                    struct arena *arena, struct span agg_param,
                                    struct store_batch *batch, struct batch_total *total,
                                    bool *ready) {
    *ready = false;
    struct store_pending pending;
    TRY(store_pending_batch(tx, task->dap.id.bytes, batch->id, &pending));
    if (pending.jobs > 0) {
        return OK;
    }
    struct batch selected = {.mode = BATCH_MODE_LEADER_SELECTED};
    memcpy(selected.id.bytes, batch->id, sizeof selected.id.bytes);
    TRY(commit_total(task, tx, arena, agg_param, &selected, total));
    *ready = total->report_count >= task->dap.configuration.min_batch_size;
    if (!*ready) { /* its size was counted wrongly or reports were refused: let it fill */
        batch->state = STORE_BATCH_OPEN;
        batch->assigned = total->report_count;
        return store_batch_put(tx, task->dap.id.bytes, batch);
    }
    return OK;
}

/* Whether reports that could go into a job now were uploaded at `asked_at` or
 * before. */
static struct status older_waiting(const struct served_task *task, struct store_tx *tx,
                                   int64_t asked_at, int64_t now, bool *found) {
    struct store_waiting waiting;
    struct status status = store_waiting_get(tx, task->dap.id.bytes, now, &waiting);
    *found = status_ok(status) && waiting.oldest_at <= asked_at;
    return status.code == STATUS_NOT_FOUND ? OK : status;
}

/* Closes an open batch for a collection job, if its time has come. */
static struct status batch_close_for(const struct served_task *task, struct store_tx *tx,
                                     struct store_batch *batch, int64_t asked_at, int64_t now,
                                     bool *closed) {
    TRY(batch_close_if_late(task, tx, batch, now, closed));
    if (*closed || task->settings.batch_target_size != 0 || !large_enough(task, batch)) {
        return OK;
    }
    bool wait;
    TRY(older_waiting(task, tx, asked_at, now, &wait));
    if (wait) {
        return OK;
    }
    *closed = true;
    batch->state = STORE_BATCH_CLOSED;
    return store_batch_put(tx, task->dap.id.bytes, batch);
}

/* The first of the batches of a state that is ready, closing open ones on the
 * way. `*any` says whether there is a closed one. */
static struct status batch_find(const struct served_task *task, struct store_tx *tx,
                                struct arena *arena, struct span agg_param,
                                enum store_batch_state state, int64_t asked_at, int64_t now,
                                struct store_batch *out, struct batch_total *total, bool *found,
                                bool *any) {
    struct store_batch *batches;
    size_t count;
    TRY(store_batch_list(tx, arena, task->dap.id.bytes, state, &batches, &count));
    for (size_t i = 0; i < count && !*found; i++) {
        bool closed = state == STORE_BATCH_CLOSED;
        if (!closed) {
            TRY(batch_close_for(task, tx, &batches[i], asked_at, now, &closed));
        }
        if (closed) {
            *any = true;
            TRY(batch_is_ready(task, tx, arena, agg_param, &batches[i], total, found));
            *out = batches[i];
        }
    }
    return OK;
}

struct status leader_batch_next(const struct served_task *task, struct store_tx *tx,
                                struct arena *arena, struct span agg_param, int64_t asked_at,
                                int64_t now, struct store_batch *out, struct batch_total *total,
                                bool *found) {
    bool any_closed = false;
    *found = false;
    TRY(batch_find(task, tx, arena, agg_param, STORE_BATCH_CLOSED, asked_at, now, out, total, found,
                   &any_closed));
    if (any_closed) { /* one at a time, else each look would close another */
        return OK;
    }
    return batch_find(task, tx, arena, agg_param, STORE_BATCH_OPEN, asked_at, now, out, total,
                      found, &any_closed);
}
