/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "store/internal.h"

/*
 * The sets of report IDs. The draft's rule is that an ID is unique in its task;
 * the tables are keyed by epoch first, so an insert also probes the task's
 * other epochs that hold IDs, of which there are few.
 */
struct candidate {
    const struct store_committed *id;
    size_t index; /* in the caller's array */
};

static int by_id(const void *left, const void *right) {
    const struct candidate *a = left;
    const struct candidate *b = right;
    int order = memcmp(a->id->id, b->id->id, STORE_ID_SIZE);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* The order of the table's key: all writers insert in it. */
static int by_epoch(const void *left, const void *right) {
    const struct candidate *a = left;
    const struct candidate *b = right;
    int order = (a->id->epoch > b->id->epoch) - (a->id->epoch < b->id->epoch);
    return order != 0 ? order : memcmp(a->id->id, b->id->id, STORE_ID_SIZE);
}

/* Settles what is expired and what came earlier in the same call; the others
 * become candidates, in the order of the key. */
static size_t candidates_select(const struct task_row *task, const struct store_committed ids[],
                                size_t count, struct candidate candidates[],
                                enum store_outcome outcomes[]) {
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        if (ids[i].epoch < task->watermark) {
            outcomes[i] = STORE_EXPIRED;
        } else {
            candidates[live++] = (struct candidate){&ids[i], i};
        }
    }
    qsort(candidates, live, sizeof candidates[0], by_id);
    size_t distinct = 0;
    for (size_t i = 0; i < live; i++) {
        if (distinct > 0 &&
            memcmp(candidates[distinct - 1].id->id, candidates[i].id->id, STORE_ID_SIZE) == 0) {
            outcomes[candidates[i].index] = STORE_REPLAYED;
        } else {
            candidates[distinct++] = candidates[i];
        }
    }
    qsort(candidates, distinct, sizeof candidates[0], by_epoch);
    return distinct;
}

static struct status epochs_note(struct store_tx *tx, const struct task_row *task,
                                 enum id_kind kind, const struct candidate candidates[],
                                 size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t epoch = candidates[i].id->epoch;
        if (i == 0 || epoch != candidates[i - 1].id->epoch) {
            TRY(sql_run(tx, NULL,
                        "INSERT INTO id_epoch (task, kind, epoch) VALUES ($1, $2, $3)"
                        " ON CONFLICT (task, kind, epoch) DO NOTHING",
                        SQL_VALUES(sql_of_int(task->number), sql_of_int((int64_t)kind),
                                   sql_of_u64(epoch))));
        }
    }
    return OK;
}

/* CROSS JOIN keeps SQLite's planner from going through all IDs of the task to
 * look up the epoch of each; what must be looked up is the ID, in each epoch. */
static const char id_insert[] =
    "INSERT INTO report_id (task, kind, epoch, id) SELECT $1, $2, $3, $4"
    " WHERE NOT EXISTS (SELECT 1 FROM id_epoch e CROSS JOIN report_id r"
    " WHERE e.task = $1 AND e.kind = $2 AND e.epoch <> $3"
    " AND r.task = e.task AND r.kind = e.kind AND r.epoch = e.epoch AND r.id = $4)"
    " ON CONFLICT (task, kind, epoch, id) DO NOTHING";

struct status ids_put(struct store_tx *tx, const struct task_row *task, enum id_kind kind,
                      const struct store_committed ids[], size_t count,
                      enum store_outcome outcomes[]) {
    enum { COLUMNS = 4 };
    struct candidate *candidates = ARENA_ARRAY(&tx->scratch, struct candidate, count);
    struct sql_value *values = ARENA_ARRAY(&tx->scratch, struct sql_value, count * COLUMNS);
    bool *hits = ARENA_ARRAY(&tx->scratch, bool, count);
    if (candidates == NULL || values == NULL || hits == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t distinct = candidates_select(task, ids, count, candidates, outcomes);
    TRY(epochs_note(tx, task, kind, candidates, distinct));
    for (size_t i = 0; i < distinct; i++) {
        struct sql_value *row = values + i * COLUMNS;
        row[0] = sql_of_int(task->number);
        row[1] = sql_of_int((int64_t)kind);
        row[2] = sql_of_u64(candidates[i].id->epoch);
        row[3] = sql_of_id(candidates[i].id->id, STORE_ID_SIZE);
    }
    TRY(sql_many(tx, id_insert, values, COLUMNS, distinct, hits));
    for (size_t i = 0; i < distinct; i++) {
        outcomes[candidates[i].index] = hits[i] ? STORE_NEW : STORE_REPLAYED;
    }
    return OK;
}

struct status store_ids_commit(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                               const struct store_committed ids[], size_t count,
                               enum store_outcome outcomes[]) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return ids_put(tx, &task, ID_COMMITTED, ids, count, outcomes);
}
