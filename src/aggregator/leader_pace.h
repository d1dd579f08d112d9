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
 * Invariant: `running` is the sum of the entries' `running`.
 */
enum {
    PACE_JOBS_MAX = 32,
    PACE_JOBS_PER_TASK = 12,
    PACE_RETRIES_MAX = 24, /* of PACE_JOBS_MAX, what retries may take */
};

struct pace_entry {
    uint8_t task_id[STORE_TASK_ID_SIZE];
    unsigned running;
    uint32_t failures;     /* jobs given up since the last that went well */
    int64_t rest_until_ns; /* of clock_monotonic_ns() */
    size_t report_bytes;   /* of a report in the last job's request; 0: unknown */
    size_t max_reports;    /* that a job may have, since more were too large; 0: any */
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

/* A job of the task was finished, or given up: then the task rests. */
void pace_succeeded(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]);
void pace_failed(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]);

/* What a report took in the task's last request; 0 if there was none yet. */
void pace_set_report_bytes(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE],
                           size_t bytes);
size_t pace_report_bytes(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]);

/* The helper called a job of `reports` reports too large: from now on jobs of
 * the task have half as many at most. */
void pace_too_large(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE], size_t reports);
/* SIZE_MAX if there is no such bound. */
size_t pace_max_reports(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]);

#endif
