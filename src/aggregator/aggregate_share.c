/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/aggregate_share.h"

#include <sodium.h>

#include "aggregator/commit.h"
#include "aggregator/helper_job.h"
#include "dap/interval.h"

struct share_work {
    struct exchange *exchange;
    struct aggregate_share_req request;
    struct span collection_job_req; /* its exact bytes: bound into the AAD */
    struct batch batch;
    struct store_resource resource; /* as it is made */
    struct store_resource row;      /* as it stands */
    bool made;
};

/* ---- Checks without the store --------------------------------------------------------- */

/* The request and where its first member ends. */
static struct status request_decode(struct share_work *work, struct span body) {
    struct exchange *exchange = work->exchange;
    struct reader reader = reader_of(body);
    struct collection_job_req first;
    if (!status_ok(collection_job_req_read(&reader, NULL, &first)) ||
        !status_ok(aggregate_share_req_decode(body, exchange->arena, &work->request))) {
        return exchange_fail(exchange, FAIL(INVALID_MESSAGE),
                             "the AggregateShareReq does not decode");
    }
    work->collection_job_req = span_of(body.data, (size_t)(reader.at - body.data));
    return OK;
}

static struct status batch_decode(struct share_work *work) {
    struct exchange *exchange = work->exchange;
    struct batch *batch = &work->batch;
    TRY(batch_of_selector(&work->request.batch_selector,
                          &work->request.collection_job_req.query,
                          exchange->task->dap.configuration.batch_mode, batch));
    return commit_batch_fits(batch)
               ? OK
               : exchange_fail(exchange, FAIL(BATCH_INVALID), "the interval ends too late");
}

/* ---- In the transaction ----------------------------------------------------------------- */

/* The draft's checks of the batch, in its order. A batch that was aggregated
 * under another parameter alone has no size under this one, so that is told
 * apart before the size is called too small. */
static struct status check_batch(struct share_work *work, struct store_tx *tx,
                                 const struct batch_total *total) {
    struct exchange *exchange = work->exchange;
    const struct aggregate_share_req *request = &work->request;
    const struct served_task *task = exchange->task;
    bool other;
    TRY(commit_other_param(task, tx, request->collection_job_req.agg_param, &work->batch,
                           &other));
    if (other) {
        return exchange_fail(exchange, FAIL(INVALID_MESSAGE),
                             "the batch was aggregated with another aggregation parameter");
    }
    if (total->report_count < task->dap.configuration.min_batch_size) {
        return FAIL(INVALID_BATCH_SIZE);
    }
    TRY(collection_job_check_extensions(&request->collection_job_req.extensions));
    return total->report_count == request->report_count &&
                   memcmp(total->checksum, request->checksum, sizeof(total->checksum)) == 0
               ? OK
               : exchange_fail(exchange, FAIL(BATCH_MISMATCH),
                               total->report_count == request->report_count
                                   ? "the counts agree and the checksums differ"
                                   : "the report counts differ");
}

/* AggregateShare is its one member, the ciphertext. */
static struct status share_seal(struct share_work *work, struct store_tx *tx,
                                const struct batch_total *total) {
    struct exchange *exchange = work->exchange;
    struct buffer sealed = BUFFER_INIT;
    struct status status;
    TRY_GOTO(status,
             commit_seal(exchange->aggregator->options.provider, exchange->task,
                         work->collection_job_req, total->agg_share, &sealed),
             end);
    TRY_GOTO(status, arena_copy(exchange->arena, buffer_span(&sealed), &work->row.response), end);
    work->row.state = STORE_RESOURCE_READY;
    status = store_resource_update(tx, &work->row, 0);
end:
    buffer_release(&sealed);
    return status;
}

static struct status create_share(struct store_tx *tx, void *argument) {
    struct share_work *work = argument;
    struct exchange *exchange = work->exchange;
    const struct served_task *task = exchange->task;
    struct batch_total total;
    bool found, collected;
    work->made = false;
    exchange->detail = NULL;
    TRY(store_resource_create(tx, exchange->arena, &work->resource, INT64_MAX, &work->row,
                              &found));
    if (found) {
        return OK;
    }
    TRY(commit_is_collected(task, tx, &work->batch, &collected));
    if (collected) {
        return FAIL(BATCH_OVERLAP);
    }
    TRY(commit_total(task, tx, exchange->arena, work->request.collection_job_req.agg_param,
                     &work->batch, &total));
    TRY(check_batch(work, tx, &total));
    TRY(commit_mark_collected(task, tx, &work->batch));
    TRY(share_seal(work, tx, &total));
    TRY(store_counter_add(tx, work->resource.task_id, "batch_collected", 1));
    work->made = true;
    return OK;
}

