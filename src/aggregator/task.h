/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_TASK_H
#define MOIETY_AGGREGATOR_TASK_H

#include "aggregator/task_settings.h"
#include "base/arena.h"
#include "dap/task.h"
#include "hpke/hpke.h"
#include "store/store.h"
#include "vdaf/vdaf.h"

struct aggregator;

enum task_dialect { TASK_DIALECT_DRAFT_18, TASK_DIALECT_JANUS };

/* The other party of some of our requests, as its store_peer says. */
struct task_peer {
    const char *name;
    enum task_dialect dialect;
    struct span token;            /* secret: what we send it; may be empty */
    struct span token_hash;       /* SHA-256 of what it sends us; may be empty */
    const char *certificate_name; /* may be NULL */
};

/* The verification keys that a task's aggregators share, by their id
 * (AggregationJobInitReq.verification_key_id). */
struct task_verify_key {
    uint8_t id;
    struct span key; /* secret */
};

/*
 * A task as this process works with it: decoded once, immutable, shared by any
 * number of threads and counted. Everything borrows the task's own arena, which
 * is wiped when the last holder releases it.
 *
 * Invariant: `vdaf` fits the configuration, every verification key has the
 * VDAF's size, there is at least one, and the collector's suite is supported.
 */
struct served_task {
    struct task dap;              /* as all participants agree on it: id, configuration */
    enum role role;               /* ROLE_LEADER or ROLE_HELPER */
    struct vdaf *vdaf;
    struct span vdaf_context;     /* "dap-18" || task_id */
    const struct task_verify_key *verify_keys;
    size_t verify_key_count;
    struct hpke_config collector_config;
    struct task_peer aggregator_peer;
    bool has_collector_peer;      /* leader only */
    struct task_peer collector_peer;
    struct task_settings settings;
    const char *id_text;          /* base64url: URLs, metric labels, logs */
    struct arena arena;
};

/* The task with this id, from the cache or the store; the caller releases it.
 * UNRECOGNIZED_TASK, or the store's failures. The cache is compared with the
 * store's configuration version at most once a second, so a change by another
 * process is seen within that time. May wait for the store: workers only. */
struct status task_acquire(struct aggregator *aggregator, const uint8_t id[STORE_TASK_ID_SIZE],
                           const struct served_task **out);
/* From the id's text in a URL: UNRECOGNIZED_TASK too if it isn't one. */
struct status task_acquire_text(struct aggregator *aggregator, struct span id_text,
                                const struct served_task **out);
/* The same if the cache has it and need not ask the store; else false. For loops. */
bool task_acquire_cached(struct aggregator *aggregator, struct span id_text,
                         const struct served_task **out);
/* Another hold on a task that the caller holds. */
const struct served_task *task_hold(const struct served_task *task);
void task_release(const struct served_task *task); /* NULL is allowed */

/* Decodes a row and its peers: the check that the CLI makes before it stores
 * one, too. INVALID_CONFIG, UNSUPPORTED_ALGORITHM, UNSUPPORTED_EXTENSION
 * (draft: nobody takes part in a task with an unrecognised extension);
 * `error` (may be NULL) says in words what is wrong. `collector` NULL: none. */
struct status task_from_row(const struct store_task *row, const struct store_peer *aggregator,
                            const struct store_peer *collector, struct served_task **out,
                            char error[TASK_SETTINGS_ERROR_MAX]);

/* NULL if the task has no such key. */
const struct task_verify_key *task_verify_key(const struct served_task *task, uint8_t id);
/* store_task.verify_keys: for each key its id (1 byte) and opaque<1..2^16-1>. */
struct status task_verify_keys_encode(const struct task_verify_key keys[], size_t count,
                                      struct buffer *out);

static inline bool task_is_time_interval(const struct served_task *task) {
    return task->dap.configuration.batch_mode == BATCH_MODE_TIME_INTERVAL;
}

/* The cache. */
struct task_cache;
struct status task_cache_new(struct task_cache **out);
void task_cache_free(struct task_cache *cache); /* NULL is allowed */

#endif
