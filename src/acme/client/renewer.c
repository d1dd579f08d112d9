/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/renewer.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "acme/certificate.h"
#include "acme/client/ari.h"
#include "acme/client/failure_note.h"
#include "acme/client/renewer_metrics.h"
#include "acme/client/replica.h"
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
    struct replica *replica;
    struct renewer_metrics metrics;
    int64_t since; /* when it was made */

    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* over `stopping` and `pem` */
    pthread_cond_t wake;
    bool stopping;
    struct secret pem; /* the pair in use */

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

static struct status load(struct renewer *renewer, struct pair *pair, struct secret *pem) {
    return pair_load(renewer->config.client.vault, renewer->config.certificate.name, pair, pem);
}

/* From now on this is what listeners get. `pem` is taken. */
static void put_into_use(struct renewer *renewer, struct secret *pem) {
    pthread_mutex_lock(&renewer->mutex);
    struct secret old = renewer->pem;
    renewer->pem = *pem;
    pthread_mutex_unlock(&renewer->mutex);
    secret_release(&old);
    *pem = SECRET_INIT;
}

static bool is_planned_for(const struct renewer *renewer, const struct pair *pair) {
    uint8_t fingerprint[32];
    pair_fingerprint(pair, fingerprint);
    return memcmp(fingerprint, renewer->plan.fingerprint, sizeof(fingerprint)) == 0;
}

/* Takes a pair that is not the one planned for: ours, or another process's. */
static void take_over(struct renewer *renewer, const struct pair *pair, struct secret *pem) {
    if (plan_anew(renewer, pair)) {
        put_into_use(renewer, pem);
        log_event(LOG_INFO, "there is a new certificate",
                  LOG_INT("until", renewer->plan.times.not_after));
        renewer->config.renewed(renewer->config.context);
    }
}

/* Takes the pair that was just written. */
static struct status take_fresh(struct renewer *renewer, struct acme_client *client) {
    struct secret pem = SECRET_INIT;
    struct pair fresh;
    TRY(load(renewer, &fresh, &pem));
    take_over(renewer, &fresh, &pem);
    plan_by_ari(renewer, client, pair_leaf(&fresh));
    pair_release(&fresh);
    secret_release(&pem);
    log_event(LOG_INFO, "to be renewed", LOG_INT("at", renewer->plan.due));
    renewer_metrics_renewed(&renewer->metrics);
    return OK;
}

/* Asks the CA if it is time to, and renews if it is time to and the lease is held. */
static struct status act(struct renewer *renewer, struct acme_client *client,
                         const struct pair *pair, const struct vault_lease *lease) {
    struct acme_certificate certificate = renewer->config.certificate;
    const struct plan *plan = &renewer->plan;
    if (!plan->placeholder && now_s(renewer) >= plan->poll) {
        plan_by_ari(renewer, client, pair_leaf(pair));
    }
    if (now_s(renewer) < plan->due || lease == NULL) {
        return OK;
    }
    certificate.lease = lease;
    TRY(acme_client_issue(client, &certificate, plan->placeholder ? NULL : pair_leaf(pair)));
    return take_fresh(renewer, client);
}

