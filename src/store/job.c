/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>

#include "store/segment.h"
#include "store/turn.h"

/* How long a report waits that the helper called too early: long enough that
 * the clocks' difference, which is what it mostly is, has passed. */
static const int64_t too_early_us = 60 * INT64_C(1000000);

static struct seal_place state_place(const uint8_t id[STORE_ID_SIZE]) {
    return (struct seal_place){"job_body.state", {span_of(id, STORE_ID_SIZE)}};
}

/* ---- Creating ------------------------------------------------------------------ */

static struct status job_insert(struct store_tx *tx, const struct task_row *task,
                                const struct store_job *job, uint64_t epoch_min,
                                int64_t lease_until, struct span ranges) {
    struct span batch_id = span_of(job->batch_id, sizeof job->batch_id);
    TRY(sql_run(
        tx, NULL,
        "INSERT INTO job (id, task, batch_id, agg_param, verify_key_id, fixed, digest, step,"
        " location, attempts, member_count, time_min, time_max, epoch_min, retry_at, lease,"
        " leased_until, due_at)"
        " VALUES ($1, $2, $3, $4, $5, 0, $6, 0, NULL, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        SQL_VALUES(sql_of_id(job->id, sizeof job->id), sql_of_int(task->number),
                   job->has_batch ? sql_of_bytes(batch_id) : sql_of_text(NULL),
                   sql_of_bytes(job->agg_param), sql_of_int(job->verify_key_id),
                   sql_of_id(job->digest, sizeof job->digest), sql_of_int(job->attempts),
                   sql_of_u64(job->member_count), sql_of_u64(job->time_min),
                   sql_of_u64(job->time_max), sql_of_u64(epoch_min), sql_of_int(job->retry_at),
                   sql_of_u64(job->lease), sql_of_int(lease_until),
                   sql_of_int(turn_due_at(job->retry_at, lease_until)))));
    return sql_run(tx, NULL, "INSERT INTO job_body (job, ranges, state) VALUES ($1, $2, $3)",
                   SQL_VALUES(sql_of_id(job->id, sizeof job->id), sql_of_bytes(ranges),
                              sql_of_bytes(SPAN_EMPTY)));
}

struct status store_job_create(struct store_tx *tx, struct arena *arena,
                               const uint8_t task_id[STORE_TASK_ID_SIZE],
                               const uint8_t *batch_id, struct span agg_param,
                               uint8_t verify_key_id, size_t max_reports, int64_t now,
                               int64_t lease_until, struct store_job *out) {
    struct task_row task;
    struct segment_ranges ranges;
    struct segment_extent extent;
    struct span encoded;
    struct store_job job = {.verify_key_id = verify_key_id, .attempts = 1, .retry_at = now, .lease = 1};
    TRY(task_find(tx, task_id, &task));
    TRY(segments_take(tx, &task, max_reports, now, &ranges));
    if (ranges.count == 0) {
        return FAIL(NOT_FOUND);
    }
    TRY(segments_extent(tx, &ranges, &extent));
    TRY(ranges_encode(tx, &ranges, &encoded));
    TRY(arena_copy(arena, agg_param, &job.agg_param));
    randombytes_buf(job.id, sizeof job.id);
    memcpy(job.task_id, task_id, sizeof job.task_id);
    job.has_batch = batch_id != NULL;
    if (job.has_batch) {
        memcpy(job.batch_id, batch_id, sizeof job.batch_id);
    }
    job.member_count = ranges_members(&ranges);
    job.time_min = extent.time_min;
    job.time_max = extent.time_max;
    TRY(job_insert(tx, &task, &job, extent.epoch_min, lease_until, encoded));
    *out = job;
    return OK;
}

/* ---- Claiming ------------------------------------------------------------------- */

static struct status job_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct store_job *job = out;
    *job = (struct store_job){.state = SPAN_EMPTY};
    TRY(sql_copy(rows, 0, job->id, sizeof job->id));
    TRY(sql_copy(rows, 1, job->task_id, sizeof job->task_id));
    job->has_batch = !sql_is_null(rows, 2);
    if (job->has_batch) {
        TRY(sql_copy(rows, 2, job->batch_id, sizeof job->batch_id));
    }
    TRY(sql_copy_span(rows, 3, arena, &job->agg_param));
    job->verify_key_id = (uint8_t)sql_int(rows, 4);
    job->fixed = sql_int(rows, 5) != 0;
    TRY(sql_copy(rows, 6, job->digest, sizeof job->digest));
    job->step = (uint16_t)sql_int(rows, 7);
    TRY(sql_copy_text(rows, 8, arena, &job->location));
    job->attempts = (uint32_t)sql_int(rows, 9);
    job->member_count = sql_u64(rows, 10);
    job->time_min = sql_u64(rows, 11);
    job->time_max = sql_u64(rows, 12);
    job->retry_at = sql_int(rows, 13);
    job->lease = sql_u64(rows, 14);
    struct span state = sql_bytes(rows, 15);
    struct seal_place place = state_place(job->id);
    return state.len > 0 ? unseal(rows->tx, arena, &place, state, &job->state) : OK;
}

