/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/aggregator.h"

#include <stdlib.h>

#include "aggregator/context.h"
#include "aggregator/helper_poller.h"
#include "aggregator/leader.h"
#include "aggregator/lease.h"
#include "aggregator/routes.h"
#include "aggregator/upload_commit.h"

static void default_u32(uint32_t *value, uint32_t fallback) {
    *value = *value != 0 ? *value : fallback;
}

static void fill_defaults(struct aggregator_options *options) {
    options->max_upload_bytes =
        options->max_upload_bytes != 0 ? options->max_upload_bytes : (size_t)1 << 30;
    options->max_job_bytes =
        options->max_job_bytes != 0 ? options->max_job_bytes : (size_t)64 << 20;
    default_u32(&options->clock_skew_s, 300);
    default_u32(&options->job_poll_ms, 200);
    default_u32(&options->lease_s, 60);
    default_u32(&options->upload_patience_ms, 5000);
    default_u32(&options->hpke_config_max_age_s, 86400);
    default_u32(&options->gc_interval_s, 60);
}

static struct status aggregator_init(struct aggregator *aggregator) {
    TRY(counts_init(&aggregator->counts, aggregator->options.metrics));
    TRY(task_cache_new(&aggregator->tasks));
    TRY(keyring_cache_new(&aggregator->keys));
    TRY(lease_keeper_new(aggregator, &aggregator->leases));
    TRY(upload_committer_new(aggregator, &aggregator->uploads));
    TRY(helper_poller_new(aggregator, &aggregator->helper));
    TRY(routes_new(&aggregator->options, &aggregator->routes));
    return leader_new(aggregator, &aggregator->leader);
}

struct status aggregator_new(const struct aggregator_options *options, struct aggregator **out) {
    struct aggregator *aggregator = calloc(1, sizeof(*aggregator));
    if (aggregator == NULL) {
        return FAIL(NO_MEMORY);
    }
    aggregator->options = *options;
    fill_defaults(&aggregator->options);
    atomic_init(&aggregator->draining, false);
    struct status status = aggregator_init(aggregator);
    if (!status_ok(status)) {
        aggregator_free(aggregator);
        return status;
    }
    *out = aggregator;
    return OK;
}

void aggregator_free(struct aggregator *aggregator) {
    if (aggregator != NULL) {
        leader_free(aggregator->leader);
        routes_free(aggregator->routes);
        helper_poller_free(aggregator->helper);
        upload_committer_free(aggregator->uploads);
        lease_keeper_free(aggregator->leases);
        keyring_cache_free(aggregator->keys);
        task_cache_free(aggregator->tasks);
        free(aggregator);
    }
}

struct status aggregator_add_routes(struct aggregator *aggregator, struct router *router) {
    return routes_mount(aggregator->routes, aggregator, router);
}

struct status aggregator_start(struct aggregator *aggregator) {
    TRY(lease_keeper_start(aggregator->leases));
    TRY(helper_poller_start(aggregator->helper));
    return leader_start(aggregator->leader);
}

static struct status ask_store(struct store_tx *tx, void *argument) {
    return store_config_version(tx, argument);
}

/* How long a failure of the database keeps the server from being ready. Then it
 * is tried again, and either works or fails anew. */
#define UNREADY_NS (INT64_C(5) * 1000000000)

bool aggregator_ready(struct aggregator *aggregator, const char **why) {
    const struct keyring *keyring;
    uint64_t version;
    if (atomic_load(&aggregator->draining)) {
        *why = "shutting down";
        return false;
    }
    if (!status_ok(store_run(aggregator->options.store, STORE_READ, ask_store, &version)) ||
        !status_ok(keyring_acquire(aggregator, &keyring))) {
        *why = "the store does not answer";
        return false;
    }
    /* Reading may go well where writing doesn't. */
    int64_t failed_ns = atomic_load(&aggregator->store_failed_ns);
    if (failed_ns != 0 && clock_monotonic_ns() - failed_ns < UNREADY_NS) {
        keyring_release(keyring);
        *why = "the store failed just now";
        return false;
    }
    bool advertised = keyring_config_list(keyring).len > 0;
    keyring_release(keyring);
    *why = advertised ? "ready" : "no HPKE key is advertised";
    return advertised;
}

void aggregator_drain(struct aggregator *aggregator) {
    atomic_store(&aggregator->draining, true);
    leader_drain(aggregator->leader);
}
