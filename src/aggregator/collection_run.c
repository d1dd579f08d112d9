/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "aggregator/collection_freeze.h"
#include "aggregator/leader_dialect.h"
#include "aggregator/leader_job.h"
#include "aggregator/lease.h"
#include "aggregator/peer_request.h"
#include "base/log.h"

enum { POLL_DEFAULT_MS = 1000 };

/* A collection job while this process holds its lease. One thread at a time. */
struct collection {
    struct aggregator *aggregator;
    const struct served_task *task;
    const struct leader_dialect *dialect;
    struct arena arena;
    struct store_resource row;
    struct lease lease;
    struct collection_note note;
    struct buffer body; /* the AggregateShareReq */
    const char *url;
    bool polling;
    struct http_client_response *response;
};

static void collection_free(struct collection *job) {
    if (job != NULL) {
        lease_end(job->aggregator->leases, &job->lease);
        http_client_response_free(job->response);
        buffer_release(&job->body);
        task_release(job->task);
        arena_release(&job->arena);
        free(job);
    }
}

static void collection_log(const struct collection *job, enum log_level level, const char *event,
                           const char *reason) {
    log_event(level, event, LOG_STRING("task", job->task->id_text),
              LOG_BYTES("collection_job", SPAN_OF_ARRAY(job->row.id)),
              LOG_STRING("reason", reason));
}

static void collection_count(const struct collection *job, const char *outcome) {
    counts_add(job->aggregator->counts.collections, job->task->id_text, "leader", outcome, 1);
}

/* ---- Writing back --------------------------------------------------------- */

static struct status update_run(struct store_tx *tx, void *argument) {
    const struct collection *job = argument;
    return store_resource_update(tx, &job->row, 0);
}

/* Stores the row, which gives its lease back, and lets go of the job. */
static void collection_store(struct collection *job, store_function *run) {
    struct status status = store_run(job->aggregator->options.store, STORE_WRITE, run, job);
    if (!status_ok(status)) { /* deleted meanwhile, taken over, or tried again later */
        collection_log(job, status.code == STATUS_LEASE_LOST ? LOG_DEBUG : LOG_WARN,
                       "a collection job's progress was not stored", status_text(status.code));
    }
    collection_free(job);
}

/* Back to the store with the note as it is now, to be claimed again. */
static void collection_later(struct collection *job, int64_t delay_ms) {
    struct buffer bytes = BUFFER_INIT;
    struct status status = collection_note_encode(&job->note, &bytes);
    if (status_ok(status)) {
        job->row.note = buffer_span(&bytes);
    }
    job->row.retry_at = aggregator_now(job->aggregator) + delay_ms * 1000;
    collection_store(job, update_run);
    buffer_release(&bytes);
}

static void collection_retry(struct collection *job, int64_t retry_after_ms, const char *reason) {
    collection_log(job, LOG_WARN, "the helper's aggregate share will be asked for again", reason);
    collection_count(job, "retried");
    job->note.tries++;
    collection_later(job, peer_backoff_ms(job->note.tries, retry_after_ms));
}

static void collection_failed(struct collection *job, enum status_code problem,
                              const char *reason) {
    collection_log(job, LOG_ERROR, "a collection job failed", reason);
    collection_count(job, "failed");
    job->row.state = STORE_RESOURCE_FAILED;
    job->row.problem = problem;
    collection_store(job, update_run);
}

/* ---- The result ----------------------------------------------------------- */

static struct status result_encode(struct collection *job, struct span helper_share,
                                   struct buffer *out) {
    struct collection_job_resp response = {
        .report_count = job->note.report_count,
        .interval = job->note.interval,
    };
    struct aggregate_share share;
    TRY(aggregate_share_decode(helper_share, &job->arena, &share));
    response.helper_encrypted_agg_share = share.encrypted_aggregate_share;
    TRY(hpke_ciphertext_decode(job->note.leader_share, &job->arena,
                               &response.leader_encrypted_agg_share));
    return collection_job_resp_encode(&response, out);
}

