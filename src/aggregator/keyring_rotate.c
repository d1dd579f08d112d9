/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/keyring.h"
#include "base/secret.h"

enum { KEY_IDS = 256 };
static const int64_t second_us = 1000000;

/* A free id at random, so that a reused id is as old as can be expected. */
static struct status free_id(const struct moiety_provider *provider,
                             const struct store_hpke_key keys[], size_t count, uint8_t *out) {
    bool taken[KEY_IDS] = {false};
    for (size_t i = 0; i < count; i++) {
        taken[keys[i].id] = true;
    }
    uint8_t start;
    if (provider->random(&start, 1) != 0) {
        return FAIL(CRYPTO);
    }
    for (unsigned i = 0; i < KEY_IDS; i++) {
        uint8_t id = (uint8_t)(start + i);
        if (!taken[id]) {
            *out = id;
            return OK;
        }
    }
    return FAIL(CONFLICT);
}

static struct status key_add(struct store_tx *tx, const struct moiety_provider *provider,
                             struct hpke_suite suite, int64_t now,
                             const struct store_hpke_key keys[], size_t count, uint8_t *id) {
    struct hpke_key key;
    uint8_t fresh;
    TRY(free_id(provider, keys, count, &fresh));
    TRY(hpke_key_generate(provider, suite, fresh, &key));
    struct store_hpke_key row = {.id = fresh,
                                 .kem_id = suite.kem_id,
                                 .kdf_id = suite.kdf_id,
                                 .aead_id = suite.aead_id,
                                 .public_key = span_of(key.public_key, key.public_key_len),
                                 .private_key = SPAN_OF_ARRAY(key.private_key),
                                 .state = STORE_KEY_ADVERTISED,
                                 .created_at = now,
                                 .state_since = now};
    struct status status = store_hpke_key_put(tx, &row);
    hpke_key_release(&key);
    TRY(status);
    *id = fresh;
    return OK;
}

struct rotation {
    const struct moiety_provider *provider;
    struct keyring_policy policy;
    int64_t now;
    struct keyring_changes changes;
};

static struct status add_now(struct store_tx *tx, void *argument) {
    struct rotation *rotation = argument;
    struct arena arena = ARENA_INIT;
    struct store_hpke_key *keys;
    size_t count;
    struct status status;
    TRY_GOTO(status, store_hpke_key_list(tx, &arena, &keys, &count), end);
    status = key_add(tx, rotation->provider, rotation->policy.suite, rotation->now, keys, count,
                     &rotation->changes.added_id);
end:
    arena_release(&arena);
    return status;
}

struct status keyring_add(struct store *store, const struct moiety_provider *provider,
                          struct hpke_suite suite, int64_t now, uint8_t *id) {
    struct rotation rotation = {.provider = provider, .policy = {.suite = suite}, .now = now};
    TRY(store_run(store, STORE_WRITE, add_now, &rotation));
    *id = rotation.changes.added_id;
    return OK;
}

static bool same_suite(const struct store_hpke_key *a, const struct store_hpke_key *b) {
    return a->kem_id == b->kem_id && a->kdf_id == b->kdf_id && a->aead_id == b->aead_id;
}

/* Keys come newest first, so a newer one that is advertised stands before. */
static bool was_replaced(const struct store_hpke_key keys[], size_t i) {
    for (size_t j = 0; j < i; j++) {
        if (keys[j].state == STORE_KEY_ADVERTISED && same_suite(&keys[j], &keys[i])) {
            return true;
        }
    }
    return false;
}

static bool older_than(int64_t since, uint64_t seconds, int64_t now) {
    return now - since >= (int64_t)seconds * second_us;
}

static struct status key_set_state(struct store_tx *tx, const struct rotation *rotation,
                                   uint8_t id, enum store_key_state state, unsigned *changed) {
    TRY(store_hpke_key_set_state(tx, id, state, rotation->now));
    ++*changed;
    return OK;
}

static struct status key_age(struct store_tx *tx, struct rotation *rotation,
                             const struct store_hpke_key keys[], size_t i) {
    const struct store_hpke_key *key = &keys[i];
    struct keyring_changes *changes = &rotation->changes;
    switch (key->state) {
    case STORE_KEY_ADVERTISED:
        return was_replaced(keys, i) ? key_set_state(tx, rotation, key->id, STORE_KEY_ACCEPTED,
                                                     &changes->accepted)
                                     : OK;
    case STORE_KEY_ACCEPTED:
        return older_than(key->state_since, 2 * (uint64_t)rotation->policy.config_max_age_s,
                          rotation->now)
                   ? key_set_state(tx, rotation, key->id, STORE_KEY_OPEN_ONLY,
                                   &changes->open_only)
                   : OK;
    case STORE_KEY_OPEN_ONLY:
        break;
    }
    if (!older_than(key->state_since, KEYRING_RETAIN_S, rotation->now)) {
        return OK;
    }
    struct status status = store_hpke_key_delete(tx, key->id);
    if (status.code == STATUS_CONFLICT) {
        return OK; /* a stored report still names it */
    }
    TRY(status);
    changes->deleted++;
    return OK;
}

/* Whether the newest advertised key of the policy's suite is too old, or
 * missing. */
static bool key_is_due(const struct rotation *rotation, const struct store_hpke_key keys[],
                       size_t count) {
    if (rotation->policy.lifetime_s == 0) {
        return false;
    }
    struct hpke_suite suite = rotation->policy.suite;
    struct store_hpke_key wanted = {
        .kem_id = suite.kem_id, .kdf_id = suite.kdf_id, .aead_id = suite.aead_id};
    for (size_t i = 0; i < count; i++) {
        if (keys[i].state == STORE_KEY_ADVERTISED && same_suite(&keys[i], &wanted)) {
            return older_than(keys[i].created_at, rotation->policy.lifetime_s, rotation->now);
        }
    }
    return true;
}

static struct status rotate_keys(struct store_tx *tx, struct rotation *rotation,
                                 struct arena *arena) {
    struct store_hpke_key *keys;
    size_t count;
    TRY(store_hpke_key_list(tx, arena, &keys, &count));
    if (key_is_due(rotation, keys, count)) {
        TRY(key_add(tx, rotation->provider, rotation->policy.suite, rotation->now, keys, count,
                    &rotation->changes.added_id));
        rotation->changes.added++;
        TRY(store_hpke_key_list(tx, arena, &keys, &count));
    }
    for (size_t i = 0; i < count; i++) {
        TRY(key_age(tx, rotation, keys, i));
    }
    return OK;
}

static struct status rotate_now(struct store_tx *tx, void *argument) {
    struct rotation *rotation = argument;
    struct arena arena = ARENA_INIT;
    rotation->changes = (struct keyring_changes){0};
    struct status status = rotate_keys(tx, rotation, &arena);
    arena_release(&arena);
    return status;
}

struct status keyring_rotate(struct store *store, const struct moiety_provider *provider,
                             const struct keyring_policy *policy, int64_t now,
                             struct keyring_changes *out) {
    struct rotation rotation = {.provider = provider, .policy = *policy, .now = now};
    TRY(store_run(store, STORE_WRITE, rotate_now, &rotation));
    *out = rotation.changes;
    return OK;
}
