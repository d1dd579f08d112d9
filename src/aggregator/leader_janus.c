/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/janus.h"

#include "aggregator/collection_job.h"
#include "dap/janus.h"

/* Janus answers 413 to more than this. */
enum { JANUS_BODY_MAX = 2097152 };

static struct status janus_encode_init(const struct job_init *init, struct arena *arena,
                                       struct buffer *out) {
    (void)arena;
    bool selected = init->batch->mode == BATCH_MODE_LEADER_SELECTED;
    struct janus_aggregation_job_init_req request = {
        .verification_key_id = init->verification_key_id,
        .agg_param = init->agg_param,
        .partial_batch_selector = {init->batch->mode,
                                   selected ? batch_id_span(&init->batch->id) : SPAN_EMPTY},
        .verify_inits = init->verify_inits,
    };
    return janus_aggregation_job_init_req_encode(&request, out);
}

static struct status janus_encode_continue(uint16_t step,
                                           const struct verify_continue_list *continues,
                                           struct buffer *out) {
    struct janus_aggregation_job_continue_req request = {step, *continues};
    return janus_aggregation_job_continue_req_encode(&request, out);
}

static struct status janus_decode_resp(struct span body, struct arena *arena,
                                       struct verify_resp_list *out) {
    struct janus_aggregation_job_resp response;
    TRY(janus_aggregation_job_resp_decode(body, arena, &response));
    *out = response.verify_resps;
    return OK;
}

const struct leader_dialect leader_janus = {
    .create_method = "PUT",
    .own_ids = true,
    .job_bytes_max = JANUS_BODY_MAX,
    .encode_init = janus_encode_init,
    .encode_continue = janus_encode_continue,
    .decode_resp = janus_decode_resp,
};

/* ---- Its collector ---------------------------------------------------------- */

/* The id is part of a request's identity: each new one asks for another
 * collection. The collector takes 201 alone for success. */
static struct status collection_put(struct exchange *exchange, struct reply *reply) {
    uint8_t id[STORE_ID_SIZE];
    struct store_resource resource;
    if (exchange->task->collector_peer.dialect != TASK_DIALECT_JANUS) {
        return FAIL(METHOD_NOT_ALLOWED);
    }
    TRY(exchange_id(exchange, "job", STATUS_NOT_FOUND, id));
    TRY(collection_submit(exchange, id, true, &resource));
    TRY(collection_reply(exchange, &resource, reply));
    reply->http_status = 201;
    return OK;
}

static void collection_put_run(struct exchange *exchange) {
    struct reply reply;
    struct status status = collection_put(exchange, &reply);
    exchange_finish(exchange, status, &reply);
}

const struct endpoint janus_collection_put = {
    .name = "collection_put",
    .role = ROLE_LEADER,
    .caller = CALLER_COLLECTOR,
    .has_body = true,
    .body_type = MEDIA_COLLECTION_JOB_REQ,
    .run = collection_put_run,
};
