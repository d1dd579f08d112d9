/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_DAP_BINDING_H
#define MOIETY_DAP_BINDING_H

#include "dap/task.h"

/*
 * What HPKE authenticates with each share: who speaks to whom, in which task,
 * about what (draft 18, sections 4.4.2.1 and 4.6.7). Thread-safe.
 */

/* The HPKE info of an input share from the client to `receiver`, which is the
 * leader or the helper, and of an aggregate share from `sender` to the
 * collector. Static memory. */
struct span input_share_info(enum role receiver);
struct span aggregate_share_info(enum role sender);

/* The encoded InputShareAad of a report, appended to `out`. The task's part of
 * it is copied as it stands. INVALID_ARGUMENT, NO_MEMORY. */
struct status input_share_aad_append(const struct task *task,
                                     const struct report_metadata *metadata,
                                     struct span public_share, struct buffer *out);
/* The same in an arena, for batches. */
struct status input_share_aad_make(const struct task *task,
                                   const struct report_metadata *metadata,
                                   struct span public_share, struct arena *arena,
                                   struct span *out);

/* The encoded AggregateShareAad, from the bytes of the CollectionJobReq as the
 * collector sent them. */
struct status aggregate_share_aad_make(const struct task *task,
                                       struct span encoded_collection_job_req,
                                       struct arena *arena, struct span *out);

#endif
