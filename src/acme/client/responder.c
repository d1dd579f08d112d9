/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/responder.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

/* A challenge: `authorization` for http-01, or name, certificate and key. */
struct pending {
    struct pending *next;
    bool shared; /* of another replica */
    char *token;
    char *authorization;
    char *server_name;
    X509 *certificate;
    EVP_PKEY *key;
};

/* More than a CA has validations under way for one name. */
enum { WAITING_MAX = 64 };

struct responder {
    pthread_mutex_t mutex;   /* over all of it */
    struct pending *pending; /* few: one for each name of an order */
    bool looks;              /* there will be another look */
    struct http_request *waiting[WAITING_MAX];
    size_t waiting_count;
    size_t waited_count; /* the first of them came before the look that is under way */
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

static struct status fill_http(struct pending *pending, const char *authorization) {
    pending->authorization = strdup(authorization);
    return pending->authorization == NULL ? FAIL(NO_MEMORY) : OK;
}

static struct status add(struct responder *responder, enum challenge_type type, bool shared,
                         const char *token, const struct acme_identifier *identifier,
                         const char *authorization) {
    struct pending *pending = calloc(1, sizeof(*pending));
    if (pending == NULL) {
        return FAIL(NO_MEMORY);
    }
    pending->shared = shared;
    pending->token = strdup(token);
    struct status status = pending->token == NULL ? FAIL(NO_MEMORY)
                           : type == CHALLENGE_HTTP_01
                               ? fill_http(pending, authorization)
                               : fill_alpn(pending, identifier, authorization);
    if (!status_ok(status)) {
        pending_free(pending);
        return status;
    }
    push(responder, pending);
    return OK;
}

struct status responder_add_http(struct responder *responder, const char *token,
                                 const char *authorization) {
    return add(responder, CHALLENGE_HTTP_01, false, token, NULL, authorization);
}

struct status responder_add_alpn(struct responder *responder, const char *token,
                                 const struct acme_identifier *identifier,
                                 const char *authorization) {
    return add(responder, CHALLENGE_TLS_ALPN_01, false, token, identifier, authorization);
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

/* ---- Other replicas' ---- */

static bool is_listed(const struct pending *pending, const struct vault_challenge *list,
                      size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(pending->token, list[i].token) == 0) {
            return true;
        }
    }
    return false;
}

static void forget_unlisted(struct responder *responder, const struct vault_challenge *list,
                            size_t count) {
    pthread_mutex_lock(&responder->mutex);
    for (struct pending **at = &responder->pending; *at != NULL;) {
        struct pending *pending = *at;
        if (pending->shared && !is_listed(pending, list, count)) {
            *at = pending->next;
            pending_free(pending);
        } else {
            at = &pending->next;
        }
    }
    pthread_mutex_unlock(&responder->mutex);
}

static bool is_known(struct responder *responder, const char *token) {
    bool known = false;
    pthread_mutex_lock(&responder->mutex);
    for (const struct pending *p = responder->pending; p != NULL && !known; p = p->next) {
        known = strcmp(p->token, token) == 0;
    }
    pthread_mutex_unlock(&responder->mutex);
    return known;
}

struct status responder_share(struct responder *responder, const struct vault_challenge *list,
                              size_t count) {
    forget_unlisted(responder, list, count);
    for (size_t i = 0; i < count; i++) {
        const struct vault_challenge *challenge = &list[i];
        if (!is_known(responder, challenge->token)) {
            TRY(add(responder, challenge->type, true, challenge->token, &challenge->identifier,
                    challenge->authorization));
        }
    }
    return OK;
}

/* ---- Answering ---- */

/* With the mutex held. */
static struct status find_http(const struct responder *responder, struct span token,
                               struct buffer *body) {
    for (const struct pending *p = responder->pending; p != NULL; p = p->next) {
        if (p->authorization != NULL && span_equal_vartime(token, span_of_string(p->token))) {
            return buffer_append_string(body, p->authorization);
        }
    }
    return FAIL(NOT_FOUND);
}

/* `may_wait`: the answer may be put off, which leaves the request to others. */
static void answer(struct responder *responder, struct http_request *request, bool may_wait) {
    struct buffer body = BUFFER_INIT;
    const struct http_header headers[] = {
        HTTP_HEADER("Content-Type", SPAN_OF_LITERAL("application/octet-stream")),
        HTTP_HEADER("Cache-Control", SPAN_OF_LITERAL("no-store")),
    };
    pthread_mutex_lock(&responder->mutex);
    struct status status =
        find_http(responder, http_request_parameter(request, "token"), &body);
    const bool waits = status.code == STATUS_NOT_FOUND && may_wait && responder->looks &&
                       responder->waiting_count < WAITING_MAX;
    if (waits) {
        responder->waiting[responder->waiting_count++] = request;
    }
    pthread_mutex_unlock(&responder->mutex);
    if (waits) {
        return;
    }
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

static void handle(void *context, struct http_request *request) {
    answer(context, request, true);
}

void responder_look(struct responder *responder) {
    pthread_mutex_lock(&responder->mutex);
    responder->looks = true;
    responder->waited_count = responder->waiting_count;
    pthread_mutex_unlock(&responder->mutex);
}

void responder_looked(struct responder *responder, bool more) {
    struct http_request *waited[WAITING_MAX];
    pthread_mutex_lock(&responder->mutex);
    responder->looks = more;
    const size_t count = more ? responder->waited_count : responder->waiting_count;
    memcpy(waited, responder->waiting, count * sizeof(waited[0]));
    responder->waiting_count -= count;
    memmove(responder->waiting, responder->waiting + count,
            responder->waiting_count * sizeof(waited[0]));
    responder->waited_count = 0;
    pthread_mutex_unlock(&responder->mutex);
    for (size_t i = 0; i < count; i++) {
        answer(responder, waited[i], false);
    }
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
