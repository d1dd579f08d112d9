/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_COLLECTION_FREEZE_H
#define MOIETY_AGGREGATOR_COLLECTION_FREEZE_H

#include "aggregator/collection_job.h"
#include "aggregator/commit.h"

/*
 * The look at a waiting collection job: whether its batch is complete, and if
 * so the end of that batch, all in one transaction. Afterwards either the row's
 * lease was given back until `look_again_at` (or for good, if the job failed),
 * or the batch is marked as collected, the row has its note, and the lease goes
 * on until `lease_until`.
 */
struct freeze {
    const struct moiety_provider *provider;
    const struct served_task *task;
    const struct store_resource *row; /* claimed, without a note */
    struct arena *arena;
    int64_t now, look_again_at, lease_until;
    /* out */
    enum { FREEZE_WAIT, FREEZE_DONE, FREEZE_FAILED } outcome;
    struct span note; /* in the arena, if done */
};

/* A store_function whose argument is a struct freeze. */
struct status collection_freeze_run(struct store_tx *tx, void *argument);

#endif
