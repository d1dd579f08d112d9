/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_HELPER_JOB_H
#define MOIETY_AGGREGATOR_HELPER_JOB_H

#include "aggregator/exchange.h"
#include "aggregator/helper_step.h"

/*
 * Aggregation jobs at a helper (DAP, "Verifying and Aggregating Reports"): the
 * resource, created by POST, continued by POST, read by GET, deleted by DELETE.
 *
 * Initialisation is computed in the request, or later if the task's
 * helper_async is set: then the body is durable before the empty answer, and a
 * poller works it off. Either way committed IDs, bucket deltas and the answer
 * are written in one transaction, and a retry gets the stored answer.
 */
extern const struct endpoint helper_job_create;
extern const struct endpoint helper_job_continue;
extern const struct endpoint helper_job_get;
extern const struct endpoint helper_job_delete;

enum { HELPER_RETRY_AFTER_S = 1 }; /* at least, of answers that aren't ready */

/* In a transaction: commits a step and makes its answer the resource's. The row
 * is leased to the caller, or to nobody. LEASE_LOST. Runs again harmlessly;
 * `row` is changed only in what a second run writes anew. */
struct status helper_job_settle(struct store_tx *tx, struct arena *arena,
                                const struct helper_step *step, struct store_resource *row,
                                struct report_tally *tally);
/* Metrics, once that is durable. */
void helper_job_count(struct aggregator *aggregator, const struct served_task *task,
                      const struct report_tally *tally);

/*
 * For dialects: creates the job of a decoded request. `id` NULL: a random one,
 * else the one that the peer chose. `row` is the resource that stands, new or
 * not; its spans are the exchange's arena's.
 */
struct status helper_job_submit(struct exchange *exchange,
                                const struct aggregation_job_init_req *request,
                                const struct batch_id *batch_id, const uint8_t *id,
                                struct store_resource *row);
/* What a resource's state means as an answer: its representation, an empty body
 * and Retry-After, or its failure. */
struct status helper_job_reply(struct exchange *exchange, enum resource resource,
                               enum media_type type, const struct store_resource *row,
                               struct reply *out);

#endif
