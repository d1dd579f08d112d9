/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/keyring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "aggregator/context.h"
#include "base/log.h"
#include "dap/messages.h"

enum { KEY_IDS = 256, CACHE_CHECK_NS = 1000000000 };

struct keyring {
    atomic_uint holds;
    uint64_t version; /* of the store's configuration */
    struct hpke_key keys[KEY_IDS];
    bool present[KEY_IDS];
    enum store_key_state states[KEY_IDS];
    struct buffer config_list;
};

void keyring_release(const struct keyring *keyring) {
    struct keyring *last = (struct keyring *)(uintptr_t)keyring;
    if (last == NULL || atomic_fetch_sub(&last->holds, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < KEY_IDS; i++) {
        hpke_key_release(&last->keys[i]);
    }
    buffer_release(&last->config_list);
    free(last);
}

bool keyring_accepts(const struct keyring *keyring, uint8_t id) {
    return keyring->present[id] && keyring->states[id] != STORE_KEY_OPEN_ONLY;
}

const struct hpke_key *keyring_find(const struct keyring *keyring, uint8_t id) {
    return keyring->present[id] ? &keyring->keys[id] : NULL;
}

struct span keyring_config_list(const struct keyring *keyring) {
    return buffer_span(&keyring->config_list);
}

/* ---- Making one from rows -------------------------------------------------- */

/* A row that doesn't hold a usable key is left out: the others still serve. */
static bool key_from_row(const struct store_hpke_key *row, struct hpke_key *out) {
    struct hpke_suite suite = {row->kem_id, row->kdf_id, row->aead_id};
    if (!hpke_suite_supported(suite) || row->private_key.len != sizeof(out->private_key) ||
        row->public_key.len != hpke_public_key_size(suite.kem_id)) {
        log_event(LOG_ERROR, "a stored HPKE key can't be used", LOG_INT("key", row->id));
        return false;
    }
    out->id = row->id;
    out->suite = suite;
    out->public_key_len = (uint8_t)row->public_key.len;
    memcpy(out->public_key, row->public_key.data, row->public_key.len);
    memcpy(out->private_key, row->private_key.data, sizeof(out->private_key));
    return true;
}

static struct status keyring_from_rows(const struct store_hpke_key rows[], size_t count,
                                       uint64_t version, struct keyring **out) {
    struct hpke_config configs[KEY_IDS];
    struct hpke_config_list list = {configs, 0};
    struct keyring *keyring = calloc(1, sizeof(*keyring));
    if (keyring == NULL) {
        return FAIL(NO_MEMORY);
    }
    atomic_init(&keyring->holds, 1);
    keyring->version = version;
    for (size_t i = 0; i < count; i++) {
        struct hpke_key *key = &keyring->keys[rows[i].id];
        keyring->present[rows[i].id] = key_from_row(&rows[i], key);
        keyring->states[rows[i].id] = rows[i].state;
        if (keyring->present[rows[i].id] && rows[i].state == STORE_KEY_ADVERTISED) {
            configs[list.count++] = hpke_key_config(key);
        }
    }
    if (list.count > 0) {
        struct status status = hpke_config_list_encode(&list, &keyring->config_list);
        if (!status_ok(status)) {
            keyring_release(keyring);
            return status;
        }
    }
    *out = keyring;
    return OK;
}

/* ---- The current one ------------------------------------------------------- */

struct keyring_cache {
    pthread_mutex_t lock;
    struct keyring *current; /* NULL until first read */
    int64_t checked_ns;
};

struct status keyring_cache_new(struct keyring_cache **out) {
    struct keyring_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL || pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache);
        return FAIL(NO_MEMORY);
    }
    *out = cache;
    return OK;
}

void keyring_cache_free(struct keyring_cache *cache) {
    if (cache != NULL) {
        keyring_release(cache->current);
        pthread_mutex_destroy(&cache->lock);
        free(cache);
    }
}

struct key_read {
    struct arena arena;
    uint64_t known;   /* version in the cache */
    bool has_known;
    uint64_t version;
    struct store_hpke_key *rows;
    size_t count;
};

static struct status read_keys(struct store_tx *tx, void *argument) {
    struct key_read *read = argument;
    arena_release(&read->arena);
    TRY(store_config_version(tx, &read->version));
    if (read->has_known && read->version == read->known) {
        return OK;
    }
    return store_hpke_key_list(tx, &read->arena, &read->rows, &read->count);
}

static struct status keyring_refresh(struct aggregator *aggregator, const struct keyring *known) {
    struct keyring_cache *cache = aggregator->keys;
    struct keyring *fresh = NULL;
    struct key_read read = {.arena = ARENA_INIT,
                            .known = known != NULL ? known->version : 0,
                            .has_known = known != NULL};
    struct status status;
    TRY_GOTO(status,
             store_run_until(aggregator->options.store, STORE_READ,
                             aggregator_upload_deadline_ns(aggregator), read_keys, &read),
             end);
    if (read.has_known && read.version == read.known) {
        goto end;
    }
    TRY_GOTO(status, keyring_from_rows(read.rows, read.count, read.version, &fresh), end);
    pthread_mutex_lock(&cache->lock);
    struct keyring *old = cache->current;
    cache->current = fresh;
    pthread_mutex_unlock(&cache->lock);
    keyring_release(old);
end:
    arena_release(&read.arena);
    return status;
}

/* With the cache locked. */
static bool cache_is_due(const struct keyring_cache *cache, int64_t now) {
    return cache->current == NULL || now - cache->checked_ns >= CACHE_CHECK_NS;
}

/* Holds what is current and says whether it is time to look again. */
static const struct keyring *keyring_hold_current(struct keyring_cache *cache, bool *due) {
    int64_t now = clock_monotonic_ns();
    pthread_mutex_lock(&cache->lock);
    const struct keyring *current = cache->current;
    *due = cache_is_due(cache, now);
    if (*due) {
        cache->checked_ns = now;
    }
    if (current != NULL) {
        atomic_fetch_add(&cache->current->holds, 1);
    }
    pthread_mutex_unlock(&cache->lock);
    return current;
}

struct status keyring_acquire(struct aggregator *aggregator, const struct keyring **out) {
    bool due;
    const struct keyring *current = keyring_hold_current(aggregator->keys, &due);
    if (due) {
        struct status status = keyring_refresh(aggregator, current);
        keyring_release(current);
        TRY(status);
        current = keyring_hold_current(aggregator->keys, &due);
    }
    *out = current;
    return OK;
}

const struct keyring *keyring_acquire_cached(struct aggregator *aggregator) {
    struct keyring_cache *cache = aggregator->keys;
    const struct keyring *current = NULL;
    int64_t now = clock_monotonic_ns();
    pthread_mutex_lock(&cache->lock);
    if (!cache_is_due(cache, now)) {
        current = cache->current;
        atomic_fetch_add(&cache->current->holds, 1);
    }
    pthread_mutex_unlock(&cache->lock);
    return current;
}
