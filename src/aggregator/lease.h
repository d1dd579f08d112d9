/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_LEASE_H
#define MOIETY_AGGREGATOR_LEASE_H

#include "aggregator/context.h"

/*
 * Leases that this process holds, kept while the work under them goes on.
 *
 * A lease is short, so that another process soon takes over what this one had
 * when it died; a heartbeat renews it, on a thread of its own, however long a
 * step computes or waits for the helper. A process that stood still for longer
 * than its lease may find that another has the work: what it then writes back
 * is refused by the lease's token, and nothing counts twice.
 *
 * Thread-safe.
 */
struct lease {
    struct lease_key {
        bool of_job;          /* else of a resource */
        enum store_kind kind; /* of the resource */
        uint8_t task_id[STORE_TASK_ID_SIZE];
        uint8_t id[STORE_ID_SIZE];
        uint64_t token; /* as the claim gave it */
    } key;
    bool kept;
    struct lease *previous, *next; /* the keeper's */
};

struct status lease_keeper_new(struct aggregator *aggregator, struct lease_keeper **out);
/* Starts the heartbeat. */
struct status lease_keeper_start(struct lease_keeper *keeper);
void lease_keeper_free(struct lease_keeper *keeper); /* NULL is allowed */

/* When a lease that is claimed now ends, unless it is renewed. */
int64_t lease_until(const struct aggregator *aggregator);

/* From now on it is renewed. It must stay where it is until lease_end(). */
void lease_of_job(struct lease_keeper *keeper, const struct store_job *job, struct lease *lease);
void lease_of_resource(struct lease_keeper *keeper, const struct store_resource *resource,
                       struct lease *lease);
/* The work is over, whether the lease was given back or not. A lease that is
 * zero, or ended, is allowed. */
void lease_end(struct lease_keeper *keeper, struct lease *lease);

#endif
