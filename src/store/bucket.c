/* SPDX-License-Identifier: Apache-2.0 */
#include "store/internal.h"

/* ---- Buckets -------------------------------------------------------------------- */

/* `shard` is 8 big-endian bytes that outlive the place. */
static struct seal_place share_place(const uint8_t task_id[STORE_TASK_ID_SIZE], struct span key,
                                     const uint8_t param_digest[STORE_DIGEST_SIZE],
                                     const uint8_t shard[8]) {
    return (struct seal_place){"bucket.agg_share",
                               {span_of(task_id, STORE_TASK_ID_SIZE), key,
                                span_of(param_digest, STORE_DIGEST_SIZE), span_of(shard, 8)}};
}

static void u64_encode(uint64_t value, uint8_t out[8]) {
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

struct status store_bucket_put(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                               const uint8_t param_digest[STORE_DIGEST_SIZE], unsigned shard,
                               const struct store_bucket *bucket) {
    struct task_row task;
    struct span share;
    uint8_t shard_bytes[8];
    u64_encode(shard, shard_bytes);
    struct seal_place place = share_place(task_id, bucket->key, param_digest, shard_bytes);
    TRY(task_find(tx, task_id, &task));
    TRY(seal(tx, &place, bucket->agg_share, &share));
    return sql_run(
        tx, NULL,
        "INSERT INTO bucket (task, key, param_digest, shard, report_count, checksum, time_min,"
        " time_max, agg_share) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (task, key, param_digest, shard) DO UPDATE SET"
        " report_count = excluded.report_count, checksum = excluded.checksum,"
        " time_min = excluded.time_min, time_max = excluded.time_max,"
        " agg_share = excluded.agg_share",
        SQL_VALUES(sql_of_int(task.number), sql_of_bytes(bucket->key),
                   sql_of_id(param_digest, STORE_DIGEST_SIZE), sql_of_int(shard),
                   sql_of_u64(bucket->report_count),
                   sql_of_id(bucket->checksum, sizeof bucket->checksum),
                   sql_of_u64(bucket->time_min), sql_of_u64(bucket->time_max),
                   sql_of_bytes(share)));
}

#define BUCKET_COLUMNS                                                                        \
    "SELECT t.id, b.key, b.param_digest, b.shard, b.report_count, b.checksum, b.time_min,"    \
    " b.time_max, b.agg_share FROM bucket b JOIN task t ON t.number = b.task"

static struct status bucket_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct store_bucket *bucket = out;
    uint8_t task_id[STORE_TASK_ID_SIZE];
    uint8_t param_digest[STORE_DIGEST_SIZE];
    uint8_t shard[8];
    TRY(sql_copy(rows, 0, task_id, sizeof task_id));
    TRY(sql_copy_span(rows, 1, arena, &bucket->key));
    TRY(sql_copy(rows, 2, param_digest, sizeof param_digest));
    u64_encode(sql_u64(rows, 3), shard);
    bucket->report_count = sql_u64(rows, 4);
    TRY(sql_copy(rows, 5, bucket->checksum, sizeof bucket->checksum));
    bucket->time_min = sql_u64(rows, 6);
    bucket->time_max = sql_u64(rows, 7);
    bucket->agg_share = SPAN_EMPTY;
    struct span share = sql_bytes(rows, 8);
    struct seal_place place = share_place(task_id, bucket->key, param_digest, shard);
    return share.len > 0 ? unseal(rows->tx, arena, &place, share, &bucket->agg_share) : OK;
}

struct status store_bucket_get(struct store_tx *tx, struct arena *arena,
                               const uint8_t task_id[STORE_TASK_ID_SIZE], struct span key,
                               const uint8_t param_digest[STORE_DIGEST_SIZE], unsigned shard,
                               struct store_bucket *out) {
    struct task_row task;
    struct store_bucket bucket;
    TRY(task_find(tx, task_id, &task));
    TRY(sql_get(tx, arena, bucket_decode, &bucket,
                BUCKET_COLUMNS " WHERE b.task = $1 AND b.key = $2 AND b.param_digest = $3"
                               " AND b.shard = $4",
                SQL_VALUES(sql_of_int(task.number), sql_of_bytes(key),
                           sql_of_id(param_digest, STORE_DIGEST_SIZE), sql_of_int(shard))));
    *out = bucket;
    return OK;
}

struct status store_bucket_range(struct store_tx *tx, struct arena *arena,
                                 const uint8_t task_id[STORE_TASK_ID_SIZE], struct span first,
                                 struct span last, const uint8_t param_digest[STORE_DIGEST_SIZE],
                                 struct store_bucket **out, size_t *count) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return sql_list(tx, arena, bucket_decode, sizeof **out, (void **)out, count,
                    BUCKET_COLUMNS " WHERE b.task = $1 AND b.key >= $2 AND b.key <= $3"
                                   " AND b.param_digest = $4 ORDER BY b.key, b.shard",
                    SQL_VALUES(sql_of_int(task.number), sql_of_bytes(first), sql_of_bytes(last),
                               sql_of_id(param_digest, STORE_DIGEST_SIZE)));
}

struct status store_bucket_other_param(struct store_tx *tx,
                                       const uint8_t task_id[STORE_TASK_ID_SIZE],
                                       struct span first, struct span last,
                                       const uint8_t param_digest[STORE_DIGEST_SIZE],
                                       bool *found) {
    struct task_row task;
    bool other;
    TRY(task_find(tx, task_id, &task));
    TRY(sql_run(tx, &other,
                "SELECT 1 FROM bucket WHERE task = $1 AND key >= $2 AND key <= $3"
                " AND param_digest <> $4 LIMIT 1",
                SQL_VALUES(sql_of_int(task.number), sql_of_bytes(first), sql_of_bytes(last),
                           sql_of_id(param_digest, STORE_DIGEST_SIZE))));
    *found = other;
    return OK;
}

