/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_LEADER_PACE_H
#define MOIETY_AGGREGATOR_LEADER_PACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "store/store.h"

/*
 * How fast a leader may go: how many aggregation jobs are held in memory, in
 * all and for each task, so that a task whose helper is slow or broken can't
 * keep the others waiting; and how long a task rests after a job of it was
 * given up. Kept in memory alone: a restart begins afresh. Thread-safe.
 *
 * It follows the helper. One that says that it is busy gets half as many jobs at
 * a time, and one more again for each that it finishes. Jobs that were refused,
 * were too large or took too long are halved, and doubled again as they go well,
 * but for a while not back to what was too much.
 *
 * Invariant: `running` is the sum of the entries' `running`.
 */
enum {
    PACE_JOBS_MAX = 32,
    PACE_JOBS_PER_TASK = 12,
    PACE_RETRIES_MAX = 24, /* of PACE_JOBS_MAX, what retries may take */
    PACE_STEP_MS = 10000,  /* a helper's answer that takes longer calls for smaller jobs */
    PACE_CEILING_S = 600,  /* how long jobs stay below what was too much */
};

struct pace_entry {
    uint8_t task_id[STORE_TASK_ID_SIZE];
    unsigned running;
    unsigned window;       /* jobs that it may run, below PACE_JOBS_PER_TASK; 0: as many */
    bool succeeded;        /* the helper did at least one */
    uint32_t failures;     /* jobs given up since the last that went well */
    int64_t rest_until_ns; /* of clock_monotonic_ns() */
    size_t report_bytes;   /* of a report in the last job's request; 0: unknown */
    size_t max_reports;    /* that a job may have, since more were too much; 0: any */
    size_t ceiling;        /* so many were too much; 0: unknown */
    int64_t ceiling_until_ns;
};

struct pace {
    pthread_mutex_t lock;
    struct pace_entry *entries;
    size_t count;
    unsigned running;
};

void pace_init(struct pace *pace);
void pace_release(struct pace *pace);

/* Whether another job fits; `retries` narrows it to the retries' share. */
bool pace_has_room(struct pace *pace, bool retries);
/* Whether a new job of the task may be made now. */
bool pace_task_may_start(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]);
/* Counts a job in; NO_MEMORY. Each is ended once. */
struct status pace_begin(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]);
void pace_end(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]);

/* A job of so many reports was finished. */
void pace_succeeded(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE], size_t reports);
/* Whether one was, since this process runs: what the helper refuses now is then
 * a matter of that job. */
bool pace_has_succeeded(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]);
/* The helper is busy, and may have said for how long (else -1). */
void pace_busy(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE],
               int64_t retry_after_ms);
/* A job was given up: the task rests. */
void pace_failed(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]);

/* What a report took in the task's last request; 0 if there was none yet. */
void pace_set_report_bytes(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE],
                           size_t bytes);
size_t pace_report_bytes(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]);

/* A job of `reports` reports was too large, or took too long: jobs of the task
 * have half as many at most, and fewer than that for a while. */
void pace_too_much(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE], size_t reports);
/* A job of `reports` reports was refused because of one of them: halves show
 * which. */
void pace_split(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE], size_t reports);
/* SIZE_MAX if there is no such bound. */
size_t pace_max_reports(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]);

#endif
