/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/leader.h"

#include <stdlib.h>

#include "aggregator/collection_job.h"
#include "aggregator/gc.h"
#include "aggregator/leader_batch.h"
#include "aggregator/leader_job.h"
#include "aggregator/lease.h"
#include "base/log.h"

/*
 * The scheduler. Every job_poll_ms, and whenever something asks for it, one
 * worker makes a pass: it claims jobs that are due again, makes new ones out of
 * waiting reports, and looks at collection jobs. What it finds runs on the
 * other workers. All that a pass decides on is in the store, so any number of
 * servers may share one.
 */

enum {
    WAITING_TASKS_MAX = 64, /* in one look */
    COLLECTIONS_PER_PASS = 64,
    /* What a VerifyInit holds beside shares: metadata, ids, lengths, and an HPKE
     * encapsulation and tag of the larger kind, with some room. */
    VERIFY_INIT_OVERHEAD = 192,
    JOB_OVERHEAD = 1024,
};

struct leader {
    struct aggregator *aggregator;
    struct pace pace;
    uint64_t wheel;      /* the task that was looked at last; the pass's alone */
    atomic_bool passing; /* a pass is running */
    atomic_bool again;   /* and something happened since it began */
    atomic_bool stopped; /* the poller ended */
};

/* ---- Jobs that are due again ---------------------------------------------- */

static struct status claim_run(struct store_tx *tx, void *argument) {
    struct leader_job *job = argument;
    return store_job_claim(tx, &job->arena, aggregator_now(job->aggregator),
                           lease_until(job->aggregator), &job->row);
}

