/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/janus.h"

#include "aggregator/aggregate_share.h"
#include "aggregator/helper_job.h"
#include "dap/batch.h"
#include "dap/janus.h"

/* ---- Messages --------------------------------------------------------------- */

static struct status janus_decode_continue(struct span body, struct arena *arena,
                                           struct aggregation_job_continue_req *out) {
    struct janus_aggregation_job_continue_req request;
    TRY(janus_aggregation_job_continue_req_decode(body, arena, &request));
    *out = (struct aggregation_job_continue_req){request.step, request.verify_continues};
    return OK;
}

static struct status janus_encode_resp(struct span resp, struct arena *arena, struct span *out) {
    struct aggregation_job_resp response;
    struct buffer bytes = BUFFER_INIT;
    TRY(aggregation_job_resp_decode(resp, arena, &response));
    struct janus_aggregation_job_resp janus = {response.verify_resps};
    struct status status = janus_aggregation_job_resp_encode(&janus, &bytes);
    if (status_ok(status)) {
        status = arena_copy(arena, buffer_span(&bytes), out);
    }
    buffer_release(&bytes);
    return status;
}

const struct helper_dialect helper_janus = {
    .decode_continue = janus_decode_continue,
    .encode_resp = janus_encode_resp,
};

/* The partial batch selector as the draft's extension. */
static struct status selector_to_extensions(const struct janus_partial_batch_selector *selector,
                                            struct arena *arena,
                                            struct aggregation_job_extension_list *out) {
    struct batch batch = {.mode = selector->batch_mode};
    bool selected = batch.mode == BATCH_MODE_LEADER_SELECTED;
    if (selector->config.len != (selected ? sizeof batch.id.bytes : 0)) {
        return FAIL(INVALID_MESSAGE);
    }
    if (selected) {
        memcpy(batch.id.bytes, selector->config.data, sizeof batch.id.bytes);
    }
    return batch_to_extensions(&batch, arena, out);
}

/* The same request in the draft's encoding, which is what is kept. */
static struct status init_to_draft(const struct served_task *task, struct span body,
                                   struct arena *arena, struct span *out) {
    struct janus_aggregation_job_init_req janus;
    struct buffer bytes = BUFFER_INIT;
    TRY(janus_aggregation_job_init_req_decode(body, arena, &janus));
    if (janus.partial_batch_selector.batch_mode != task->dap.configuration.batch_mode) {
        return FAIL(INVALID_MESSAGE);
    }
    struct aggregation_job_init_req draft = {
        .verification_key_id = janus.verification_key_id,
        .agg_param = janus.agg_param,
        .verify_inits = janus.verify_inits,
    };
    TRY(selector_to_extensions(&janus.partial_batch_selector, arena, &draft.extensions));
    struct status status = aggregation_job_init_req_encode(&draft, &bytes);
    if (status_ok(status)) {
        status = arena_copy(arena, buffer_span(&bytes), out);
    }
    buffer_release(&bytes);
    return status;
}

/* ---- Resources -------------------------------------------------------------- */

static struct status admit(const struct exchange *exchange, const char *parameter, uint8_t id[]) {
    if (exchange->task->aggregator_peer.dialect != TASK_DIALECT_JANUS) {
        return FAIL(METHOD_NOT_ALLOWED);
    }
    return exchange_id(exchange, parameter, STATUS_NOT_FOUND, id);
}

static struct status job_put(struct exchange *exchange, struct reply *reply) {
    struct aggregation_job_init_req request;
    struct batch_id batch_id;
    struct helper_refusal refusal;
    struct store_resource row;
    struct span body;
    uint8_t id[STORE_ID_SIZE];
    TRY(admit(exchange, "job", id));
    if (!status_ok(
            init_to_draft(exchange->task, exchange->request->body, exchange->arena, &body))) {
        return exchange_fail(exchange, FAIL(INVALID_MESSAGE),
                             "the body is no AggregationJobInitReq of this dialect and task");
    }
    exchange->request->body = body;
    struct status status =
        helper_request_decode(exchange->task, body, exchange->arena, &request, &batch_id, &refusal);
    if (!status_ok(status)) {
        return exchange_fail(exchange, status, refusal.detail);
    }
    TRY(helper_job_submit(exchange, &request, &batch_id, id, &row));
    TRY(helper_job_reply(exchange, RESOURCE_AGGREGATION_JOBS, MEDIA_AGGREGATION_JOB_RESP, &row,
                         reply));
    reply->http_status = row.state == STORE_RESOURCE_READY ? 201 : 200;
    return OK;
}

static void job_put_run(struct exchange *exchange) {
    struct reply reply;
    struct status status = job_put(exchange, &reply);
    exchange_finish(exchange, status, &reply);
}

const struct endpoint janus_job_put = {
    .name = "aggregation_job_put",
    .role = ROLE_HELPER,
    .caller = CALLER_AGGREGATOR,
    .has_body = true,
    .body_type = MEDIA_AGGREGATION_JOB_INIT_REQ,
    .run = job_put_run,
};

static void share_put_run(struct exchange *exchange) {
    uint8_t id[STORE_ID_SIZE];
    struct status status = admit(exchange, "share", id);
    if (!status_ok(status)) {
        exchange_finish(exchange, status, NULL);
        return;
    }
    aggregate_share_submit(exchange, id);
}

const struct endpoint janus_share_put = {
    .name = "aggregate_share_put",
    .role = ROLE_HELPER,
    .caller = CALLER_AGGREGATOR,
    .has_body = true,
    .body_type = MEDIA_AGGREGATE_SHARE_REQ,
    .run = share_put_run,
};
