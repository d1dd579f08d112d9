/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"

enum {
    REQUEST_TIMEOUT_MS = 60000,
    BODY_MAX = JSON_BYTES_MAX,
    TRIES_MAX = 4,          /* of what didn't get through or the server failed at */
    FIRST_WAIT_MS = 500,
    NONCE_PATIENCE = 20,    /* refusals of nonces before each next try waits */
    NONCE_WAIT_MS = 50,
    NONCE_REFUSALS_MAX = 10000, /* no honest server gets here, whatever it is told to reject */
};

struct status session_fail(struct session *session, enum status_code code, const char *format,
                           ...) {
    struct session_failure failure = {0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure.text, sizeof(failure.text), format, arguments);
    va_end(arguments);
    session->failure = failure;
    return (struct status){code};
}

struct status session_pause(struct session *session, uint64_t ms) {
    const struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    if (session->config.pause == NULL) {
        nanosleep(&time, NULL);
        return OK;
    }
    return session->config.pause(session->config.pause_context, ms)
               ? OK
               : session_fail(session, STATUS_CANCELLED, "stopped");
}

/* ---- One exchange ---- */

static void keep_nonce(struct session *session, const struct http_client_response *response) {
    const struct span nonce = http_client_response_header(response, "replay-nonce");
    session->nonce[0] = '\0';
    if (nonce.len > 0 && nonce.len < sizeof(session->nonce)) {
        memcpy(session->nonce, nonce.data, nonce.len);
        session->nonce[nonce.len] = '\0';
    }
}

static struct status exchange(struct session *session, const char *method, const char *url,
                              struct span body, struct session_answer *answer) {
    const struct http_header headers[] = {
        HTTP_HEADER("Content-Type", SPAN_OF_LITERAL("application/jose+json")),
    };
    const struct http_client_request request = {
        .method = method,
        .url = url,
        .headers = headers,
        .header_count = body.len > 0 ? 1 : 0,
        .body = body,
        .tls = {.ca_file = session->config.ca_file},
        .timeout_ms = REQUEST_TIMEOUT_MS,
        .body_max = BODY_MAX,
    };
    struct http_client_response *response = NULL;
    session->failure = (struct session_failure){0};
    TRY(http_client_call(session->config.http, &request, &response));
    if (status_ok(response->outcome)) {
        keep_nonce(session, response);
        return session_answer_read(session, url, response, answer);
    }
    struct status status = session_fail(session, response->outcome.code, "%s: %s", url,
                                        response->reason[0] != '\0'
                                            ? response->reason
                                            : status_text(response->outcome.code));
    http_client_response_free(response);
    return status;
}

/* ---- Nonces ---- */

static struct status fetch_nonce(struct session *session) {
    struct session_answer answer;
    const char *url = session_url(session, "newNonce");
    if (url == NULL) {
        return session_fail(session, STATUS_INVALID_MESSAGE, "the directory has no newNonce");
    }
    TRY(exchange(session, "HEAD", url, SPAN_EMPTY, &answer));
    session_answer_release(&answer);
    return session->nonce[0] != '\0'
               ? OK
               : session_fail(session, STATUS_INVALID_MESSAGE, "%s: gave no nonce", url);
}

/* ---- Signed requests ---- */

/* What is to be signed, anew for each nonce. */
struct post {
    EVP_PKEY *key;
    const char *kid; /* NULL: by jwk */
    const char *url;
    struct span payload;
};

static struct status post_once(struct session *session, const struct post *post,
                               struct session_answer *answer) {
    struct buffer body = BUFFER_INIT;
    char nonce[sizeof(session->nonce)];
    if (session->nonce[0] == '\0') {
        TRY(fetch_nonce(session));
    }
    memcpy(nonce, session->nonce, sizeof(nonce));
    session->nonce[0] = '\0';
    const struct jws_header header = {.kid = post->kid, .nonce = nonce, .url = post->url};
    struct status status = jws_sign(&header, post->payload, post->key, &body);
    if (status_ok(status)) {
        status = exchange(session, "POST", post->url, buffer_span(&body), answer);
    } else {
        status = session_fail(session, status.code, "a request can't be signed");
    }
    buffer_release(&body);
    return status;
}

