/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_HELPER_DIALECT_H
#define MOIETY_AGGREGATOR_HELPER_DIALECT_H

#include "aggregator/task.h"

/*
 * What differs between leaders in how they speak to a helper, once a job is
 * there. The draft's own way is helper_draft_18; a dialect is another table, in
 * a file of its own. Inside, and in the store, everything is the draft's.
 * Functions are thread-safe; what they give lives in the arena or borrows.
 */
struct helper_dialect {
    struct status (*decode_continue)(struct span body, struct arena *arena,
                                     struct aggregation_job_continue_req *out);
    /* From the draft's encoding of an AggregationJobResp. */
    struct status (*encode_resp)(struct span resp, struct arena *arena, struct span *out);
};

const struct helper_dialect *helper_dialect_of(const struct served_task *task);

extern const struct helper_dialect helper_draft_18;

#endif
