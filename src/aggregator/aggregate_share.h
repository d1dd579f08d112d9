/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_AGGREGATE_SHARE_H
#define MOIETY_AGGREGATOR_AGGREGATE_SHARE_H

#include "aggregator/exchange.h"

/* Aggregate shares at a helper (DAP, "Obtaining Aggregate Shares"). The share is
 * merged, sealed and stored, and the batch marked collected, in one transaction;
 * an identical request gets the same ciphertext. */
extern const struct endpoint aggregate_share_create;
extern const struct endpoint aggregate_share_get;
extern const struct endpoint aggregate_share_delete;

/* For dialects: handles an AggregateShareReq and finishes the exchange. `id`
 * NULL: a random one, else the one that the peer chose. */
void aggregate_share_submit(struct exchange *exchange, const uint8_t *id);

#endif
