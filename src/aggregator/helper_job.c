/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/helper_job.h"

#include <sodium.h>

#include "aggregator/helper_dialect.h"
#include "aggregator/helper_poller.h"
#include "base/secret.h"

/* ---- Settling a step ------------------------------------------------------------ */

struct status helper_job_settle(struct store_tx *tx, struct arena *arena,
                                const struct helper_step *step, struct store_resource *row,
                                struct report_tally *tally) {
    struct buffer state = BUFFER_INIT;
    struct status status;
    TRY(helper_step_commit(step, tx, arena, tally, &row->response));
    if (helper_step_goes_on(step)) {
        TRY_GOTO(status, helper_step_state(step, &state), end);
    }
    row->state = STORE_RESOURCE_READY;
    row->request = SPAN_EMPTY;
    row->config_ids = SPAN_EMPTY;
    row->note = buffer_span(&state);
    TRY_GOTO(status, store_resource_update(tx, row, 0), end);
    status = tally_store(tally, tx, row->task_id, "aggregated", "report_rejected");
end:
    row->note = SPAN_EMPTY;
    secret_wipe(state.data, state.len);
    buffer_release(&state);
    return status;
}

void helper_job_count(struct aggregator *aggregator, const struct served_task *task,
                      const struct report_tally *tally) {
    counts_add(aggregator->counts.jobs, task->id_text, role_name(ROLE_HELPER), "finished", 1);
    tally_count(tally, aggregator->counts.reports, task->id_text, role_name(ROLE_HELPER),
                "aggregated");
}

/* ---- The answer ----------------------------------------------------------------- */

/* When an answer that isn't ready may be. What waited while nobody worked, as before a
 * start, says nothing about what comes. */
static uint32_t waiting_time_s(const struct aggregator *aggregator) {
    uint32_t wait_s = helper_poller_wait_s(aggregator->helper);
    wait_s = wait_s < HELPER_WAIT_MAX_S ? wait_s : HELPER_WAIT_MAX_S;
    return wait_s > HELPER_RETRY_AFTER_S ? wait_s : HELPER_RETRY_AFTER_S;
}

struct status helper_job_reply(struct exchange *exchange, enum resource resource,
                               enum media_type type, const struct store_resource *row,
                               struct reply *out) {
    struct reply reply = {0};
    /* The step is how the leader asks for what isn't there yet. */
    bool waiting = row->state == STORE_RESOURCE_PENDING;
    int step = waiting && resource == RESOURCE_AGGREGATION_JOBS ? row->step : -1;
    switch (row->state) {
    case STORE_RESOURCE_PENDING:
        reply.retry_after_s = waiting_time_s(exchange->aggregator);
        break;
    case STORE_RESOURCE_READY:
        reply.content_type = media_type_string(type);
        reply.body = row->response;
        if (resource == RESOURCE_AGGREGATION_JOBS) {
            TRY(helper_dialect_of(exchange->task)
                    ->encode_resp(row->response, exchange->arena, &reply.body));
        }
        break;
    case STORE_RESOURCE_FAILED:
        return (struct status){row->problem};
    case STORE_RESOURCE_DELETED:
        return exchange_fail(exchange,
                             resource == RESOURCE_AGGREGATION_JOBS
                                 ? FAIL(UNRECOGNIZED_AGGREGATION_JOB)
                                 : FAIL(NOT_FOUND),
                             "it was deleted");
    }
    TRY(exchange_location(exchange, resource, row->id, step, &reply.location));
    *out = reply;
    return OK;
}

static void job_finish(struct exchange *exchange, struct status status,
                       const struct store_resource *row) {
    struct reply reply;
    if (status_ok(status)) {
        status = helper_job_reply(exchange, RESOURCE_AGGREGATION_JOBS, MEDIA_AGGREGATION_JOB_RESP,
                                  row, &reply);
    }
    exchange_finish(exchange, status, &reply);
}

/* ---- Creation ------------------------------------------------------------------- */

