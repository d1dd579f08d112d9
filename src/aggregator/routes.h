/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_ROUTES_H
#define MOIETY_AGGREGATOR_ROUTES_H

#include "aggregator/aggregator.h"

/* The resources that an aggregator serves, and who answers for each. Owns what
 * the router borrows. */
struct routes;

struct status routes_new(const struct aggregator_options *options, struct routes **out);
void routes_free(struct routes *routes); /* NULL is allowed */
struct status routes_mount(const struct routes *routes, struct aggregator *aggregator,
                           struct router *router);

#endif
