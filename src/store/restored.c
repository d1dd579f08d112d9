/* SPDX-License-Identifier: Apache-2.0 */
#include "store/internal.h"

/*
 * After a restore. Reports that were counted since the backup have left no ID, so
 * any report that could have been seen by then is one that may have been counted:
 * none is taken again, none that waits is sent, and what was summed up so far,
 * which the other aggregator has gone on with, is closed.
 */

/* How many things of a kind there are, before they go. */
static struct status count_of(struct store_tx *tx, const struct task_row *task, const char *text,
                              uint64_t *out) {
    int64_t count;
    TRY(sql_get_int(tx, &count, text, SQL_VALUES(sql_of_int(task->number))));
    *out = (uint64_t)count;
    return OK;
}

static struct status work_drop(struct store_tx *tx, const struct task_row *task) {
    static const char *const statements[] = {
        "DELETE FROM job_body WHERE job IN (SELECT id FROM job WHERE task = $1)",
        "DELETE FROM job WHERE task = $1",
        "DELETE FROM segment_body WHERE segment IN (SELECT number FROM segment WHERE task = $1)",
        "DELETE FROM segment WHERE task = $1",
        "UPDATE task_usage SET reports = 0, bytes = 0, unassigned = 0 WHERE task = $1",
    };
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        TRY(sql_run(tx, NULL, statements[i], SQL_VALUES(sql_of_int(task->number))));
    }
    return OK;
}

static struct status resources_fail(struct store_tx *tx, const struct task_row *task) {
    return sql_run(tx, NULL,
                   "UPDATE resource SET state = $1, live = 0, config_ids = $2, problem = $3,"
                   " lease = lease + 1, leased_until = 0, ended_at = $4"
                   " WHERE task = $5 AND state = 0",
                   SQL_VALUES(sql_of_int(STORE_RESOURCE_FAILED), sql_of_bytes(SPAN_EMPTY),
                              sql_of_int(STATUS_BATCH_INVALID),
                              sql_of_int(clock_now_us(tx->store->clock)),
                              sql_of_int(task->number)));
}

/* One mark from the beginning of time, in place of those that it covers. */
static struct status intervals_close(struct store_tx *tx, const struct task_row *task,
                                     uint64_t horizon) {
    int64_t last;
    TRY(sql_get_int(tx, &last,
                    "SELECT COALESCE(MAX(finish), 0) FROM collected_interval WHERE task = $1",
                    SQL_VALUES(sql_of_int(task->number))));
    uint64_t finish = (uint64_t)last > horizon ? (uint64_t)last : horizon;
    TRY(sql_run(tx, NULL, "DELETE FROM collected_interval WHERE task = $1",
                SQL_VALUES(sql_of_int(task->number))));
    return sql_run(tx, NULL,
                   "INSERT INTO collected_interval (task, start, finish) VALUES ($1, 0, $2)",
                   SQL_VALUES(sql_of_int(task->number), sql_of_u64(finish)));
}

static struct status batches_close(struct store_tx *tx, const struct task_row *task) {
    TRY(sql_run(tx, NULL,
                "INSERT INTO collected_batch (task, batch_id)"
                " SELECT task, key FROM bucket WHERE task = $1"
                " UNION SELECT task, id FROM batch WHERE task = $1"
                " ON CONFLICT (task, batch_id) DO NOTHING",
                SQL_VALUES(sql_of_int(task->number))));
    return sql_run(tx, NULL, "UPDATE batch SET state = $1 WHERE task = $2",
                   SQL_VALUES(sql_of_int(STORE_BATCH_COLLECTED), sql_of_int(task->number)));
}

struct status store_task_restored(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                  bool by_interval, uint64_t horizon, uint64_t epoch,
                                  struct store_restored *out) {
    struct task_row task;
    struct store_restored restored;
    if (horizon == 0 || horizon > INT64_MAX || epoch > INT64_MAX) {
        return FAIL(INVALID_ARGUMENT);
    }
    TRY(task_find(tx, task_id, &task));
    TRY(task_close_gate(tx, &task));
    task_forget(tx);
    TRY(count_of(tx, &task,
                 "SELECT CAST(COALESCE(SUM(reports), 0) AS BIGINT) FROM task_usage WHERE task = $1",
                 &restored.reports));
    TRY(count_of(tx, &task, "SELECT COUNT(*) FROM job WHERE task = $1", &restored.jobs));
    TRY(count_of(tx, &task,
                 "SELECT CAST(COALESCE(SUM(report_count), 0) AS BIGINT) FROM bucket"
                 " WHERE task = $1 AND length(agg_share) > 0",
                 &restored.aggregated));
    TRY(work_drop(tx, &task));
    TRY(resources_fail(tx, &task));
    TRY(by_interval ? intervals_close(tx, &task, horizon) : batches_close(tx, &task));
    TRY(sql_run(tx, NULL, "UPDATE bucket SET agg_share = $1 WHERE task = $2",
                SQL_VALUES(sql_of_bytes(SPAN_EMPTY), sql_of_int(task.number))));
    TRY(sql_run(tx, NULL, "UPDATE task SET watermark = $1 WHERE number = $2 AND watermark < $1",
                SQL_VALUES(sql_of_u64(epoch), sql_of_int(task.number))));
    *out = restored;
    return OK;
}