/* What one transaction does to a job. */
struct job_write {
    struct exchange *exchange;
    const struct helper_step *step; /* NULL: only make the resource */
    struct store_resource resource; /* as it is made, or as it was read */
    struct store_resource row;      /* as it stands afterwards */
    int64_t lease_until;
    bool settled; /* by this transaction */
    struct report_tally tally;
};

static struct status find_job(struct store_tx *tx, void *argument) {
    struct job_write *write = argument;
    return store_resource_find(tx, write->exchange->arena, write->resource.task_id,
                               STORE_AGGREGATION_JOB, write->resource.digest, &write->row);
}

static struct status create_job(struct store_tx *tx, void *argument) {
    struct job_write *write = argument;
    bool found;
    write->settled = false;
    TRY(store_resource_create(tx, write->exchange->arena, &write->resource, write->lease_until,
                              &write->row, &found));
    if (found || write->step == NULL) {
        return OK;
    }
    TRY(helper_job_settle(tx, write->exchange->arena, write->step, &write->row, &write->tally));
    write->settled = true;
    return OK;
}

static struct status create_later(struct job_write *write,
                                  const struct aggregation_job_init_req *request) {
    struct exchange *exchange = write->exchange;
    struct aggregator *aggregator = exchange->aggregator;
    if (helper_poller_wait_s(aggregator->helper) > HELPER_WAIT_MAX_S) {
        return exchange_fail(exchange, FAIL(BUSY), "more jobs wait than are done in a minute");
    }
    write->resource.request = exchange->request->body;
    TRY(helper_request_config_ids(request, exchange->arena, &write->resource.config_ids));
    TRY(store_run(aggregator->options.store, STORE_WRITE, create_job, write));
    helper_poller_wake(aggregator->helper);
    return OK;
}

static struct status create_now(struct job_write *write,
                                const struct aggregation_job_init_req *request,
                                const struct batch_id *batch_id) {
    struct exchange *exchange = write->exchange;
    struct aggregator *aggregator = exchange->aggregator;
    struct helper_step step = {
        .aggregator = aggregator, .task = exchange->task, .arena = exchange->arena};
    struct status status;
    TRY_GOTO(status, helper_step_init(&step, request, batch_id), end);
    write->step = &step;
    write->lease_until = INT64_MAX; /* within one transaction nobody sees it */
    TRY_GOTO(status, store_run(aggregator->options.store, STORE_WRITE, create_job, write), end);
    if (write->settled) {
        helper_job_count(aggregator, exchange->task, &write->tally);
    }
end:
    helper_step_release(&step);
    return status;
}

struct status helper_job_submit(struct exchange *exchange,
                                const struct aggregation_job_init_req *request,
                                const struct batch_id *batch_id, const uint8_t *id,
                                struct store_resource *row) {
    struct aggregator *aggregator = exchange->aggregator;
    struct span body = exchange->request->body;
    struct job_write write = {.exchange = exchange};
    struct store_resource *resource = &write.resource;
    memcpy(resource->task_id, exchange->task->dap.id.bytes, STORE_TASK_ID_SIZE);
    resource->kind = STORE_AGGREGATION_JOB;
    resource->created_at = aggregator_now(aggregator);
    crypto_hash_sha256(resource->digest, body.data, body.len);
    if (id != NULL) {
        memcpy(resource->id, id, STORE_ID_SIZE);
    } else if (aggregator->options.provider->random(resource->id, STORE_ID_SIZE) != 0) {
        return FAIL(CRYPTO);
    }
    struct status status = store_run(aggregator->options.store, STORE_READ, find_job, &write);
    if (status.code == STATUS_NOT_FOUND) {
        status = exchange->task->settings.helper_async ? create_later(&write, request)
                                                       : create_now(&write, request, batch_id);
    }
    TRY(status);
    *row = write.row;
    return OK;
}

