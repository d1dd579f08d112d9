/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/leader_dialect.h"

#include "aggregator/janus.h"

static struct status draft_encode_init(const struct job_init *init, struct arena *arena,
                                       struct buffer *out) {
    struct aggregation_job_init_req request = {
        .verification_key_id = init->verification_key_id,
        .agg_param = init->agg_param,
        .verify_inits = init->verify_inits,
    };
    TRY(batch_to_extensions(init->batch, arena, &request.extensions));
    return aggregation_job_init_req_encode(&request, out);
}

static struct status draft_encode_continue(uint16_t step,
                                           const struct verify_continue_list *continues,
                                           struct buffer *out) {
    struct aggregation_job_continue_req request = {.step = step, .verify_continues = *continues};
    return aggregation_job_continue_req_encode(&request, out);
}

static struct status draft_decode_resp(struct span body, struct arena *arena,
                                       struct verify_resp_list *out) {
    struct aggregation_job_resp response;
    TRY(aggregation_job_resp_decode(body, arena, &response));
    *out = response.verify_resps;
    return OK;
}

const struct leader_dialect leader_draft_18 = {
    .create_method = "POST",
    .encode_init = draft_encode_init,
    .encode_continue = draft_encode_continue,
    .decode_resp = draft_decode_resp,
};

const struct leader_dialect *leader_dialect_of(const struct served_task *task) {
    return task->aggregator_peer.dialect == TASK_DIALECT_JANUS ? &leader_janus : &leader_draft_18;
}
