/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/hpke.h"

#include "hpke/dhkem.h"

enum { NONCE_SIZE = 12, TAG_SIZE = 16 };

/* What the key schedule yields for a single message: sequence number 0, whose
 * nonce is the base nonce. No exporter secret, since DAP exports nothing. */
struct message_keys {
    uint8_t key[32];
    uint8_t nonce[NONCE_SIZE];
};

/* RFC 9180, section 7.3. */
static size_t aead_key_size(uint16_t aead_id) {
    return aead_id == MOIETY_AEAD_AES_128_GCM ? 16 : 32;
}

/* The part of a key schedule that depends on no secret: key_schedule_context of
 * section 5.1, mode || psk_id_hash || info_hash. Kept from message to message,
 * since those of a batch mostly share it. */
struct schedule {
    struct hpke_suite suite;
    struct span info; /* borrowed */
    uint8_t id[10];   /* "HPKE" || kem_id || kdf_id || aead_id */
    uint8_t context[1 + 2 * KDF_SIZE];
};

static bool schedule_fits(const struct schedule *schedule, struct hpke_suite suite,
                          struct span info) {
    return schedule->suite.kem_id == suite.kem_id && schedule->suite.kdf_id == suite.kdf_id &&
           schedule->suite.aead_id == suite.aead_id && span_equal_vartime(schedule->info, info);
}

/* Base mode: mode 0, no PSK, no PSK id. */
static struct status schedule_init(const struct moiety_provider *provider, struct hpke_suite suite,
                                   struct span info, struct schedule *out) {
    const uint8_t id[] = {'H',
                          'P',
                          'K',
                          'E',
                          (uint8_t)(suite.kem_id >> 8),
                          (uint8_t)suite.kem_id,
                          (uint8_t)(suite.kdf_id >> 8),
                          (uint8_t)suite.kdf_id,
                          (uint8_t)(suite.aead_id >> 8),
                          (uint8_t)suite.aead_id};
    struct schedule schedule = {.suite = suite, .info = info};
    struct span id_span = SPAN_OF_ARRAY(id);
    struct kdf_key no_salt;
    memcpy(schedule.id, id, sizeof(id));
    TRY(kdf_key_init(provider, SPAN_EMPTY, &no_salt));
    TRY(kdf_labeled_extract(provider, id_span, &no_salt, "psk_id_hash", SPAN_EMPTY,
                            schedule.context + 1));
    TRY(kdf_labeled_extract(provider, id_span, &no_salt, "info_hash", info,
                            schedule.context + 1 + KDF_SIZE));
    *out = schedule;
    return OK;
}

/* The rest of KeySchedule(). */
static struct status schedule_keys(const struct moiety_provider *provider,
                                   const struct schedule *schedule, const uint8_t shared[KDF_SIZE],
                                   struct message_keys *out) {
    const struct span id = SPAN_OF_ARRAY(schedule->id);
    const struct span context = SPAN_OF_ARRAY(schedule->context);
    uint8_t secret[KDF_SIZE];
    struct kdf_key salt, key;
    struct status status;
    TRY_GOTO(status, kdf_key_init(provider, span_of(shared, KDF_SIZE), &salt), done);
    TRY_GOTO(status, kdf_labeled_extract(provider, id, &salt, "secret", SPAN_EMPTY, secret), done);
    TRY_GOTO(status, kdf_key_init(provider, SPAN_OF_ARRAY(secret), &key), done);
    TRY_GOTO(status,
             kdf_labeled_expand(provider, id, &key, "key", context, out->key,
                                aead_key_size(schedule->suite.aead_id)),
             done);
    TRY_GOTO(status,
             kdf_labeled_expand(provider, id, &key, "base_nonce", context, out->nonce, NONCE_SIZE),
             done);
done:
    secret_wipe(secret, sizeof(secret));
    secret_wipe(&salt, sizeof(salt));
    secret_wipe(&key, sizeof(key));
    return status;
}

/* A table's functions are never given NULL. */
static const uint8_t *data_of(struct span bytes) {
    static const uint8_t empty[1];
    return bytes.len > 0 ? bytes.data : empty;
}

