/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/dhkem.h"

struct dhkem_id dhkem_id(uint16_t kem_id) {
    return (struct dhkem_id){{'K', 'E', 'M', (uint8_t)(kem_id >> 8), (uint8_t)kem_id}};
}

/* ExtractAndExpand() of section 4.1. `no_salt` is the key of no bytes. */
static struct status extract_and_expand(const struct moiety_provider *provider,
                                        const struct kdf_key *no_salt, uint16_t kem_id,
                                        const uint8_t dh[32], struct span enc,
                                        struct span public_key, uint8_t shared[KDF_SIZE]) {
    struct dhkem_id id = dhkem_id(kem_id);
    uint8_t context[2 * DHKEM_PUBLIC_MAX];
    memcpy(context, enc.data, enc.len);
    memcpy(context + enc.len, public_key.data, public_key.len);

    uint8_t prk[KDF_SIZE];
    struct kdf_key key;
    struct status status;
    TRY_GOTO(status,
             kdf_labeled_extract(provider, SPAN_OF_ARRAY(id.bytes), no_salt, "eae_prk",
                                 span_of(dh, 32), prk),
             done);
    TRY_GOTO(status, kdf_key_init(provider, SPAN_OF_ARRAY(prk), &key), done);
    TRY_GOTO(status,
             kdf_labeled_expand(provider, SPAN_OF_ARRAY(id.bytes), &key, "shared_secret",
                                span_of(context, enc.len + public_key.len), shared, KDF_SIZE),
             done);
done:
    secret_wipe(prk, sizeof(prk));
    secret_wipe(&key, sizeof(key));
    return status;
}

static struct status encap_exchange(const struct moiety_provider *provider,
                                    struct dhkem_encap *item) {
    uint8_t ephemeral[DHKEM_PRIVATE_SIZE] = {0};
    struct status status = OK;
    if (provider->keypair(item->kem_id, ephemeral, item->enc) != 0) {
        status = FAIL(CRYPTO);
    } else if (provider->dh(item->kem_id, ephemeral, item->public_key.data, item->shared) != 0) {
        status = FAIL(INVALID_ARGUMENT);
    }
    secret_wipe(ephemeral, sizeof(ephemeral));
    return status;
}

/* The same of all that are `chosen`, X25519 at once. */
static struct status encap_exchange_together(const struct moiety_provider *provider,
                                             struct dhkem_encap *const chosen[], size_t count) {
    static const uint8_t base_point[32] = {9}; /* RFC 7748, section 4.1 */
    uint8_t ephemeral[DHKEM_ENCAP_MAX][DHKEM_PRIVATE_SIZE], products[DHKEM_ENCAP_MAX][32];
    const uint8_t *scalars[DHKEM_ENCAP_MAX], *points[DHKEM_ENCAP_MAX];
    bool good[DHKEM_ENCAP_MAX];
    struct status status = OK;
    if (provider->random(ephemeral, count * DHKEM_PRIVATE_SIZE) != 0) {
        return FAIL(CRYPTO);
    }
    for (size_t i = 0; i < count; i++) {
        scalars[i] = ephemeral[i];
        points[i] = base_point;
    }
    provider->batch->x25519(products, good, scalars, points, count);
    for (size_t i = 0; i < count; i++) {
        memcpy(chosen[i]->enc, products[i], 32);
        points[i] = chosen[i]->public_key.data;
    }
    provider->batch->x25519(products, good, scalars, points, count);
    for (size_t i = 0; i < count; i++) {
        memcpy(chosen[i]->shared, products[i], 32);
        status = good[i] ? status : FAIL(INVALID_ARGUMENT);
    }
    secret_wipe(ephemeral, sizeof(ephemeral));
    secret_wipe(products, sizeof(products));
    return status;
}

/* One alone would leave the other lanes to padding. */
static bool goes_together(const struct moiety_provider *provider, uint16_t kem_id, size_t count) {
    return provider->batch != NULL && provider->batch->x25519 != NULL && count > 1 &&
           kem_id == MOIETY_KEM_X25519_HKDF_SHA256;
}

struct status dhkem_encap_batch(const struct moiety_provider *provider,
                                struct dhkem_encap items[], size_t count) {
    struct dhkem_encap *together[DHKEM_ENCAP_MAX];
    size_t together_count = 0;
    struct kdf_key no_salt;
    TRY(kdf_key_init(provider, SPAN_EMPTY, &no_salt));
    for (size_t i = 0; i < count; i++) {
        if (items[i].public_key.len != hpke_public_key_size(items[i].kem_id)) {
            return FAIL(INVALID_ARGUMENT);
        }
        if (goes_together(provider, items[i].kem_id, count)) {
            together[together_count++] = &items[i];
        } else {
            TRY(encap_exchange(provider, &items[i]));
        }
    }
    if (together_count > 0) {
        TRY(encap_exchange_together(provider, together, together_count));
    }
    for (size_t i = 0; i < count; i++) {
        struct dhkem_encap *item = &items[i];
        TRY(extract_and_expand(provider, &no_salt, item->kem_id, item->shared,
                               span_of(item->enc, item->public_key.len), item->public_key,
                               item->shared));
    }
    return OK;
}

/* X25519 of those of the items that are `chosen`, all at once. */
static void x25519_together(const struct moiety_provider *provider, struct dhkem_decap *chosen[],
                            size_t count) {
    const uint8_t *private_keys[DHKEM_DECAP_MAX], *public_keys[DHKEM_DECAP_MAX];
    uint8_t shared[DHKEM_DECAP_MAX][32];
    bool good[DHKEM_DECAP_MAX];
    for (size_t i = 0; i < count; i++) {
        private_keys[i] = chosen[i]->key->private_key;
        public_keys[i] = chosen[i]->enc.data;
    }
    provider->batch->x25519(shared, good, private_keys, public_keys, count);
    for (size_t i = 0; i < count; i++) {
        memcpy(chosen[i]->shared, shared[i], sizeof(shared[i]));
        chosen[i]->good = good[i];
    }
    secret_wipe(shared, sizeof(shared));
}

static void dh_batch(const struct moiety_provider *provider, struct dhkem_decap items[],
                     size_t count) {
    struct dhkem_decap *together[DHKEM_DECAP_MAX];
    size_t together_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct dhkem_decap *item = &items[i];
        const uint16_t kem_id = item->key->suite.kem_id;
        item->good = false;
        if (item->enc.len != item->key->public_key_len) {
            continue;
        }
        if (goes_together(provider, kem_id, count)) {
            together[together_count++] = item;
        } else {
            item->good =
                provider->dh(kem_id, item->key->private_key, item->enc.data, item->shared) == 0;
        }
    }
    if (together_count > 0) {
        x25519_together(provider, together, together_count);
    }
}

void dhkem_decap_batch(const struct moiety_provider *provider, struct dhkem_decap items[],
                       size_t count) {
    struct kdf_key no_salt;
    const bool ready = status_ok(kdf_key_init(provider, SPAN_EMPTY, &no_salt));
    dh_batch(provider, items, count);
    for (size_t i = 0; i < count; i++) {
        struct dhkem_decap *item = &items[i];
        const struct span public_key = span_of(item->key->public_key, item->key->public_key_len);
        item->good =
            item->good && ready &&
            status_ok(extract_and_expand(provider, &no_salt, item->key->suite.kem_id, item->shared,
                                         item->enc, public_key, item->shared));
    }
}
