/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/leader_job.h"

/*
 * What a helper's AggregationJobResp makes of a job's reports (DAP, "Leader
 * Initialization" and "Leader Continuation").
 */

/* Whether a report in this state may get this response. */
static bool response_fits(enum verify_state state, enum verify_resp_type type) {
    switch (type) {
    case VERIFY_RESP_TYPE_CONTINUE: return state == VERIFY_CONTINUED;
    case VERIFY_RESP_TYPE_FINISH: return state == VERIFY_FINISHED_WITH_OUTBOUND;
    case VERIFY_RESP_TYPE_REJECT: return true;
    }
    return false;
}

static void verdicts_check(const struct leader_job *job, const struct verify_resp_list *responses,
                           struct verdicts *verdicts) {
    if (responses->count != job->report_count) {
        verdicts->nonsense = "the helper answered for another number of reports";
        return;
    }
    for (size_t i = 0; i < responses->count; i++) {
        const struct verify_resp *response = &responses->items[i];
        const struct job_report *report = &job->reports[i];
        if (memcmp(response->report_id.bytes, report->id.bytes, sizeof report->id.bytes) != 0) {
            verdicts->nonsense = "the helper answered for other reports, or in another order";
            return;
        }
        if (!response_fits(pingpong_state(job->batch, report->index), response->verify_resp_type)) {
            verdicts->nonsense = "the helper's response doesn't fit the report's state";
            return;
        }
    }
}

/* The reserved value is our own "nothing wrong", which a rejection never is. */
static enum report_error rejection_error(const struct verify_resp *response) {
    return response->report_error == REPORT_ERROR_RESERVED ? REPORT_ERROR_INVALID_MESSAGE
                                                           : response->report_error;
}

/* Takes out what the helper rejected, and continues the rest. */
static struct status verdicts_apply(struct leader_job *job,
                                    const struct verify_resp_list *responses,
                                    struct verdicts *verdicts) {
    bool continues = false;
    for (size_t i = 0; i < responses->count; i++) {
        const struct verify_resp *response = &responses->items[i];
        const struct job_report *report = &job->reports[i];
        if (response->verify_resp_type == VERIFY_RESP_TYPE_REJECT) {
            verify_batch_refuse(job->batch, report->index, STATUS_VERIFY_FAILED);
            verdicts->rejected.by_error[(uint8_t)rejection_error(response)]++;
            verdicts->later[report->member] =
                response->report_error == REPORT_ERROR_REPORT_TOO_EARLY;
        } else if (response->verify_resp_type == VERIFY_RESP_TYPE_CONTINUE) {
            verdicts->inbound[report->index] = response->payload;
            continues = true;
        }
    }
    if (!continues) { /* with "finish" they have their output shares already */
        return OK;
    }
    TRY(pingpong_leader_continued(job->batch, verdicts->inbound));
    for (size_t i = 0; i < responses->count; i++) {
        if (responses->items[i].verify_resp_type == VERIFY_RESP_TYPE_CONTINUE &&
            pingpong_state(job->batch, job->reports[i].index) == VERIFY_REJECTED) {
            verdicts->rejected.by_error[REPORT_ERROR_VDAF_VERIFY_ERROR]++;
        }
    }
    return OK;
}

/* Whether any report has another message for the helper. `finish` responses
 * end theirs, whatever state the batch still shows. */
static bool job_goes_on(const struct leader_job *job, const struct verify_resp_list *responses) {
    for (size_t i = 0; i < responses->count; i++) {
        enum verify_state state = pingpong_state(job->batch, job->reports[i].index);
        if (responses->items[i].verify_resp_type == VERIFY_RESP_TYPE_CONTINUE &&
            (state == VERIFY_CONTINUED || state == VERIFY_FINISHED_WITH_OUTBOUND)) {
            return true;
        }
    }
    return false;
}

struct status leader_job_verify(struct leader_job *job, struct span body,
                                struct verdicts *verdicts) {
    struct verify_resp_list responses;
    struct status status = job->dialect->decode_resp(body, &job->arena, &responses);
    if (status.code == STATUS_INVALID_MESSAGE) {
        verdicts->undecodable = true;
        return OK;
    }
    TRY(status);
    verdicts->inbound = ARENA_ARRAY(&job->arena, struct span, verify_batch_count(job->batch) + 1);
    verdicts->later = ARENA_ARRAY(&job->arena, bool, job->member_count + 1);
    if (verdicts->inbound == NULL || verdicts->later == NULL) {
        return FAIL(NO_MEMORY);
    }
    verdicts_check(job, &responses, verdicts);
    if (verdicts->nonsense != NULL) {
        return OK;
    }
    TRY(verdicts_apply(job, &responses, verdicts));
    verdicts->goes_on = job_goes_on(job, &responses);
    return OK;
}

void leader_job_drop_rejected(struct leader_job *job) {
    size_t kept = 0;
    for (size_t i = 0; i < job->report_count; i++) {
        if (pingpong_state(job->batch, job->reports[i].index) != VERIFY_REJECTED) {
            job->reports[kept++] = job->reports[i];
        }
    }
    job->report_count = kept;
}
