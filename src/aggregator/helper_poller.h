/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_HELPER_POLLER_H
#define MOIETY_AGGREGATOR_HELPER_POLLER_H

#include "aggregator/context.h"

/*
 * Works off the aggregation jobs that a helper has accepted and not computed
 * yet. Jobs are leased, so that several processes can share them and a crash
 * only delays them.
 */
struct status helper_poller_new(struct aggregator *aggregator, struct helper_poller **out);
struct status helper_poller_start(struct helper_poller *poller);
/* Says that there is work, so that it needn't wait for the next look. */
void helper_poller_wake(struct helper_poller *poller);
void helper_poller_free(struct helper_poller *poller); /* NULL is allowed */

#endif
