/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/renewer.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "acme/certificate.h"
#include "acme/client/ari.h"
#include "acme/client/renewer_metrics.h"
#include "base/log.h"
#include "net/thread.h"

enum { FOR_EVER_S = 24 * 3600, LOOK_S = 5 };

/* What is known of the certificate in use. */
struct plan {
    uint8_t fingerprint[32];
    bool placeholder;
    struct certificate_times times;
    bool windowed;
    struct schedule_window window;
    uint32_t chance; /* one draw for as long as the window stays */
    int64_t due;     /* when to renew */
    int64_t poll;    /* when to ask the CA again */
};

struct renewer {
    struct renewer_config config;
    struct http_client *http;
    struct renewer_metrics metrics;

    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* over `stopping` */
    pthread_cond_t wake;
    bool stopping;

    /* The thread's own. */
    struct plan plan;
    unsigned failures; /* in a row */
};

/* ---- Waiting ---- */

/* False once it is to stop. */
static bool pause_ms(void *context, uint64_t ms) {
    struct renewer *renewer = context;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&renewer->mutex);
    int error = 0;
    while (!renewer->stopping && error == 0) {
        error = pthread_cond_timedwait(&renewer->wake, &renewer->mutex, &until);
    }
    const bool going = !renewer->stopping;
    pthread_mutex_unlock(&renewer->mutex);
    return going;
}

static int64_t now_s(const struct renewer *renewer) {
    return (int64_t)clock_now_s(renewer->config.client.clock);
}

static uint32_t draw(void) {
    uint32_t chance = 0;
    return RAND_bytes((uint8_t *)&chance, sizeof(chance)) == 1 ? chance : 0;
}

/* ---- Planning ---- */

static void plan_by_lifetime(struct renewer *renewer) {
    struct plan *plan = &renewer->plan;
    plan->due = plan->placeholder ? 0 : schedule_by_lifetime(&plan->times, plan->chance);
    plan->poll = now_s(renewer) + FOR_EVER_S;
}

/* A window may end with the certificate, as some CAs' do; an attempt takes time, and may
 * fail. So the last tenth of its life is left for that. */
static int64_t no_later(const struct plan *plan, int64_t due) {
    const int64_t last = plan->times.not_after -
                         (plan->times.not_after - plan->times.not_before) / 10;
    return due < last ? due : last;
}

/* Takes what the CA suggests; a failure to hear it leaves what was planned. */
static void plan_by_ari(struct renewer *renewer, struct acme_client *client, const X509 *leaf) {
    struct plan *plan = &renewer->plan;
    struct arena arena = ARENA_INIT;
    struct ari ari;
    const char *id;
    if (status_ok(certificate_ari_id(leaf, &arena, &id)) &&
        status_ok(ari_fetch(&client->session, id, &arena, &ari))) {
        if (!plan->windowed || ari.window.start != plan->window.start ||
            ari.window.end != plan->window.end) {
            plan->chance = draw();
        }
        plan->windowed = true;
        plan->window = ari.window;
        plan->due = no_later(plan, schedule_in_window(&ari.window, plan->chance));
        plan->poll = now_s(renewer) + (int64_t)ari.poll_after_s;
        log_event(LOG_INFO, "the CA suggests when to renew", LOG_INT("from", ari.window.start),
                  LOG_INT("to", ari.window.end), LOG_INT("chosen", plan->due),
                  LOG_STRING("explanation", ari.explanation == NULL ? "" : ari.explanation));
    } else if (!plan->windowed) {
        plan_by_lifetime(renewer);
    } else {
        enum { RETRY_S = 3600 };
        plan->poll = now_s(renewer) + RETRY_S;
    }
    arena_release(&arena);
}

/* Whether the configuration names others than the certificate has. */
static bool names_differ(const struct renewer *renewer, const struct pair *pair) {
    const struct acme_certificate *wanted = &renewer->config.certificate;
    struct arena arena = ARENA_INIT;
    struct acme_identifier *names;
    size_t count;
    const bool same =
        status_ok(certificate_identifiers(pair_leaf(pair), &arena, &names, &count)) &&
        identifiers_equal(names, count, wanted->identifiers, wanted->identifier_count);
    arena_release(&arena);
    return !same;
}

/* Looks at the pair anew: at the start, and when it was replaced. */
static bool plan_anew(struct renewer *renewer, const struct pair *pair) {
    struct plan *plan = &renewer->plan;
    *plan = (struct plan){.placeholder = pair_is_placeholder(pair), .chance = draw()};
    pair_fingerprint(pair, plan->fingerprint);
    if (!status_ok(certificate_times_of(pair_leaf(pair), &plan->times))) {
        return false;
    }
    renewer_metrics_expiry(&renewer->metrics, plan->placeholder ? 0 : plan->times.not_after);
    plan_by_lifetime(renewer);
    if (names_differ(renewer, pair)) {
        plan->due = 0;
    } else if (!plan->placeholder) {
        plan->poll = 0; /* ask the CA at once */
    }
    return true;
}

