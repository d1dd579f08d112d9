/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/order.h"

#include "acme/certificate.h"
#include "acme/client/authorization.h"
#include "acme/csr.h"
#include "base/log.h"
#include "wire/base64url.h"

/* ---- Making the order ---- */

static json_t *identifiers_json(const struct order_wishes *wishes) {
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < wishes->identifier_count; i++) {
        if (json_array_append_new(list, identifier_json(&wishes->identifiers[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static struct status request_order(struct session *session, const struct order_wishes *wishes,
                                   const char *replaces, struct session_answer *answer) {
    json_t *payload = json_object();
    if (payload == NULL || !json_put(payload, "identifiers", identifiers_json(wishes)) ||
        (wishes->profile != NULL && !json_put(payload, "profile", json_string(wishes->profile))) ||
        (replaces != NULL && !json_put(payload, "replaces", json_string(replaces)))) {
        json_decref(payload);
        return FAIL(NO_MEMORY);
    }
    return session_post(session, session_url(session, "newOrder"), payload, answer);
}

/* Whether the refusal may be about `replaces` (RFC 9773 section 5): the order
 * matters more than the hint. */
static bool may_be_replaces(struct status status, const struct session_failure *failure) {
    return failure->error == ACME_ALREADY_REPLACED || failure->error == ACME_MALFORMED ||
           status.code == STATUS_NOT_FOUND || status.code == STATUS_CONFLICT ||
           failure->error == ACME_UNAUTHORIZED;
}

static struct status make_order(struct session *session, const struct order_wishes *wishes,
                                struct session_answer *answer) {
    struct status status = request_order(session, wishes, wishes->replaces, answer);
    if (!status_ok(status) && wishes->replaces != NULL &&
        may_be_replaces(status, &session->failure)) {
        log_event(LOG_INFO, "the ACME server refused `replaces`; ordering without it",
                  LOG_STRING("reason", session->failure.text));
        status = request_order(session, wishes, NULL, answer);
    }
    TRY(status);
    if (answer->location == NULL || answer->body == NULL) {
        session_answer_release(answer);
        return session_fail(session, STATUS_INVALID_MESSAGE, "the new order has no Location");
    }
    return OK;
}

/* ---- Following it ---- */

static struct status order_failed(struct session *session, const json_t *order) {
    struct arena arena = ARENA_INIT;
    struct acme_problem problem = {0};
    struct status ignored = acme_problem_read(json_object_get(order, "error"), &arena, &problem);
    (void)ignored; /* it says so by having no detail */
    struct status status =
        session_fail(session, STATUS_FORBIDDEN, "the order is %s: %s",
                     json_text(order, "status") == NULL ? "malformed" : json_text(order, "status"),
                     problem.detail == NULL ? acme_error_text(problem.error) : problem.detail);
    session->failure.error = problem.error;
    arena_release(&arena);
    return status;
}

/* Polls the order until it leaves the states in `waiting`; *answer is the
 * last look. */
static struct status follow(struct session *session, const char *url, const char *waiting,
                            const char *wanted, struct session_answer *answer) {
    struct patience patience = PATIENCE_INIT;
    for (;;) {
        TRY(session_post(session, url, NULL, answer));
        const char *state = json_text(answer->body, "status");
        if (state != NULL && strcmp(state, wanted) == 0) {
            return OK;
        }
        struct status status = state == NULL || strcmp(state, waiting) != 0
                                   ? order_failed(session, answer->body)
                                   : patience_wait(session, &patience, answer);
        session_answer_release(answer);
        TRY(status);
    }
}

static struct status finalize(struct session *session, const struct order_wishes *wishes,
                              const char *url) {
    struct buffer der = BUFFER_INIT;
    struct arena arena = ARENA_INIT;
    struct session_answer answer;
    struct status status =
        csr_write(wishes->key, wishes->identifiers, wishes->identifier_count, &der);
    const char *text = status_ok(status) ? base64url_string(&arena, buffer_span(&der)) : NULL;
    json_t *payload = text == NULL ? NULL : json_pack("{s:s}", "csr", text);
    if (status_ok(status)) {
        status = payload == NULL ? FAIL(NO_MEMORY) : session_post(session, url, payload, &answer);
    }
    if (status_ok(status)) {
        session_answer_release(&answer);
    }
    buffer_release(&der);
    arena_release(&arena);
    return status;
}

/* From "pending" with all authorisations valid to the URL of the certificate. */
static struct status complete(struct session *session, const struct order_wishes *wishes,
                              const char *url, struct arena *arena, const char **certificate) {
    struct session_answer order;
    TRY(follow(session, url, "pending", "ready", &order));
    const char *finalize_url = json_text(order.body, "finalize");
    struct status status =
        finalize_url == NULL
            ? session_fail(session, STATUS_INVALID_MESSAGE, "the order has no finalize")
            : finalize(session, wishes, finalize_url);
    session_answer_release(&order);
    TRY(status);
    TRY(follow(session, url, "processing", "valid", &order));
    status = json_text_copy(order.body, "certificate", arena, certificate);
    session_answer_release(&order);
    TRY(status);
    return *certificate != NULL
               ? OK
               : session_fail(session, STATUS_INVALID_MESSAGE, "the order has no certificate");
}

/* ---- The certificate ---- */

static struct status check_chain(struct session *session, const struct order_wishes *wishes,
                                 struct span pem, bool *wanted) {
    struct arena arena = ARENA_INIT;
    STACK_OF(X509) *chain = NULL;
    struct acme_identifier *names = NULL;
    size_t count = 0;
    struct status status = certificates_read(pem, &chain);
    const bool good =
        status_ok(status) && certificates_linked(chain) &&
        X509_check_private_key(sk_X509_value(chain, 0), wishes->key) == 1 &&
        status_ok(certificate_identifiers(sk_X509_value(chain, 0), &arena, &names, &count)) &&
        identifiers_equal(names, count, wishes->identifiers, wishes->identifier_count);
    *wanted = good && (wishes->chain == NULL || certificates_issued_by(chain, wishes->chain));
    if (status_ok(status)) {
        certificates_free(chain);
    }
    arena_release(&arena);
    return good ? OK
                : session_fail(session, STATUS_INVALID_MESSAGE,
                               "the certificate is malformed, or not for the key and names "
                               "that were asked for");
}

static struct status fetch(struct session *session, const struct order_wishes *wishes,
                           const char *url, struct arena *arena, struct span *pem, bool *wanted,
                           struct links *alternates) {
    struct session_answer answer;
    TRY(session_post(session, url, NULL, &answer));
    struct status status = check_chain(session, wishes, buffer_span(&answer.response->body), wanted);
    if (status_ok(status)) {
        status = arena_copy(arena, buffer_span(&answer.response->body), pem);
    }
    for (size_t i = 0; status_ok(status) && i < answer.alternate.count; i++) {
        const char *copy = arena_printf(arena, "%s", answer.alternate.urls[i]);
        status = copy == NULL ? FAIL(NO_MEMORY) : OK;
        alternates->urls[i] = copy;
        alternates->count = i + 1;
    }
    session_answer_release(&answer);
    return status;
}

/* The default chain, or the first alternate that was issued as wished. */
static struct status download(struct session *session, const struct order_wishes *wishes,
                              const char *url, struct arena *arena, struct span *pem) {
    struct links alternates = {0};
    struct links ignored = {0};
    struct span other;
    bool wanted;
    TRY(fetch(session, wishes, url, arena, pem, &wanted, &alternates));
    for (size_t i = 0; i < alternates.count && !wanted; i++) {
        TRY(fetch(session, wishes, alternates.urls[i], arena, &other, &wanted, &ignored));
        if (wanted) {
            *pem = other;
        }
    }
    if (!wanted) {
        log_event(LOG_WARN, "no chain from the wanted issuer is offered; using the default one",
                  LOG_STRING("issuer", wishes->chain));
    }
    return OK;
}

struct status order_run(struct session *session, const struct order_wishes *wishes,
                        struct arena *arena, struct span *pem) {
    struct session_answer order;
    const char *certificate = NULL;
    TRY(make_order(session, wishes, &order));
    struct status status = authorizations_solve(
        session, wishes->solver, json_object_get(order.body, "authorizations"));
    if (status_ok(status)) {
        status = complete(session, wishes, order.location, arena, &certificate);
    }
    session_answer_release(&order);
    TRY(status);
    return download(session, wishes, certificate, arena, pem);
}

/* ---- Revocation ---- */

struct status order_revoke(struct session *session, X509 *certificate, EVP_PKEY *certificate_key,
                           int reason) {
    struct arena arena = ARENA_INIT;
    struct session_answer answer;
    uint8_t *der = NULL;
    const char *url = session_url(session, "revokeCert");
    const int len = i2d_X509(certificate, &der);
    const char *text = len > 0 ? base64url_string(&arena, span_of(der, (size_t)len)) : NULL;
    json_t *payload =
        text == NULL ? NULL : json_pack("{s:s, s:i}", "certificate", text, "reason", reason);
    OPENSSL_free(der);
    arena_release(&arena);
    if (payload == NULL || url == NULL) {
        json_decref(payload);
        return url == NULL ? session_fail(session, STATUS_BAD_REQUEST, "this CA revokes nothing")
                           : FAIL(NO_MEMORY);
    }
    TRY(certificate_key == NULL
            ? session_post(session, url, payload, &answer)
            : session_post_as(session, certificate_key, url, payload, &answer));
    session_answer_release(&answer);
    return OK;
}
