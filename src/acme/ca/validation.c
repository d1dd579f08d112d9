/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/validation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "acme/ca/context.h"
#include "acme/ca/endpoint.h"
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

/* Invariant: it is in ca->jobs until its outcome is stored, and held by whoever
 * runs it and whoever looks at it meanwhile, both of which may be last. */
struct ca_job {
    struct ca *ca;
    struct arena arena;
    struct validation v;
    struct ca_authorization outcome; /* as it was stored */
    struct ca_job *next, **link;     /* guarded by ca->trying, as all below */
    unsigned holders;
    struct ca_exchange *waiter; /* until somebody answers it */
    int64_t due;                /* when that is told that it takes long */
    struct ca_job *overdue;     /* the next one */
};

static void job_release(struct ca_job *job) {
    pthread_mutex_lock(&job->ca->trying);
    bool last = --job->holders == 0;
    pthread_mutex_unlock(&job->ca->trying);
    if (last) {
        arena_release(&job->arena);
        free(job);
    }
}

static void job_list(struct ca_job *job) {
    struct ca *ca = job->ca;
    pthread_mutex_lock(&ca->trying);
    job->link = &ca->jobs;
    job->next = ca->jobs;
    if (job->next != NULL) {
        job->next->link = &job->next;
    }
    ca->jobs = job;
    pthread_mutex_unlock(&ca->trying);
}

static void job_unlist(struct ca_job *job) {
    pthread_mutex_lock(&job->ca->trying);
    *job->link = job->next;
    if (job->next != NULL) {
        job->next->link = job->link;
    }
    pthread_mutex_unlock(&job->ca->trying);
}

bool ca_validation_runs(struct ca *ca, const struct ca_id *id) {
    bool found = false;
    pthread_mutex_lock(&ca->trying);
    for (const struct ca_job *job = ca->jobs; job != NULL && !found; job = job->next) {
        found = ca_id_equal(&job->v.id, id);
    }
    pthread_mutex_unlock(&ca->trying);
    return found;
}

/* Whoever gets it has to answer it. */
static struct ca_exchange *job_take_waiter(struct ca_job *job) {
    pthread_mutex_lock(&job->ca->trying);
    struct ca_exchange *waiter = job->waiter;
    job->waiter = NULL;
    pthread_mutex_unlock(&job->ca->trying);
    return waiter;
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
    struct ca_job *job;
    const char *problem;
    int64_t now, expires;
};

/* That it was tried is stored now, unless its waiter was answered before. */
static struct status settle(struct store_tx *tx, void *argument) {
    struct outcome *outcome = argument;
    struct ca_job *job = outcome->job;
    struct status status = ca_authorization_try(tx, &job->v.id, job->v.type);
    TRY(status.code == STATUS_CONFLICT ? OK : status);
    TRY(ca_authorization_settle(tx, &job->v.id, outcome->now, outcome->expires,
                                outcome->problem));
    return ca_authorization_get(tx, &job->arena, &job->v.id, &job->outcome);
}

/* A proof may be used again for a while; at the least it lasts for its order. */
static struct status record_outcome(struct ca_job *job, struct status result) {
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
    return ca_db_write_relaxed(ca->db, settle, &outcome);
}

static struct status job_try(struct ca_job *job) {
    struct validation *v = &job->v;
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
    return status;
}

/* What is cancelled either stands in the database, and is taken up at the next
 * start, or its client hears that it was not begun. */
static void job_run(void *argument, bool cancelled) {
    struct ca_job *job = argument;
    struct status status = cancelled ? FAIL(BUSY) : job_try(job);
    job_unlist(job);
    struct ca_exchange *waiter = job_take_waiter(job);
    if (waiter != NULL) {
        ca_challenge_answer(waiter, status, &job->outcome, job->v.type);
    }
    job_release(job);
}

/* ---- Those that take long ---- */

struct overdue {
    struct ca_exchange *waiter;
    struct ca_authorization authorization;
    enum challenge_type type;
};

static struct status store_try(struct store_tx *tx, void *argument) {
    struct overdue *overdue = argument;
    const struct ca_id *id = &overdue->waiter->authorization->id;
    struct status status = ca_authorization_try(tx, id, overdue->type);
    TRY(status.code == STATUS_CONFLICT ? OK : status);
    return ca_authorization_get(tx, overdue->waiter->arena, id, &overdue->authorization);
}