static struct status finish_run(struct store_tx *tx, void *argument) {
    struct collection *job = argument;
    if (!task_is_time_interval(job->task)) {
        struct batch_selector selector;
        struct leader_selected_batch_selector_config config;
        struct store_batch batch;
        TRY(batch_selector_decode(job->note.selector, &job->arena, &selector));
        TRY(leader_selected_batch_selector_config_decode(selector.config, &job->arena, &config));
        TRY(store_batch_get(tx, job->row.task_id, config.batch_id.bytes, &batch));
        batch.state = STORE_BATCH_COLLECTED;
        TRY(store_batch_put(tx, job->row.task_id, &batch));
    }
    TRY(store_counter_add(tx, job->row.task_id, "batch_collected", 1));
    return store_resource_update(tx, &job->row, 0);
}

static void collection_ready(struct collection *job, struct span helper_share) {
    struct buffer result = BUFFER_INIT;
    struct status status = result_encode(job, helper_share, &result);
    if (!status_ok(status)) {
        collection_retry(job, -1, "the helper's AggregateShare doesn't decode");
    } else {
        log_event(LOG_INFO, "batch collected", LOG_STRING("task", job->task->id_text),
                  LOG_BYTES("collection_job", SPAN_OF_ARRAY(job->row.id)),
                  LOG_INT("reports", job->note.report_count));
        collection_count(job, "finished");
        job->row.state = STORE_RESOURCE_READY;
        job->row.response = buffer_span(&result);
        collection_store(job, finish_run);
    }
    buffer_release(&result);
}

/* ---- The helper's answer -------------------------------------------------- */

static void collection_pending(struct collection *job, const struct peer_answer *answer) {
    const char *location = answer->location != NULL ? answer->location
                           : job->dialect->own_ids  ? job->url
                                                    : NULL;
    if (location != NULL) {
        job->note.location = span_of_string(location);
    }
    collection_later(job, answer->retry_after_ms >= 0 ? answer->retry_after_ms : POLL_DEFAULT_MS);
}

/* What the helper refuses by a DAP error is final (DAP: "the Leader MUST fail
 * the collection job with the error"). A resource that it forgot is made anew. */
static void collection_refused(struct collection *job, const struct peer_answer *answer) {
    if (job->polling && answer->problem == STATUS_NOT_FOUND) {
        job->note.location = SPAN_EMPTY;
    } else if (status_problem(answer->problem) != NULL) {
        /* By now the batch is marked as collected: its reports are spent. */
        collection_log(job, LOG_ERROR,
                       "the helper refuses a frozen batch: its reports can't be collected again",
                       answer->reason);
        collection_count(job, "spent");
        collection_failed(job, answer->problem, answer->reason);
        return;
    }
    collection_retry(job, answer->retry_after_ms, answer->reason);
}

static void collection_answer(void *argument, bool cancelled) {
    struct collection *job = argument;
    if (cancelled) {
        collection_free(job);
        return;
    }
    struct peer_answer answer;
    struct status status =
        peer_answer_read(job->aggregator, job->task, job->response, RESOURCE_AGGREGATE_SHARES,
                         job->url, MEDIA_AGGREGATE_SHARE, &job->arena, &answer);
    if (!status_ok(status)) {
        collection_retry(job, -1, status_text(status.code));
        return;
    }
    switch (answer.outcome) {
    case PEER_READY: collection_ready(job, answer.body); break;
    case PEER_PENDING: collection_pending(job, &answer); break;
    case PEER_REFUSED: collection_refused(job, &answer); break;
    case PEER_FAILED: collection_retry(job, answer.retry_after_ms, answer.reason); break;
    }
}

/* On the HTTP client's thread. */
static void collection_response(void *argument, struct http_client_response *response) {
    struct collection *job = argument;
    job->response = response;
    if (!status_ok(work_queue_submit_after_ms(job->aggregator->options.queue, 0, collection_answer,
                                              job))) {
        collection_free(job);
    }
}

/* ---- Asking --------------------------------------------------------------- */

