/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_NET_WORK_QUEUE_H
#define MOIETY_NET_WORK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/status.h"

/*
 * A bounded queue and the threads that empty it: where everything that
 * computes or waits is done. Its depth is the server's back-pressure.
 *
 * Invariant: a work function is called exactly once for each submission that
 * succeeded, and never for one that failed.
 */
struct work_queue;

/* What a worker runs. If `cancelled`, the queue is stopping: release what
 * `argument` owns, answer who waits, and do nothing else. */
typedef void work_function(void *argument, bool cancelled);

struct work_queue_config {
    unsigned threads; /* 0: one for each processor */
    size_t capacity;  /* submissions that may wait; 0: 1024 */
    const char *name; /* of the threads, at most 11 bytes; NULL: "worker" */
    /* If not NULL: gauges <prefix>_depth, <prefix>_delayed and <prefix>_running, and
     * a counter <prefix>_refused_total, where prefix is "moiety_<name>_queue". */
    struct metrics *metrics;
};

struct status work_queue_new(struct work_queue **out, const struct work_queue_config *config);

/* Runs `function(argument)` on a worker, first in first out. Never blocks.
 * BUSY if `capacity` submissions wait already: the caller answers 503 with
 * Retry-After. CANCELLED if the queue was stopped. Thread-safe. */
struct status work_queue_submit(struct work_queue *queue, work_function *function, void *argument);

/* Runs it at or soon after `when` of clock_monotonic_ns(). For retries and
 * pollers, which were admitted once already: the bound does not apply to them
 * and what is due goes before what waits. NO_MEMORY, CANCELLED. Thread-safe. */
struct status work_queue_submit_at(struct work_queue *queue, int64_t when, work_function *function,
                                   void *argument);
struct status work_queue_submit_after_ms(struct work_queue *queue, int64_t delay_ms,
                                         work_function *function, void *argument);

/* How many submissions wait, without the delayed ones. Thread-safe. */
size_t work_queue_depth(const struct work_queue *queue);

/* Waits until nothing waits or runs (what is delayed and not yet due doesn't
 * count), or for `timeout_ms` (then TIMEOUT). Submissions stay possible. Not
 * from a worker. */
struct status work_queue_drain(struct work_queue *queue, int64_t timeout_ms);

/* Refuses further submissions, lets what runs finish, calls everything that
 * waits or is delayed as cancelled, and joins the threads. Idempotent; not
 * from a worker. */
void work_queue_stop(struct work_queue *queue);
/* Stops it first. NULL is allowed. */
void work_queue_free(struct work_queue *queue);

#endif
