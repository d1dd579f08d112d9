/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/validation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "acme/ca/context.h"
#include "acme/ca/exchange.h"
#include "acme/ca/probe.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/base64url.h"

enum { NS_PER_MS = 1000000 };

/* ---- For the methods ---- */

struct status validation_fail(struct validation *v, enum acme_error error, const char *format,
                              ...) {
    va_list arguments;
    char text[512];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c != '\0'; c++) {
        *c = *c >= ' ' && *c < 0x7f ? *c : '?'; /* others' bytes are quoted in it */
    }
    v->problem = (struct acme_problem){
        .error = error,
        .http = acme_error_http(error),
        .detail = arena_printf(v->arena, "%s", text),
    };
    return FAIL(VERIFY_FAILED);
}

static struct status addresses_of(struct validation *v, const char *host,
                                  struct address out[static RESOLVER_ADDRESSES_MAX],
                                  size_t *count) {
    char text[ADDRESS_TEXT_MAX];
    bool colon = strchr(host, ':') != NULL;
    snprintf(text, sizeof text, colon ? "[%s]:0" : "%s:0", host);
    *count = 1;
    if (strlen(host) < sizeof text - 5 && status_ok(address_parse(&out[0], text))) {
        return OK;
    }
    struct status status = resolver_addresses(&v->resolver, host, out, count);
    return status_ok(status)
               ? OK
               : validation_fail(v, ACME_DNS, "%s has no address: %s", host,
                                 status.code == STATUS_NOT_FOUND ? "there are no records"
                                                                 : status_text(status.code));
}

struct status validation_connect(struct validation *v, const char *host, uint16_t port,
                                 struct probe *out) {
    struct address addresses[RESOLVER_ADDRESSES_MAX];
    size_t count;
    TRY(addresses_of(v, host, addresses, &count));
    struct status status = FAIL(PEER_FAILED);
    for (size_t i = 0; i < count; i++) {
        int64_t now = clock_monotonic_ns();
        int64_t share = (v->resolver.deadline_ns - now) / (int64_t)(count - i);
        address_set_port(&addresses[i], port);
        status = probe_connect(out, &addresses[i], now + share);
        if (status_ok(status)) {
            out->deadline_ns = v->resolver.deadline_ns;
            return OK;
        }
    }
    return validation_fail(v, ACME_CONNECTION, "%s can't be reached at port %u: %s", host,
                           (unsigned)port,
                           status.code == STATUS_TIMEOUT ? "it doesn't answer"
                                                         : "it refuses the connection");
}

/* ---- A job ---- */

struct job {
    struct ca *ca;
    struct arena arena;
    struct validation v;
};

static void job_free(struct job *job) {
    arena_release(&job->arena);
    free(job);
}

static struct status method(struct validation *v) {
    switch (v->type) {
    case CHALLENGE_HTTP_01: return validation_http(v);
    case CHALLENGE_TLS_ALPN_01: return validation_tls(v);
    case CHALLENGE_DNS_01:
    case CHALLENGE_DNS_ACCOUNT_01:
    case CHALLENGE_DNS_PERSIST_01: return validation_dns(v);
    case CHALLENGE_NONE:
    case CHALLENGE_TYPE_COUNT:
    default: return FAIL(INTERNAL);
    }
}

struct outcome {
    struct job *job;
    const char *problem;
    int64_t now, expires;
};

static struct status settle(struct store_tx *tx, void *argument) {
    struct outcome *outcome = argument;
    return ca_authorization_settle(tx, &outcome->job->v.id, outcome->now, outcome->expires,
                                   outcome->problem);
}

/* A proof may be used again for a while; at the least it lasts for its order. */
static struct status record_outcome(struct job *job, struct status result) {
    struct ca *ca = job->ca;
    struct validation *v = &job->v;
    int64_t now = (int64_t)clock_now_s(&clock_system);
    int64_t reuse = ca->options->authorization_lifetime_s;
    int64_t order = ca->options->order_lifetime_s;
    struct outcome outcome = {.job = job, .now = now,
                              .expires = now + (reuse > 0 ? reuse : order)};
    if (!status_ok(result)) {
        if (v->problem.error == ACME_NONE) {
            (void)!status_ok(validation_fail(v, ACME_SERVER_INTERNAL, "%s",
                                             status_text(result.code)));
        }
        json_t *problem = acme_problem_json(&v->problem);
        struct status written = ca_json_text(v->arena, problem, &outcome.problem);
        json_decref(problem);
        TRY(written);
    }
    return ca_db_write(ca->db, settle, &outcome);
}