static struct status request_encode(struct collection *job) {
    struct aggregate_share_req request = {.report_count = job->note.report_count};
    memcpy(request.checksum, job->note.checksum, sizeof request.checksum);
    TRY(collection_job_req_decode(job->row.request, &job->arena, &request.collection_job_req));
    TRY(batch_selector_decode(job->note.selector, &job->arena, &request.batch_selector));
    return aggregate_share_req_encode(&request, &job->body);
}

static struct status collection_send(struct collection *job) {
    TRY(collection_note_decode(job->row.note, &job->note));
    job->polling = job->note.location.len > 0;
    struct peer_request request = {.method = "GET"};
    if (job->polling) {
        job->url = arena_printf(&job->arena, "%.*s", (int)job->note.location.len,
                                (const char *)job->note.location.data);
    } else {
        TRY(request_encode(job));
        request.method = job->dialect->create_method;
        request.has_body = true;
        request.body_type = MEDIA_AGGREGATE_SHARE_REQ;
        request.body = buffer_span(&job->body);
        job->url = peer_url(job->task, RESOURCE_AGGREGATE_SHARES,
                            job->dialect->own_ids ? job->row.id : NULL, &job->arena);
    }
    if (job->url == NULL) {
        return FAIL(NO_MEMORY);
    }
    request.url = job->url;
    return peer_send(job->aggregator, job->task, &request, collection_response, job);
}

/* Looks whether the batch is complete, and ends it if so. */
static struct status collection_freeze(struct collection *job, bool *frozen) {
    const struct aggregator *aggregator = job->aggregator;
    int64_t now = aggregator_now(aggregator);
    struct freeze freeze = {
        .provider = aggregator->options.provider,
        .task = job->task,
        .row = &job->row,
        .arena = &job->arena,
        .now = now,
        .look_again_at =
            now + collection_look_again_ms(aggregator, now - job->row.created_at) * 1000,
        .lease_until = lease_until(aggregator),
    };
    TRY(store_run(aggregator->options.store, STORE_WRITE, collection_freeze_run, &freeze));
    *frozen = freeze.outcome == FREEZE_DONE;
    job->row.note = freeze.note;
    if (freeze.outcome == FREEZE_FAILED) {
        collection_log(job, LOG_INFO, "a collection job failed", "batchOverlap");
        collection_count(job, "failed");
    }
    return OK;
}

static struct status collection_begin(struct collection *job, bool *sent) {
    *sent = false;
    bool frozen = job->row.note.len > 0;
    if (!frozen) {
        TRY(collection_freeze(job, &frozen));
        if (!frozen) {
            return OK;
        }
    }
    TRY(collection_send(job));
    *sent = true;
    return OK;
}

/* ---- Claiming ------------------------------------------------------------- */

static struct status claim_run(struct store_tx *tx, void *argument) {
    struct collection *job = argument;
    return store_resource_claim(tx, &job->arena, STORE_COLLECTION_JOB,
                                aggregator_now(job->aggregator), lease_until(job->aggregator),
                                &job->row);
}

static struct status collection_claim(struct collection *job) {
    TRY(store_run(job->aggregator->options.store, STORE_WRITE, claim_run, job));
    lease_of_resource(job->aggregator->leases, &job->row, &job->lease);
    TRY(task_acquire(job->aggregator, job->row.task_id, &job->task));
    job->dialect = leader_dialect_of(job->task);
    return OK;
}

struct status collection_drive_next(struct aggregator *aggregator, bool *found) {
    *found = false;
    struct collection *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return FAIL(NO_MEMORY);
    }
    job->aggregator = aggregator;
    struct status status = collection_claim(job);
    if (!status_ok(status)) {
        collection_free(job);
        return status.code == STATUS_NOT_FOUND ? OK : status;
    }
    *found = true;
    bool sent;
    status = collection_begin(job, &sent);
    if (status.code == STATUS_LEASE_LOST) { /* deleted, or taken over */
        collection_free(job);
    } else if (!status_ok(status)) {
        collection_log(job, LOG_ERROR, "a collection job can't go on here",
                       status_text(status.code));
        job->row.retry_at = aggregator_now(aggregator) + peer_backoff_ms(4, 0) * 1000;
        collection_store(job, update_run);
    } else if (!sent) {
        collection_free(job);
    }
    return OK;
}
