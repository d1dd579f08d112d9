/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_PEER_URL_H
#define MOIETY_AGGREGATOR_PEER_URL_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"

/*
 * The URLs of another aggregator's resources (draft 18, section "HTTP Usage"),
 * and what its answers say about where and when to ask again. What a peer
 * sends is not trusted here: a Location can only ever name a resource of the
 * same kind and task at the same endpoint, since a token goes with the request
 * to it.
 *
 * All functions are thread-safe; what they return lives in the arena.
 */

/* One kind of resource of one task at one endpoint. */
struct peer_collection {
    struct span endpoint;   /* the peer's base URL, with or without a '/' at its end */
    const uint8_t *task_id; /* 32 bytes */
    const char *kind;       /* "aggregation_jobs", "aggregate_shares" */
};

/* {endpoint}/tasks/{task-id}/{kind}; NULL if out of memory. */
char *peer_collection_url(struct arena *arena, const struct peer_collection *collection);
/* The same and /{id} for an identifier that we chose. */
char *peer_resource_url(struct arena *arena, const struct peer_collection *collection,
                        struct span id);

/*
 * Resolves a Location (RFC 9110, section 10.2.2; RFC 3986, section 5.2) that
 * answered a request to `request_url`. The draft's own spelling for
 * continuation, /tasks/{task-id}/..., is taken as relative to the endpoint.
 * INVALID_MESSAGE unless the result is one path segment below the collection's
 * URL, with at most a query; otherwise `*out` is an absolute URL.
 */
struct status peer_location_resolve(struct arena *arena, const struct peer_collection *collection,
                                    const char *request_url, struct span location,
                                    const char **out);

/* Reads Retry-After (RFC 9110, section 10.2.3) as seconds or as a date in any
 * of HTTP's three formats, relative to `now_s`. Milliseconds between 0 and
 * PEER_RETRY_MAX_MS, or `fallback_ms` if it is absent or unreadable. */
enum { PEER_RETRY_MAX_MS = 300 * 1000 };
int64_t peer_retry_after_ms(struct span value, uint64_t now_s, int64_t fallback_ms);

#endif
