/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/responder.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

/* A challenge: `authorization` for http-01, or name, certificate and key. */
struct pending {
    struct pending *next;
    char *token;
    char *authorization;
    char *server_name;
    X509 *certificate;
    EVP_PKEY *key;
};

struct responder {
    pthread_mutex_t mutex;
    struct pending *pending; /* few: one for each name of an order */
};

static void pending_free(struct pending *pending) {
    free(pending->token);
    free(pending->authorization);
    free(pending->server_name);
    X509_free(pending->certificate);
    EVP_PKEY_free(pending->key);
    free(pending);
}

struct status responder_new(struct responder **out) {
    struct responder *responder = calloc(1, sizeof(*responder));
    if (responder == NULL) {
        return FAIL(NO_MEMORY);
    }
    pthread_mutex_init(&responder->mutex, NULL);
    *out = responder;
    return OK;
}

void responder_free(struct responder *responder) {
    if (responder == NULL) {
        return;
    }
    while (responder->pending != NULL) {
        struct pending *next = responder->pending->next;
        pending_free(responder->pending);
        responder->pending = next;
    }
    pthread_mutex_destroy(&responder->mutex);
    free(responder);
}

/* ---- Adding and removing ---- */

static void push(struct responder *responder, struct pending *pending) {
    pthread_mutex_lock(&responder->mutex);
    pending->next = responder->pending;
    responder->pending = pending;
    pthread_mutex_unlock(&responder->mutex);
}

static struct pending *pending_new(const char *token) {
    struct pending *pending = calloc(1, sizeof(*pending));
    if (pending != NULL && (pending->token = strdup(token)) == NULL) {
        free(pending);
        return NULL;
    }
    return pending;
}

struct status responder_add_http(struct responder *responder, const char *token,
                                 const char *authorization) {
    struct pending *pending = pending_new(token);
    if (pending == NULL || (pending->authorization = strdup(authorization)) == NULL) {
        if (pending != NULL) {
            pending_free(pending);
        }
        return FAIL(NO_MEMORY);
    }
    push(responder, pending);
    return OK;
}

static struct status fill_alpn(struct pending *pending, const struct acme_identifier *identifier,
                               const char *authorization) {
    struct arena arena = ARENA_INIT;
    uint8_t digest[32];
    const char *name = challenge_alpn_name(identifier, &arena);
    pending->server_name = name == NULL ? NULL : strdup(name);
    arena_release(&arena);
    if (pending->server_name == NULL) {
        return FAIL(NO_MEMORY);
    }
    challenge_digest(authorization, digest);
    return challenge_alpn_certificate(identifier, digest, &pending->certificate, &pending->key);
}

struct status responder_add_alpn(struct responder *responder, const char *token,
                                 const struct acme_identifier *identifier,
                                 const char *authorization) {
    struct pending *pending = pending_new(token);
    if (pending == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = fill_alpn(pending, identifier, authorization);
    if (!status_ok(status)) {
        pending_free(pending);
        return status;
    }
    push(responder, pending);
    return OK;
}

void responder_remove(struct responder *responder, const char *token) {
    pthread_mutex_lock(&responder->mutex);
    for (struct pending **at = &responder->pending; *at != NULL;) {
        struct pending *pending = *at;
        if (strcmp(pending->token, token) == 0) {
            *at = pending->next;
            pending_free(pending);
        } else {
            at = &pending->next;
        }
    }
    pthread_mutex_unlock(&responder->mutex);
}

/* ---- Answering ---- */

static struct status find_http(struct responder *responder, struct span token,
                               struct buffer *body) {
    struct status status = FAIL(NOT_FOUND);
    pthread_mutex_lock(&responder->mutex);
    for (const struct pending *p = responder->pending; p != NULL; p = p->next) {
        if (p->authorization != NULL && span_equal_vartime(token, span_of_string(p->token))) {
            status = buffer_append_string(body, p->authorization);
            break;
        }
    }
    pthread_mutex_unlock(&responder->mutex);
    return status;
}

static void handle(void *context, struct http_request *request) {
    struct responder *responder = context;
    struct buffer body = BUFFER_INIT;
    const struct http_header headers[] = {
        HTTP_HEADER("Content-Type", SPAN_OF_LITERAL("application/octet-stream")),
        HTTP_HEADER("Cache-Control", SPAN_OF_LITERAL("no-store")),
    };
    struct status status =
        find_http(responder, http_request_parameter(request, "token"), &body);
    if (status_ok(status)) {
        http_reply(request, &(struct http_response){.status = 200,
                                                    .headers = headers,
                                                    .header_count = 2,
                                                    .owned = &body});
    } else {
        http_reply_problem(request, status_http(status.code), NULL, 0);
    }
    buffer_release(&body);
}

struct status responder_mount(struct responder *responder, struct router *router) {
    static const struct route routes[] = {
        {.method = "GET", .pattern = CHALLENGE_HTTP_PATH "{token}", .handle = handle}};
    return router_mount(router, "", routes, 1, responder);
}

static bool find_alpn(void *context, const char *server_name, X509 **certificate,
                      EVP_PKEY **key) {
    struct responder *responder = context;
    bool found = false;
    pthread_mutex_lock(&responder->mutex);
    for (const struct pending *p = responder->pending; p != NULL && !found; p = p->next) {
        found = p->server_name != NULL && strcasecmp(p->server_name, server_name) == 0 &&
                X509_up_ref(p->certificate) == 1 && EVP_PKEY_up_ref(p->key) == 1;
        if (found) {
            *certificate = p->certificate;
            *key = p->key;
        }
    }
    pthread_mutex_unlock(&responder->mutex);
    return found;
}

struct tls_challenges responder_challenges(struct responder *responder) {
    return (struct tls_challenges){find_alpn, responder};
}
