/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_HELPER_STEP_H
#define MOIETY_AGGREGATOR_HELPER_STEP_H

#include "aggregator/commit.h"
#include "aggregator/context.h"
#include "vdaf/verify.h"

/*
 * One step of an aggregation job at a helper: the computing, apart from HTTP
 * and from where requests and answers are kept. Step 0 comes from an
 * AggregationJobInitReq, later ones from a AggregationJobContinueReq and the
 * state that the step before left.
 */

/* A report of the job, in the order of the request. */
struct helper_report {
    struct report_id id;
    uint64_t time;
    size_t index;            /* in the verify batch */
    enum report_error error; /* why it is rejected; REPORT_VALID so far */
};

struct helper_step {
    struct aggregator *aggregator;
    const struct served_task *task;
    struct arena *arena; /* everything borrows it */

    uint8_t verify_key_id;
    struct span agg_param;
    bool has_batch; /* leader-selected */
    struct batch_id batch_id;

    struct helper_report *reports;
    size_t count;
    struct verify_batch *batch; /* owned */

    struct commit_plan *plan;     /* what this step commits: */
    struct commit_report *ready;  /* reports that reached an output share.. */
    size_t *ready_at;             /* ..and where they stand in `reports` */
    size_t ready_count;
};

/* Frees the batch. The step may be all zero. */
void helper_step_release(struct helper_step *step);

/* The checks that a helper makes of the whole request before it looks at
 * reports, in the draft's order: malformed (INVALID_MESSAGE), extensions
 * (UNSUPPORTED_EXTENSION, INVALID_MESSAGE), aggregation parameter
 * (INVALID_AGGREGATION_PARAMETER), distinct report IDs (INVALID_MESSAGE); then
 * the verification key (INVALID_MESSAGE). `detail` says in words what is wrong,
 * and `unknown` which extensions. */
struct helper_refusal {
    const char *detail;
    const uint16_t *unknown;
    size_t unknown_count;
};
struct status helper_request_decode(const struct served_task *task, struct span body,
                                    struct arena *arena, struct aggregation_job_init_req *out,
                                    struct batch_id *batch_id, struct helper_refusal *refusal);

/* Distinct HPKE key ids that the request's shares name, a byte each. */
struct status helper_request_config_ids(const struct aggregation_job_init_req *request,
                                        struct arena *arena, struct span *out);

/* Step 0. `batch_id` matters in leader-selected mode alone. `step` has
 * aggregator, task and arena set. NO_MEMORY, or the store's failures. */
struct status helper_step_init(struct helper_step *step,
                               const struct aggregation_job_init_req *request,
                               const struct batch_id *batch_id);

/* A later step: `state` is what helper_step_state() appended. INVALID_MESSAGE if
 * the report IDs aren't distinct or not all of the state's candidates, in
 * order. */
struct status helper_step_continue(struct helper_step *step, struct span state,
                                   const struct aggregation_job_continue_req *request);

/* Commits what is ready and gives the encoded AggregationJobResp, in `arena`,
 * which a transaction that is run again may release before. Changes nothing of
 * the step. `tally` counts the reports that ended here. */
struct status helper_step_commit(const struct helper_step *step, struct store_tx *tx,
                                 struct arena *arena, struct report_tally *tally,
                                 struct span *response);

/* Whether reports go on to another step; then appends what it needs: secret. */
bool helper_step_goes_on(const struct helper_step *step);
struct status helper_step_state(const struct helper_step *step, struct buffer *out);

#endif