/* ---- Acting ---- */

static bool is_planned_for(const struct renewer *renewer, const struct pair *pair) {
    uint8_t fingerprint[32];
    pair_fingerprint(pair, fingerprint);
    return memcmp(fingerprint, renewer->plan.fingerprint, sizeof(fingerprint)) == 0;
}

/* Takes a pair that is not the one planned for: ours, or another process's. */
static void take_over(struct renewer *renewer, const struct pair *pair) {
    if (plan_anew(renewer, pair)) {
        log_event(LOG_INFO, "there is a new certificate",
                  LOG_INT("until", renewer->plan.times.not_after));
        renewer->config.renewed(renewer->config.context);
    }
}

/* Asks the CA if it is time to, and renews if it is time to and the lock is held. */
static struct status act(struct renewer *renewer, struct acme_client *client,
                         const struct pair *pair, bool locked) {
    struct plan *plan = &renewer->plan;
    if (!plan->placeholder && now_s(renewer) >= plan->poll) {
        plan_by_ari(renewer, client, pair_leaf(pair));
    }
    if (now_s(renewer) < plan->due || !locked) {
        return OK;
    }
    struct pair fresh;
    TRY(acme_client_issue(client, &renewer->config.certificate,
                          plan->placeholder ? NULL : pair_leaf(pair)));
    TRY(pair_read(renewer->config.certificate.path, &fresh));
    take_over(renewer, &fresh);
    plan_by_ari(renewer, client, pair_leaf(&fresh));
    pair_release(&fresh);
    log_event(LOG_INFO, "to be renewed", LOG_INT("at", plan->due));
    renewer_metrics_renewed(&renewer->metrics);
    return OK;
}

static struct status open_and_act(struct renewer *renewer, const struct pair *pair, bool locked,
                                  struct session_failure *failure) {
    struct acme_client client;
    struct status status = acme_client_open(&client, &renewer->config.client);
    if (status_ok(status)) {
        status = act(renewer, &client, pair, locked);
    }
    *failure = client.session.failure;
    acme_client_close(&client);
    return status;
}

static bool stopping(struct renewer *renewer) { return !pause_ms(renewer, 0); }

/* When to come back after a failure, which the old certificate outlives. */
static int64_t after_failure(struct renewer *renewer, struct status status,
                             const struct session_failure *failure) {
    const int64_t now = now_s(renewer);
    const char *reason = failure->text[0] != '\0' ? failure->text : status_text(status.code);
    renewer->failures++;
    const struct certificate_times *times = &renewer->plan.times;
    const bool none = renewer->plan.placeholder;
    const int64_t remaining = none ? 0 : times->not_after - now;
    const int64_t lifetime = none ? 0 : times->not_after - times->not_before + 1;
    const uint64_t wait =
        schedule_retry(renewer->failures, remaining, lifetime, failure->retry_after_s, draw());
    log_event(remaining < FOR_EVER_S ? LOG_ERROR : LOG_WARN, "no new certificate yet",
              LOG_STRING("reason", reason), LOG_INT("failures", renewer->failures),
              LOG_INT("again_in_s", wait), LOG_INT("old_one_lives_s", remaining));
    renewer_metrics_failed(&renewer->metrics, renewer->failures,
                           failure->error != ACME_NONE ? acme_error_name(failure->error)
                                                       : status_name(status.code));
    return now + (int64_t)wait;
}

static struct status read_and_act(struct renewer *renewer, bool locked,
                                  struct session_failure *failure) {
    struct pair pair;
    TRY(pair_read(renewer->config.certificate.path, &pair));
    if (!is_planned_for(renewer, &pair)) {
        take_over(renewer, &pair); /* another process's work */
    }
    struct status status = open_and_act(renewer, &pair, locked, failure);
    pair_release(&pair);
    return status;
}

/* One round; returns when the next one is to be. Only what replaces the pair
 * needs the lock; if it turns out to be time without it, the next round has it. */
static int64_t round_of(struct renewer *renewer) {
    struct session_failure failure = {0};
    const struct plan *plan = &renewer->plan;
    const bool due = now_s(renewer) >= plan->due;
    int lock = -1;
    struct status status = due ? pair_lock(renewer->config.certificate.path, &lock) : OK;
    if (status.code == STATUS_BUSY) {
        return now_s(renewer) + LOOK_S; /* another process is at it */
    }
    if (status_ok(status)) {
        status = read_and_act(renewer, due, &failure);
    }
    if (lock >= 0) {
        pair_unlock(lock);
    }
    if (!status_ok(status)) {
        return after_failure(renewer, status, &failure);
    }
    renewer->failures = 0;
    renewer_metrics_healthy(&renewer->metrics);
    return plan->due < plan->poll ? plan->due : plan->poll;
}