static struct status open_and_act(struct renewer *renewer, const struct pair *pair,
                                  const struct vault_lease *lease,
                                  struct session_failure *failure) {
    struct acme_client_config config = renewer->config.client;
    struct acme_client client;
    config.lease = lease;
    config.only_look = lease == NULL;
    struct status status = acme_client_open(&client, &config);
    if (status_ok(status)) {
        status = act(renewer, &client, pair, lease);
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

/* ---- Rounds ---- */

static struct status read_and_act(struct renewer *renewer, const struct vault_lease *lease,
                                  struct session_failure *failure) {
    struct secret pem = SECRET_INIT;
    struct pair pair;
    TRY(load(renewer, &pair, &pem));
    if (!is_planned_for(renewer, &pair)) {
        take_over(renewer, &pair, &pem); /* another process's work */
    }
    struct status status = open_and_act(renewer, &pair, lease, failure);
    pair_release(&pair);
    secret_release(&pem);
    return status;
}

/* When to try again after another replica has failed; 0 if that is now, or none has
 * failed since this one began: a start always tries. */
static int64_t failure_of_others(struct renewer *renewer) {
    struct failure_note note;
    if (!failure_note_read(renewer->config.client.vault, renewer->config.certificate.name,
                           &note) ||
        note.when < renewer->since || note.again <= now_s(renewer)) {
        return 0;
    }
    renewer->failures = note.failures;
    return note.again;
}

/* A round that may replace the pair, with the lease held. */
static int64_t round_leased(struct renewer *renewer, const struct vault_lease *lease) {
    struct session_failure failure = {0};
    const int64_t wait = failure_of_others(renewer);
    if (wait > 0) {
        return wait;
    }
    struct status status = read_and_act(renewer, lease, &failure);
    if (!status_ok(status)) {
        const int64_t again = after_failure(renewer, status, &failure);
        failure_note_write(renewer->config.client.vault, renewer->config.certificate.name,
                           &(struct failure_note){renewer->failures, now_s(renewer), again});
        return again;
    }
    return 0;
}

/* One round; returns when the next one is to be. Only what replaces the pair
 * needs the lease; if it turns out to be time without it, the next round has it. */
static int64_t round_of(struct renewer *renewer) {
    struct session_failure failure = {0};
    struct vault_lease lease = {.name = renewer->config.certificate.name};
    struct vault *vault = renewer->config.client.vault;
    const struct plan *plan = &renewer->plan;
    int64_t again = 0;
    const bool due = now_s(renewer) >= plan->due;
    struct status status = due ? vault_take(vault, &lease) : OK;
    if (status.code == STATUS_BUSY) {
        return now_s(renewer) + LOOK_S; /* another process is at it */
    }
    if (status_ok(status) && due) {
        replica_hold(renewer->replica, &lease);
        again = round_leased(renewer, &lease);
        replica_hold(renewer->replica, NULL);
        vault_give_back(vault, &lease);
    } else if (status_ok(status)) {
        status = read_and_act(renewer, NULL, &failure);
    }
    if (!status_ok(status)) {
        again = after_failure(renewer, status, &failure);
    }
    if (again > 0) {
        return again;
    }
    renewer->failures = 0;
    renewer_metrics_healthy(&renewer->metrics);
    return plan->due < plan->poll ? plan->due : plan->poll;
}

/* Whether the file holds another pair than the one planned for. */
static bool was_replaced(const struct renewer *renewer) {
    struct pair pair;
    if (!status_ok(pair_load(renewer->config.client.vault, renewer->config.certificate.name, &pair,
                             NULL))) {
        return false;
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

/* Makes a placeholder, unless another process has just made something better. */
static struct status write_placeholder(struct renewer *renewer, const struct vault_lease *lease) {
    const struct acme_certificate *certificate = &renewer->config.certificate;
    struct secret pem = SECRET_INIT;
    struct pair pair;
    struct status status = load(renewer, &pair, NULL);
    if (status_ok(status)) {
        pair_release(&pair);
    } else if (status.code == STATUS_NOT_FOUND) {
        status = pair_placeholder(certificate->identifiers, certificate->identifier_count, &pem);
        if (status_ok(status)) {
            status = vault_save(renewer->config.client.vault, certificate->name, secret_span(&pem),
                                lease);
        }
        secret_release(&pem);
    }
    return status;
}

/* BUSY if another process is making one. */
static struct status make_placeholder(struct renewer *renewer) {
    struct vault_lease lease = {.name = renewer->config.certificate.name};
    TRY(vault_take(renewer->config.client.vault, &lease));
    struct status status = write_placeholder(renewer, &lease);
    vault_give_back(renewer->config.client.vault, &lease);
    return status;
}

static struct status prepare(struct renewer *renewer) {
    enum { TRIES = 50, WAIT_MS = 100 };
    struct secret pem = SECRET_INIT;
    struct pair pair;
    struct status status = load(renewer, &pair, &pem);
    for (int i = 0; status.code == STATUS_NOT_FOUND && i < TRIES; i++) {
        status = make_placeholder(renewer);
        if (status.code == STATUS_BUSY && !pause_ms(renewer, WAIT_MS)) {
            return FAIL(CANCELLED);
        }
        if (status_ok(status) || status.code == STATUS_BUSY) {
            status = load(renewer, &pair, &pem);
        }
    }
    TRY(status);
    const bool good = plan_anew(renewer, &pair);
    pair_release(&pair);
    put_into_use(renewer, &pem);
    return good ? OK : FAIL(INVALID_CONFIG);
}

static struct status make_parts(struct renewer *renewer) {
    struct renewer_config *config = &renewer->config;
    const struct http_client_config http = {.allow_plain_http = config->allow_plain_http,
                                            .user_agent = "moietyd-acme"};
    TRY(http_client_new(&renewer->http, &http));
    TRY(replica_new(&renewer->replica, config->client.vault, config->certificate.solver->responder,
                    config->client.clock));
    config->client.http = renewer->http;
    config->client.pause = pause_ms;
    config->client.pause_context = renewer;
    return prepare(renewer);
}

struct status renewer_new(struct renewer **out, const struct renewer_config *config) {
    struct renewer *renewer = calloc(1, sizeof(*renewer));
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
    renewer->since = (int64_t)clock_now_s(config->client.clock);
    renewer_metrics_init(&renewer->metrics, config->metrics);
    struct status status = make_parts(renewer);
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "the certificate's file can't be used",
                  LOG_STRING("place", config->client.vault->place),
                  LOG_STRING("file", config->certificate.name),
                  LOG_STRING("reason", status_text(status.code)));
        renewer_free(renewer);
        return status;
    }
    *out = renewer;
    return OK;
}

struct status renewer_start(struct renewer *renewer) {
    TRY(replica_start(renewer->replica));
    TRY(thread_start(&renewer->thread, "acme", run, renewer));
    renewer->started = true;
    return OK;
}

/* ---- What listeners serve ---- */

static struct status read_pem(void *context, struct secret *pem) {
    struct renewer *renewer = context;
    pthread_mutex_lock(&renewer->mutex);
    struct status status = secret_copy(pem, secret_span(&renewer->pem));
    pthread_mutex_unlock(&renewer->mutex);
    return status;
}

struct tls_source renewer_source(struct renewer *renewer) {
    return (struct tls_source){read_pem, renewer};
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
    if (renewer->replica != NULL) {
        replica_stop(renewer->replica);
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
    replica_free(renewer->replica);
    http_client_free(renewer->http);
    secret_release(&renewer->pem);
    pthread_mutex_destroy(&renewer->mutex);
    pthread_cond_destroy(&renewer->wake);
    free(renewer);
}
