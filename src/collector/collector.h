/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_COLLECTOR_COLLECTOR_H
#define MOIETY_COLLECTOR_COLLECTOR_H

#include "client/description.h"
#include "moiety/collector.h"

struct moiety_collector_key {
    struct hpke_key key;
    struct buffer config; /* encoded HpkeConfig */
};

struct moiety_collector {
    const struct moiety_provider *provider;
    const struct moiety_collector_key *key;
    struct arena arena; /* what the task borrows, and the URL */
    struct task task;
    struct vdaf *vdaf;
    char *creation_url;
};

struct moiety_aggregate {
    uint64_t report_count;
    uint64_t start_s;
    uint64_t duration_s;
    size_t len;
    struct moiety_value values[];
};

/* Opens both shares of an answer to `request`, the encoded CollectionJobReq
 * with aggregation parameter `agg_param`, and adds them up. UNKNOWN_KEY,
 * DECRYPT_FAILED, INVALID_MESSAGE, NO_MEMORY. */
struct status aggregate_open(const struct moiety_collector *collector, struct span request,
                             struct span agg_param, struct span body,
                             struct moiety_aggregate **out);

#endif
