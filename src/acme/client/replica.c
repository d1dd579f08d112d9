/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/replica.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "net/thread.h"

struct replica {
    struct vault *vault;
    struct responder *responder;
    const struct clock *clock;

    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t wake;
    bool stopping;
    const struct vault_lease *lease; /* NULL: none to be kept */

    bool failing; /* the thread's own */
};

/* False once it is to stop. */
static bool pause_ms(struct replica *replica, unsigned ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&replica->mutex);
    int error = 0;
    while (!replica->stopping && error == 0) {
        error = pthread_cond_timedwait(&replica->wake, &replica->mutex, &until);
    }
    const bool going = !replica->stopping;
    pthread_mutex_unlock(&replica->mutex);
    return going;
}

/* A lease that was lost guards no more: what its holder does is refused in the end. */
static struct status keep_lease(struct replica *replica) {
    struct status status = OK;
    pthread_mutex_lock(&replica->mutex);
    if (replica->lease != NULL) {
        status = vault_keep(replica->vault, replica->lease);
        if (status.code == STATUS_LEASE_LOST) {
            log_event(LOG_WARN, "another replica has taken the renewal over");
            replica->lease = NULL;
            status = OK;
        }
    }
    pthread_mutex_unlock(&replica->mutex);
    return status;
}

static struct status share_challenges(struct replica *replica) {
    struct arena arena = ARENA_INIT;
    struct vault_challenge *list;
    size_t count;
    struct status status = vault_challenge_list(
        replica->vault, (int64_t)clock_now_s(replica->clock), &arena, &list, &count);
    if (status_ok(status)) {
        status = responder_share(replica->responder, list, count);
    }
    arena_release(&arena);
    return status;
}

static void look(struct replica *replica) {
    responder_look(replica->responder);
    struct status status = keep_lease(replica);
    if (status_ok(status)) {
        status = share_challenges(replica);
    }
    responder_looked(replica->responder, true);
    if (!status_ok(status) && !replica->failing) {
        log_event(LOG_WARN, "other replicas' ACME challenges can't be seen",
                  LOG_STRING("reason", status_text(status.code)));
    }
    replica->failing = !status_ok(status);
}

static void *run(void *argument) {
    struct replica *replica = argument;
    while (pause_ms(replica, VAULT_LOOK_MS)) {
        look(replica);
    }
    return NULL;
}

void replica_hold(struct replica *replica, const struct vault_lease *lease) {
    pthread_mutex_lock(&replica->mutex);
    replica->lease = lease;
    pthread_mutex_unlock(&replica->mutex);
}

/* ---- Life ---- */

struct status replica_new(struct replica **out, struct vault *vault, struct responder *responder,
                          const struct clock *clock) {
    struct replica *replica = calloc(1, sizeof(*replica));
    pthread_condattr_t monotonic;
    if (replica == NULL) {
        return FAIL(NO_MEMORY);
    }
    *replica = (struct replica){.vault = vault, .responder = responder, .clock = clock};
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&replica->mutex, NULL);
    pthread_cond_init(&replica->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    look(replica);
    *out = replica;
    return OK;
}

struct status replica_start(struct replica *replica) {
    TRY(thread_start(&replica->thread, "acme-replica", run, replica));
    replica->started = true;
    return OK;
}

void replica_stop(struct replica *replica) {
    pthread_mutex_lock(&replica->mutex);
    replica->stopping = true;
    pthread_cond_broadcast(&replica->wake);
    pthread_mutex_unlock(&replica->mutex);
    if (replica->started) {
        pthread_join(replica->thread, NULL);
        replica->started = false;
    }
    responder_looked(replica->responder, false);
}

void replica_free(struct replica *replica) {
    if (replica == NULL) {
        return;
    }
    replica_stop(replica);
    pthread_mutex_destroy(&replica->mutex);
    pthread_cond_destroy(&replica->wake);
    free(replica);
}
