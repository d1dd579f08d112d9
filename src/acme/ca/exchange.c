/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/exchange.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "wire/base64url.h"

/* ---- Answers ---- */

void ca_answer_fields(struct ca *ca, struct http_request *request) {
    char nonce[CA_NONCE_LEN + 1];
    if (status_ok(ca_nonce_make(ca->nonces, nonce))) {
        (void)!status_ok(
            http_request_add_reply_header(request, "Replay-Nonce", span_of_string(nonce)));
    }
    (void)!status_ok(
        http_request_add_reply_header(request, "Link", span_of_string(ca->index_link)));
    (void)!status_ok(
        http_request_add_reply_header(request, "Cache-Control", SPAN_OF_LITERAL("no-store")));
    /* Clients in browsers, which ask whether they may: requests are signed, and nothing
     * here goes by cookies. */
    if (http_request_header_count(request, "Origin") > 0) {
        (void)!status_ok(http_request_add_reply_header(request, "Access-Control-Allow-Origin",
                                                       SPAN_OF_LITERAL("*")));
        (void)!status_ok(http_request_add_reply_header(
            request, "Access-Control-Expose-Headers",
            SPAN_OF_LITERAL("Link, Location, Replay-Nonce, Retry-After")));
    }
}

struct status ca_fail(struct ca_exchange *x, enum acme_error error, const char *format, ...) {
    va_list arguments;
    char text[512];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    x->problem = (struct acme_problem){
        .error = error,
        .http = acme_error_http(error),
        .detail = arena_printf(x->arena, "%s", text),
    };
    return FAIL(INVALID_MESSAGE);
}

struct status ca_header(struct ca_exchange *x, const char *name, const char *format, ...) {
    va_list arguments;
    char text[1024];
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= sizeof text) {
        return FAIL(INTERNAL);
    }
    return http_request_add_reply_header(x->request, name, span_of(text, (size_t)len));
}

static struct status reply(struct ca_exchange *x, int status, const char *media_type,
                           struct buffer *body) {
    const struct http_header type = HTTP_HEADER("Content-Type", span_of_string(media_type));
    const struct http_response response = {
        .status = status, .headers = &type, .header_count = 1, .owned = body};
    ca_answer_fields(x->ca, x->request);
    http_reply(x->request, &response);
    x->request = NULL;
    return OK;
}

struct status ca_reply_bytes(struct ca_exchange *x, int status, const char *media_type,
                             struct span body) {
    struct buffer copy = BUFFER_INIT;
    TRY(buffer_append(&copy, body));
    return reply(x, status, media_type, &copy);
}

static struct status reply_document(struct ca_exchange *x, int status, const char *media_type,
                                    json_t *document) {
    struct buffer body = BUFFER_INIT;
    struct status written = document == NULL ? FAIL(NO_MEMORY) : json_write(document, &body);
    json_decref(document);
    if (!status_ok(written)) {
        buffer_release(&body);
        return written;
    }
    return reply(x, status, media_type, &body);
}

struct status ca_reply_json(struct ca_exchange *x, int status, json_t *document) {
    return reply_document(x, status, "application/json", document);
}

/* What an endpoint didn't put into words itself. */
static void problem_of_status(struct ca_exchange *x, struct status status) {
    if (x->problem.error != ACME_NONE) {
        return;
    }
    bool busy = status.code == STATUS_BUSY || status.code == STATUS_STORE_BUSY;
    x->problem = (struct acme_problem){
        .error = ACME_SERVER_INTERNAL,
        .http = busy ? 503 : 500,
        .detail = busy ? "the server is busy; try again later" : NULL,
    };
    x->retry_after_s = busy ? 1 : 0;
    if (!busy) {
        log_event(LOG_ERROR, "a request failed", LOG_STRING("route", x->request->route),
                  LOG_STRING("reason", status_text(status.code)));
    }
}

static void reply_problem(struct ca_exchange *x, struct status status) {
    problem_of_status(x, status);
    log_event(LOG_DEBUG, "a request was refused", LOG_STRING("route", x->request->route),
              LOG_STRING("problem", acme_error_name(x->problem.error)),
              LOG_STRING("detail", x->problem.detail == NULL ? "" : x->problem.detail));
    int http = x->problem.http != 0 ? x->problem.http : acme_error_http(x->problem.error);
    if (x->retry_after_s > 0) {
        (void)!status_ok(ca_header(x, "Retry-After", "%u", x->retry_after_s));
    }
    if (!status_ok(reply_document(x, http, "application/problem+json",
                                  acme_problem_json(&x->problem)))) {
        http_reply_problem(x->request, 500, NULL, 0);
        x->request = NULL;
    }
}

