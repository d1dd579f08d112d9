/* SPDX-License-Identifier: Apache-2.0 */
#include "moiety/provider_openssl.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>
#include <threads.h>

#include "base/secret.h"
#include "hpke/provider/p256.h"

/* Fetching an algorithm costs more than using it, so each is fetched once.
 * Contexts live for one call: their keys are wiped when they are freed. */
static struct {
    EVP_CIPHER *ciphers[4]; /* by AEAD identifier */
    EVP_MAC_CTX *hmac;      /* HMAC-SHA256 without a key, to duplicate */
} fetched;
static once_flag fetched_once = ONCE_FLAG_INIT;

static void fetch(void) {
    fetched.ciphers[MOIETY_AEAD_AES_128_GCM] = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    fetched.ciphers[MOIETY_AEAD_AES_256_GCM] = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    fetched.ciphers[MOIETY_AEAD_CHACHA20_POLY1305] =
        EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *hmac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context holds it */
    if (hmac != NULL && EVP_MAC_CTX_set_params(hmac, params) == 1) {
        fetched.hmac = hmac;
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
    case MOIETY_KEM_X25519_HKDF_SHA256:
        return x25519_keypair(private_key, public_key);
    case MOIETY_KEM_P256_HKDF_SHA256:
        return p256_keypair(private_key, public_key);
    default:
        return -1;
    }
}

static int public_of(uint16_t kem, const uint8_t *private_key, uint8_t *public_key) {
    switch (kem) {
    case MOIETY_KEM_X25519_HKDF_SHA256:
        return x25519_public_of(private_key, public_key);
    case MOIETY_KEM_P256_HKDF_SHA256:
        return p256_public_of(private_key, public_key);
    default:
        return -1;
    }
}

static int dh(uint16_t kem, const uint8_t *private_key, const uint8_t *public_key,
              uint8_t shared[32]) {
    switch (kem) {
    case MOIETY_KEM_X25519_HKDF_SHA256:
        return x25519_dh(private_key, public_key, shared);
    case MOIETY_KEM_P256_HKDF_SHA256:
        return p256_dh(private_key, public_key, shared);
    default:
        return -1;
    }
}

static int hmac_sha256(const uint8_t *key, size_t key_len, const uint8_t *const parts[],
                       const size_t part_lens[], size_t count, uint8_t out[32]) {
    call_once(&fetched_once, fetch);
    EVP_MAC_CTX *context = fetched.hmac == NULL ? NULL : EVP_MAC_CTX_dup(fetched.hmac);
    bool good = context != NULL && EVP_MAC_init(context, key, key_len, NULL) == 1;
    for (size_t i = 0; good && i < count; i++) {
        good = EVP_MAC_update(context, parts[i], part_lens[i]) == 1;
    }
    size_t len = 0;
    good = good && EVP_MAC_final(context, out, &len, 32) == 1 && len == 32;
    EVP_MAC_CTX_free(context);
    return good ? 0 : -1;
}

enum { TAG_SIZE = 16 };

/* A context with its key and nonce set and `aad` absorbed, or NULL. */
static EVP_CIPHER_CTX *aead_start(uint16_t aead, bool sealing, const uint8_t *key,
                                  const uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
                                  size_t len) {
    call_once(&fetched_once, fetch);
    if (aead > MOIETY_AEAD_CHACHA20_POLY1305 || fetched.ciphers[aead] == NULL ||
        aad_len > INT_MAX || len > INT_MAX) {
        return NULL;
    }
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int absorbed;
    if (context != NULL &&
        EVP_CipherInit_ex2(context, fetched.ciphers[aead], key, nonce, sealing, NULL) == 1 &&
        (aad_len == 0 ||
         EVP_CipherUpdate(context, NULL, &absorbed, aad, (int)aad_len) == 1)) {
        return context;
    }
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

static int aead_seal(uint16_t aead, const uint8_t *key, const uint8_t nonce[12],
                     const uint8_t *aad, size_t aad_len, const uint8_t *plaintext, size_t len,
                     uint8_t *out) {
    EVP_CIPHER_CTX *context = aead_start(aead, true, key, nonce, aad, aad_len, len);
    int written = 0;
    int last = 0;
    bool good = context != NULL &&
                (len == 0 || EVP_CipherUpdate(context, out, &written, plaintext, (int)len) == 1) &&
                (size_t)written == len && EVP_CipherFinal_ex(context, out + len, &last) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, out + len) == 1;
    EVP_CIPHER_CTX_free(context);
    return good ? 0 : -1;
}

static int aead_open(uint16_t aead, const uint8_t *key, const uint8_t nonce[12],
                     const uint8_t *aad, size_t aad_len, const uint8_t *ciphertext, size_t len,
                     uint8_t *out) {
    if (len < TAG_SIZE) {
        return -1;
    }
    len -= TAG_SIZE;
    EVP_CIPHER_CTX *context = aead_start(aead, false, key, nonce, aad, aad_len, len);
    uint8_t tag[TAG_SIZE];
    uint8_t last[TAG_SIZE];
    int written = 0;
    int rest = 0;
    memcpy(tag, ciphertext + len, TAG_SIZE);
    bool good = context != NULL &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1 &&
                (len == 0 || EVP_CipherUpdate(context, out, &written, ciphertext, (int)len) == 1) &&
                (size_t)written == len && EVP_CipherFinal_ex(context, last, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!good) {
        /* What was decrypted before the tag was found wrong. */
        secret_wipe(out, len);
    }
    return good ? 0 : -1;
}

const struct moiety_provider moiety_provider_openssl = {
    .random = random_bytes,
    .keypair = keypair,
    .public_of = public_of,
    .dh = dh,
    .hmac_sha256 = hmac_sha256,
    .aead_seal = aead_seal,
    .aead_open = aead_open,
};