/* The client is told that it is under way. */
static void overdue_answer(struct ca_job *job) {
    struct overdue overdue = {.waiter = job_take_waiter(job), .type = job->v.type};
    if (overdue.waiter != NULL) {
        struct status status = ca_db_write_relaxed(job->ca->db, store_try, &overdue);
        ca_challenge_answer(overdue.waiter, status, &overdue.authorization, overdue.type);
    }
    job_release(job);
}

/* With the lock. Those that are due, held, and when the next one is. */
static struct ca_job *overdue_take(struct ca *ca, int64_t now, int64_t *next) {
    struct ca_job *taken = NULL;
    *next = INT64_MAX;
    for (struct ca_job *job = ca->jobs; job != NULL; job = job->next) {
        if (job->waiter != NULL && job->due <= now) {
            job->due = INT64_MAX; /* nobody else takes it */
            job->holders++;
            job->overdue = taken;
            taken = job;
        } else if (job->waiter != NULL && job->due < *next) {
            *next = job->due;
        }
    }
    return taken;
}

/* One timer for all, since most are answered long before: one for each would wake a
 * worker for nothing. If it is cancelled, all were answered as the validations ended. */
static void overdue_run(void *argument, bool cancelled) {
    struct ca *ca = argument;
    int64_t next;
    if (cancelled) {
        return;
    }
    pthread_mutex_lock(&ca->trying);
    struct ca_job *taken = overdue_take(ca, clock_monotonic_ns(), &next);
    ca->watching = next != INT64_MAX &&
                   status_ok(work_queue_submit_at(ca->work, next, overdue_run, ca));
    pthread_mutex_unlock(&ca->trying);
    while (taken != NULL) {
        struct ca_job *job = taken;
        taken = job->overdue;
        overdue_answer(job);
    }
}

/* From now on its waiter doesn't wait longer than a moment. If there is no timer, the
 * outcome alone answers. */
static void overdue_watch(struct ca_job *job) {
    enum { MOMENT_MS = 50 };
    struct ca *ca = job->ca;
    int64_t due = clock_monotonic_ns() + (int64_t)MOMENT_MS * NS_PER_MS;
    pthread_mutex_lock(&ca->trying);
    job->due = due;
    if (job->waiter != NULL && !ca->watching) {
        ca->watching = status_ok(work_queue_submit_at(ca->work, due, overdue_run, ca));
    }
    pthread_mutex_unlock(&ca->trying);
}

/* ---- Its beginning ---- */

static struct status job_fill(struct ca_job *job, const struct ca_authorization *a,
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
        .authorization = arena_printf(&job->arena, "%s.%s", a->token, account->thumbprint),
        .account_url = arena_printf(&job->arena, "%s/acme/account/%s", options->url, id),
        .resolver = {.servers = options->validation.resolver},
    };
    return job->v.identifier.value == NULL || job->v.token == NULL ||
                   job->v.authorization == NULL || job->v.account_url == NULL
               ? FAIL(NO_MEMORY)
               : OK;
}

struct status ca_validation_check_room(struct ca *ca) {
    enum { WAITING_MAX = 4096 };
    return work_queue_depth(ca->validate) < WAITING_MAX ? OK : FAIL(BUSY);
}

struct status ca_validation_submit(struct ca *ca, const struct ca_authorization *authorization,
                                   const struct ca_account *account, struct ca_exchange *waiter) {
    struct ca_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return FAIL(NO_MEMORY);
    }
    *job = (struct ca_job){.ca = ca, .holders = 2, .waiter = waiter, .due = INT64_MAX};
    struct status status = job_fill(job, authorization, account);
    job_list(job);
    if (status_ok(status)) {
        status = work_queue_submit_after_ms(ca->validate, 0, job_run, job);
    }
    if (status_ok(status)) {
        overdue_watch(job);
    } else {
        job_unlist(job);
        job_release(job); /* nobody runs it */
    }
    job_release(job);
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
        status = ca_validation_submit(ca, &r.authorizations[i], &r.accounts[i], NULL);
    }
    if (r.count > 0) {
        log_event(LOG_INFO, "validations taken up again", LOG_INT("count", r.count));
    }
    arena_release(&arena);
    return status;
}