/* ---- Reading ---- */

static struct status check_url(struct ca_exchange *x) {
    size_t base = strlen(x->ca->options->url);
    const char *url = x->jws.url;
    bool same = url != NULL && strncmp(url, x->ca->options->url, base) == 0 &&
                span_equal_vartime(span_of_string(url + base), x->request->path);
    return same ? OK
                : ca_fail(x, ACME_UNAUTHORIZED,
                          "the protected header's url is not that of this request");
}

static struct status check_nonce(struct ca_exchange *x) {
    if (x->jws.nonce == NULL) {
        return ca_fail(x, ACME_BAD_NONCE, "the protected header has no nonce");
    }
    return ca_nonce_use(x->ca->nonces, x->jws.nonce)
               ? OK
               : ca_fail(x, ACME_BAD_NONCE, "this nonce was used, is too old or none of ours");
}

struct account_lookup {
    struct ca_exchange *x;
    struct ca_id id;
};

static struct status account_read(struct store_tx *tx, void *argument) {
    struct account_lookup *lookup = argument;
    struct ca_exchange *x = lookup->x;
    TRY(ca_account_get(tx, x->arena, &lookup->id, &x->account));
    if (x->endpoint->look_up != NULL) {
        x->found_status = x->endpoint->look_up(tx, x);
    }
    return OK;
}

