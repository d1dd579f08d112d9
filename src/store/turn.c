/* SPDX-License-Identifier: Apache-2.0 */
#include "store/turn.h"

/* Where a wheel came to: a task, and when the first of its work is due. */
struct turn_stop {
    int64_t task, due_at;
};

static struct status stop_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    *(struct turn_stop *)out = (struct turn_stop){sql_int(rows, 0), sql_int(rows, 1)};
    return OK;
}

/* Each row of the recursion is the first work of one task more; it ends at one
 * that is due, after TURN_STEPS, or at the last task. */
static struct status jobs_from(struct store_tx *tx, int64_t position, int64_t now,
                               struct turn_stop *out) {
    return sql_get(tx, NULL, stop_decode, out,
                   "WITH RECURSIVE wheel (id, steps) AS ("
                   "SELECT (SELECT n.id FROM job n WHERE n.task > $1"
                   " ORDER BY n.task, n.due_at LIMIT 1), 1"
                   " UNION ALL SELECT (SELECT n.id FROM job n WHERE n.task > j.task"
                   " ORDER BY n.task, n.due_at LIMIT 1), w.steps + 1"
                   " FROM wheel w JOIN job j ON j.id = w.id"
                   " WHERE j.due_at > $2 AND w.steps < $3)"
                   " SELECT j.task, j.due_at FROM wheel w JOIN job j ON j.id = w.id"
                   " ORDER BY w.steps DESC LIMIT 1",
                   SQL_VALUES(sql_of_int(position), sql_of_int(now), sql_of_int(TURN_STEPS)));
}

static struct status resources_from(struct store_tx *tx, enum store_kind kind, int64_t position,
                                    int64_t now, struct turn_stop *out) {
    return sql_get(tx, NULL, stop_decode, out,
                   "WITH RECURSIVE wheel (number, steps) AS ("
                   "SELECT (SELECT n.number FROM resource n WHERE n.kind = $1 AND n.state = 0"
                   " AND n.task > $2 ORDER BY n.kind, n.task, n.due_at LIMIT 1), 1"
                   " UNION ALL SELECT (SELECT n.number FROM resource n WHERE n.kind = $1"
                   " AND n.state = 0 AND n.task > r.task"
                   " ORDER BY n.kind, n.task, n.due_at LIMIT 1), w.steps + 1"
                   " FROM wheel w JOIN resource r ON r.number = w.number"
                   " WHERE r.due_at > $3 AND w.steps < $4)"
                   " SELECT r.task, r.due_at FROM wheel w"
                   " JOIN resource r ON r.number = w.number ORDER BY w.steps DESC LIMIT 1",
                   SQL_VALUES(sql_of_int((int64_t)kind), sql_of_int(position), sql_of_int(now),
                              sql_of_int(TURN_STEPS)));
}

/* Keeps where the wheel came to; behind the last task it starts again. */
static struct status stop_judge(_Atomic int64_t *wheel, const struct turn_stop *stop, int64_t now,
                                int64_t *task) {
    atomic_store(wheel, stop->task);
    if (stop->due_at > now) {
        return FAIL(NOT_FOUND);
    }
    *task = stop->task;
    return OK;
}

struct status turn_of_jobs(struct store_tx *tx, int64_t now, int64_t *task) {
    _Atomic int64_t *wheel = &tx->store->job_wheel;
    struct turn_stop stop;
    struct status status = jobs_from(tx, atomic_load(wheel), now, &stop);
    if (status.code == STATUS_NOT_FOUND) {
        status = jobs_from(tx, INT64_MIN, now, &stop);
    }
    return status_ok(status) ? stop_judge(wheel, &stop, now, task) : status;
}

struct status turn_of_resources(struct store_tx *tx, enum store_kind kind, int64_t now,
                                int64_t *task) {
    _Atomic int64_t *wheel = &tx->store->resource_wheels[kind];
    struct turn_stop stop;
    struct status status = resources_from(tx, kind, atomic_load(wheel), now, &stop);
    if (status.code == STATUS_NOT_FOUND) {
        status = resources_from(tx, kind, INT64_MIN, now, &stop);
    }
    return status_ok(status) ? stop_judge(wheel, &stop, now, task) : status;
}
