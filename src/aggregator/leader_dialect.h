/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_LEADER_DIALECT_H
#define MOIETY_AGGREGATOR_LEADER_DIALECT_H

#include "aggregator/task.h"
#include "dap/batch.h"

/*
 * What differs between helpers in how a leader speaks to them. The draft's own
 * way is leader_draft_18; a dialect is another table, in a file of its own.
 * Functions are thread-safe.
 */

/* The content of an AggregationJobInitReq. */
struct job_init {
    uint8_t verification_key_id;
    struct span agg_param;
    const struct batch *batch; /* its id matters if leader_selected */
    struct verify_init_list verify_inits;
};

struct leader_dialect {
    /* How a resource is created: POST to its collection, or with another method
     * at an id that the leader chose (`own_ids`). */
    const char *create_method;
    bool own_ids;
    size_t job_bytes_max; /* of a request's body; 0: whatever this server allows itself */
    struct status (*encode_init)(const struct job_init *init, struct arena *arena,
                                 struct buffer *out);
    struct status (*encode_continue)(uint16_t step, const struct verify_continue_list *continues,
                                     struct buffer *out);
    struct status (*decode_resp)(struct span body, struct arena *arena,
                                 struct verify_resp_list *out);
};

const struct leader_dialect *leader_dialect_of(const struct served_task *task);

extern const struct leader_dialect leader_draft_18;

#endif