/* Whether the file holds another pair than the one planned for. */
static bool was_replaced(const struct renewer *renewer) {
    struct pair pair;
    if (!status_ok(pair_read(renewer->config.certificate.path, &pair))) {
        return false; /* the next round says so */
    }
    const bool replaced = !is_planned_for(renewer, &pair);
    pair_release(&pair);
    return replaced;
}

/* Waits in short slices, so that a new pair and a clock that was set are
 * noticed. */
static void wait_until(struct renewer *renewer, int64_t next) {
    for (int64_t left; (left = next - now_s(renewer)) > 0;) {
        if (!pause_ms(renewer, 1000 * (uint64_t)(left < LOOK_S ? left : LOOK_S)) ||
            was_replaced(renewer)) {
            return;
        }
    }
}

static void *run(void *argument) {
    struct renewer *renewer = argument;
    while (!stopping(renewer)) {
        const int64_t next = round_of(renewer);
        renewer_metrics_next(&renewer->metrics, next);
        wait_until(renewer, next);
    }
    return NULL;
}

/* ---- Life ---- */

/* Makes a placeholder, unless another process is making one. */
static struct status make_placeholder(const struct acme_certificate *certificate) {
    int lock;
    struct pair pair;
    TRY(pair_lock(certificate->path, &lock));
    struct status status = pair_read(certificate->path, &pair);
    if (status_ok(status)) {
        pair_release(&pair);
    } else if (status.code == STATUS_NOT_FOUND) {
        status = pair_write_placeholder(certificate->path, certificate->identifiers,
                                        certificate->identifier_count);
    }
    pair_unlock(lock);
    return status;
}

static struct status prepare(struct renewer *renewer) {
    enum { TRIES = 50, WAIT_MS = 100 };
    const struct acme_certificate *certificate = &renewer->config.certificate;
    struct pair pair;
    struct status status = pair_read(certificate->path, &pair);
    for (int i = 0; status.code == STATUS_NOT_FOUND && i < TRIES; i++) {
        status = make_placeholder(certificate);
        if (status.code == STATUS_BUSY && !pause_ms(renewer, WAIT_MS)) {
            return FAIL(CANCELLED);
        }
        if (status_ok(status) || status.code == STATUS_BUSY) {
            status = pair_read(certificate->path, &pair);
        }
    }
    TRY(status);
    const bool good = plan_anew(renewer, &pair);
    pair_release(&pair);
    return good ? OK : FAIL(INVALID_CONFIG);
}

struct status renewer_new(struct renewer **out, const struct renewer_config *config) {
    struct renewer *renewer = calloc(1, sizeof(*renewer));
    const struct http_client_config http = {.allow_plain_http = config->allow_plain_http,
                                            .user_agent = "moietyd-acme"};
    pthread_condattr_t monotonic;
    if (renewer == NULL) {
        return FAIL(NO_MEMORY);
    }
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&renewer->mutex, NULL);
    pthread_cond_init(&renewer->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    renewer->config = *config;
    renewer_metrics_init(&renewer->metrics, config->metrics);
    struct status status = http_client_new(&renewer->http, &http);
    if (status_ok(status)) {
        renewer->config.client.http = renewer->http;
        renewer->config.client.pause = pause_ms;
        renewer->config.client.pause_context = renewer;
        status = prepare(renewer);
    }
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "the certificate's file can't be used",
                  LOG_STRING("file", config->certificate.path),
                  LOG_STRING("reason", status_text(status.code)));
        renewer_free(renewer);
        return status;
    }
    *out = renewer;
    return OK;
}

struct status renewer_start(struct renewer *renewer) {
    TRY(thread_start(&renewer->thread, "acme", run, renewer));
    renewer->started = true;
    return OK;
}

void renewer_stop(struct renewer *renewer) {
    pthread_mutex_lock(&renewer->mutex);
    renewer->stopping = true;
    pthread_cond_broadcast(&renewer->wake);
    pthread_mutex_unlock(&renewer->mutex);
    http_client_stop(renewer->http);
    if (renewer->started) {
        pthread_join(renewer->thread, NULL);
        renewer->started = false;
    }
}

void renewer_free(struct renewer *renewer) {
    if (renewer == NULL) {
        return;
    }
    if (renewer->http != NULL) {
        renewer_stop(renewer);
    }
    renewer_metrics_release(&renewer->metrics);
    http_client_free(renewer->http);
    pthread_mutex_destroy(&renewer->mutex);
    pthread_cond_destroy(&renewer->wake);
    free(renewer);
}