static void create_run(struct exchange *exchange) {
    struct aggregation_job_init_req request;
    struct batch_id batch_id;
    struct helper_refusal refusal;
    struct store_resource row;
    struct status status = helper_request_decode(exchange->task, exchange->request->body,
                                                 exchange->arena, &request, &batch_id, &refusal);
    if (status_ok(status)) {
        status = helper_job_submit(exchange, &request, &batch_id, NULL, &row);
    } else {
        exchange->detail = refusal.detail;
        exchange->unsupported_extensions = refusal.unknown;
        exchange->unsupported_extension_count = refusal.unknown_count;
    }
    job_finish(exchange, status, &row);
}

const struct endpoint helper_job_create = {
    .name = "aggregation_job_create",
    .role = ROLE_HELPER,
    .caller = CALLER_AGGREGATOR,
    .has_body = true,
    .body_type = MEDIA_AGGREGATION_JOB_INIT_REQ,
    .run = create_run,
};

/* ---- Reading and deleting --------------------------------------------------------- */

static struct status get_job(struct store_tx *tx, void *argument) {
    struct job_write *write = argument;
    return store_resource_get(tx, write->exchange->arena, write->resource.task_id,
                              STORE_AGGREGATION_JOB, write->resource.id, &write->row);
}

static struct status delete_job(struct store_tx *tx, void *argument) {
    struct job_write *write = argument;
    return store_resource_delete(tx, write->resource.task_id, STORE_AGGREGATION_JOB,
                                 write->resource.id);
}

/* Runs a transaction about the job that the URL names. */
static struct status with_job(struct job_write *write, enum store_mode mode,
                              store_function *function) {
    struct exchange *exchange = write->exchange;
    memcpy(write->resource.task_id, exchange->task->dap.id.bytes, STORE_TASK_ID_SIZE);
    TRY(exchange_id(exchange, "job", STATUS_UNRECOGNIZED_AGGREGATION_JOB, write->resource.id));
    struct status status =
        store_run(exchange->aggregator->options.store, mode, function, write);
    return status.code == STATUS_NOT_FOUND ? FAIL(UNRECOGNIZED_AGGREGATION_JOB) : status;
}

/* The draft's `step` query parameter: a number of 16 bits, in decimal. */
static struct status requested_step(struct exchange *exchange, unsigned *out) {
    struct span text;
    unsigned step = 0;
    if (!http_request_query(exchange->request, "step", &text)) {
        return exchange_fail(exchange, FAIL(INVALID_MESSAGE), "the query has no step");
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || step > UINT16_MAX) {
            return exchange_fail(exchange, FAIL(INVALID_MESSAGE), "the step is no 16-bit number");
        }
        step = step * 10 + (unsigned)(text.data[i] - '0');
    }
    *out = step;
    return text.len > 0 && step <= UINT16_MAX
               ? OK
               : exchange_fail(exchange, FAIL(INVALID_MESSAGE), "the step is no 16-bit number");
}

static struct status job_at_step(struct job_write *write) {
    unsigned step;
    TRY(with_job(write, STORE_READ, get_job));
    TRY(requested_step(write->exchange, &step));
    bool live = write->row.state == STORE_RESOURCE_PENDING ||
                write->row.state == STORE_RESOURCE_READY;
    return live && step != write->row.step ? FAIL(STEP_MISMATCH) : OK;
}

static void get_run(struct exchange *exchange) {
    struct job_write write = {.exchange = exchange};
    struct status status = job_at_step(&write);
    job_finish(exchange, status, &write.row);
}

const struct endpoint helper_job_get = {
    .name = "aggregation_job_get",
    .role = ROLE_HELPER,
    .caller = CALLER_AGGREGATOR,
    .run = get_run,
};

static void delete_run(struct exchange *exchange) {
    struct job_write write = {.exchange = exchange};
    const struct reply reply = {0};
    exchange_finish(exchange, with_job(&write, STORE_WRITE, delete_job), &reply);
}

const struct endpoint helper_job_delete = {
    .name = "aggregation_job_delete",
    .role = ROLE_HELPER,
    .caller = CALLER_AGGREGATOR,
    .run = delete_run,
};

/* ---- Continuation ------------------------------------------------------------------- */

