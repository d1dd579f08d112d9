/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_NET_ROUTER_H
#define MOIETY_NET_ROUTER_H

#include "net/http.h"

/*
 * Which function serves which method and path.
 *
 * A pattern is a path whose segments may be "{name}": "/tasks/{task}/reports".
 * Such a segment matches any one non-empty segment as it was sent
 * (percent-encoding is kept: our identifiers are base64url and never need it).
 * A path that matches no pattern gets 404; one that matches with other methods
 * gets 405 and Allow. HEAD is served by GET's route, the body being dropped.
 * OPTIONS is answered by the router: 204 with Allow, and as a CORS preflight
 * where a policy says so.
 */

/* Which web pages may call a route (the Fetch standard's CORS protocol). No
 * credentials are ever allowed. All strings outlive the router. */
struct cors_policy {
    const char *const *origins; /* "https://app.example"; "*" alone: any */
    size_t origin_count;
    const char *headers; /* that a page may send, as a list: "content-type"; NULL: none */
    unsigned max_age_s;  /* how long a browser may remember */
};

struct route {
    const char *method;
    const char *pattern;
    uint64_t body_limit;
    /* As in struct http_plan; `context` is the mount's. */
    void (*handle)(void *context, struct http_request *request);
    /* If not NULL: the route is this one's and the headers are in. May change
     * the plan (to stream, to lower the limit), or reply (say, 401) and set
     * plan->handle to NULL. */
    void (*admit)(void *context, struct http_request *request, struct http_plan *plan);
    const struct cors_policy *cors; /* NULL: same origin only */
};

struct router;

struct status router_new(struct router **out);
/* NULL is allowed. Servers that use it must have been freed. */
void router_free(struct router *router);

/* Serves `routes`, which outlive the router, below `base_path` ("" or "/dap").
 * Routes are tried in the order given, earlier mounts first. Before the server
 * starts. INVALID_ARGUMENT for a pattern without a leading '/', with too many
 * parameters or a malformed one; NO_MEMORY. */
struct status router_mount(struct router *router, const char *base_path,
                           const struct route *routes, size_t count, void *context);

/* What a server is to serve. Thread-safe once mounted. */
struct http_service router_service(struct router *router);

#endif
