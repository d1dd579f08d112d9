/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/collection_job.h"

#include <sodium.h>

#include "aggregator/commit.h"
#include "aggregator/leader.h"
#include "aggregator/leader_job.h"
#include "dap/batch.h"

/*
 * The collection_jobs resource (DAP, "Collection Job Initialization"): what is
 * wrong with a request is said at once; all else is left to the driver.
 */

enum { RETRY_AFTER_MAX_S = 60 };

int64_t collection_look_again_ms(const struct aggregator *aggregator, int64_t age_us) {
    int64_t least = aggregator->options.job_poll_ms, most = 10 * 1000;
    int64_t delay = age_us / 1000 / 16;
    return delay < least ? least : delay > most ? most : delay;
}

/* A tenth of the time that the job has waited already. */
static uint32_t retry_after_s(const struct aggregator *aggregator, int64_t created_at) {
    int64_t age_s = (aggregator_now(aggregator) - created_at) / 1000000 / 10;
    return age_s < 1 ? 1 : age_s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (uint32_t)age_s;
}

struct status collection_reply(struct exchange *exchange, const struct store_resource *resource,
                               struct reply *out) {
    *out = (struct reply){0};
    TRY(exchange_location(exchange, RESOURCE_COLLECTION_JOBS, resource->id, -1, &out->location));
    switch (resource->state) {
    case STORE_RESOURCE_PENDING:
        out->retry_after_s = retry_after_s(exchange->aggregator, resource->created_at);
        return OK;
    case STORE_RESOURCE_READY:
        out->content_type = media_type_string(MEDIA_COLLECTION_JOB_RESP);
        out->body = resource->response;
        return OK;
    case STORE_RESOURCE_FAILED:
        return exchange_fail(exchange, (struct status){resource->problem},
                             "the collection job failed");
    case STORE_RESOURCE_DELETED: break;
    }
    return exchange_fail(exchange, FAIL(GONE), "the collection job was deleted");
}

/* ---- POST ----------------------------------------------------------------- */

struct create {
    struct exchange *exchange;
    struct collection_job_req request;
    struct batch batch;
    struct store_resource wanted;
    struct store_resource stands;
    const char *detail;
};

/* The checks that need no database. */
static struct status create_check(struct exchange *exchange, struct create *create) {
    const struct served_task *task = exchange->task;
    if (!status_ok(collection_job_req_decode(exchange->request->body, exchange->arena,
                                             &create->request))) {
        return exchange_fail(exchange, FAIL(INVALID_MESSAGE),
                             "the body is no CollectionJobReq, or of an unknown batch mode");
    }
    struct status query =
        batch_of_query(&create->request.query, task->dap.configuration.batch_mode, &create->batch);
    if (query.code == STATUS_INVALID_MESSAGE) {
        return exchange_fail(exchange, query, "the query is not one of the task's batch mode");
    }
    struct status param = vdaf_check_agg_param(task->vdaf, create->request.agg_param);
    if (!status_ok(param)) {
        return exchange_fail(exchange, param, "the VDAF doesn't take this parameter");
    }
    if (!status_ok(query)) {
        return exchange_fail(exchange, query, "the batch interval is empty or overflows");
    }
    if (!commit_batch_fits(&create->batch)) {
        return exchange_fail(exchange, FAIL(BATCH_INVALID), "the batch interval ends too late");
    }
    return OK;
}

static struct status create_check_extensions(struct create *create) {
    const struct collection_job_extension_list *extensions = &create->request.extensions;
    struct exchange *exchange = create->exchange;
    struct status status = collection_job_check_extensions(extensions);
    if (status.code != STATUS_UNSUPPORTED_EXTENSION) {
        return status;
    }
    uint16_t *types = ARENA_ARRAY(exchange->arena, uint16_t, extensions->count);
    if (types == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < extensions->count; i++) {
        types[i] = (uint16_t)extensions->items[i].extension_type;
    }
    exchange->unsupported_extensions = types;
    exchange->unsupported_extension_count = extensions->count;
    create->detail = "a collection job extension is not supported";
    return status;
}

/* What was collected before, or under another parameter, is refused; in
 * leader-selected mode the batch isn't known yet. */
static struct status create_check_batch(struct create *create, struct store_tx *tx) {
    const struct served_task *task = create->exchange->task;
    bool found;
    if (!task_is_time_interval(task)) {
        return OK;
    }
    TRY(commit_is_collected(task, tx, &create->batch, &found));
    if (found) {
        create->detail = "the interval overlaps one that was collected";
        return FAIL(BATCH_OVERLAP);
    }
    TRY(commit_other_param(task, tx, create->request.agg_param, &create->batch, &found));
    if (found) {
        create->detail = "reports were aggregated under another aggregation parameter";
        return FAIL(INVALID_MESSAGE);
    }
    return OK;
}

/* An identical request finds the job that it made, whatever has become of the
 * batch since; only a new one is checked against what was collected. */
