/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "aggregator/helper_step.h"
#include "aggregator/report_ids.h"

static struct status refuse(struct helper_refusal *refusal, struct status failure,
                            const char *detail) {
    refusal->detail = detail;
    return failure;
}

/* The list for the problem document; without memory it is left out. */
static void note_unknown(const struct aggregation_job_extension_list *extensions,
                         struct arena *arena, struct helper_refusal *refusal) {
    uint16_t *unknown = ARENA_ARRAY(arena, uint16_t, extensions->count);
    for (size_t i = 0; unknown != NULL && i < extensions->count; i++) {
        enum aggregation_job_extension_type type = extensions->items[i].extension_type;
        if (type != AGGREGATION_JOB_EXTENSION_TYPE_LEADER_SELECTED_BATCH_ID) {
            unknown[refusal->unknown_count++] = (uint16_t)type;
        }
    }
    refusal->unknown = unknown;
}

static bool distinct(const struct aggregation_job_init_req *request, struct arena *arena,
                     struct status *status) {
    const struct verify_init_list *inits = &request->verify_inits;
    struct report_id *ids = ARENA_ARRAY(arena, struct report_id, inits->count);
    if (ids == NULL) {
        *status = FAIL(NO_MEMORY);
        return false;
    }
    for (size_t i = 0; i < inits->count; i++) {
        ids[i] = inits->items[i].report_share.report_metadata.report_id;
    }
    *status = FAIL(INVALID_MESSAGE);
    return report_ids_distinct(ids, inits->count);
}

struct status helper_request_decode(const struct served_task *task, struct span body,
                                    struct arena *arena, struct aggregation_job_init_req *out,
                                    struct batch_id *batch_id, struct helper_refusal *refusal) {
    *refusal = (struct helper_refusal){0};
    struct aggregation_job_init_req request;
    struct status status = aggregation_job_init_req_decode(body, arena, &request);
    if (!status_ok(status)) {
        return refuse(refusal, status, "the AggregationJobInitReq does not decode");
    }
    status = batch_of_extensions(&request.extensions, task->dap.configuration.batch_mode,
                                 batch_id);
    if (!status_ok(status)) {
        if (status.code == STATUS_UNSUPPORTED_EXTENSION) {
            note_unknown(&request.extensions, arena, refusal);
        }
        return refuse(refusal, status,
                      "the aggregation job's extensions don't fit the task's batch mode");
    }
    TRY(vdaf_check_agg_param(task->vdaf, request.agg_param));
    /* An empty answer would say that the job isn't ready yet. */
    if (request.verify_inits.count == 0) {
        return refuse(refusal, FAIL(INVALID_MESSAGE), "the aggregation job has no reports");
    }
    if (!distinct(&request, arena, &status)) {
        return refuse(refusal, status, "a report ID occurs twice in the job");
    }
    if (task_verify_key(task, request.verification_key_id) == NULL) {
        return refuse(refusal, FAIL(INVALID_MESSAGE),
                      "the task has no verification key of this id");
    }
    *out = request;
    return OK;
}

struct status helper_request_config_ids(const struct aggregation_job_init_req *request,
                                        struct arena *arena, struct span *out) {
    bool seen[256] = {false};
    uint8_t *ids = ARENA_ARRAY(arena, uint8_t, 256);
    size_t count = 0;
    if (ids == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < request->verify_inits.count; i++) {
        uint8_t id = request->verify_inits.items[i].report_share.encrypted_input_share.config_id;
        if (!seen[id]) {
            seen[id] = true;
            ids[count++] = id;
        }
    }
    *out = span_of(ids, count);
    return OK;
}
