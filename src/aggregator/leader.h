/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_LEADER_H
#define MOIETY_AGGREGATOR_LEADER_H

#include "aggregator/exchange.h"

/*
 * The leader's own machinery behind one handle: making and driving aggregation
 * jobs, collection, expiry, key rotation. aggregator.c calls it.
 */
struct status leader_new(struct aggregator *aggregator, struct leader **out);
struct status leader_start(struct leader *leader);
void leader_drain(struct leader *leader);
void leader_free(struct leader *leader); /* NULL is allowed */

/* collection_jobs: POST, GET, DELETE. */
extern const struct endpoint collection_create;
extern const struct endpoint collection_get;
extern const struct endpoint collection_delete;

#endif
