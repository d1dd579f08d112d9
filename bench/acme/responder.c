/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "acme/challenge.h"
#include "client.h"
#include "net/router.h"

struct acme_responder {
    EVP_PKEY *key;
    struct loop_group *loops;
    struct router *router;
    struct http_server *server;
};

static void serve(void *context, struct http_request *request) {
    struct acme_responder *responder = context;
    const char *body;
    struct span token = http_request_parameter(request, "token");
    const char *text = arena_printf(&request->arena, "%.*s", (int)token.len,
                                    (const char *)token.data);
    if (text == NULL ||
        !status_ok(challenge_authorization(text, responder->key, &request->arena, &body))) {
        http_reply_problem(request, 500, NULL, 0);
        return;
    }
    const struct http_response response = {.status = 200, .body = span_of_string(body)};
    http_reply(request, &response);
}

static const struct route routes[] = {
    {"GET", CHALLENGE_HTTP_PATH "{token}", 0, serve, NULL, NULL},
};

bool acme_responder_start(EVP_PKEY *key, struct acme_responder **out, uint16_t *port) {
    struct acme_responder *responder = calloc(1, sizeof *responder);
    if (responder == NULL) {
        return false;
    }
    responder->key = key;
    bool made = status_ok(router_new(&responder->router)) &&
                status_ok(router_mount(responder->router, "", routes, 1, responder)) &&
                status_ok(loop_group_new(&responder->loops, 1));
    if (made) {
        struct http_server_config config = {.loops = responder->loops,
                                            .service = router_service(responder->router)};
        made = status_ok(address_parse(&config.listen, "127.0.0.1:0"));
        address_set_port(&config.listen, *port);
        made = made && status_ok(http_server_new(&responder->server, &config)) &&
               status_ok(loop_group_start(responder->loops));
    }
    if (!made) {
        acme_responder_stop(responder);
        return false;
    }
    struct address address = http_server_address(responder->server);
    *port = address_port(&address);
    *out = responder;
    return true;
}

void acme_responder_stop(struct acme_responder *responder) {
    if (responder != NULL) {
        http_server_free(responder->server);
        loop_group_free(responder->loops);
        router_free(responder->router);
        free(responder);
    }
}
