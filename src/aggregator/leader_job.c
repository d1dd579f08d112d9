/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/leader_job.h"

#include <stdlib.h>

#include "aggregator/leader.h"
#include "aggregator/leader_batch.h"
#include "aggregator/peer_request.h"
#include "base/log.h"

/*
 * A job's life here: build -> send -> answer -> (poll -> answer)* -> finish, or
 * a release at any point, after which the next claim starts from the store.
 * What an answer leads to:
 *
 *   ready     verify, commit and finish, or store the state and do the next step
 *   pending   ask again, from here if that is soon, else by a later claim
 *   refused   the first send: give the reports back, to be sent in halves until
 *             the one that the helper minds stands alone, which is then rejected;
 *             a later one: the helper may have carried out an earlier one, so try
 *             again
 *   failed    try again, with the same bytes
 *   garbage   the same, up to a number of attempts
 *   nonsense  give the reports back (DAP: "the Leader MUST abandon")
 */

enum {
    POLL_DEFAULT_MS = 500, /* if the helper doesn't say */
    POLL_MIN_MS = 20,
    REBUILD_ATTEMPT = 8, /* back-off after a fault of our own */
    UNDECODABLE_ATTEMPTS = 20,
};

static void job_build(void *argument, bool cancelled);
static void job_send(void *argument, bool cancelled);
static void job_answer(void *argument, bool cancelled);

struct leader_job *leader_job_new(struct aggregator *aggregator, struct pace *pace) {
    struct leader_job *job = calloc(1, sizeof *job);
    if (job != NULL) {
        job->aggregator = aggregator;
        job->pace = pace;
        job->arena = ARENA_INIT;
        job->body = BUFFER_INIT;
    }
    return job;
}

void leader_job_free(struct leader_job *job) {
    if (job == NULL) {
        return;
    }
    lease_end(job->aggregator->leases, &job->lease);
    if (job->counted) {
        pace_end(job->pace, job->row.task_id);
    }
    http_client_response_free(job->response);
    verify_batch_free(job->batch);
    buffer_release(&job->body);
    task_release(job->task);
    arena_release(&job->arena);
    free(job);
}

/* Runs the next part of the job on a worker. It was admitted when it was
 * claimed, so it doesn't queue behind uploads. */
static void job_continue(struct leader_job *job, work_function *function, int64_t delay_ms) {
    struct status status =
        work_queue_submit_after_ms(job->aggregator->options.queue, delay_ms, function, job);
    if (!status_ok(status)) { /* its lease runs out, or ends with this process */
        leader_job_free(job);
    }
}

static void job_log(const struct leader_job *job, enum log_level level, const char *event,
                    const char *reason) {
    log_event(level, event, LOG_STRING("task", job->task->id_text),
              LOG_BYTES("job", SPAN_OF_ARRAY(job->row.id)), LOG_INT("step", job->row.step),
              LOG_INT("attempt", job->row.attempts), LOG_STRING("reason", reason));
}

static void job_count(const struct leader_job *job, const char *outcome) {
    counts_add(job->aggregator->counts.jobs, job->task->id_text, "leader", outcome, 1);
}

/* ---- Giving the lease back ------------------------------------------------ */

struct release {
    const struct leader_job *job;
    const char *location; /* "" forgets it, NULL leaves it */
    uint16_t step;
    struct span state;
    int64_t retry_at;
};

static struct status release_run(struct store_tx *tx, void *argument) {
    const struct release *release = argument;
    return store_job_release(tx, &release->job->row, release->location, release->step,
                             release->state, release->retry_at);
}

/* Stores where the job stands, and lets go of it. */
static void job_release(struct leader_job *job, const char *location, uint16_t step,
                        struct span state, int64_t delay_ms) {
    struct release release = {job, location, step, state,
                              aggregator_now(job->aggregator) + delay_ms * 1000};
    struct status status =
        store_run(job->aggregator->options.store, STORE_WRITE, release_run, &release);
    if (!status_ok(status)) {
        job_log(job, LOG_WARN, "an aggregation job's progress was not stored",
                status_text(status.code));
    }
    leader_job_free(job);
}

static void job_retry(struct leader_job *job, const char *location, int64_t retry_after_ms,
                      const char *reason) {
    job_log(job, LOG_WARN, "an aggregation job will be tried again", reason);
    job_count(job, "retried");
    job_release(job, location, job->row.step, SPAN_EMPTY,
                peer_backoff_ms(job->row.attempts, retry_after_ms));
}

