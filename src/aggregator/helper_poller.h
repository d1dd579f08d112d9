/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_HELPER_POLLER_H
#define MOIETY_AGGREGATOR_HELPER_POLLER_H

#include "aggregator/context.h"

/*
 * Works off the aggregation jobs that a helper has accepted and not computed
 * yet. Jobs are leased, so that several processes can share them and a crash
 * only delays them.
 *
 * How long the last job waited before it was taken up is what the next will
 * have to expect: leaders are told so by Retry-After, and beyond a bound no
 * further job is accepted for the time being. Thread-safe.
 */
enum { HELPER_WAIT_MAX_S = 60 }; /* in the queue, before jobs are refused */
struct status helper_poller_new(struct aggregator *aggregator, struct helper_poller **out);
struct status helper_poller_start(struct helper_poller *poller);
/* Says that there is work, so that it needn't wait for the next look. */
void helper_poller_wake(struct helper_poller *poller);
/* How long a job waits, in whole seconds; 0 if there is no queue. */
uint32_t helper_poller_wait_s(const struct helper_poller *poller);
void helper_poller_free(struct helper_poller *poller); /* NULL is allowed */

#endif
