/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/dhkem.h"

struct dhkem_id dhkem_id(uint16_t kem_id) {
    return (struct dhkem_id){{'K', 'E', 'M', (uint8_t)(kem_id >> 8), (uint8_t)kem_id}};
}

static struct status extract_and_expand(const struct moiety_provider *provider, uint16_t kem_id,
                                        const uint8_t dh[32], struct span enc,
                                        struct span public_key, uint8_t shared[KDF_SIZE]) {
    struct dhkem_id id = dhkem_id(kem_id);
    uint8_t context[2 * DHKEM_PUBLIC_MAX];
    memcpy(context, enc.data, enc.len);
    memcpy(context + enc.len, public_key.data, public_key.len);

    uint8_t key[KDF_SIZE];
    struct status status =
        kdf_labeled_extract(provider, SPAN_OF_ARRAY(id.bytes), SPAN_EMPTY, "eae_prk",
                            span_of(dh, 32), key);
    if (status_ok(status)) {
        status = kdf_labeled_expand(provider, SPAN_OF_ARRAY(id.bytes), key, "shared_secret",
                                    span_of(context, enc.len + public_key.len), shared, KDF_SIZE);
    }
    secret_wipe(key, sizeof(key));
    return status;
}

struct status dhkem_encap(const struct moiety_provider *provider, uint16_t kem_id,
                          struct span public_key, uint8_t enc[DHKEM_PUBLIC_MAX],
                          uint8_t shared[KDF_SIZE]) {
    uint8_t ephemeral[DHKEM_PRIVATE_SIZE] = {0};
    uint8_t dh[32] = {0};
    struct status status = OK;
    if (public_key.len != hpke_public_key_size(kem_id)) {
        return FAIL(INVALID_ARGUMENT);
    }
    if (provider->keypair(kem_id, ephemeral, enc) != 0) {
        status = FAIL(CRYPTO);
    } else if (provider->dh(kem_id, ephemeral, public_key.data, dh) != 0) {
        status = FAIL(INVALID_ARGUMENT);
    } else {
        status = extract_and_expand(provider, kem_id, dh, span_of(enc, public_key.len), public_key,
                                    shared);
    }
    secret_wipe(ephemeral, sizeof(ephemeral));
    secret_wipe(dh, sizeof(dh));
    return status;
}

struct status dhkem_decap(const struct moiety_provider *provider, const struct hpke_key *key,
                          struct span enc, uint8_t shared[KDF_SIZE]) {
    uint8_t dh[32] = {0};
    struct status status = FAIL(DECRYPT_FAILED);
    if (enc.len == key->public_key_len &&
        provider->dh(key->suite.kem_id, key->private_key, enc.data, dh) == 0) {
        status = extract_and_expand(provider, key->suite.kem_id, dh, enc,
                                    span_of(key->public_key, key->public_key_len), shared);
    }
    secret_wipe(dh, sizeof(dh));
    return status;
}