/* A fault of our own: the store, memory, a bug. */
static void job_fail(struct leader_job *job, struct status status) {
    if (status.code == STATUS_LEASE_LOST) {
        leader_job_free(job); /* another worker has it */
        return;
    }
    job_log(job, LOG_ERROR, "an aggregation job can't go on here", status_text(status.code));
    uint32_t attempt = status.code == STATUS_STORE_BUSY ? job->row.attempts : REBUILD_ATTEMPT;
    job_release(job, NULL, job->row.step, SPAN_EMPTY, peer_backoff_ms(attempt, 0));
}

/* ---- Abandoning ----------------------------------------------------------- */

static struct status abandon_run(struct store_tx *tx, void *argument) {
    const struct leader_job *job = argument;
    TRY(store_job_abandon(tx, &job->row));
    return job->row.has_batch
               ? leader_batch_shrink(job->task, tx, job->row.batch_id, job->member_count)
               : OK;
}

/* The helper's resource without its query; NULL if we don't know it. */
static const char *job_resource(struct leader_job *job) {
    if (job->dialect->own_ids) {
        return peer_url(job->task, RESOURCE_AGGREGATION_JOBS, job->row.id, &job->arena);
    }
    const char *location = job->row.location;
    if (location == NULL || *location == '\0') {
        return NULL;
    }
    return arena_printf(&job->arena, "%.*s", (int)strcspn(location, "?"), location);
}

/* Lets the helper drop the job. Reports that come back may do so in a job with
 * the very bytes of this one, which a helper that remembers must answer as
 * before. */
static void job_forget(struct leader_job *job) {
    const char *resource = job_resource(job);
    if (resource != NULL) {
        peer_delete(job->aggregator, job->task, resource);
    }
}

/* Puts the reports back among the waiting ones (DAP, "Aggregation Job
 * Abandonment and Deletion"). The task `rests`, lest the same happen at once,
 * unless the next job will be another. */
static void job_put_back(struct leader_job *job, const char *reason, bool rests) {
    job_log(job, LOG_ERROR, "an aggregation job is abandoned", reason);
    struct status status = store_run(job->aggregator->options.store, STORE_WRITE, abandon_run, job);
    if (!status_ok(status)) {
        job_fail(job, status);
        return;
    }
    job_count(job, "abandoned");
    if (rests) {
        pace_failed(job->pace, job->row.task_id);
    }
    job_forget(job);
    leader_job_free(job);
}

static void job_abandon(struct leader_job *job, const char *reason) {
    job_put_back(job, reason, true);
}

/* ---- Finishing ------------------------------------------------------------ */

struct finish {
    const struct leader_job *job;
    const struct commit_plan *plan; /* NULL: nothing to commit */
    size_t committing;
    bool *later;                /* of each member */
    struct report_tally tally;  /* before the commit */
    struct report_tally result; /* after it */
    uint64_t gone;              /* members that aren't in the batch after all */
    enum report_error *errors;
};

/* Output shares, IDs, and the job's end: all or nothing. */
static struct status finish_run(struct store_tx *tx, void *argument) {
    struct finish *finish = argument;
    const struct leader_job *job = finish->job;
    finish->result = finish->tally;
    if (finish->plan != NULL) {
        TRY(commit_apply(finish->plan, tx, finish->errors));
        for (size_t i = 0; i < finish->committing; i++) {
            finish->result.by_error[finish->errors[i]]++;
        }
    }
    TRY(store_job_finish(tx, &job->row, finish->later, job->member_count));
    TRY(tally_store(&finish->result, tx, job->row.task_id, "aggregated", "report_rejected"));
    finish->gone = job->member_count - finish->result.by_error[REPORT_VALID];
    return job->row.has_batch ? leader_batch_shrink(job->task, tx, job->row.batch_id, finish->gone)
                              : OK;
}

