/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/helper_dialect.h"

#include "aggregator/janus.h"

static struct status draft_encode_resp(struct span resp, struct arena *arena, struct span *out) {
    (void)arena;
    *out = resp;
    return OK;
}

const struct helper_dialect helper_draft_18 = {
    .decode_continue = aggregation_job_continue_req_decode,
    .encode_resp = draft_encode_resp,
};

const struct helper_dialect *helper_dialect_of(const struct served_task *task) {
    return task->aggregator_peer.dialect == TASK_DIALECT_JANUS ? &helper_janus : &helper_draft_18;
}