static struct status create_run(struct store_tx *tx, void *argument) {
    struct create *create = argument;
    bool found;
    TRY(store_resource_create(tx, create->exchange->arena, &create->wanted, 0, &create->stands,
                              &found));
    if (found) {
        return OK;
    }
    TRY(create_check_batch(create, tx));
    return create_check_extensions(create);
}

static void request_digest(struct span body, const uint8_t *id, uint8_t digest[STORE_DIGEST_SIZE]) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, body.data, body.len);
    if (id != NULL) {
        crypto_hash_sha256_update(&state, id, STORE_ID_SIZE);
    }
    crypto_hash_sha256_final(&state, digest);
}

struct status collection_submit(struct exchange *exchange, const uint8_t id[STORE_ID_SIZE],
                                bool id_counts, struct store_resource *out) {
    struct aggregator *aggregator = exchange->aggregator;
    struct span body = exchange->request->body;
    struct create create = {.exchange = exchange};
    TRY(create_check(exchange, &create));
    create.wanted = (struct store_resource){
        .kind = STORE_COLLECTION_JOB,
        .state = STORE_RESOURCE_PENDING,
        .request = body,
        .created_at = aggregator_now(aggregator),
        .retry_at = aggregator_now(aggregator),
    };
    memcpy(create.wanted.id, id, STORE_ID_SIZE);
    memcpy(create.wanted.task_id, exchange->task->dap.id.bytes, STORE_TASK_ID_SIZE);
    request_digest(body, id_counts ? id : NULL, create.wanted.digest);
    struct status status = store_run(aggregator->options.store, STORE_WRITE, create_run, &create);
    if (!status_ok(status)) {
        return create.detail != NULL ? exchange_fail(exchange, status, create.detail) : status;
    }
    *out = create.stands;
    leader_wake(aggregator->leader);
    return OK;
}

static struct status create_reply(struct exchange *exchange, struct reply *reply) {
    uint8_t id[STORE_ID_SIZE];
    if (exchange->aggregator->options.provider->random(id, sizeof id) != 0) {
        return FAIL(CRYPTO);
    }
    struct store_resource resource;
    TRY(collection_submit(exchange, id, false, &resource));
    return collection_reply(exchange, &resource, reply);
}

static void create_exchange(struct exchange *exchange) {
    struct reply reply;
    struct status status = create_reply(exchange, &reply);
    exchange_finish(exchange, status, &reply);
}

/* ---- GET and DELETE ------------------------------------------------------- */

struct lookup {
    struct exchange *exchange;
    uint8_t id[STORE_ID_SIZE];
    struct store_resource resource;
};

static struct status lookup_run(struct store_tx *tx, void *argument) {
    struct lookup *lookup = argument;
    return store_resource_get(tx, lookup->exchange->arena, lookup->exchange->task->dap.id.bytes,
                              STORE_COLLECTION_JOB, lookup->id, &lookup->resource);
}

static struct status get_reply(struct exchange *exchange, struct reply *reply) {
    struct lookup lookup = {.exchange = exchange};
    TRY(exchange_id(exchange, "job", STATUS_NOT_FOUND, lookup.id));
    TRY(store_run(exchange->aggregator->options.store, STORE_READ, lookup_run, &lookup));
    return collection_reply(exchange, &lookup.resource, reply);
}

static void get_exchange(struct exchange *exchange) {
    struct reply reply;
    struct status status = get_reply(exchange, &reply);
    exchange_finish(exchange, status, &reply);
}

/* What guards against double collection stays (DAP, "Collection Job
 * Deletion"). */
static struct status delete_run(struct store_tx *tx, void *argument) {
    struct lookup *lookup = argument;
    return store_resource_delete(tx, lookup->exchange->task->dap.id.bytes, STORE_COLLECTION_JOB,
                                 lookup->id);
}

static void delete_exchange(struct exchange *exchange) {
    struct lookup lookup = {.exchange = exchange};
    struct reply reply = {0};
    struct status status = exchange_id(exchange, "job", STATUS_NOT_FOUND, lookup.id);
    if (status_ok(status)) {
        status = store_run(exchange->aggregator->options.store, STORE_WRITE, delete_run, &lookup);
    }
    exchange_finish(exchange, status, &reply);
}

const struct endpoint collection_create = {
    .name = "collection_create",
    .role = ROLE_LEADER,
    .caller = CALLER_COLLECTOR,
    .has_body = true,
    .body_type = MEDIA_COLLECTION_JOB_REQ,
    .run = create_exchange,
};
const struct endpoint collection_get = {
    .name = "collection_get",
    .role = ROLE_LEADER,
    .caller = CALLER_COLLECTOR,
    .run = get_exchange,
};
const struct endpoint collection_delete = {
    .name = "collection_delete",
    .role = ROLE_LEADER,
    .caller = CALLER_COLLECTOR,
    .run = delete_exchange,
};