static struct status seal_encapsulated(const struct moiety_provider *provider,
                                       const struct schedule *schedule,
                                       const struct dhkem_encap *encap, struct arena *arena,
                                       struct hpke_seal_item *item) {
    const struct span aad = item->aad, plaintext = item->plaintext;
    uint8_t *sealed = arena_alloc(arena, plaintext.len + TAG_SIZE, 1);
    struct message_keys keys;
    if (sealed == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = schedule_keys(provider, schedule, encap->shared, &keys);
    if (status_ok(status) &&
        provider->aead_seal(schedule->suite.aead_id, keys.key, keys.nonce, data_of(aad), aad.len,
                            data_of(plaintext), plaintext.len, sealed) != 0) {
        status = FAIL(CRYPTO);
    }
    item->ciphertext = span_of(sealed, plaintext.len + TAG_SIZE);
    secret_wipe(&keys, sizeof(keys));
    return status_ok(status) ? arena_copy(arena, span_of(encap->enc, encap->public_key.len),
                                          &item->enc)
                             : status;
}

static struct status seal_group(const struct moiety_provider *provider,
                                struct hpke_seal_item items[], size_t count,
                                struct arena *arena) {
    struct dhkem_encap encap[DHKEM_ENCAP_MAX];
    struct schedule schedule = {.suite = {0}};
    struct status status;
    for (size_t i = 0; i < count; i++) {
        encap[i].kem_id = items[i].config->suite.kem_id;
        encap[i].public_key = items[i].config->public_key;
    }
    TRY_GOTO(status, dhkem_encap_batch(provider, encap, count), done);
    for (size_t i = 0; i < count; i++) {
        const struct hpke_suite suite = items[i].config->suite;
        if (!schedule_fits(&schedule, suite, items[i].info)) {
            TRY_GOTO(status, schedule_init(provider, suite, items[i].info, &schedule), done);
        }
        TRY_GOTO(status, seal_encapsulated(provider, &schedule, &encap[i], arena, &items[i]),
                 done);
    }
done:
    secret_wipe(encap, sizeof(encap));
    return status;
}

struct status hpke_seal_batch(const struct moiety_provider *provider,
                              struct hpke_seal_item items[], size_t count, struct arena *arena) {
    for (size_t i = 0; i < count; i++) {
        if (!hpke_suite_supported(items[i].config->suite)) {
            return FAIL(UNSUPPORTED_ALGORITHM);
        }
        if (items[i].plaintext.len > SIZE_MAX - TAG_SIZE) {
            return FAIL(INVALID_ARGUMENT);
        }
    }
    for (size_t i = 0; i < count; i += DHKEM_ENCAP_MAX) {
        const size_t left = count - i;
        TRY(seal_group(provider, items + i, left < DHKEM_ENCAP_MAX ? left : DHKEM_ENCAP_MAX,
                       arena));
    }
    return OK;
}

struct status hpke_seal(const struct moiety_provider *provider, const struct hpke_config *config,
                        struct span info, struct span aad, struct span plaintext,
                        struct arena *arena, struct span *enc, struct span *ciphertext) {
    struct hpke_seal_item item = {
        .config = config, .info = info, .aad = aad, .plaintext = plaintext};
    TRY(hpke_seal_batch(provider, &item, 1, arena));
    *enc = item.enc;
    *ciphertext = item.ciphertext;
    return OK;
}

/* What opening a batch needs from item to item. */
struct opener {
    const struct moiety_provider *provider;
    struct arena *arena;
    struct schedule schedule;
    struct aead_opener *contexts; /* NULL if the provider has none */
};

static struct status opener_init(struct opener *opener, const struct moiety_provider *provider,
                                 struct arena *arena) {
    *opener = (struct opener){.provider = provider, .arena = arena};
    if (provider->batch != NULL) {
        opener->contexts = provider->batch->opener_new();
        return opener->contexts != NULL ? OK : FAIL(NO_MEMORY);
    }
    return OK;
}

static void opener_release(struct opener *opener) {
    if (opener->contexts != NULL) {
        opener->provider->batch->opener_free(opener->contexts);
    }
}

static int aead_open(const struct opener *opener, const struct message_keys *keys,
                     const struct hpke_open_item *item, uint8_t *plaintext) {
    const uint16_t aead_id = item->key->suite.aead_id;
    const uint8_t *aad = data_of(item->aad);
    if (opener->contexts != NULL) {
        return opener->provider->batch->opener_open(
            opener->contexts, aead_id, keys->key, keys->nonce, aad, item->aad.len,
            item->ciphertext.data, item->ciphertext.len, plaintext);
    }
    return opener->provider->aead_open(aead_id, keys->key, keys->nonce, aad, item->aad.len,
                                       item->ciphertext.data, item->ciphertext.len, plaintext);
}

/* Fails only with NO_MEMORY: otherwise the verdict says it. */
static struct status open_decapsulated(struct opener *opener, const uint8_t shared[KDF_SIZE],
                                       struct hpke_open_item *item) {
    const size_t len = item->ciphertext.len - TAG_SIZE;
    uint8_t *plaintext = arena_alloc(opener->arena, len, 1);
    if (plaintext == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct message_keys keys;
    struct status status = OK;
    if (!schedule_fits(&opener->schedule, item->key->suite, item->info)) {
        status = schedule_init(opener->provider, item->key->suite, item->info, &opener->schedule);
    }
    if (status_ok(status)) {
        status = schedule_keys(opener->provider, &opener->schedule, shared, &keys);
    }
    if (status_ok(status) && aead_open(opener, &keys, item, plaintext) == 0) {
        item->plaintext = span_of(plaintext, len);
        item->verdict = STATUS_OK;
    }
    secret_wipe(&keys, sizeof(keys));
    return OK;
}

static struct status open_group(struct opener *opener, struct hpke_open_item *const group[],
                                size_t count) {
    struct dhkem_decap decap[DHKEM_DECAP_MAX];
    struct status status = OK;
    for (size_t i = 0; i < count; i++) {
        decap[i].key = group[i]->key;
        decap[i].enc = group[i]->enc;
    }
    dhkem_decap_batch(opener->provider, decap, count);
    for (size_t i = 0; status_ok(status) && i < count; i++) {
        if (decap[i].good) {
            status = open_decapsulated(opener, decap[i].shared, group[i]);
        }
    }
    secret_wipe(decap, sizeof(decap));
    return status;
}

struct status hpke_open_batch(const struct moiety_provider *provider, struct hpke_open_item items[],
                              size_t count, struct arena *arena) {
    struct hpke_open_item *group[DHKEM_DECAP_MAX];
    size_t size = 0;
    struct opener opener;
    TRY(opener_init(&opener, provider, arena));
    struct status status = OK;
    for (size_t i = 0; status_ok(status) && i < count; i++) {
        struct hpke_open_item *item = &items[i];
        item->plaintext = SPAN_EMPTY;
        item->verdict = item->key == NULL ? STATUS_UNKNOWN_KEY : STATUS_DECRYPT_FAILED;
        if (item->key != NULL && item->ciphertext.len >= TAG_SIZE) {
            group[size++] = item;
        }
        if (size == DHKEM_DECAP_MAX || (i + 1 == count && size > 0)) {
            status = open_group(&opener, group, size);
            size = 0;
        }
    }
    opener_release(&opener);
    return status;
}
