/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/dhkem.h"

size_t hpke_public_key_size(uint16_t kem_id) {
    switch (kem_id) {
    case MOIETY_KEM_P256_HKDF_SHA256: return 65;
    case MOIETY_KEM_X25519_HKDF_SHA256: return 32;
    default: return 0;
    }
}

bool hpke_suite_supported(struct hpke_suite suite) {
    return hpke_public_key_size(suite.kem_id) > 0 && suite.kdf_id == MOIETY_KDF_HKDF_SHA256 &&
           suite.aead_id >= MOIETY_AEAD_AES_128_GCM &&
           suite.aead_id <= MOIETY_AEAD_CHACHA20_POLY1305;
}

static struct hpke_key empty_key(struct hpke_suite suite, uint8_t id) {
    return (struct hpke_key){
        .id = id,
        .suite = suite,
        .public_key_len = (uint8_t)hpke_public_key_size(suite.kem_id),
    };
}

struct status hpke_key_generate(const struct moiety_provider *provider, struct hpke_suite suite,
                                uint8_t id, struct hpke_key *out) {
    if (!hpke_suite_supported(suite)) {
        return FAIL(UNSUPPORTED_ALGORITHM);
    }
    struct hpke_key key = empty_key(suite, id);
    if (provider->keypair(suite.kem_id, key.private_key, key.public_key) != 0) {
        return FAIL(CRYPTO);
    }
    *out = key;
    hpke_key_release(&key);
    return OK;
}

struct status hpke_key_from_private(const struct moiety_provider *provider, struct hpke_suite suite,
                                    uint8_t id, struct span private_key, struct hpke_key *out) {
    if (!hpke_suite_supported(suite)) {
        return FAIL(UNSUPPORTED_ALGORITHM);
    }
    if (private_key.len != DHKEM_PRIVATE_SIZE) {
        return FAIL(INVALID_ARGUMENT);
    }
    struct hpke_key key = empty_key(suite, id);
    memcpy(key.private_key, private_key.data, DHKEM_PRIVATE_SIZE);
    struct status status = FAIL(INVALID_ARGUMENT);
    if (provider->public_of(suite.kem_id, key.private_key, key.public_key) == 0) {
        *out = key;
        status = OK;
    }
    hpke_key_release(&key);
    return status;
}

/* X25519 takes any 32 bytes; for P-256 a candidate outside [1, order) is
 * refused by the provider and the next is tried (section 7.1.3). */
static struct status derive_candidates(const struct moiety_provider *provider,
                                       struct hpke_suite suite, uint8_t id,
                                       const struct kdf_key *prk, struct hpke_key *out) {
    bool x25519 = suite.kem_id == MOIETY_KEM_X25519_HKDF_SHA256;
    struct dhkem_id kem = dhkem_id(suite.kem_id);
    uint8_t candidate[DHKEM_PRIVATE_SIZE];
    struct status status = FAIL(CRYPTO);
    for (unsigned counter = 0; counter < (x25519 ? 1u : 256u); counter++) {
        uint8_t byte = (uint8_t)counter;
        status = kdf_labeled_expand(
            provider, SPAN_OF_ARRAY(kem.bytes), prk, x25519 ? "sk" : "candidate",
            x25519 ? SPAN_EMPTY : span_of(&byte, 1), candidate, sizeof(candidate));
        if (!status_ok(status)) {
            break;
        }
        status = hpke_key_from_private(provider, suite, id, SPAN_OF_ARRAY(candidate), out);
        if (status_ok(status)) {
            break;
        }
        status = FAIL(CRYPTO);
    }
    secret_wipe(candidate, sizeof(candidate));
    return status;
}

struct status hpke_key_derive(const struct moiety_provider *provider, struct hpke_suite suite,
                              uint8_t id, struct span key_material, struct hpke_key *out) {
    if (!hpke_suite_supported(suite)) {
        return FAIL(UNSUPPORTED_ALGORITHM);
    }
    if (key_material.len < DHKEM_PRIVATE_SIZE) {
        return FAIL(INVALID_ARGUMENT);
    }
    struct dhkem_id kem = dhkem_id(suite.kem_id);
    uint8_t prk[KDF_SIZE];
    struct kdf_key no_salt, key;
    TRY(kdf_key_init(provider, SPAN_EMPTY, &no_salt));
    TRY(kdf_labeled_extract(provider, SPAN_OF_ARRAY(kem.bytes), &no_salt, "dkp_prk", key_material,
                            prk));
    struct status status = kdf_key_init(provider, SPAN_OF_ARRAY(prk), &key);
    if (status_ok(status)) {
        status = derive_candidates(provider, suite, id, &key, out);
    }
    secret_wipe(prk, sizeof(prk));
    secret_wipe(&key, sizeof(key));
    return status;
}

void hpke_key_release(struct hpke_key *key) { secret_wipe(key, sizeof(*key)); }
