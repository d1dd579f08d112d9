/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/listener.h"

#include <stdlib.h>

#include "acme/client/pair.h"
#include "net/http_server.h"

struct listener {
    struct loop_group *loops;
    struct router *router;
    struct http_server *servers[2];
    bool started;
};

static struct status listen_on(struct listener *listener, size_t which, const char *address,
                               const struct http_tls_config *tls) {
    struct http_server_config config = {
        .loops = listener->loops,
        .service = router_service(listener->router),
        .tls = tls,
        .connections_max = 64,
    };
    TRY(address_parse(&config.listen, address));
    return http_server_new(&listener->servers[which], &config);
}

/* A TLS listener needs a certificate, though challenges bring their own. */
static struct status make_placeholder(void *context, struct secret *pem) {
    static const struct acme_identifier nobody = {IDENTIFIER_DNS, "placeholder.invalid"};
    (void)context;
    return pair_placeholder(&nobody, 1, pem);
}

static struct status listen_tls(struct listener *listener, struct responder *responder,
                                const char *address) {
    const struct tls_source placeholder = {make_placeholder, NULL};
    const struct http_tls_config tls = {.source = &placeholder};
    TRY(listen_on(listener, 1, address, &tls));
    const struct tls_challenges challenges = responder_challenges(responder);
    tls_server_set_challenges(http_server_tls(listener->servers[1]), &challenges);
    return OK;
}

static struct status start(struct listener *listener, struct responder *responder,
                           const char *http, const char *tls) {
    TRY(loop_group_new(&listener->loops, 1));
    TRY(router_new(&listener->router));
    TRY(responder_mount(responder, listener->router));
    if (http != NULL) {
        TRY(listen_on(listener, 0, http, NULL));
    }
    if (tls != NULL) {
        TRY(listen_tls(listener, responder, tls));
    }
    TRY(loop_group_start(listener->loops));
    listener->started = true;
    return OK;
}

struct status listener_new(struct listener **out, struct responder *responder, const char *http,
                           const char *tls) {
    struct listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = start(listener, responder, http, tls);
    if (!status_ok(status)) {
        listener_free(listener);
        return status;
    }
    *out = listener;
    return OK;
}

void listener_free(struct listener *listener) {
    if (listener == NULL) {
        return;
    }
    /* Servers stop on their loops, so these run even if the start failed. */
    if (!listener->started && listener->loops != NULL &&
        (listener->servers[0] != NULL || listener->servers[1] != NULL)) {
        struct status ignored = loop_group_start(listener->loops);
        (void)ignored;
    }
    http_server_free(listener->servers[0]);
    http_server_free(listener->servers[1]);
    loop_group_free(listener->loops);
    router_free(listener->router);
    free(listener);
}
