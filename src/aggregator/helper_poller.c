/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/helper_poller.h"

#include <stdlib.h>

#include "aggregator/helper_job.h"
#include "aggregator/lease.h"
#include "base/log.h"

/* Workers that do this at a time, so that uploads find others free. */
enum { RUNNERS_MAX = 4, BACK_OFF_MAX_S = 60 };

struct helper_poller {
    struct aggregator *aggregator;
    atomic_int runners; /* submitted or running */
    _Atomic int64_t wait_us; /* of the job that was claimed last */
};

struct status helper_poller_new(struct aggregator *aggregator, struct helper_poller **out) {
    struct helper_poller *poller = calloc(1, sizeof(*poller));
    if (poller == NULL) {
        return FAIL(NO_MEMORY);
    }
    poller->aggregator = aggregator;
    atomic_init(&poller->runners, 0);
    *out = poller;
    return OK;
}

void helper_poller_free(struct helper_poller *poller) { free(poller); }

uint32_t helper_poller_wait_s(const struct helper_poller *poller) {
    return (uint32_t)(atomic_load(&poller->wait_us) / 1000000);
}

/* A job that is tried again waited for other reasons. */
static void note_wait(struct helper_poller *poller, const struct store_resource *row) {
    int64_t wait_us = aggregator_now(poller->aggregator) - row->created_at;
    if (row->attempts == 1) {
        atomic_store(&poller->wait_us, wait_us > 0 ? wait_us : 0);
    }
}

/* ---- One job -------------------------------------------------------------------- */

struct poll_job {
    struct aggregator *aggregator;
    struct arena arena;
    struct store_resource row;
    const struct helper_step *step;
    struct report_tally tally;
};

static struct status claim_job(struct store_tx *tx, void *argument) {
    struct poll_job *job = argument;
    int64_t now = aggregator_now(job->aggregator);
    arena_release(&job->arena);
    return store_resource_claim(tx, &job->arena, STORE_AGGREGATION_JOB, now,
                                lease_until(job->aggregator), &job->row);
}

static struct status settle_job(struct store_tx *tx, void *argument) {
    struct poll_job *job = argument;
    struct store_resource row = job->row;
    return helper_job_settle(tx, &job->arena, job->step, &row, &job->tally);
}

static struct status update_job(struct store_tx *tx, void *argument) {
    struct poll_job *job = argument;
    return store_resource_update(tx, &job->row, 0);
}

static struct status job_compute(struct poll_job *job, const struct served_task *task) {
    struct aggregation_job_init_req request;
    struct batch_id batch_id;
    struct helper_refusal refusal;
    struct helper_step step = {
        .aggregator = job->aggregator, .task = task, .arena = &job->arena};
    struct status status;
    TRY(helper_request_decode(task, job->row.request, &job->arena, &request, &batch_id,
                              &refusal));
    TRY_GOTO(status, helper_step_init(&step, &request, &batch_id), end);
    job->step = &step;
    TRY_GOTO(status, store_run(job->aggregator->options.store, STORE_WRITE, settle_job, job),
             end);
    helper_job_count(job->aggregator, task, &job->tally);
end:
    helper_step_release(&step);
    return status;
}

/* Whether another try can't help. What was checked before the job was accepted
 * fails only if the task was changed since. */
static bool is_final(struct status status) { return status_http(status.code) < 500; }

/* After a failure: ends the job with it, or gives it back for later. If that
 * can't be written either, the lease ends by itself. */
static void job_give_back(struct poll_job *job, struct status failure) {
    log_event(LOG_WARN, "an aggregation job could not be computed",
              LOG_BYTES("task", SPAN_OF_ARRAY(job->row.task_id)),
              LOG_STRING("status", status_name(failure.code)),
              LOG_INT("attempts", job->row.attempts));
    if (is_final(failure)) {
        job->row.state = STORE_RESOURCE_FAILED;
        job->row.problem = failure.code;
        job->row.request = job->row.config_ids = SPAN_EMPTY;
    } else {
        uint32_t doublings = job->row.attempts < 6 ? job->row.attempts : 6;
        int64_t wait_s = (int64_t)1 << doublings;
        wait_s = wait_s < BACK_OFF_MAX_S ? wait_s : BACK_OFF_MAX_S;
        job->row.retry_at = aggregator_now(job->aggregator) + wait_s * 1000000;
    }
    struct status status =
        store_run(job->aggregator->options.store, STORE_WRITE, update_job, job);
    if (!status_ok(status) && status.code != STATUS_LEASE_LOST) {
        log_event(LOG_ERROR, "an aggregation job could not be given back",
                  LOG_STRING("status", status_name(status.code)));
    }
}

static void job_work(struct poll_job *job) {
    const struct served_task *task;
    struct status status = task_acquire(job->aggregator, job->row.task_id, &task);
    if (status_ok(status)) {
        status = job_compute(job, task);
        task_release(task);
    }
    /* A lost lease means that the leader deleted the job or that another worker
     * has it: nothing was written. */
    if (!status_ok(status) && status.code != STATUS_LEASE_LOST) {
        job_give_back(job, status);
    }
}

/* ---- Runners -------------------------------------------------------------------- */

/* Whether there was one. */
static bool run_one(struct helper_poller *poller) {
    struct aggregator *aggregator = poller->aggregator;
    struct poll_job job = {.aggregator = aggregator, .arena = ARENA_INIT};
    struct status status = store_run(aggregator->options.store, STORE_WRITE, claim_job, &job);
    if (status_ok(status)) {
        struct lease lease;
        note_wait(poller, &job.row);
        helper_poller_wake(poller); /* where one job was there may be more */
        lease_of_resource(aggregator->leases, &job.row, &lease);
        job_work(&job);
        lease_end(aggregator->leases, &lease);
    } else if (status.code == STATUS_NOT_FOUND) {
        atomic_store(&poller->wait_us, 0);
    }
    arena_release(&job.arena);
    return status_ok(status);
}

static void run(void *argument, bool cancelled) {
    struct helper_poller *poller = argument;
    bool again =
        !cancelled && !atomic_load(&poller->aggregator->draining) && run_one(poller);
    atomic_fetch_sub(&poller->runners, 1);
    if (again) {
        helper_poller_wake(poller);
    }
}

/* Behind the requests that wait, so that these are answered however many jobs
 * there are: at the latest that no more are taken. A full queue has work enough;
 * the next look comes soon. */
void helper_poller_wake(struct helper_poller *poller) {
    if (atomic_fetch_add(&poller->runners, 1) >= RUNNERS_MAX ||
        !status_ok(work_queue_submit(poller->aggregator->options.queue, run, poller))) {
        atomic_fetch_sub(&poller->runners, 1);
    }
}

/* Looks now and then, for jobs that wait to be retried or whose worker died. */
static void look(void *argument, bool cancelled) {
    struct helper_poller *poller = argument;
    struct aggregator *aggregator = poller->aggregator;
    if (cancelled || atomic_load(&aggregator->draining)) {
        return;
    }
    helper_poller_wake(poller);
    struct status status = work_queue_submit_after_ms(
        aggregator->options.queue, aggregator->options.job_poll_ms, look, poller);
    if (!status_ok(status)) {
        log_event(LOG_WARN, "the helper no longer looks for jobs",
                  LOG_STRING("status", status_name(status.code)));
    }
}

struct status helper_poller_start(struct helper_poller *poller) {
    return work_queue_submit_after_ms(poller->aggregator->options.queue, 0, look, poller);
}