static void job_run(void *argument, bool cancelled) {
    struct job *job = argument;
    struct validation *v = &job->v;
    /* What is cancelled stands in the database, and is taken up at the next start. */
    if (!cancelled) {
        v->resolver.deadline_ns =
            clock_monotonic_ns() + (int64_t)v->options->validation.timeout_ms * NS_PER_MS;
        struct status status = method(v);
        if (status_ok(status)) {
            status = validation_caa(v);
        }
        log_event(LOG_DEBUG, "validated", LOG_STRING("name", v->identifier.value),
                  LOG_STRING("by", challenge_name(v->type)),
                  LOG_STRING("problem", acme_error_name(v->problem.error)),
                  LOG_STRING("detail", v->problem.detail == NULL ? "" : v->problem.detail));
        status = record_outcome(job, status);
        if (!status_ok(status)) {
            log_event(LOG_ERROR, "a validation's outcome can't be stored",
                      LOG_STRING("reason", status_text(status.code)));
        }
    }
    job_free(job);
}

static struct status key_authorization(struct job *job, const struct ca_account *account) {
    EVP_PKEY *key;
    TRY(ca_key_cache_get(job->ca->keys, account->jwk, &key));
    struct status status =
        challenge_authorization(job->v.token, key, &job->arena, &job->v.authorization);
    EVP_PKEY_free(key);
    return status;
}

static struct status job_fill(struct job *job, const struct ca_authorization *a,
                              const struct ca_account *account) {
    char id[24];
    const struct ca_options *options = job->ca->options;
    base64url_encode(id, SPAN_OF_ARRAY(account->id.bytes));
    job->v = (struct validation){
        .options = options,
        .arena = &job->arena,
        .id = a->id,
        .identifier = {a->identifier.type, arena_printf(&job->arena, "%s", a->identifier.value)},
        .wildcard = a->wildcard,
        .type = a->challenge,
        .token = arena_printf(&job->arena, "%s", a->token),
        .account_url = arena_printf(&job->arena, "%s/acme/account/%s", options->url, id),
        .resolver = {.servers = options->validation.resolver},
    };
    if (job->v.identifier.value == NULL || job->v.token == NULL || job->v.account_url == NULL) {
        return FAIL(NO_MEMORY);
    }
    return key_authorization(job, account);
}

struct status ca_validation_check_room(struct ca *ca) {
    enum { WAITING_MAX = 4096 };
    return work_queue_depth(ca->validate) < WAITING_MAX ? OK : FAIL(BUSY);
}

struct status ca_validation_submit(struct ca *ca, const struct ca_authorization *authorization,
                                   const struct ca_account *account) {
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return FAIL(NO_MEMORY);
    }
    job->ca = ca;
    struct status status = job_fill(job, authorization, account);
    if (status_ok(status)) {
        status = work_queue_submit_after_ms(ca->validate, 0, job_run, job);
    }
    if (!status_ok(status)) {
        job_free(job);
    }
    return status;
}

/* ---- After a start ---- */

struct resumption {
    struct arena *arena;
    struct ca_authorization *authorizations;
    struct ca_account *accounts;
    size_t count;
};

static struct status read_tried(struct store_tx *tx, void *argument) {
    struct resumption *r = argument;
    TRY(ca_authorization_list_tried(tx, r->arena, &r->authorizations, &r->count));
    r->accounts = ARENA_ARRAY(r->arena, struct ca_account, r->count + 1);
    if (r->accounts == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < r->count; i++) {
        TRY(ca_account_get(tx, r->arena, &r->authorizations[i].account, &r->accounts[i]));
    }
    return OK;
}

struct status ca_validation_resume(struct ca *ca) {
    struct arena arena = ARENA_INIT;
    struct resumption r = {.arena = &arena};
    struct status status = ca_db_read(ca->db, read_tried, &r);
    for (size_t i = 0; i < r.count && status_ok(status); i++) {
        status = ca_validation_submit(ca, &r.authorizations[i], &r.accounts[i]);
    }
    if (r.count > 0) {
        log_event(LOG_INFO, "validations taken up again", LOG_INT("count", r.count));
    }
    arena_release(&arena);
    return status;
}
