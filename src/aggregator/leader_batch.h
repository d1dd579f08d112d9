/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_LEADER_BATCH_H
#define MOIETY_AGGREGATOR_LEADER_BATCH_H

#include "aggregator/commit.h"
#include "aggregator/context.h"

/*
 * Batches that a leader selects (DAP, "Leader-selected Batch Mode").
 *
 * A batch is opened by the first job that needs one. It closes when its target
 * size is assigned to it, when its deadline has passed, or, if it has no target
 * size, when a collection job asks for it; in the last two cases only with
 * min_batch_size reports. A closed batch that shrinks below min_batch_size,
 * because reports were rejected, is opened again.
 *
 * All functions run in the transaction of what they belong to, in a task of
 * this mode.
 */

/* The batch that a new job goes to, and how many reports it still takes. It is
 * made if need be, but only stored by leader_batch_grow(). */
struct status leader_batch_open(struct aggregator *aggregator, const struct served_task *task,
                                struct store_tx *tx, struct arena *arena, int64_t now,
                                struct store_batch *out, uint64_t *room);
/* `count` reports were put into a job for it. */
struct status leader_batch_grow(const struct served_task *task, struct store_tx *tx,
                                struct store_batch *batch, uint64_t count);
/* `count` of its reports were rejected or put back. */
struct status leader_batch_shrink(const struct served_task *task, struct store_tx *tx,
                                  const uint8_t batch_id[STORE_BATCH_ID_SIZE], uint64_t count);

/*
 * The next batch for a collection job that was made at `asked_at`: the oldest
 * that is complete, has no unfinished job and holds min_batch_size reports.
 * `*found` is false if there is none yet; what it closed or opened on its way stays so.
 * An open batch waits for reports that were uploaded before `asked_at`, not for
 * later ones, so that a busy task's batches end too.
 */
struct status leader_batch_next(const struct served_task *task, struct store_tx *tx,
                                struct arena *arena, struct span agg_param, int64_t asked_at,
                                int64_t now, struct store_batch *out, struct batch_total *total,
                                bool *found);

#endif