static struct status finish_plan(struct leader_job *job, struct finish *finish,
                                 struct commit_report reports[]) {
    for (size_t i = 0; i < job->report_count; i++) {
        const struct job_report *report = &job->reports[i];
        if (pingpong_state(job->batch, report->index) == VERIFY_REJECTED) {
            continue;
        }
        struct commit_report *commit = &reports[finish->committing++];
        memcpy(commit->id, report->id.bytes, sizeof commit->id);
        commit->time = job->members[report->member].report.time;
        commit->index = report->index;
    }
    if (finish->committing == 0) {
        return OK;
    }
    struct commit_plan *plan;
    TRY(commit_plan_new(job->task, job->row.agg_param,
                        job->row.has_batch ? job->row.batch_id : NULL, job->batch, reports,
                        finish->committing, &job->arena, &plan));
    finish->plan = plan;
    return OK;
}

static struct status job_finish_try(struct leader_job *job, struct finish *finish) {
    size_t room = job->report_count + 1;
    struct commit_report *reports = ARENA_ARRAY(&job->arena, struct commit_report, room);
    finish->errors = ARENA_ARRAY(&job->arena, enum report_error, room);
    if (reports == NULL || finish->errors == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(finish_plan(job, finish, reports));
    return store_run(job->aggregator->options.store, STORE_WRITE, finish_run, finish);
}

/* Commits what finished and ends the job. `rejected` says what became of those
 * that didn't, `later` (NULL for none) which members may be tried again. */
static void job_finish(struct leader_job *job, const struct report_tally *rejected, bool *later) {
    struct finish finish = {.job = job, .later = later, .tally = *rejected};
    struct status status = job_finish_try(job, &finish);
    if (!status_ok(status)) {
        job_fail(job, status);
        return;
    }
    tally_count(&finish.result, job->aggregator->counts.reports, job->task->id_text, "leader",
                "aggregated");
    job_count(job, "finished");
    if (finish.committing > 0) {
        pace_succeeded(job->pace, job->row.task_id, job->member_count);
    }
    log_event(LOG_DEBUG, "aggregation job finished", LOG_STRING("task", job->task->id_text),
              LOG_BYTES("job", SPAN_OF_ARRAY(job->row.id)),
              LOG_INT("aggregated", finish.result.by_error[REPORT_VALID]),
              LOG_INT("rejected", finish.gone));
    if (rejected->by_error[REPORT_ERROR_REPORT_TOO_EARLY] > 0) {
        job_forget(job);
    }
    struct leader *leader = job->aggregator->leader;
    leader_job_free(job);
    leader_wake(leader);
}

/* ---- The next step -------------------------------------------------------- */

struct tally_write {
    const struct leader_job *job;
    const struct report_tally *rejected;
    struct release release;
};

static struct status next_step_run(struct store_tx *tx, void *argument) {
    struct tally_write *write = argument;
    TRY(tally_store(write->rejected, tx, write->job->row.task_id, "aggregated", "report_rejected"));
    return release_run(tx, &write->release);
}

/* The state is durable before the next step is sent. The job is then due at
 * once, and goes on from the store like after a restart. */
static void job_next_step(struct leader_job *job, const struct verdicts *verdicts) {
    leader_job_drop_rejected(job);
    struct buffer state = BUFFER_INIT;
    struct status status = leader_job_encode_state(job, &state);
    if (status_ok(status)) {
        struct tally_write write = {job,
                                    &verdicts->rejected,
                                    {job, job_resource(job), (uint16_t)(job->row.step + 1),
                                     buffer_span(&state), aggregator_now(job->aggregator)}};
        status = store_run(job->aggregator->options.store, STORE_WRITE, next_step_run, &write);
    }
    secret_wipe(state.data, state.len);
    buffer_release(&state);
    if (!status_ok(status)) {
        job_fail(job, status);
        return;
    }
    struct leader *leader = job->aggregator->leader;
    leader_job_free(job);
    leader_wake(leader);
}

/* ---- The helper's answer -------------------------------------------------- */

/* That may be something between us and a helper that did what we asked: if its
 * reports went into other jobs, it would refuse them as replayed. */
static void job_undecodable(struct leader_job *job) {
    const char *reason = "the helper's answer doesn't decode";
    if (job->row.attempts < UNDECODABLE_ATTEMPTS) {
        job_retry(job, NULL, 0, reason);
    } else {
        job_abandon(job, reason);
    }
}

static void job_ready(struct leader_job *job, struct span body) {
    struct verdicts verdicts = {0};
    struct status status = leader_job_verify(job, body, &verdicts);
    if (!status_ok(status)) {
        job_fail(job, status);
    } else if (verdicts.undecodable) {
        job_undecodable(job);
    } else if (verdicts.nonsense != NULL) {
        job_abandon(job, verdicts.nonsense);
    } else if (!verdicts.goes_on) {
        job_finish(job, &verdicts.rejected, verdicts.later);
    } else if (job_resource(job) == NULL) {
        job_abandon(job, "the helper didn't say where to continue");
    } else {
        job_next_step(job, &verdicts);
    }
}

/* ---- Asking --------------------------------------------------------------- */

/* The helper's resource, asked about this step. */
static const char *poll_url(struct leader_job *job, const char *location) {
    return strchr(location, '?') != NULL
               ? location
               : arena_printf(&job->arena, "%s?step=%u", location, (unsigned)job->row.step);
}

/* Asks again from here, or leaves it to a later claim, lest jobs that wait for a
 * slow helper keep others out of memory. */
static void job_pending(struct leader_job *job, const struct peer_answer *answer) {
    const char *location = answer->location != NULL ? answer->location
                           : job->polling           ? job->url
                                                    : NULL;
    if (location == NULL && job->dialect->own_ids) {
        location = job_resource(job);
    }
    if (location == NULL) {
        job_retry(job, NULL, answer->retry_after_ms, "no usable Location");
        return;
    }
    int64_t delay_ms = answer->retry_after_ms >= 0 ? answer->retry_after_ms : POLL_DEFAULT_MS;
    delay_ms = delay_ms > POLL_MIN_MS ? delay_ms : POLL_MIN_MS;
    int64_t then = aggregator_now(job->aggregator) + delay_ms * 1000;
    const char *url = poll_url(job, location);
    if (url == NULL || then > job->hold_until) {
        job_release(job, url, job->row.step, SPAN_EMPTY, delay_ms);
        return;
    }
    job->row.location = url;
    job->polling = true;
    job_continue(job, job_send, delay_ms);
}

/* Whether a refusal may come from one of the reports, so that without it the
 * job is welcome. Others come from the task, or from what we are. */
static bool is_about_reports(enum status_code problem) {
    return problem == STATUS_INVALID_MESSAGE || problem == STATUS_BAD_REQUEST ||
           problem == STATUS_UNSUPPORTED_EXTENSION || problem == STATUS_TOO_LARGE;
}

/* The helper takes other jobs of the task, but none with this report: without
 * it, the batch that it belongs to can be collected. */
static void job_reject(struct leader_job *job, const char *reason) {
    struct report_tally rejected = {0};
    job_log(job, LOG_ERROR, "a report is rejected, since the helper refuses any job with it",
            reason);
    for (size_t i = 0; i < job->report_count; i++) {
        verify_batch_refuse(job->batch, job->reports[i].index, STATUS_VERIFY_FAILED);
        rejected.by_error[REPORT_ERROR_INVALID_MESSAGE]++;
    }
    job_finish(job, &rejected, NULL);
}

static void job_refused(struct leader_job *job, const struct peer_answer *answer) {
    bool gone = answer->problem == STATUS_NOT_FOUND ||
                answer->problem == STATUS_UNRECOGNIZED_AGGREGATION_JOB;
    if (job->polling && gone && job->row.step == 0) {
        job_retry(job, "", answer->retry_after_ms, answer->reason);
    } else if (job->sent_before || job->polling) {
        job_retry(job, NULL, answer->retry_after_ms, answer->reason);
    } else if (is_about_reports(answer->problem) && job->report_count == 1 &&
               pace_has_succeeded(job->pace, job->row.task_id)) {
        job_reject(job, answer->reason);
    } else {
        if (answer->problem == STATUS_TOO_LARGE) {
            pace_too_much(job->pace, job->row.task_id, job->report_count);
        } else if (is_about_reports(answer->problem)) {
            pace_split(job->pace, job->row.task_id, job->report_count);
        }
        job_put_back(job, answer->reason, job->report_count == 1 || !is_about_reports(answer->problem));
    }
}

/* How the helper bears what it gets. */
static void job_note_pace(struct leader_job *job, const struct peer_answer *answer) {
    bool slow = clock_monotonic_ns() - job->sent_ns > (int64_t)PACE_STEP_MS * 1000000;
    if (answer->outcome == PEER_FAILED && answer->busy) {
        pace_busy(job->pace, job->row.task_id, answer->retry_after_ms);
    }
    if (slow && !job->polling && (answer->outcome == PEER_READY || answer->busy)) {
        pace_too_much(job->pace, job->row.task_id, job->report_count);
    }
}

static void job_answer(void *argument, bool cancelled) {
    struct leader_job *job = argument;
    if (cancelled) {
        leader_job_free(job);
        return;
    }
    struct http_client_response *response = job->response;
    struct peer_answer answer;
    struct status status =
        peer_answer_read(job->aggregator, job->task, response, RESOURCE_AGGREGATION_JOBS, job->url,
                         MEDIA_AGGREGATION_JOB_RESP, &job->arena, &answer);
    if (!status_ok(status)) {
        job_fail(job, status);
        return;
    }
    if (answer.outcome == PEER_READY && answer.location != NULL) {
        job->row.location = answer.location;
    }
    job_note_pace(job, &answer);
    switch (answer.outcome) {
    case PEER_READY: job_ready(job, answer.body); break;
    case PEER_PENDING: job_pending(job, &answer); break;
    case PEER_REFUSED: job_refused(job, &answer); break;
    case PEER_FAILED: job_retry(job, NULL, answer.retry_after_ms, answer.reason); break;
    }
}

/* On the HTTP client's thread. */
static void job_response(void *argument, struct http_client_response *response) {
    struct leader_job *job = argument;
    job->response = response;
    job_continue(job, job_answer, 0);
}

static const char *send_url(struct leader_job *job) {
    if (job->polling) {
        return poll_url(job, job->row.location);
    }
    if (job->row.step > 0) {
        return job_resource(job);
    }
    return peer_url(job->task, RESOURCE_AGGREGATION_JOBS,
                    job->dialect->own_ids ? job->row.id : NULL, &job->arena);
}

static void job_send(void *argument, bool cancelled) {
    struct leader_job *job = argument;
    if (cancelled) {
        leader_job_free(job);
        return;
    }
    http_client_response_free(job->response);
    job->response = NULL;
    job->url = send_url(job);
    if (job->url == NULL) {
        job_fail(job, FAIL(NO_MEMORY));
        return;
    }
    job->sent_ns = clock_monotonic_ns();
    struct peer_request request = {.method = "GET", .url = job->url};
    if (!job->polling) {
        request.method = job->row.step == 0 ? job->dialect->create_method : "POST";
        request.has_body = true;
        request.body = buffer_span(&job->body);
        request.body_type = job->row.step == 0 ? MEDIA_AGGREGATION_JOB_INIT_REQ
                                               : MEDIA_AGGREGATION_JOB_CONTINUE_REQ;
    }
    struct status status = peer_send(job->aggregator, job->task, &request, job_response, job);
    if (!status_ok(status)) {
        job_fail(job, status);
    }
}

/* Whether the stored location is one to ask: at step 0 any, later one that the
 * helper gave for this step. */
static bool job_can_poll(const struct leader_job *job) {
    const char *location = job->row.location;
    return location != NULL && *location != '\0' &&
           (job->row.step == 0 || strchr(location, '?') != NULL);
}

static void job_build(void *argument, bool cancelled) {
    struct leader_job *job = argument;
    if (cancelled) {
        leader_job_free(job);
        return;
    }
    struct status status = leader_job_build(job);
    if (!status_ok(status)) {
        job_fail(job, status);
        return;
    }
    if (job->report_count == 0) {
        job_finish(job, &job->rejected, NULL);
        return;
    }
    if (job->row.step == 0) {
        pace_set_report_bytes(job->pace, job->row.task_id, job->body.len / job->report_count);
    }
    job->polling = job_can_poll(job);
    job_send(job, false);
}

void leader_job_launch(struct leader_job *job) {
    job->sent_before = job->row.fixed;
    job->hold_until = lease_until(job->aggregator);
    lease_of_job(job->aggregator->leases, &job->row, &job->lease);
    struct status status = task_acquire(job->aggregator, job->row.task_id, &job->task);
    if (status_ok(status)) {
        status = pace_begin(job->pace, job->row.task_id);
        job->counted = status_ok(status);
    }
    if (!status_ok(status)) { /* such as a task that was just deleted */
        log_event(LOG_WARN, "an aggregation job can't be driven",
                  LOG_STRING("error", status_text(status.code)));
        leader_job_free(job);
        return;
    }
    job->dialect = leader_dialect_of(job->task);
    job_continue(job, job_build, 0);
}