static struct status id_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    return sql_copy(rows, 0, out, STORE_ID_SIZE);
}

/* The job of a task that is due longest. NOT_FOUND also if others hold all. */
static struct status claim_in(struct store_tx *tx, int64_t task, int64_t now, int64_t lease_until,
                              uint8_t id[STORE_ID_SIZE]) {
    return sql_get(tx, NULL, id_decode, id,
                   "UPDATE job SET lease = lease + 1, leased_until = $1, due_at = $1,"
                   " attempts = attempts + 1 WHERE id = (SELECT id FROM job WHERE task = $2"
                   " AND due_at <= $3 ORDER BY task, due_at LIMIT 1" SQL_SKIP_LOCKED
                   ") RETURNING id",
                   SQL_VALUES(sql_of_int(lease_until), sql_of_int(task), sql_of_int(now)));
}

/* The job that is due longest, of any task. */
static struct status claim_any(struct store_tx *tx, int64_t now, int64_t lease_until,
                               uint8_t id[STORE_ID_SIZE]) {
    return sql_get(tx, NULL, id_decode, id,
                   "UPDATE job SET lease = lease + 1, leased_until = $1, due_at = $1,"
                   " attempts = attempts + 1 WHERE id = (SELECT id FROM job WHERE due_at <= $2"
                   " ORDER BY due_at LIMIT 1" SQL_SKIP_LOCKED ") RETURNING id",
                   SQL_VALUES(sql_of_int(lease_until), sql_of_int(now)));
}

struct status store_job_claim(struct store_tx *tx, struct arena *arena, int64_t now,
                              int64_t lease_until, struct store_job *out) {
    uint8_t id[STORE_ID_SIZE];
    struct store_job job;
    int64_t task;
    struct status status = turn_of_jobs(tx, now, &task);
    if (status_ok(status)) {
        status = claim_in(tx, task, now, lease_until, id);
    }
    if (status.code == STATUS_NOT_FOUND) {
        status = claim_any(tx, now, lease_until, id);
    }
    TRY(status);
    TRY(sql_get(tx, arena, job_decode, &job,
                "SELECT j.id, t.id, j.batch_id, j.agg_param, j.verify_key_id, j.fixed, j.digest,"
                " j.step, j.location, j.attempts, j.member_count, j.time_min, j.time_max,"
                " j.retry_at, j.lease, b.state FROM job j JOIN task t ON t.number = j.task"
                " JOIN job_body b ON b.job = j.id WHERE j.id = $1",
                SQL_VALUES(sql_of_id(id, sizeof id))));
    *out = job;
    return OK;
}

/* ---- Working on a leased job ------------------------------------------------------ */

/* What the database says about a job whose lease the caller still holds. */
struct job_row {
    struct task_row task;
    bool fixed;
    struct segment_ranges ranges;
};

static struct status job_row_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    struct job_row *row = out;
    row->task = (struct task_row){sql_int(rows, 0), sql_u64(rows, 1)};
    row->fixed = sql_int(rows, 2) != 0;
    return ranges_decode(rows->tx, sql_bytes(rows, 3), &row->ranges);
}

/* LEASE_LOST, also if the job is gone. */
static struct status job_hold(struct store_tx *tx, const struct store_job *job,
                              struct job_row *out) {
    struct status status =
        sql_get(tx, NULL, job_row_decode, out,
                "SELECT t.number, t.watermark, j.fixed, b.ranges FROM job j"
                " JOIN task t ON t.number = j.task JOIN job_body b ON b.job = j.id"
                " WHERE j.id = $1 AND j.lease = $2",
                SQL_VALUES(sql_of_id(job->id, sizeof job->id), sql_of_u64(job->lease)));
    return status.code == STATUS_NOT_FOUND ? FAIL(LEASE_LOST) : status;
}

/* The same for a transaction that goes on to write segments: those come behind
 * the gate of their task. */
static struct status job_enter(struct store_tx *tx, const struct store_job *job,
                               struct job_row *out) {
    struct task_row task;
    struct status status = task_find(tx, job->task_id, &task);
    if (status.code == STATUS_UNRECOGNIZED_TASK) {
        return FAIL(LEASE_LOST);
    }
    TRY(status);
    return job_hold(tx, job, out);
}

static struct status encoded_ranges_decode(const struct sql_rows *rows, struct arena *arena,
                                           void *out) {
    (void)arena;
    return ranges_decode(rows->tx, sql_bytes(rows, 0), out);
}

