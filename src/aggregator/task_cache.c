/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>

#include "aggregator/context.h"
#include "aggregator/task.h"
#include "base/log.h"
#include "wire/base64url.h"

/*
 * Tasks by id, valid for one version of the store's configuration. The lock is
 * held for look-ups only, never while waiting for the store.
 */
enum { CACHE_SLOTS = 1024, CACHE_CHECK_NS = 1000000000 };

struct cached_task {
    const struct served_task *task;
    struct cached_task *next;
};

struct task_cache {
    pthread_mutex_t lock;
    uint64_t version;   /* of the store's configuration */
    int64_t checked_ns; /* when that was last compared */
    bool checked;
    struct cached_task *slots[CACHE_SLOTS];
};

struct status task_cache_new(struct task_cache **out) {
    struct task_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL || pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache);
        return FAIL(NO_MEMORY);
    }
    *out = cache;
    return OK;
}

static void cache_clear(struct task_cache *cache) {
    for (size_t i = 0; i < CACHE_SLOTS; i++) {
        while (cache->slots[i] != NULL) {
            struct cached_task *entry = cache->slots[i];
            cache->slots[i] = entry->next;
            task_release(entry->task);
            free(entry);
        }
    }
}

void task_cache_free(struct task_cache *cache) {
    if (cache != NULL) {
        cache_clear(cache);
        pthread_mutex_destroy(&cache->lock);
        free(cache);
    }
}

/* Task IDs are random or hashes, so two of their bytes are a hash. */
static struct cached_task **cache_slot(struct task_cache *cache, const uint8_t *id) {
    return &cache->slots[((size_t)id[0] << 8 | id[1]) % CACHE_SLOTS];
}

static const struct served_task *cache_find(struct task_cache *cache, const uint8_t *id) {
    for (struct cached_task *entry = *cache_slot(cache, id); entry != NULL; entry = entry->next) {
        if (memcmp(entry->task->dap.id.bytes, id, STORE_TASK_ID_SIZE) == 0) {
            return entry->task;
        }
    }
    return NULL;
}

/* Keeps a task that was read at `version`, unless the cache has moved on or
 * another thread was faster. Without memory it isn't kept, that's all. */
static void cache_keep(struct task_cache *cache, const struct served_task *task,
                       uint64_t version) {
    pthread_mutex_lock(&cache->lock);
    struct cached_task *entry = NULL;
    if (cache->version == version && cache_find(cache, task->dap.id.bytes) == NULL) {
        entry = malloc(sizeof(*entry));
    }
    if (entry != NULL) {
        struct cached_task **slot = cache_slot(cache, task->dap.id.bytes);
        *entry = (struct cached_task){task_hold(task), *slot};
        *slot = entry;
    }
    pthread_mutex_unlock(&cache->lock);
}

static struct status read_version(struct store_tx *tx, void *argument) {
    return store_config_version(tx, argument);
}

/* With the cache locked. */
static bool cache_is_due(const struct task_cache *cache, int64_t now) {
    return !cache->checked || now - cache->checked_ns >= CACHE_CHECK_NS;
}

/* Once a second one thread asks the store; the others go on with what is there
 * meanwhile. */
static struct status cache_refresh(struct aggregator *aggregator) {
    struct task_cache *cache = aggregator->tasks;
    int64_t now = clock_monotonic_ns();
    pthread_mutex_lock(&cache->lock);
    bool due = cache_is_due(cache, now);
    if (due) {
        cache->checked_ns = now;
    }
    pthread_mutex_unlock(&cache->lock);
    if (!due) {
        return OK;
    }
    uint64_t version;
    TRY(store_run_until(aggregator->options.store, STORE_READ,
                        aggregator_upload_deadline_ns(aggregator), read_version, &version));
    pthread_mutex_lock(&cache->lock);
    if (!cache->checked || cache->version != version) {
        cache_clear(cache);
        cache->version = version;
        cache->checked = true;
    }
    pthread_mutex_unlock(&cache->lock);
    return OK;
}

struct task_read {
    const uint8_t *id;
    struct arena arena;
    struct store_task row;
    struct store_peer aggregator;
    struct store_peer collector;
    uint64_t version;
};

static struct status read_task(struct store_tx *tx, void *argument) {
    struct task_read *read = argument;
    arena_release(&read->arena);
    TRY(store_config_version(tx, &read->version));
    TRY(store_task_get(tx, &read->arena, read->id, &read->row));
    TRY(store_peer_get(tx, &read->arena, read->row.aggregator_peer, &read->aggregator));
    return read->row.collector_peer != NULL
               ? store_peer_get(tx, &read->arena, read->row.collector_peer, &read->collector)
               : OK;
}

static struct status task_load(struct aggregator *aggregator, const uint8_t *id,
                               const struct served_task **out) {
    struct task_read read = {.id = id, .arena = ARENA_INIT};
    struct served_task *task;
    char error[TASK_SETTINGS_ERROR_MAX] = "";
    struct status status;
    TRY_GOTO(status, store_run(aggregator->options.store, STORE_READ, read_task, &read), end);
    status = task_from_row(&read.row, &read.aggregator,
                           read.row.collector_peer != NULL ? &read.collector : NULL, &task, error);
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "a stored task can't be used",
                  LOG_BYTES("task", span_of(id, STORE_TASK_ID_SIZE)),
                  LOG_STRING("why", error[0] != '\0' ? error : status_text(status.code)));
        /* Whatever is wrong with the row is no fault of the request. */
        status = status.code == STATUS_NO_MEMORY ? status : FAIL(INVALID_CONFIG);
        goto end;
    }
    cache_keep(aggregator->tasks, task, read.version);
    *out = task;
end:
    arena_release(&read.arena);
    return status;
}

/* With the cache locked; NULL if it hasn't got it. */
static const struct served_task *cache_hold(struct task_cache *cache, const uint8_t *id) {
    const struct served_task *task = cache_find(cache, id);
    return task != NULL ? task_hold(task) : NULL;
}

struct status task_acquire(struct aggregator *aggregator, const uint8_t id[STORE_TASK_ID_SIZE],
                           const struct served_task **out) {
    TRY(cache_refresh(aggregator));
    pthread_mutex_lock(&aggregator->tasks->lock);
    const struct served_task *task = cache_hold(aggregator->tasks, id);
    pthread_mutex_unlock(&aggregator->tasks->lock);
    if (task == NULL) {
        return task_load(aggregator, id, out);
    }
    *out = task;
    return OK;
}

struct status task_acquire_text(struct aggregator *aggregator, struct span id_text,
                                const struct served_task **out) {
    uint8_t id[STORE_TASK_ID_SIZE];
    return status_ok(base64url_decode(id, sizeof(id), id_text)) ? task_acquire(aggregator, id, out)
                                                                : FAIL(UNRECOGNIZED_TASK);
}

bool task_acquire_cached(struct aggregator *aggregator, struct span id_text,
                         const struct served_task **out) {
    struct task_cache *cache = aggregator->tasks;
    uint8_t id[STORE_TASK_ID_SIZE];
    const struct served_task *task = NULL;
    if (!status_ok(base64url_decode(id, sizeof(id), id_text))) {
        return false;
    }
    int64_t now = clock_monotonic_ns();
    pthread_mutex_lock(&cache->lock);
    if (!cache_is_due(cache, now)) {
        task = cache_hold(cache, id);
    }
    pthread_mutex_unlock(&cache->lock);
    if (task != NULL) {
        *out = task;
    }
    return task != NULL;
}
