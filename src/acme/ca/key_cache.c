/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/key_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 512 };

struct ca_key_cache {
    pthread_mutex_t mutex;
    struct {
        char *jwk;
        EVP_PKEY *key;
    } slots[SLOTS];
};

struct status ca_key_cache_new(struct ca_key_cache **out) {
    struct ca_key_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        return FAIL(NO_MEMORY);
    }
    pthread_mutex_init(&cache->mutex, NULL);
    *out = cache;
    return OK;
}

void ca_key_cache_free(struct ca_key_cache *cache) {
    if (cache == NULL) {
        return;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        free(cache->slots[i].jwk);
        EVP_PKEY_free(cache->slots[i].key);
    }
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

/* FNV-1a; whoever makes keys meet on purpose slows down nobody but themselves. */
static size_t slot_of(const char *jwk) {
    uint32_t hash = 2166136261U;
    for (; *jwk != '\0'; jwk++) {
        hash = (hash ^ (uint8_t)*jwk) * 16777619U;
    }
    return hash % SLOTS;
}

static EVP_PKEY *find(struct ca_key_cache *cache, size_t slot, const char *jwk) {
    EVP_PKEY *key = NULL;
    pthread_mutex_lock(&cache->mutex);
    if (cache->slots[slot].jwk != NULL && strcmp(cache->slots[slot].jwk, jwk) == 0 &&
        EVP_PKEY_up_ref(cache->slots[slot].key) == 1) {
        key = cache->slots[slot].key;
    }
    pthread_mutex_unlock(&cache->mutex);
    return key;
}

static void store(struct ca_key_cache *cache, size_t slot, const char *jwk, EVP_PKEY *key) {
    char *copy = strdup(jwk);
    if (copy == NULL || EVP_PKEY_up_ref(key) != 1) {
        free(copy);
        return;
    }
    pthread_mutex_lock(&cache->mutex);
    char *old_jwk = cache->slots[slot].jwk;
    EVP_PKEY *old_key = cache->slots[slot].key;
    cache->slots[slot].jwk = copy;
    cache->slots[slot].key = key;
    pthread_mutex_unlock(&cache->mutex);
    free(old_jwk);
    EVP_PKEY_free(old_key);
}

struct status ca_key_cache_get(struct ca_key_cache *cache, const char *jwk, EVP_PKEY **out) {
    size_t slot = slot_of(jwk);
    json_t *object;
    EVP_PKEY *key = find(cache, slot, jwk);
    if (key == NULL) {
        TRY(json_parse(span_of_string(jwk), &object));
        struct status status = jwk_read(object, &key);
        json_decref(object);
        if (!status_ok(status)) {
            return FAIL(INTERNAL);
        }
        store(cache, slot, jwk, key);
    }
    *out = key;
    return OK;
}
