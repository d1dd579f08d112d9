/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_NET_LOOP_H
#define MOIETY_NET_LOOP_H

#include <stdbool.h>

#include "base/status.h"

/*
 * Event loops, one to a thread. Nothing that runs on a loop computes for long
 * or waits. What belongs to a loop (its connections) is touched on its thread
 * only; the one way in from outside is loop_post().
 */
struct loop;
struct loop_group;
struct event_base;

/* Work for a loop, embedded in what it works on, so that posting never
 * allocates and never fails. A task is in at most one queue at a time. */
struct loop_task {
    struct loop_task *next;
    void (*run)(struct loop_task *task);
};

/* `count` loops (0: one for each processor), not yet running. */
struct status loop_group_new(struct loop_group **out, unsigned count);
/* Starts a thread for each loop, as net/thread.h says. On failure those that
 * were started run; stop or free the group. */
struct status loop_group_start(struct loop_group *group);
/* Ends the loops after what was posted to them has run, and joins the
 * threads. Idempotent; not from a loop. */
void loop_group_stop(struct loop_group *group);
/* Stops it first. NULL is allowed. */
void loop_group_free(struct loop_group *group);

unsigned loop_group_count(const struct loop_group *group);
struct loop *loop_group_at(struct loop_group *group, unsigned index);

/* Runs `task->run(task)` on the loop's thread, in the order of posting, never
 * before this call returns if made on that thread. Wakes the loop.
 * Thread-safe. What is posted before the start runs after it; what is posted
 * after the stop runs in loop_group_free(), on the thread that calls it. */
void loop_post(struct loop *loop, struct loop_task *task);

/* Between the two, what this thread posts is kept back; at the end each loop gets
 * its share at once, with one wake-up. For who posts many things in a row. */
void loop_batch_begin(void);
void loop_batch_end(void);

/* Whether the caller runs on the loop's thread. */
bool loop_is_current(const struct loop *loop);
/* For this layer: events of the loop are made on it. */
struct event_base *loop_base(struct loop *loop);

#endif