/* A fresh nonce comes with each refusal, so there is no reason to give up. */
static struct status post_with_nonce(struct session *session, const struct post *post,
                                     struct session_answer *answer) {
    for (int refused = 0;; refused++) {
        struct status status = post_once(session, post, answer);
        if (status_ok(status) || session->failure.error != ACME_BAD_NONCE ||
            refused == NONCE_REFUSALS_MAX) {
            return status;
        }
        if (refused >= NONCE_PATIENCE) {
            TRY(session_pause(session, NONCE_WAIT_MS));
        }
    }
}

/* Whether the same request may well succeed in a moment. */
static bool is_passing(struct status status, const struct session_failure *failure) {
    return (status.code == STATUS_PEER_FAILED || status.code == STATUS_TIMEOUT) &&
           failure->retry_after_s == 0;
}

static struct status post_patiently(struct session *session, const struct post *post,
                                    struct session_answer *answer) {
    uint64_t wait = FIRST_WAIT_MS;
    for (int tries = 1;; tries++, wait *= 2) {
        struct status status = post_with_nonce(session, post, answer);
        if (status_ok(status) || !is_passing(status, &session->failure) || tries == TRIES_MAX) {
            return status;
        }
        log_event(LOG_DEBUG, "asking the ACME server again",
                  LOG_STRING("reason", session->failure.text));
        TRY(session_pause(session, wait));
    }
}

/* `kid` NULL: by the key's jwk. */
static struct status post_json(struct session *session, EVP_PKEY *key, const char *kid,
                               const char *url, json_t *payload, struct session_answer *answer) {
    struct buffer text = BUFFER_INIT;
    struct status status = payload == NULL ? OK : json_write(payload, &text);
    json_decref(payload);
    if (status_ok(status)) {
        const struct post post = {key, kid, url, buffer_span(&text)};
        status = post_patiently(session, &post, answer);
    }
    buffer_release(&text);
    return status;
}

struct status session_post(struct session *session, const char *url, json_t *payload,
                           struct session_answer *answer) {
    return post_json(session, session->config.account_key, session->account_url, url, payload,
                     answer);
}

struct status session_post_as(struct session *session, EVP_PKEY *key, const char *url,
                              json_t *payload, struct session_answer *answer) {
    return post_json(session, key, NULL, url, payload, answer);
}

struct status session_get(struct session *session, const char *url,
                          struct session_answer *answer) {
    uint64_t wait = FIRST_WAIT_MS;
    for (int tries = 1;; tries++, wait *= 2) {
        struct status status = exchange(session, "GET", url, SPAN_EMPTY, answer);
        if (status_ok(status) || !is_passing(status, &session->failure) || tries == TRIES_MAX) {
            return status;
        }
        TRY(session_pause(session, wait));
    }
}

/* ---- The directory ---- */

const char *session_url(const struct session *session, const char *resource) {
    return json_text(session->directory, resource);
}

const json_t *session_meta(const struct session *session, const char *member) {
    return json_object_get(json_object_get(session->directory, "meta"), member);
}

struct status session_init(struct session *session, const struct session_config *config) {
    struct session_answer answer;
    *session = (struct session){.config = *config, .account_url = config->account_url};
    TRY(session_get(session, config->directory, &answer));
    session->directory = json_incref(answer.body);
    session_answer_release(&answer);
    if (session_url(session, "newOrder") == NULL || session_url(session, "newAccount") == NULL) {
        session_release(session);
        return session_fail(session, STATUS_INVALID_MESSAGE, "%s: is no ACME directory",
                            config->directory);
    }
    return OK;
}

void session_release(struct session *session) {
    json_decref(session->directory);
    arena_release(&session->arena);
    session->directory = NULL;
}
