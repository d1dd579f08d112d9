/* SPDX-License-Identifier: Apache-2.0 */
#include "moiety/provider_openssl.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <threads.h>

#include "hpke/provider/aead.h"
#include "hpke/provider/p256.h"

/* HMAC-SHA256 without a key, to duplicate: fetching an algorithm costs more
 * than using it. */
static EVP_MAC_CTX *keyless_hmac;
static once_flag hmac_fetched = ONCE_FLAG_INIT;

static void fetch_hmac(void) {
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *hmac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context holds it */
    if (hmac != NULL && EVP_MAC_CTX_set_params(hmac, params) == 1) {
        keyless_hmac = hmac;
    } else {
        EVP_MAC_CTX_free(hmac);
    }
}

static int random_bytes(void *out, size_t len) {
    uint8_t *at = out;
    while (len > 0) {
        int part = len > INT_MAX ? INT_MAX : (int)len;
        if (RAND_priv_bytes(at, part) != 1) {
            return -1;
        }
        at += part;
        len -= (size_t)part;
    }
    return 0;
}

static int x25519_public_of(const uint8_t private_key[32], uint8_t public_key[32]) {
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
    size_t len = 32;
    int result = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &len) == 1 ? 0 : -1;
    EVP_PKEY_free(key);
    return result;
}

static int x25519_keypair(uint8_t private_key[32], uint8_t public_key[32]) {
    return random_bytes(private_key, 32) == 0 ? x25519_public_of(private_key, public_key) : -1;
}

/* EVP_PKEY_derive() refuses an all-zero result. */
static int x25519_dh(const uint8_t private_key[32], const uint8_t public_key[32],
                     uint8_t shared[32]) {
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key, 32);
    EVP_PKEY_CTX *context = key == NULL ? NULL : EVP_PKEY_CTX_new(key, NULL);
    size_t len = 32;
    int result = -1;
    if (context != NULL && peer != NULL && EVP_PKEY_derive_init(context) == 1 &&
        EVP_PKEY_derive_set_peer(context, peer) == 1 &&
        EVP_PKEY_derive(context, shared, &len) == 1 && len == 32) {
        result = 0;
    }
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
    return result;
}

static int keypair(uint16_t kem, uint8_t *private_key, uint8_t *public_key) {
    switch (kem) {
    case MOIETY_KEM_X25519_HKDF_SHA256: return x25519_keypair(private_key, public_key);
    case MOIETY_KEM_P256_HKDF_SHA256: return p256_keypair(private_key, public_key);
    default: return -1;
    }
}

static int public_of(uint16_t kem, const uint8_t *private_key, uint8_t *public_key) {
    switch (kem) {
    case MOIETY_KEM_X25519_HKDF_SHA256: return x25519_public_of(private_key, public_key);
    case MOIETY_KEM_P256_HKDF_SHA256: return p256_public_of(private_key, public_key);
    default: return -1;
    }
}

static int dh(uint16_t kem, const uint8_t *private_key, const uint8_t *public_key,
              uint8_t shared[32]) {
    switch (kem) {
    case MOIETY_KEM_X25519_HKDF_SHA256: return x25519_dh(private_key, public_key, shared);
    case MOIETY_KEM_P256_HKDF_SHA256: return p256_dh(private_key, public_key, shared);
    default: return -1;
    }
}

static int hmac_sha256(const uint8_t *key, size_t key_len, const uint8_t *const parts[],
                       const size_t part_lens[], size_t count, uint8_t out[32]) {
    call_once(&hmac_fetched, fetch_hmac);
    EVP_MAC_CTX *context = keyless_hmac == NULL ? NULL : EVP_MAC_CTX_dup(keyless_hmac);
    bool good = context != NULL && EVP_MAC_init(context, key, key_len, NULL) == 1;
    for (size_t i = 0; good && i < count; i++) {
        good = EVP_MAC_update(context, parts[i], part_lens[i]) == 1;
    }
    size_t len = 0;
    good = good && EVP_MAC_final(context, out, &len, 32) == 1 && len == 32;
    EVP_MAC_CTX_free(context);
    return good ? 0 : -1;
}

const struct moiety_provider moiety_provider_openssl = {
    .random = random_bytes,
    .keypair = keypair,
    .public_of = public_of,
    .dh = dh,
    .hmac_sha256 = hmac_sha256,
    .aead_seal = aead_seal_once,
    .aead_open = aead_open_once,
};
