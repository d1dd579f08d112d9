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
    struct routes *routes;
    struct counts counts;
    atomic_bool draining; /* no new work is claimed */
};

static inline int64_t aggregator_now(const struct aggregator *aggregator) {
    return clock_now_us(aggregator->options.clock);
}

#endif
