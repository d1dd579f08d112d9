/* SPDX-License-Identifier: Apache-2.0 */
#include "store/segment.h"

/*
 * What may still be added to a batch. Exact, since a collection waits for it to
 * be nothing: a segment or job that only straddles the interval is looked into.
 * The interval is [first, last], cut to the times that a report can have.
 */
struct interval {
    uint64_t first, last;
};

static bool interval_of(uint64_t start, uint64_t duration, struct interval *out) {
    if (duration == 0 || start > INT64_MAX) {
        return false;
    }
    uint64_t longest = (uint64_t)INT64_MAX - start + 1;
    *out = (struct interval){start, start + (duration < longest ? duration : longest) - 1};
    return true;
}

static struct status range_count(struct store_tx *tx, const struct segment_range *range,
                                 const struct interval *interval, uint64_t *count) {
    const uint64_t *times;
    TRY(segment_times(tx, range, &times));
    for (uint32_t i = 0; i < range->count; i++) {
        *count += times[i] >= interval->first && times[i] <= interval->last;
    }
    return OK;
}

/* ---- Waiting reports ------------------------------------------------------------- */

struct waiting_segment {
    struct segment_range range;
    uint64_t time_min, time_max;
};

static struct status waiting_segment_decode(const struct sql_rows *rows, struct arena *arena,
                                            void *out) {
    (void)arena;
    uint32_t unassigned = (uint32_t)sql_int(rows, 2);
    *(struct waiting_segment *)out = (struct waiting_segment){
        {sql_int(rows, 0), (uint32_t)sql_int(rows, 1) - unassigned, unassigned},
        sql_u64(rows, 3),
        sql_u64(rows, 4)};
    return OK;
}

static struct status pending_reports(struct store_tx *tx, const struct task_row *task,
                                     const struct interval *interval, uint64_t *count) {
    struct waiting_segment *segments;
    size_t found;
    TRY(sql_list(tx, &tx->scratch, waiting_segment_decode, sizeof *segments, (void **)&segments,
                 &found,
                 "SELECT number, report_count, unassigned, time_min, time_max FROM segment"
                 " WHERE task = $1 AND unassigned > 0 AND epoch >= $2"
                 " AND time_min <= $3 AND time_max >= $4",
                 SQL_VALUES(sql_of_int(task->number), sql_of_u64(task->watermark),
                            sql_of_u64(interval->last), sql_of_u64(interval->first))));
    for (size_t i = 0; i < found; i++) {
        if (segments[i].time_min >= interval->first && segments[i].time_max <= interval->last) {
            *count += segments[i].range.count;
        } else {
            TRY(range_count(tx, &segments[i].range, interval, count));
        }
    }
    return OK;
}

/* ---- Jobs -------------------------------------------------------------------------- */

struct running_job {
    uint64_t time_min, time_max;
    struct segment_ranges ranges;
};

static struct status running_job_decode(const struct sql_rows *rows, struct arena *arena,
                                        void *out) {
    (void)arena;
    struct running_job *job = out;
    job->time_min = sql_u64(rows, 0);
    job->time_max = sql_u64(rows, 1);
    return ranges_decode(rows->tx, sql_bytes(rows, 2), &job->ranges);
}

static bool interval_has(const struct interval *interval, uint64_t time) {
    return time >= interval->first && time <= interval->last;
}

/* A job whose earliest or latest member lies inside is in it for certain. */
static struct status job_within(struct store_tx *tx, const struct running_job *job,
                                const struct interval *interval, bool *within) {
    uint64_t members = interval_has(interval, job->time_min) || interval_has(interval, job->time_max);
    for (size_t i = 0; i < job->ranges.count && members == 0; i++) {
        TRY(range_count(tx, &job->ranges.ranges[i], interval, &members));
    }
    *within = members > 0;
    return OK;
}

static struct status pending_jobs(struct store_tx *tx, const struct task_row *task,
                                  const struct interval *interval, uint64_t *count) {
    struct running_job *jobs;
    size_t found;
    TRY(sql_list(tx, &tx->scratch, running_job_decode, sizeof *jobs, (void **)&jobs, &found,
                 "SELECT j.time_min, j.time_max, b.ranges FROM job j"
                 " JOIN job_body b ON b.job = j.id"
                 " WHERE j.task = $1 AND j.time_min <= $2 AND j.time_max >= $3",
                 SQL_VALUES(sql_of_int(task->number), sql_of_u64(interval->last),
                            sql_of_u64(interval->first))));
    for (size_t i = 0; i < found; i++) {
        bool within;
        TRY(job_within(tx, &jobs[i], interval, &within));
        *count += within;
    }
    return OK;
}

struct status store_pending_interval(struct store_tx *tx,
                                     const uint8_t task_id[STORE_TASK_ID_SIZE], uint64_t start,
                                     uint64_t duration, struct store_pending *out) {
    struct task_row task;
    struct interval interval;
    struct store_pending pending = {0};
    TRY(task_find(tx, task_id, &task));
    if (interval_of(start, duration, &interval)) {
        TRY(pending_reports(tx, &task, &interval, &pending.unassigned));
        TRY(pending_jobs(tx, &task, &interval, &pending.jobs));
    }
    *out = pending;
    return OK;
}

struct status store_pending_batch(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                  const uint8_t batch_id[STORE_BATCH_ID_SIZE],
                                  struct store_pending *out) {
    struct task_row task;
    int64_t jobs;
    TRY(task_find(tx, task_id, &task));
    TRY(sql_get_int(tx, &jobs, "SELECT COUNT(*) FROM job WHERE task = $1 AND batch_id = $2",
                    SQL_VALUES(sql_of_int(task.number), sql_of_id(batch_id, STORE_BATCH_ID_SIZE))));
    *out = (struct store_pending){0, (uint64_t)jobs};
    return OK;
}