struct status store_job_members(struct store_tx *tx, struct arena *arena,
                                const struct store_job *job, struct store_member **out,
                                size_t *count) {
    struct segment_ranges ranges;
    TRY(sql_get(tx, NULL, encoded_ranges_decode, &ranges,
                "SELECT ranges FROM job_body WHERE job = $1",
                SQL_VALUES(sql_of_id(job->id, sizeof job->id))));
    return segments_read(tx, arena, &ranges, out, count);
}

static struct status job_write_members(struct store_tx *tx, const struct store_job *job,
                                       const struct segment_ranges *kept,
                                       const uint8_t digest[STORE_DIGEST_SIZE]) {
    struct segment_extent extent;
    struct span encoded;
    TRY(segments_extent(tx, kept, &extent));
    TRY(ranges_encode(tx, kept, &encoded));
    TRY(sql_run(tx, NULL,
                "UPDATE job SET fixed = 1, digest = $1, member_count = $2, time_min = $3,"
                " time_max = $4, epoch_min = $5 WHERE id = $6",
                SQL_VALUES(sql_of_id(digest, STORE_DIGEST_SIZE), sql_of_u64(ranges_members(kept)),
                           sql_of_u64(extent.time_min), sql_of_u64(extent.time_max),
                           sql_of_u64(extent.epoch_min), sql_of_id(job->id, sizeof job->id))));
    return sql_run(tx, NULL, "UPDATE job_body SET ranges = $1 WHERE job = $2",
                   SQL_VALUES(sql_of_bytes(encoded), sql_of_id(job->id, sizeof job->id)));
}

struct status store_job_fix(struct store_tx *tx, const struct store_job *job, const bool keep[],
                            size_t count, const uint8_t digest[STORE_DIGEST_SIZE]) {
    struct job_row row;
    struct segment_ranges kept;
    struct segment_ranges dropped;
    TRY(job_enter(tx, job, &row));
    if (row.fixed) {
        return FAIL(CONFLICT);
    }
    if (count != ranges_members(&row.ranges)) {
        return FAIL(INVALID_ARGUMENT);
    }
    TRY(ranges_select(tx, &row.ranges, keep, true, &kept));
    TRY(ranges_select(tx, &row.ranges, keep, false, &dropped));
    if (kept.count == 0) {
        return FAIL(INVALID_ARGUMENT);
    }
    TRY(segments_end(tx, &row.task, &dropped));
    return job_write_members(tx, job, &kept, digest);
}

struct status store_job_release(struct store_tx *tx, const struct store_job *job,
                                const char *location, uint16_t step, struct span state,
                                int64_t retry_at) {
    bool held;
    TRY(sql_run(tx, &held,
                "UPDATE job SET location = COALESCE($1, location), step = $2, retry_at = $3,"
                " due_at = $3, leased_until = 0 WHERE id = $4 AND lease = $5",
                SQL_VALUES(sql_of_text(location), sql_of_int(step), sql_of_int(retry_at),
                           sql_of_id(job->id, sizeof job->id), sql_of_u64(job->lease))));
    if (!held) {
        return FAIL(LEASE_LOST);
    }
    if (state.len == 0) {
        return OK;
    }
    struct seal_place place = state_place(job->id);
    struct span sealed;
    TRY(seal(tx, &place, state, &sealed));
    return sql_run(tx, NULL, "UPDATE job_body SET state = $1 WHERE job = $2",
                   SQL_VALUES(sql_of_bytes(sealed), sql_of_id(job->id, sizeof job->id)));
}

/* ---- Ending --------------------------------------------------------------------- */

static struct status job_delete(struct store_tx *tx, const struct store_job *job) {
    TRY(sql_run(tx, NULL, "DELETE FROM job_body WHERE job = $1",
                SQL_VALUES(sql_of_id(job->id, sizeof job->id))));
    return sql_run(tx, NULL, "DELETE FROM job WHERE id = $1",
                   SQL_VALUES(sql_of_id(job->id, sizeof job->id)));
}

struct status store_job_finish(struct store_tx *tx, const struct store_job *job,
                               const bool later[], size_t count) {
    struct job_row row;
    TRY(job_enter(tx, job, &row));
    if (later == NULL) {
        TRY(segments_end(tx, &row.task, &row.ranges));
        return job_delete(tx, job);
    }
    struct segment_ranges ended;
    struct segment_ranges returned;
    if (count != ranges_members(&row.ranges)) {
        return FAIL(INVALID_ARGUMENT);
    }
    TRY(ranges_select(tx, &row.ranges, later, false, &ended));
    TRY(ranges_select(tx, &row.ranges, later, true, &returned));
    TRY(segments_return(tx, &row.task, &returned, clock_now_us(tx->store->clock) + too_early_us));
    TRY(segments_end(tx, &row.task, &ended));
    return job_delete(tx, job);
}

struct status store_job_abandon(struct store_tx *tx, const struct store_job *job) {
    struct job_row row;
    TRY(job_enter(tx, job, &row));
    TRY(segments_return(tx, &row.task, &row.ranges, 0));
    return job_delete(tx, job);
}
