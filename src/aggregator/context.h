/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_CONTEXT_H
#define MOIETY_AGGREGATOR_CONTEXT_H

#include <stdatomic.h>

#include "aggregator/aggregator.h"
#include "aggregator/counts.h"
#include "aggregator/keyring.h"
#include "aggregator/task.h"

struct upload_committer;
struct helper_poller;
struct leader;
struct lease_keeper;
struct routes;

/* What the folder's files share. Immutable after aggregator_new() except where
 * a member says otherwise; the members lock themselves. */
struct aggregator {
    struct aggregator_options options; /* with the defaults filled in */
    struct task_cache *tasks;
    struct keyring_cache *keys;
    struct upload_committer *uploads;
    struct helper_poller *helper;
    struct leader *leader;
    struct lease_keeper *leases;
    struct routes *routes;
    struct counts counts;
    atomic_bool draining; /* no new work is claimed */
    _Atomic int64_t store_failed_ns; /* when the database last refused something; 0: never */
};

/* A database that fails, for want of room or of a server, does so for a while:
 * noted, so that nobody is sent here meanwhile. */
static inline void aggregator_note(struct aggregator *aggregator, struct status status) {
    if (status.code == STATUS_STORE || status.code == STATUS_STORE_BUSY ||
        status.code == STATUS_IO) {
        atomic_store(&aggregator->store_failed_ns, clock_monotonic_ns());
    }
}

/* When an upload that came now gives up the database, of clock_monotonic_ns(). */
static inline int64_t aggregator_upload_deadline_ns(const struct aggregator *aggregator) {
    return clock_monotonic_ns() + (int64_t)aggregator->options.upload_patience_ms * 1000000;
}

static inline int64_t aggregator_now(const struct aggregator *aggregator) {
    return clock_now_us(aggregator->options.clock);
}

#endif
