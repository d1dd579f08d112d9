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

static const struct span no_psk = SPAN_EMPTY;

/* KeySchedule() of section 5.1 in base mode: mode 0, no PSK, no PSK id. */
static struct status schedule(const struct moiety_provider *provider, struct hpke_suite suite,
                              const uint8_t shared[KDF_SIZE], struct span info,
                              struct message_keys *out) {
    const uint8_t id_bytes[] = {'H',
                                'P',
                                'K',
                                'E',
                                (uint8_t)(suite.kem_id >> 8),
                                (uint8_t)suite.kem_id,
                                (uint8_t)(suite.kdf_id >> 8),
                                (uint8_t)suite.kdf_id,
                                (uint8_t)(suite.aead_id >> 8),
                                (uint8_t)suite.aead_id};
    struct span id = SPAN_OF_ARRAY(id_bytes);
    uint8_t context[1 + 2 * KDF_SIZE] = {0}; /* mode || psk_id_hash || info_hash */
    TRY(kdf_labeled_extract(provider, id, SPAN_EMPTY, "psk_id_hash", no_psk, context + 1));
    TRY(kdf_labeled_extract(provider, id, SPAN_EMPTY, "info_hash", info,
                            context + 1 + KDF_SIZE));

    uint8_t secret[KDF_SIZE];
    struct status status;
    TRY_GOTO(status,
             kdf_labeled_extract(provider, id, span_of(shared, KDF_SIZE), "secret", no_psk,
                                 secret),
             done);
    TRY_GOTO(status,
             kdf_labeled_expand(provider, id, secret, "key", SPAN_OF_ARRAY(context), out->key,
                                aead_key_size(suite.aead_id)),
             done);
    TRY_GOTO(status,
             kdf_labeled_expand(provider, id, secret, "base_nonce", SPAN_OF_ARRAY(context),
                                out->nonce, NONCE_SIZE),
             done);
done:
    secret_wipe(secret, sizeof(secret));
    return status;
}

/* A table's functions are never given NULL. */
static const uint8_t *data_of(struct span bytes) {
    static const uint8_t empty[1];
    return bytes.len > 0 ? bytes.data : empty;
}

struct status hpke_seal(const struct moiety_provider *provider, const struct hpke_config *config,
                        struct span info, struct span aad, struct span plaintext,
                        struct arena *arena, struct span *enc, struct span *ciphertext) {
    if (!hpke_suite_supported(config->suite)) {
        return FAIL(UNSUPPORTED_ALGORITHM);
    }
    if (plaintext.len > SIZE_MAX - TAG_SIZE) {
        return FAIL(INVALID_ARGUMENT);
    }
    uint8_t *encapsulated = arena_alloc(arena, DHKEM_PUBLIC_MAX, 1);
    uint8_t *sealed = arena_alloc(arena, plaintext.len + TAG_SIZE, 1);
    if (encapsulated == NULL || sealed == NULL) {
        return FAIL(NO_MEMORY);
    }
    uint8_t shared[KDF_SIZE];
    struct message_keys keys;
    struct status status;
    TRY_GOTO(status,
             dhkem_encap(provider, config->suite.kem_id, config->public_key, encapsulated, shared),
             done);
    TRY_GOTO(status, schedule(provider, config->suite, shared, info, &keys), done);
    if (provider->aead_seal(config->suite.aead_id, keys.key, keys.nonce, data_of(aad), aad.len,
                            data_of(plaintext), plaintext.len, sealed) != 0) {
        status = FAIL(CRYPTO);
        goto done;
    }
    *enc = span_of(encapsulated, config->public_key.len);
    *ciphertext = span_of(sealed, plaintext.len + TAG_SIZE);
done:
    secret_wipe(shared, sizeof(shared));
    secret_wipe(&keys, sizeof(keys));
    return status;
}

/* `plaintext` has room for what the item's ciphertext holds. */
static enum status_code open_one(const struct moiety_provider *provider,
                                 const struct hpke_open_item *item, uint8_t *plaintext) {
    uint8_t shared[KDF_SIZE];
    struct message_keys keys;
    struct hpke_suite suite = item->key->suite;
    struct status status = dhkem_decap(provider, item->key, item->enc, shared);
    if (status_ok(status)) {
        status = schedule(provider, suite, shared, item->info, &keys);
    }
    if (status_ok(status) &&
        provider->aead_open(suite.aead_id, keys.key, keys.nonce, data_of(item->aad),
                            item->aad.len, item->ciphertext.data, item->ciphertext.len,
                            plaintext) != 0) {
        status = FAIL(DECRYPT_FAILED);
    }
    secret_wipe(shared, sizeof(shared));
    secret_wipe(&keys, sizeof(keys));
    return status_ok(status) ? STATUS_OK : STATUS_DECRYPT_FAILED;
}

struct status hpke_open_batch(const struct moiety_provider *provider,
                              struct hpke_open_item items[], size_t count, struct arena *arena) {
    for (size_t i = 0; i < count; i++) {
        struct hpke_open_item *item = &items[i];
        item->plaintext = SPAN_EMPTY;
        item->verdict = item->key == NULL ? STATUS_UNKNOWN_KEY : STATUS_DECRYPT_FAILED;
        if (item->key == NULL || item->ciphertext.len < TAG_SIZE) {
            continue;
        }
        size_t len = item->ciphertext.len - TAG_SIZE;
        uint8_t *plaintext = arena_alloc(arena, len, 1);
        if (plaintext == NULL) {
            return FAIL(NO_MEMORY);
        }
        item->verdict = open_one(provider, item, plaintext);
        if (item->verdict == STATUS_OK) {
            item->plaintext = span_of(plaintext, len);
        }
    }
    return OK;
}