/* Whether the request is the one that brought the job to its present step. */
static bool is_repetition(const struct store_resource *row, const struct store_resource *wanted) {
    return row->state == STORE_RESOURCE_READY && row->step == wanted->step &&
           memcmp(row->step_digest, wanted->step_digest, STORE_DIGEST_SIZE) == 0;
}

/* Whether it is the job's turn to take this step. */
static bool is_next(const struct store_resource *row, const struct store_resource *wanted) {
    return row->state == STORE_RESOURCE_READY && wanted->step == row->step + 1;
}

static struct status continue_job(struct store_tx *tx, void *argument) {
    struct job_write *write = argument;
    write->settled = false;
    TRY(get_job(tx, write));
    if (is_repetition(&write->row, &write->resource)) {
        return OK; /* another worker was faster */
    }
    if (!is_next(&write->row, &write->resource)) {
        return FAIL(STEP_MISMATCH);
    }
    write->row.step = write->resource.step;
    memcpy(write->row.step_digest, write->resource.step_digest, STORE_DIGEST_SIZE);
    TRY(helper_job_settle(tx, write->exchange->arena, write->step, &write->row, &write->tally));
    write->settled = true;
    return OK;
}

static struct status continue_step(struct job_write *write, struct span state,
                                   const struct aggregation_job_continue_req *request) {
    struct exchange *exchange = write->exchange;
    struct aggregator *aggregator = exchange->aggregator;
    struct helper_step step = {
        .aggregator = aggregator, .task = exchange->task, .arena = exchange->arena};
    struct status status;
    TRY_GOTO(status, helper_step_continue(&step, state, request), end);
    write->step = &step;
    TRY_GOTO(status, store_run(aggregator->options.store, STORE_WRITE, continue_job, write), end);
    if (write->settled) {
        helper_job_count(aggregator, exchange->task, &write->tally);
    }
end:
    helper_step_release(&step);
    return status;
}

/* The checks in the draft's order; the state's own are in the step. */
static struct status continue_checked(struct job_write *write) {
    struct exchange *exchange = write->exchange;
    struct span body = exchange->request->body;
    struct aggregation_job_continue_req request;
    TRY(with_job(write, STORE_READ, get_job));
    if (write->row.state == STORE_RESOURCE_DELETED) {
        return FAIL(UNRECOGNIZED_AGGREGATION_JOB);
    }
    if (write->row.state == STORE_RESOURCE_FAILED) {
        return (struct status){write->row.problem};
    }
    TRY(helper_dialect_of(exchange->task)->decode_continue(body, exchange->arena, &request));
    if (request.step == 0) {
        return exchange_fail(exchange, FAIL(INVALID_MESSAGE), "step 0 is no continuation");
    }
    write->resource.step = request.step;
    crypto_hash_sha256(write->resource.step_digest, body.data, body.len);
    if (is_repetition(&write->row, &write->resource)) {
        return OK;
    }
    if (!is_next(&write->row, &write->resource)) {
        return FAIL(STEP_MISMATCH);
    }
    if (write->row.note.len == 0) {
        /* Verification is complete: no report waits for anything. */
        return request.verify_continues.count > 0
                   ? exchange_fail(exchange, FAIL(INVALID_MESSAGE),
                                   "the job has no such report in progress")
                   : FAIL(STEP_MISMATCH);
    }
    /* An empty answer would say that the step isn't ready yet. */
    if (request.verify_continues.count == 0) {
        return exchange_fail(exchange, FAIL(INVALID_MESSAGE), "the continuation has no reports");
    }
    return continue_step(write, write->row.note, &request);
}

static void continue_run(struct exchange *exchange) {
    struct job_write write = {.exchange = exchange};
    struct status status = continue_checked(&write);
    job_finish(exchange, status, &write.row);
}

const struct endpoint helper_job_continue = {
    .name = "aggregation_job_continue",
    .role = ROLE_HELPER,
    .caller = CALLER_AGGREGATOR,
    .has_body = true,
    .body_type = MEDIA_AGGREGATION_JOB_CONTINUE_REQ,
    .run = continue_run,
};
