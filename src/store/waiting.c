/* SPDX-License-Identifier: Apache-2.0 */
#include "store/internal.h"

/*
 * Who waits for a job. The tasks are found by going from one to the next in the
 * index of waiting segments, so what many tasks have stored costs nothing; of
 * each task, a bounded number of segments is looked at.
 */

/* Of tasks t: how much waits, and since when. */
#define WAITING_COLUMNS(now, segments)                                                      \
    "SELECT t.number, t.id, (SELECT CAST(SUM(f.unassigned) AS BIGINT) FROM"                 \
    " (SELECT s.unassigned FROM segment s WHERE s.task = t.number AND s.unassigned > 0"     \
    " AND s.not_before <= " now " AND s.epoch >= t.watermark"                               \
    " ORDER BY s.task, s.stored_at, s.number LIMIT " segments ") AS f),"                    \
    " (SELECT s.stored_at FROM segment s WHERE s.task = t.number AND s.unassigned > 0"      \
    " AND s.not_before <= " now " AND s.epoch >= t.watermark"                               \
    " ORDER BY s.task, s.stored_at, s.number LIMIT 1)"

/* Nothing may be assigned yet of a task with `unassigned` 0. */
static struct status waiting_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    struct store_waiting *waiting = out;
    bool none = sql_is_null(rows, 2);
    waiting->position = sql_u64(rows, 0);
    waiting->unassigned = none ? 0 : sql_u64(rows, 2);
    waiting->oldest_at = none ? 0 : sql_int(rows, 3);
    return sql_copy(rows, 1, waiting->task_id, sizeof waiting->task_id);
}

struct status store_waiting_list(struct store_tx *tx, struct arena *arena, uint64_t after,
                                 int64_t now, size_t max, struct store_waiting **out,
                                 size_t *count, uint64_t *next) {
    struct store_waiting *tasks;
    size_t found;
    size_t kept = 0;
    TRY(sql_list(tx, arena, waiting_decode, sizeof *tasks, (void **)&tasks, &found,
                 "WITH RECURSIVE wheel (task, steps) AS ("
                 "SELECT (SELECT n.task FROM segment n WHERE n.unassigned > 0 AND n.task > $1"
                 " ORDER BY n.task, n.stored_at, n.number LIMIT 1), 1"
                 " UNION ALL SELECT (SELECT n.task FROM segment n WHERE n.unassigned > 0"
                 " AND n.task > w.task ORDER BY n.task, n.stored_at, n.number LIMIT 1), w.steps + 1"
                 " FROM wheel w WHERE w.task IS NOT NULL AND w.steps < $2) "
                 WAITING_COLUMNS("$3", "$4")
                 " FROM wheel w JOIN task t ON t.number = w.task ORDER BY w.steps",
                 SQL_VALUES(sql_of_u64(after), sql_of_limit(max), sql_of_int(now),
                            sql_of_int(STORE_WAITING_SEGMENTS))));
    *next = found == max ? tasks[found - 1].position : 0;
    for (size_t i = 0; i < found; i++) {
        if (tasks[i].unassigned > 0) {
            tasks[kept++] = tasks[i];
        }
    }
    *out = tasks;
    *count = kept;
    return OK;
}

struct status store_waiting_get(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                int64_t now, struct store_waiting *out) {
    struct store_waiting waiting;
    struct status status =
        sql_get(tx, NULL, waiting_decode, &waiting,
                WAITING_COLUMNS("$1", "$2") " FROM task t WHERE t.id = $3",
                SQL_VALUES(sql_of_int(now), sql_of_int(STORE_WAITING_SEGMENTS),
                           sql_of_id(task_id, STORE_TASK_ID_SIZE)));
    if (status.code == STATUS_NOT_FOUND) {
        return FAIL(UNRECOGNIZED_TASK);
    }
    TRY(status);
    if (waiting.unassigned == 0) {
        return FAIL(NOT_FOUND);
    }
    *out = waiting;
    return OK;
}
