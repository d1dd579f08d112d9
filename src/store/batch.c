/* SPDX-License-Identifier: Apache-2.0 */
#include "store/internal.h"

struct status store_batch_put(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                              const struct store_batch *batch) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return sql_run(tx, NULL,
                   "INSERT INTO batch (task, id, state, assigned, opened_at)"
                   " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (task, id) DO UPDATE SET"
                   " state = excluded.state, assigned = excluded.assigned,"
                   " opened_at = excluded.opened_at",
                   SQL_VALUES(sql_of_int(task.number), sql_of_id(batch->id, sizeof batch->id),
                              sql_of_int((int64_t)batch->state), sql_of_u64(batch->assigned),
                              sql_of_int(batch->opened_at)));
}

static struct status batch_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    struct store_batch *batch = out;
    TRY(sql_copy(rows, 0, batch->id, sizeof batch->id));
    batch->state = (enum store_batch_state)sql_int(rows, 1);
    batch->assigned = sql_u64(rows, 2);
    batch->opened_at = sql_int(rows, 3);
    return OK;
}

struct status store_batch_list(struct store_tx *tx, struct arena *arena,
                               const uint8_t task_id[STORE_TASK_ID_SIZE],
                               enum store_batch_state state, struct store_batch **out,
                               size_t *count) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return sql_list(tx, arena, batch_decode, sizeof **out, (void **)out, count,
                    "SELECT id, state, assigned, opened_at FROM batch"
                    " WHERE task = $1 AND state = $2 ORDER BY opened_at, id",
                    SQL_VALUES(sql_of_int(task.number), sql_of_int((int64_t)state)));
}

struct status store_batch_get(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                              const uint8_t id[STORE_BATCH_ID_SIZE], struct store_batch *out) {
    struct task_row task;
    struct store_batch batch;
    TRY(task_find(tx, task_id, &task));
    TRY(sql_get(tx, NULL, batch_decode, &batch,
                "SELECT id, state, assigned, opened_at FROM batch WHERE task = $1 AND id = $2",
                SQL_VALUES(sql_of_int(task.number), sql_of_id(id, STORE_BATCH_ID_SIZE))));
    *out = batch;
    return OK;
}
