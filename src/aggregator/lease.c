/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/lease.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "net/thread.h"

/* Of a lease's time: three heartbeats may be late before it is lost. */
enum { BEATS_PER_LEASE = 4 };

struct lease_keeper {
    struct aggregator *aggregator;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* over the rest */
    pthread_cond_t stopping;
    bool stop;
    struct lease *first;
    size_t count;
};

int64_t lease_until(const struct aggregator *aggregator) {
    return aggregator_now(aggregator) + (int64_t)aggregator->options.lease_s * 1000000;
}

/* ---- The heartbeat -------------------------------------------------------------- */

struct renewal {
    struct lease_keeper *keeper;
    struct lease_key *keys; /* of what was held when it began */
    size_t count;
};

static struct status renew_one(struct store_tx *tx, const struct lease_key *key, int64_t until) {
    if (key->of_job) {
        struct store_job job = {.lease = key->token};
        memcpy(job.id, key->id, sizeof job.id);
        return store_job_extend(tx, &job, until);
    }
    struct store_resource resource = {.kind = key->kind, .lease = key->token};
    memcpy(resource.id, key->id, sizeof resource.id);
    memcpy(resource.task_id, key->task_id, sizeof resource.task_id);
    return store_resource_extend(tx, &resource, until);
}

/* One that is lost tells its holder when that writes back; mostly it was just
 * given back. */
static struct status renew_run(struct store_tx *tx, void *argument) {
    const struct renewal *renewal = argument;
    int64_t until = lease_until(renewal->keeper->aggregator);
    for (size_t i = 0; i < renewal->count; i++) {
        struct status status = renew_one(tx, &renewal->keys[i], until);
        if (status.code != STATUS_LEASE_LOST) {
            TRY(status);
        }
    }
    return OK;
}

/* With the lock held. */
static bool renewal_begin(struct lease_keeper *keeper, struct renewal *renewal) {
    *renewal = (struct renewal){.keeper = keeper};
    renewal->keys = calloc(keeper->count + 1, sizeof *renewal->keys);
    if (renewal->keys == NULL) {
        return false;
    }
    for (const struct lease *lease = keeper->first; lease != NULL; lease = lease->next) {
        renewal->keys[renewal->count++] = lease->key;
    }
    return renewal->count > 0;
}

static void beat(struct renewal *renewal) {
    struct status status = store_run(renewal->keeper->aggregator->options.store, STORE_WRITE,
                                     renew_run, renewal);
    if (!status_ok(status)) {
        log_event(LOG_WARN, "leases were not renewed",
                  LOG_STRING("reason", status_text(status.code)));
    }
}

static void wait_for_beat(struct lease_keeper *keeper) {
    int64_t at = clock_monotonic_ns() +
                 (int64_t)keeper->aggregator->options.lease_s * 1000000000 / BEATS_PER_LEASE;
    const struct timespec until = {at / 1000000000, at % 1000000000};
    while (!keeper->stop &&
           pthread_cond_timedwait(&keeper->stopping, &keeper->lock, &until) == 0) {
    }
}

static void *heartbeat(void *argument) {
    struct lease_keeper *keeper = argument;
    pthread_mutex_lock(&keeper->lock);
    for (wait_for_beat(keeper); !keeper->stop; wait_for_beat(keeper)) {
        struct renewal renewal;
        bool any = renewal_begin(keeper, &renewal);
        pthread_mutex_unlock(&keeper->lock);
        if (any) {
            beat(&renewal);
        }
        free(renewal.keys);
        pthread_mutex_lock(&keeper->lock);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

/* ---- The keeper ----------------------------------------------------------------- */

struct status lease_keeper_new(struct aggregator *aggregator, struct lease_keeper **out) {
    struct lease_keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL) {
        return FAIL(NO_MEMORY);
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->stopping, &attributes);
    pthread_condattr_destroy(&attributes);
    keeper->aggregator = aggregator;
    *out = keeper;
    return OK;
}

struct status lease_keeper_start(struct lease_keeper *keeper) {
    TRY(thread_start(&keeper->thread, "leases", heartbeat, keeper));
    keeper->started = true;
    return OK;
}

void lease_keeper_free(struct lease_keeper *keeper) {
    if (keeper == NULL) {
        return;
    }
    pthread_mutex_lock(&keeper->lock);
    keeper->stop = true;
    pthread_cond_signal(&keeper->stopping);
    pthread_mutex_unlock(&keeper->lock);
    if (keeper->started) {
        pthread_join(keeper->thread, NULL);
    }
    pthread_cond_destroy(&keeper->stopping);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}

/* ---- Leases --------------------------------------------------------------------- */

static void lease_begin(struct lease_keeper *keeper, struct lease *lease) {
    pthread_mutex_lock(&keeper->lock);
    lease->kept = true;
    lease->previous = NULL;
    lease->next = keeper->first;
    if (lease->next != NULL) {
        lease->next->previous = lease;
    }
    keeper->first = lease;
    keeper->count++;
    pthread_mutex_unlock(&keeper->lock);
}

void lease_of_job(struct lease_keeper *keeper, const struct store_job *job, struct lease *lease) {
    *lease = (struct lease){.key = {.of_job = true, .token = job->lease}};
    memcpy(lease->key.id, job->id, sizeof job->id);
    lease_begin(keeper, lease);
}

void lease_of_resource(struct lease_keeper *keeper, const struct store_resource *resource,
                       struct lease *lease) {
    *lease = (struct lease){.key = {.kind = resource->kind, .token = resource->lease}};
    memcpy(lease->key.task_id, resource->task_id, sizeof resource->task_id);
    memcpy(lease->key.id, resource->id, sizeof resource->id);
    lease_begin(keeper, lease);
}

void lease_end(struct lease_keeper *keeper, struct lease *lease) {
    if (!lease->kept) {
        return;
    }
    pthread_mutex_lock(&keeper->lock);
    *(lease->previous != NULL ? &lease->previous->next : &keeper->first) = lease->next;
    if (lease->next != NULL) {
        lease->next->previous = lease->previous;
    }
    keeper->count--;
    lease->kept = false;
    pthread_mutex_unlock(&keeper->lock);
}