/* kid is the account's URL (RFC 8555 section 6.2). */
static struct status find_account(struct ca_exchange *x) {
    struct account_lookup lookup = {.x = x};
    const char *prefix = arena_printf(x->arena, "%s/acme/account/", x->ca->options->url);
    if (prefix == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t len = strlen(prefix);
    bool ours = strncmp(x->jws.kid, prefix, len) == 0 &&
                status_ok(base64url_decode(lookup.id.bytes, sizeof lookup.id.bytes,
                                           span_of_string(x->jws.kid + len)));
    struct status status =
        ours ? ca_db_read(x->ca->db, account_read, &lookup) : FAIL(NOT_FOUND);
    if (status.code == STATUS_NOT_FOUND) {
        return ca_fail(x, ACME_ACCOUNT_DOES_NOT_EXIST, "there is no account at this kid");
    }
    TRY(status);
    if (x->account.state != CA_ACCOUNT_VALID) {
        return ca_fail(x, ACME_UNAUTHORIZED, "the account was deactivated");
    }
    x->by_account = true;
    return ca_key_cache_get(x->ca->keys, x->account.jwk, &x->account_key);
}

static struct status check_signer(struct ca_exchange *x) {
    enum ca_who who = x->endpoint->who;
    if (x->jws.kid == NULL && who == CA_WHO_ACCOUNT) {
        return ca_fail(x, ACME_MALFORMED, "this request must name its account by kid");
    }
    if (x->jws.kid != NULL && who == CA_WHO_KEY) {
        return ca_fail(x, ACME_MALFORMED, "this request must bring its key as jwk");
    }
    if (x->jws.algorithm == JWS_HS256) {
        return ca_fail(x, ACME_BAD_SIGNATURE_ALGORITHM, "a request is not signed with a MAC");
    }
    if (x->jws.kid != NULL) {
        TRY(find_account(x));
    }
    EVP_PKEY *key = x->by_account ? x->account_key : x->jws.key;
    return status_ok(jws_verify(&x->jws, key))
               ? OK
               : ca_fail(x, ACME_MALFORMED, "the request's signature does not verify");
}

static struct status read_payload(struct ca_exchange *x) {
    bool empty = x->jws.payload.len == 0;
    if (empty && !x->endpoint->get && !x->endpoint->either) {
        return ca_fail(x, ACME_MALFORMED, "this resource needs a payload");
    }
    if (!empty && x->endpoint->get) {
        return ca_fail(x, ACME_MALFORMED, "this resource is read by POST-as-GET: no payload");
    }
    if (!empty && !status_ok(json_parse(x->jws.payload, &x->payload))) {
        return ca_fail(x, ACME_MALFORMED, "the payload is not a JSON object");
    }
    json_drop_nulls(x->payload);
    return OK;
}

static struct status read_request(struct ca_exchange *x) {
    if (!http_request_is_media_type(x->request, "application/jose+json")) {
        struct status status =
            ca_fail(x, ACME_MALFORMED, "the Content-Type must be application/jose+json");
        x->problem.http = 415;
        return status;
    }
    struct status status = jws_read(x->request->body, x->arena, &x->jws, &x->problem);
    if (!status_ok(status)) {
        return status;
    }
    TRY(check_url(x));
    TRY(check_nonce(x));
    TRY(check_signer(x));
    return read_payload(x);
}

void ca_exchange_end(struct ca_exchange *x, struct status status) {
    /* Who replied gave the request back, with its arena, and cleared it here. */
    if (x->request != NULL) {
        reply_problem(x, status_ok(status) ? FAIL(INTERNAL) : status);
    }
    jws_release(&x->jws);
    EVP_PKEY_free(x->account_key);
    json_decref(x->payload);
    free(x);
}

static void exchange_run(void *argument, bool cancelled) {
    struct ca_exchange *x = argument;
    if (cancelled) {
        http_reply_problem(x->request, 503, "the server is stopping", 1);
        free(x);
        return;
    }
    x->now = (int64_t)clock_now_s(&clock_system);
    struct status status = x->endpoint->who == CA_WHO_ANYBODY ? OK : read_request(x);
    if (status_ok(status)) {
        status = x->endpoint->run(x);
    }
    if (status_ok(status) && x->hand_over != NULL) {
        x->hand_over(x);
        return;
    }
    ca_exchange_end(x, status);
}

void ca_exchange_submit(struct ca *ca, struct http_request *request,
                        const struct ca_endpoint *endpoint) {
    struct ca_exchange *x = calloc(1, sizeof *x);
    if (x != NULL) {
        *x = (struct ca_exchange){
            .ca = ca, .request = request, .arena = &request->arena, .endpoint = endpoint};
    }
    if (x != NULL && endpoint->reads && ca_db_is_file(ca->db)) {
        exchange_run(x, false);
        return;
    }
    if (x == NULL || !status_ok(work_queue_submit(ca->work, exchange_run, x))) {
        free(x);
        ca_answer_fields(ca, request);
        http_reply_problem(request, 503, "the server is busy; try again later", 1);
    }
}

/* ---- Texts ---- */

const char *ca_resource_url(struct ca_exchange *x, const char *kind, const struct ca_id *id) {
    char text[24];
    base64url_encode(text, SPAN_OF_ARRAY(id->bytes));
    return arena_printf(x->arena, "%s/acme/%s/%s", x->ca->options->url, kind, text);
}

struct status ca_path_id_read(struct ca_exchange *x, const char *name, struct ca_id *out) {
    struct span text = http_request_parameter(x->request, name);
    return status_ok(base64url_decode(out->bytes, sizeof out->bytes, text)) ? OK : FAIL(NOT_FOUND);
}

struct status ca_path_id(struct ca_exchange *x, const char *name, struct ca_id *out) {
    struct status status = ca_path_id_read(x, name, out);
    if (!status_ok(status)) {
        status = ca_fail(x, ACME_MALFORMED, "there is nothing at this address");
        x->problem.http = 404;
    }
    return status;
}

struct status ca_found_check(struct ca_exchange *x, const char *kind) {
    struct status status = x->found_status;
    if (status.code == STATUS_NOT_FOUND) {
        status = ca_fail(x, ACME_MALFORMED, "there is no such %s", kind);
        x->problem.http = 404;
    }
    return status;
}

const char *ca_time_text(struct arena *arena, int64_t seconds) {
    time_t time = (time_t)seconds;
    struct tm parts;
    char text[32];
    gmtime_r(&time, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return arena_printf(arena, "%s", text);
}

json_t *ca_json_stored(const char *text) {
    return text == NULL ? NULL : json_loads(text, 0, NULL);
}

struct status ca_json_text(struct arena *arena, json_t *value, const char **out) {
    struct buffer buffer = BUFFER_INIT;
    struct status status = value == NULL ? FAIL(NO_MEMORY) : json_write(value, &buffer);
    if (status_ok(status)) {
        *out = arena_printf(arena, "%.*s", (int)buffer.len, (const char *)buffer.data);
        status = *out == NULL ? FAIL(NO_MEMORY) : OK;
    }
    buffer_release(&buffer);
    return status;
}
