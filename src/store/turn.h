/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_STORE_TURN_H
#define MOIETY_STORE_TURN_H

#include "store/internal.h"

/*
 * Whose turn it is. Work is claimed task by task, round and round in the order of
 * their numbers, so that a task with a thousand jobs gets one claim as often as a
 * task with one job does. Each process has a wheel of its own for each kind of
 * work, which needs no agreement: what it points to is a wish.
 *
 * A step of the wheel goes to the next task that has work at all, which is one
 * look into an index, however many tasks have none and however much any has. Of
 * tasks whose work is not due yet, a claim passes at most TURN_STEPS, and the next
 * claim goes on behind them; a claim in vain is then left to the caller, who takes
 * what is due longest.
 */
enum { TURN_STEPS = 64 };

/* The task that is to be served now. NOT_FOUND if none of those next in turn has
 * work that is due. */
struct status turn_of_jobs(struct store_tx *tx, int64_t now, int64_t *task);
struct status turn_of_resources(struct store_tx *tx, enum store_kind kind, int64_t now,
                                int64_t *task);

/* When a row may be claimed: what the column due_at must hold. */
static inline int64_t turn_due_at(int64_t retry_at, int64_t leased_until) {
    return leased_until > retry_at ? leased_until : retry_at;
}

#endif