/* ---- Resource ------------------------------------------------------------------------------ */

static void share_finish(struct exchange *exchange, struct status status,
                         const struct store_resource *row) {
    struct reply reply;
    if (status_ok(status)) {
        status = helper_job_reply(exchange, RESOURCE_AGGREGATE_SHARES, MEDIA_AGGREGATE_SHARE, row,
                                  &reply);
    }
    exchange_finish(exchange, status, &reply);
}

static struct status share_create(struct share_work *work, const uint8_t *id) {
    struct exchange *exchange = work->exchange;
    struct aggregator *aggregator = exchange->aggregator;
    struct span body = exchange->request->body;
    struct store_resource *resource = &work->resource;
    TRY(request_decode(work, body));
    TRY(batch_decode(work));
    resource->kind = STORE_AGGREGATE_SHARE;
    resource->created_at = aggregator_now(aggregator);
    memcpy(resource->task_id, exchange->task->dap.id.bytes, STORE_TASK_ID_SIZE);
    crypto_hash_sha256(resource->digest, body.data, body.len);
    if (id != NULL) {
        memcpy(resource->id, id, STORE_ID_SIZE);
    } else if (aggregator->options.provider->random(resource->id, STORE_ID_SIZE) != 0) {
        return FAIL(CRYPTO);
    }
    return store_run(aggregator->options.store, STORE_WRITE, create_share, work);
}

void aggregate_share_submit(struct exchange *exchange, const uint8_t *id) {
    struct share_work work = {.exchange = exchange};
    struct status status = share_create(&work, id);
    if (!status_ok(status) || work.made) {
        counts_add(exchange->aggregator->counts.collections, exchange->task->id_text,
                   role_name(ROLE_HELPER),
                   status_ok(status) ? "finished" : status_name(status.code), 1);
    }
    share_finish(exchange, status, &work.row);
}

static void create_run(struct exchange *exchange) { aggregate_share_submit(exchange, NULL); }

const struct endpoint aggregate_share_create = {
    .name = "aggregate_share_create",
    .role = ROLE_HELPER,
    .caller = CALLER_AGGREGATOR,
    .has_body = true,
    .body_type = MEDIA_AGGREGATE_SHARE_REQ,
    .run = create_run,
};

static struct status get_share(struct store_tx *tx, void *argument) {
    struct share_work *work = argument;
    return store_resource_get(tx, work->exchange->arena, work->exchange->task->dap.id.bytes,
                              STORE_AGGREGATE_SHARE, work->resource.id, &work->row);
}

static void get_run(struct exchange *exchange) {
    struct share_work work = {.exchange = exchange};
    struct status status = exchange_id(exchange, "share", STATUS_NOT_FOUND, work.resource.id);
    if (status_ok(status)) {
        status = store_run(exchange->aggregator->options.store, STORE_READ, get_share, &work);
    }
    share_finish(exchange, status, &work.row);
}

const struct endpoint aggregate_share_get = {
    .name = "aggregate_share_get",
    .role = ROLE_HELPER,
    .caller = CALLER_AGGREGATOR,
    .run = get_run,
};

static struct status delete_share(struct store_tx *tx, void *argument) {
    struct share_work *work = argument;
    return store_resource_delete(tx, work->exchange->task->dap.id.bytes, STORE_AGGREGATE_SHARE,
                                 work->resource.id);
}

/* The mark that the batch was collected stays. */
static void delete_run(struct exchange *exchange) {
    struct share_work work = {.exchange = exchange};
    const struct reply reply = {0};
    struct status status = exchange_id(exchange, "share", STATUS_NOT_FOUND, work.resource.id);
    if (status_ok(status)) {
        status = store_run(exchange->aggregator->options.store, STORE_WRITE, delete_share, &work);
    }
    exchange_finish(exchange, status, &reply);
}

const struct endpoint aggregate_share_delete = {
    .name = "aggregate_share_delete",
    .role = ROLE_HELPER,
    .caller = CALLER_AGGREGATOR,
    .run = delete_run,
};
