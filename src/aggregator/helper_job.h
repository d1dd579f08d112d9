/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_HELPER_JOB_H
#define MOIETY_AGGREGATOR_HELPER_JOB_H

#include "aggregator/exchange.h"

/*
 * Aggregation jobs at a helper (DAP, "Verifying and Aggregating Reports"): the
 * resource, created by POST, continued by POST, read by GET, deleted by DELETE.
 *
 * Computed in the request, or later if the task's helper_async is set: then the
 * body is durable before the empty answer, and a poller works it off. Either
 * way committed IDs, bucket deltas and the answer are written in one
 * transaction, and a retry gets the stored answer.
 */
extern const struct endpoint helper_job_create;
extern const struct endpoint helper_job_continue;
extern const struct endpoint helper_job_get;
extern const struct endpoint helper_job_delete;

struct status helper_poller_new(struct aggregator *aggregator, struct helper_poller **out);
struct status helper_poller_start(struct helper_poller *poller);
/* Says that there is work, so that it needn't wait for the next look. */
void helper_poller_wake(struct helper_poller *poller);
void helper_poller_free(struct helper_poller *poller);

#endif
