/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_AGGREGATOR_RELAY_H
#define TEST_AGGREGATOR_RELAY_H

#include "aggregator/pair.h"

/* An HTTP server that asks the pair's script what to do with each request and
 * forwards what it is told to forward to the pair's helper. */
struct status relay_new(struct pair *pair, struct relay **out);
unsigned relay_port(const struct relay *relay);
void relay_free(struct relay *relay);

#endif