static struct status claim_next(struct leader *leader, bool *found) {
    *found = false;
    struct leader_job *job = leader_job_new(leader->aggregator, &leader->pace);
    if (job == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status =
        store_run(leader->aggregator->options.store, STORE_WRITE, claim_run, job);
    if (!status_ok(status)) {
        leader_job_free(job);
        return status.code == STATUS_NOT_FOUND ? OK : status;
    }
    *found = true;
    leader_job_launch(job);
    return OK;
}

static struct status claim_due(struct leader *leader) {
    bool found = true;
    while (found && pace_has_room(&leader->pace, true)) {
        TRY(claim_next(leader, &found));
    }
    return OK;
}

/* ---- New jobs ------------------------------------------------------------- */

struct creation {
    struct leader_job *job;
    const struct served_task *task;
    size_t max_reports;
};

static struct status create_run(struct store_tx *tx, void *argument) {
    struct creation *creation = argument;
    struct leader_job *job = creation->job;
    const struct served_task *task = creation->task;
    int64_t now = aggregator_now(job->aggregator);
    size_t max = creation->max_reports;
    bool batched = !task_is_time_interval(task);
    struct store_batch batch;
    if (batched) {
        uint64_t room;
        TRY(leader_batch_open(job->aggregator, task, tx, &job->arena, now, &batch, &room));
        max = room < max ? (size_t)room : max;
    }
    TRY(store_job_create(tx, &job->arena, task->dap.id.bytes, batched ? batch.id : NULL, SPAN_EMPTY,
                         task->verify_keys[0].id, max, now, lease_until(job->aggregator), &job->row));
    return batched ? leader_batch_grow(task, tx, &batch, job->row.member_count) : OK;
}

/* A new job of one task; `*made` is false if its reports went to another. */
static struct status create_job(struct leader *leader, const struct served_task *task,
                                size_t max_reports, bool *made) {
    *made = false;
    struct leader_job *job = leader_job_new(leader->aggregator, &leader->pace);
    if (job == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct creation creation = {job, task, max_reports};
    struct status status =
        store_run(leader->aggregator->options.store, STORE_WRITE, create_run, &creation);
    if (!status_ok(status)) {
        leader_job_free(job);
        return status.code == STATUS_NOT_FOUND ? OK : status;
    }
    *made = true;
    leader_job_launch(job);
    return OK;
}

/* How many reports of the task fit a request that the helper takes. A verifier
 * share is no longer than the leader's input share, which bounds what isn't
 * known before the first job. */
static size_t job_reports_max(struct leader *leader, const struct served_task *task) {
    size_t bytes = leader_dialect_of(task)->job_bytes_max;
    size_t own = leader->aggregator->options.max_job_bytes;
    bytes = bytes != 0 && bytes < own ? bytes : own;
    size_t each = pace_report_bytes(&leader->pace, task->dap.id.bytes);
    if (each == 0) {
        each = VERIFY_INIT_OVERHEAD + vdaf_public_share_size(task->vdaf) +
               vdaf_input_share_size(task->vdaf, 0) + vdaf_input_share_size(task->vdaf, 1);
    }
    size_t fit = bytes > JOB_OVERHEAD ? (bytes - JOB_OVERHEAD) / each : 0;
    size_t max = pace_max_reports(&leader->pace, task->dap.id.bytes);
    max = task->settings.max_job_size < max ? task->settings.max_job_size : max;
    return fit == 0 ? 1 : fit < max ? fit : max;
}

/* Whether the task's reports can be aggregated before anyone asks for them
 * (DAP, "Eager Aggregation"), and should be now: a full job's worth waits, or
 * the first of them has waited long enough. */
static bool task_is_due(struct leader *leader, const struct served_task *task,
                        const struct store_waiting *waiting, size_t max_reports) {
    if (task->role != ROLE_LEADER || !status_ok(vdaf_check_agg_param(task->vdaf, SPAN_EMPTY)) ||
        !pace_task_may_start(&leader->pace, waiting->task_id)) {
        return false;
    }
    int64_t waited_us = aggregator_now(leader->aggregator) - waiting->oldest_at;
    return waiting->unassigned >= max_reports ||
           waited_us >= (int64_t)task->settings.job_linger_ms * 1000;
}

static struct status create_for(struct leader *leader, const struct store_waiting *waiting,
                                bool *made) {
    *made = false;
    const struct served_task *task;
    struct status status = task_acquire(leader->aggregator, waiting->task_id, &task);
    if (!status_ok(status)) { /* deleted just now, or not fit to be served: others go on */
        return OK;
    }
    size_t max_reports = job_reports_max(leader, task);
    if (task_is_due(leader, task, waiting, max_reports)) {
        status = create_job(leader, task, max_reports, made);
    }
    task_release(task);
    return status;
}

struct waiting_list {
    struct leader *leader;
    struct arena *arena;
    struct store_waiting *tasks;
    size_t count;
    uint64_t next;
};

static struct status waiting_run(struct store_tx *tx, void *argument) {
    struct waiting_list *list = argument;
    return store_waiting_list(tx, list->arena, list->leader->wheel,
                              aggregator_now(list->leader->aggregator), WAITING_TASKS_MAX,
                              &list->tasks, &list->count, &list->next);
}

/* What a stretch of the wheel came to. */
struct stretch {
    bool made; /* jobs */
    bool full; /* no room for more */
    bool last; /* it ended at the last task */
};

/* The next tasks of the wheel: at most one job for each, so that none waits for a
 * busier one. Where it stops for want of room, the next stretch goes on. */
static struct status create_stretch(struct leader *leader, struct stretch *out) {
    struct arena arena = ARENA_INIT;
    struct waiting_list list = {.leader = leader, .arena = &arena};
    struct stretch stretch = {0};
    struct status status =
        store_run(leader->aggregator->options.store, STORE_READ, waiting_run, &list);
    for (size_t i = 0; status_ok(status) && i < list.count && !stretch.full; i++) {
        bool one = false;
        stretch.full = !pace_has_room(&leader->pace, false);
        if (!stretch.full) {
            status = create_for(leader, &list.tasks[i], &one);
            stretch.made |= one;
            leader->wheel = list.tasks[i].position;
        }
    }
    if (status_ok(status) && !stretch.full) {
        leader->wheel = list.next;
        stretch.last = list.next == 0;
    }
    arena_release(&arena);
    *out = stretch;
    return status;
}

/* Goes round until there is no room, or no task from first to last was due. */
static struct status create_jobs(struct leader *leader) {
    struct stretch stretch = {.made = true};
    for (int ends = 0; ends < 2 && !stretch.full; ends += stretch.last) {
        TRY(create_stretch(leader, &stretch));
        ends = stretch.made ? 0 : ends;
    }
    return OK;
}

/* ---- Passes --------------------------------------------------------------- */

static struct status drive_collections(struct leader *leader) {
    bool found = true;
    for (int i = 0; found && i < COLLECTIONS_PER_PASS; i++) {
        TRY(collection_drive_next(leader->aggregator, &found));
    }
    return OK;
}

static struct status pass_once(struct leader *leader) {
    TRY(claim_due(leader));
    TRY(create_jobs(leader));
    return drive_collections(leader);
}

/* Passes don't overlap: one that is asked for while another runs follows it. */
static void leader_pass(struct leader *leader) {
    atomic_store(&leader->again, true);
    while (atomic_load(&leader->again) && !atomic_exchange(&leader->passing, true)) {
        while (atomic_exchange(&leader->again, false) &&
               !atomic_load(&leader->aggregator->draining)) {
            struct status status = pass_once(leader);
            aggregator_note(leader->aggregator, status);
            if (!status_ok(status)) {
                log_event(LOG_WARN, "the leader's look for work ended early",
                          LOG_STRING("error", status_text(status.code)));
            }
        }
        atomic_store(&leader->passing, false);
        if (atomic_load(&leader->aggregator->draining)) {
            return;
        }
    }
}

static void wake_work(void *argument, bool cancelled) {
    if (!cancelled) {
        leader_pass(argument);
    }
}

void leader_wake(struct leader *leader) {
    if (atomic_exchange(&leader->again, true) || atomic_load(&leader->stopped)) {
        return; /* a pass that hasn't begun yet will see it */
    }
    if (!status_ok(
            work_queue_submit_after_ms(leader->aggregator->options.queue, 0, wake_work, leader))) {
        atomic_store(&leader->again, false); /* the next poll will do */
    }
}

static void poll_work(void *argument, bool cancelled) {
    struct leader *leader = argument;
    if (cancelled || atomic_load(&leader->aggregator->draining)) {
        atomic_store(&leader->stopped, true);
        return;
    }
    leader_pass(leader);
    struct status status =
        work_queue_submit_after_ms(leader->aggregator->options.queue,
                                   leader->aggregator->options.job_poll_ms, poll_work, leader);
    if (!status_ok(status)) {
        atomic_store(&leader->stopped, true);
    }
}

/* ---- The handle ----------------------------------------------------------- */

struct status leader_new(struct aggregator *aggregator, struct leader **out) {
    struct leader *leader = calloc(1, sizeof *leader);
    if (leader == NULL) {
        return FAIL(NO_MEMORY);
    }
    leader->aggregator = aggregator;
    pace_init(&leader->pace);
    atomic_store(&leader->stopped, true);
    *out = leader;
    return OK;
}

struct status leader_start(struct leader *leader) {
    struct work_queue *queue = leader->aggregator->options.queue;
    TRY(store_leases_end(leader->aggregator->options.store));
    atomic_store(&leader->stopped, false);
    TRY(work_queue_submit_after_ms(queue, 0, poll_work, leader));
    return gc_start(leader->aggregator);
}

void leader_drain(struct leader *leader) {
    (void)leader; /* the pollers see that the aggregator drains */
}

void leader_free(struct leader *leader) {
    if (leader != NULL) {
        pace_release(&leader->pace);
        free(leader);
    }
}
