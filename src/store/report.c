/* SPDX-License-Identifier: Apache-2.0 */
#include "store/segment.h"

struct status usage_add(struct store_tx *tx, const struct task_row *task,
                        const struct usage_change *change) {
    return sql_run(tx, NULL,
                   "INSERT INTO task_usage (task, shard, reports, bytes, unassigned)"
                   " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (task, shard) DO UPDATE SET"
                   " reports = task_usage.reports + excluded.reports,"
                   " bytes = task_usage.bytes + excluded.bytes,"
                   " unassigned = task_usage.unassigned + excluded.unassigned",
                   SQL_VALUES(sql_of_int(task->number), sql_of_int(tx->shard),
                              sql_of_int(change->reports), sql_of_int(change->bytes),
                              sql_of_int(change->unassigned)));
}

static struct status usage_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    struct store_usage *usage = out;
    usage->reports = sql_u64(rows, 0);
    usage->bytes = sql_u64(rows, 1);
    usage->unassigned = sql_u64(rows, 2);
    return OK;
}

static struct status oldest_unassigned(struct store_tx *tx, int64_t task, int64_t *out) {
    struct status status = sql_get_int(tx, out,
                                       "SELECT stored_at FROM segment WHERE task = $1"
                                       " AND unassigned > 0 ORDER BY stored_at, number LIMIT 1",
                                       SQL_VALUES(sql_of_int(task)));
    if (status.code == STATUS_NOT_FOUND) {
        *out = 0;
        return OK;
    }
    return status;
}

static struct status usage_read(struct store_tx *tx, int64_t task, struct store_usage *out) {
    struct store_usage usage;
    TRY(sql_get(tx, NULL, usage_decode, &usage,
                "SELECT CAST(COALESCE(SUM(reports), 0) AS BIGINT),"
                " CAST(COALESCE(SUM(bytes), 0) AS BIGINT),"
                " CAST(COALESCE(SUM(unassigned), 0) AS BIGINT) FROM task_usage WHERE task = $1",
                SQL_VALUES(sql_of_int(task))));
    TRY(oldest_unassigned(tx, task, &usage.oldest_at));
    *out = usage;
    return OK;
}

struct status store_usage_get(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                              struct store_usage *out) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return usage_read(tx, task.number, out);
}

static struct status ids_of_reports(struct store_tx *tx, const struct store_report reports[],
                                    size_t count, struct store_committed **out) {
    struct store_committed *ids = ARENA_ARRAY(&tx->scratch, struct store_committed, count);
    if (ids == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        if (reports[i].time > INT64_MAX || reports[i].body.len > UINT32_MAX) {
            return FAIL(INVALID_ARGUMENT);
        }
        memcpy(ids[i].id, reports[i].id, STORE_ID_SIZE);
        ids[i].epoch = reports[i].epoch;
    }
    *out = ids;
    return OK;
}

struct status store_reports_put(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                const struct store_report reports[], size_t count,
                                enum store_outcome outcomes[]) {
    struct task_row task;
    struct store_committed *ids;
    TRY(task_find(tx, task_id, &task));
    TRY(ids_of_reports(tx, reports, count, &ids));
    const struct store_report **fresh =
        ARENA_ARRAY(&tx->scratch, const struct store_report *, count);
    if (fresh == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(ids_put(tx, &task, ID_UPLOADED, ids, count, outcomes));
    size_t fresh_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (outcomes[i] == STORE_NEW) {
            fresh[fresh_count++] = &reports[i];
        }
    }
    int64_t now = clock_now_us(tx->store->clock);
    return segments_write(tx, &task, fresh, fresh_count, now, 0);
}
