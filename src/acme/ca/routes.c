/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/endpoint.h"
#include "acme/ca/public.h"

/* A function for each endpoint, since a route's is given the mount's context alone. */
#define SERVE(name)                                                      \
    static void serve_##name(void *context, struct http_request *request) { \
        ca_exchange_submit(context, request, &ca_endpoint_##name);       \
    }

SERVE(new_account)
SERVE(account)
SERVE(orders)
SERVE(key_change)
SERVE(new_order)
SERVE(order)
SERVE(finalize)
SERVE(authorization)
SERVE(challenge)
SERVE(certificate)
SERVE(revoke)
SERVE(renewal)
SERVE(directory)
SERVE(crl)
SERVE(issuer)
SERVE(ocsp)
SERVE(log_key)
SERVE(checkpoint)
SERVE(log_entries)
SERVE(log_proof)
SERVE(consistency)

/* Answered on the loop: nothing is read or written (RFC 8555 section 7.2). */
static void serve_new_nonce(void *context, struct http_request *request) {
    const struct http_response response = {
        .status = strcmp(request->method, "HEAD") == 0 ? 200 : 204};
    ca_answer_fields(context, request);
    http_reply(request, &response);
}

/* Whether it runs at all. */
static void serve_health(void *context, struct http_request *request) {
    const struct http_response response = {.status = 200, .body = SPAN_OF_LITERAL("ok\n")};
    (void)context;
    http_reply(request, &response);
}

enum { BODY_MAX = 128 * 1024, OCSP_MAX = 4096 };

#define SIGNED(pattern, name) {"POST", pattern, BODY_MAX, serve_##name, NULL, NULL}
#define PUBLIC(pattern, name) {"GET", pattern, 0, serve_##name, NULL, NULL}

static const struct route routes[] = {
    PUBLIC("/directory", directory),
    PUBLIC("/acme/new-nonce", new_nonce),
    SIGNED("/acme/new-account", new_account),
    SIGNED("/acme/new-order", new_order),
    SIGNED("/acme/revoke-cert", revoke),
    SIGNED("/acme/key-change", key_change),
    SIGNED("/acme/account/{id}", account),
    SIGNED("/acme/account/{id}/orders", orders),
    SIGNED("/acme/order/{id}", order),
    SIGNED("/acme/order/{id}/finalize", finalize),
    SIGNED("/acme/authorization/{id}", authorization),
    SIGNED("/acme/challenge/{id}/{type}", challenge),
    SIGNED("/acme/certificate/{serial}", certificate),
    SIGNED("/acme/certificate/{serial}/{chain}", certificate),
    PUBLIC("/acme/renewal-info/{id}", renewal),
    PUBLIC("/crl/{issuer}/{shard}", crl),
    PUBLIC("/issuer/{issuer}", issuer),
    {"POST", "/ocsp/{issuer}", OCSP_MAX, serve_ocsp, NULL, NULL},
    PUBLIC("/log/key", log_key),
    PUBLIC("/log/checkpoint", checkpoint),
    PUBLIC("/log/entries", log_entries),
    PUBLIC("/log/proof/{serial}", log_proof),
    PUBLIC("/log/consistency", consistency),
    PUBLIC("/healthz", health),
};

struct status ca_add_routes(struct ca *ca, struct router *router) {
    return router_mount(router, "", routes, sizeof routes / sizeof routes[0], ca);
}