static struct status shares_drop(struct store_tx *tx, const struct task_row *task,
                                 struct span first, struct span last) {
    return sql_run(tx, NULL,
                   "UPDATE bucket SET agg_share = $1 WHERE task = $2 AND key >= $3 AND key <= $4",
                   SQL_VALUES(sql_of_bytes(SPAN_EMPTY), sql_of_int(task->number),
                              sql_of_bytes(first), sql_of_bytes(last)));
}

/* ---- What has been collected ---------------------------------------------------------- */

/* Marks are disjoint, so the last that starts before the end decides. */
static struct status interval_overlaps(struct store_tx *tx, const struct task_row *task,
                                       uint64_t start, uint64_t finish, bool *found) {
    int64_t last_finish;
    struct status status = sql_get_int(tx, &last_finish,
                                       "SELECT finish FROM collected_interval WHERE task = $1"
                                       " AND start < $2 ORDER BY start DESC LIMIT 1",
                                       SQL_VALUES(sql_of_int(task->number), sql_of_u64(finish)));
    if (status.code == STATUS_NOT_FOUND) {
        *found = false;
        return OK;
    }
    TRY(status);
    *found = (uint64_t)last_finish > start;
    return OK;
}

/* Marks can't lie beyond the times that reports can have. */
static struct status interval_finish(uint64_t start, uint64_t duration, uint64_t *finish) {
    if (duration == 0 || __builtin_add_overflow(start, duration, finish) ||
        *finish > INT64_MAX) {
        return FAIL(INVALID_ARGUMENT);
    }
    return OK;
}

struct status store_collected_interval_put(struct store_tx *tx,
                                           const uint8_t task_id[STORE_TASK_ID_SIZE],
                                           uint64_t start, uint64_t duration) {
    struct task_row task;
    uint64_t finish;
    bool overlaps;
    uint8_t first[8];
    uint8_t last[8];
    TRY(interval_finish(start, duration, &finish));
    TRY(task_find(tx, task_id, &task));
    TRY(task_close_gate(tx, &task));
    TRY(interval_overlaps(tx, &task, start, finish, &overlaps));
    if (overlaps) {
        return FAIL(CONFLICT);
    }
    TRY(sql_run(tx, NULL, "INSERT INTO collected_interval (task, start, finish) VALUES ($1, $2, $3)",
                SQL_VALUES(sql_of_int(task.number), sql_of_u64(start), sql_of_u64(finish))));
    u64_encode(start, first);
    u64_encode(finish - 1, last);
    return shares_drop(tx, &task, SPAN_OF_ARRAY(first), SPAN_OF_ARRAY(last));
}

struct status store_collected_interval_overlaps(struct store_tx *tx,
                                                const uint8_t task_id[STORE_TASK_ID_SIZE],
                                                uint64_t start, uint64_t duration, bool *found) {
    struct task_row task;
    uint64_t finish;
    TRY(interval_finish(start, duration, &finish));
    TRY(task_find(tx, task_id, &task));
    return interval_overlaps(tx, &task, start, finish, found);
}

static struct status interval_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    uint64_t start = sql_u64(rows, 0);
    *(struct store_interval *)out = (struct store_interval){start, sql_u64(rows, 1) - start};
    return OK;
}

struct status store_collected_intervals(struct store_tx *tx, struct arena *arena,
                                        const uint8_t task_id[STORE_TASK_ID_SIZE],
                                        struct store_interval **out, size_t *count) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return sql_list(tx, arena, interval_decode, sizeof **out, (void **)out, count,
                    "SELECT start, finish FROM collected_interval WHERE task = $1 ORDER BY start",
                    SQL_VALUES(sql_of_int(task.number)));
}

struct status store_collected_batch_put(struct store_tx *tx,
                                        const uint8_t task_id[STORE_TASK_ID_SIZE],
                                        const uint8_t batch_id[STORE_BATCH_ID_SIZE]) {
    struct task_row task;
    bool marked;
    struct span key = span_of(batch_id, STORE_BATCH_ID_SIZE);
    TRY(task_find(tx, task_id, &task));
    TRY(task_close_gate(tx, &task));
    TRY(sql_run(tx, &marked,
                "INSERT INTO collected_batch (task, batch_id) VALUES ($1, $2)"
                " ON CONFLICT (task, batch_id) DO NOTHING",
                SQL_VALUES(sql_of_int(task.number), sql_of_bytes(key))));
    return marked ? shares_drop(tx, &task, key, key) : FAIL(CONFLICT);
}

struct status store_collected_batch_has(struct store_tx *tx,
                                        const uint8_t task_id[STORE_TASK_ID_SIZE],
                                        const uint8_t batch_id[STORE_BATCH_ID_SIZE], bool *found) {
    struct task_row task;
    bool has;
    TRY(task_find(tx, task_id, &task));
    TRY(sql_run(tx, &has, "SELECT 1 FROM collected_batch WHERE task = $1 AND batch_id = $2",
                SQL_VALUES(sql_of_int(task.number), sql_of_id(batch_id, STORE_BATCH_ID_SIZE))));
    *found = has;
    return OK;
}
