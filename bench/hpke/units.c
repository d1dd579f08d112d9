/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "units.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "hpke/batch.h"
#include "hpke/provider/default.h"
#include "moiety/provider_openssl.h"

enum { LADDERS = 64, REPEATS = 300, ROUNDS = 200, MESSAGE_MAX = 256 };

double unit_ladder_ns(const struct x25519_kernel *kernel) {
    static uint8_t keys[2][LADDERS][X25519_SIZE], out[LADDERS][X25519_SIZE];
    const uint8_t *scalars[LADDERS], *points[LADDERS];
    bool good[LADDERS];
    randombytes_buf(keys, sizeof(keys));
    for (size_t i = 0; i < LADDERS; i++) {
        scalars[i] = keys[0][i];
        points[i] = keys[1][i];
    }
    struct bench_min min = {0};
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        bench_start(&min);
        x25519_batch(kernel, out, good, scalars, points, LADDERS);
        bench_stop(&min);
    }
    return min.least / LADDERS;
}

double unit_hash_block_ns(void) {
    struct bench_min min = {0};
    uint8_t block[SHA256_CBLOCK] = {0};
    SHA256_CTX hash;
    SHA256_Init(&hash);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        bench_start(&min);
        for (int round = 0; round < ROUNDS; round++) {
            SHA256_Transform(&hash, block);
        }
        bench_stop(&min);
    }
    return min.least / ROUNDS;
}

double unit_aead_ns(size_t len, size_t aad_len) {
    const struct moiety_provider *provider = hpke_provider_default();
    struct aead_opener *opener = provider->batch->opener_new();
    uint8_t *sealed = calloc(1, len + 16), *opened = calloc(1, len), *aad = calloc(1, aad_len);
    const uint8_t key[16] = {1}, nonce[12] = {2};
    struct bench_min min = {0};
    if (opener == NULL || sealed == NULL || opened == NULL || aad == NULL ||
        provider->aead_seal(MOIETY_AEAD_AES_128_GCM, key, nonce, aad, aad_len, opened, len,
                            sealed) != 0) {
        abort();
    }
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        bench_start(&min);
        for (int round = 0; round < ROUNDS; round++) {
            if (provider->batch->opener_open(opener, MOIETY_AEAD_AES_128_GCM, key, nonce, aad,
                                             aad_len, sealed, len + 16, opened) != 0) {
                abort();
            }
        }
        bench_stop(&min);
    }
    provider->batch->opener_free(opener);
    free(sealed);
    free(opened);
    free(aad);
    return min.least / ROUNDS;
}

double unit_hmac_ns(size_t len) {
    const struct moiety_provider_batch *batch = hpke_provider_default()->batch;
    const uint8_t secret[32] = {1}, message[MESSAGE_MAX] = {0};
    const uint8_t *const parts[] = {message};
    struct bench_min min = {0};
    struct hmac_key key;
    uint8_t out[32];
    if (batch->hmac_absorb_key(secret, sizeof(secret), &key) != 0) {
        abort();
    }
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        bench_start(&min);
        for (int round = 0; round < ROUNDS; round++) {
            if (batch->hmac_sha256(&key, parts, &len, 1, out) != 0) {
                abort();
            }
        }
        bench_stop(&min);
    }
    return min.least / ROUNDS;
}

static void evp_hmac(const EVP_MAC_CTX *keyed, const uint8_t *message, size_t len) {
    uint8_t out[32];
    size_t out_len;
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(keyed);
    if (context == NULL || EVP_MAC_update(context, message, len) != 1 ||
        EVP_MAC_final(context, out, &out_len, sizeof(out)) != 1) {
        abort();
    }
    EVP_MAC_CTX_free(context);
}

double peer_evp_hmac_ns(size_t len) {
    const uint8_t secret[32] = {1}, message[MESSAGE_MAX] = {0};
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                                 OSSL_PARAM_construct_end()};
    struct bench_min min = {0};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *keyed = EVP_MAC_CTX_new(mac);
    if (EVP_MAC_init(keyed, secret, sizeof(secret), params) != 1) {
        abort();
    }
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        bench_start(&min);
        for (int round = 0; round < ROUNDS; round++) {
            evp_hmac(keyed, message, len);
        }
        bench_stop(&min);
    }
    EVP_MAC_CTX_free(keyed);
    EVP_MAC_free(mac);
    return min.least / ROUNDS;
}

double peer_evp_aead_ns(size_t len, size_t aad_len) {
    const uint8_t key[16] = {1}, nonce[12] = {2}, bytes[MESSAGE_MAX] = {0};
    uint8_t out[MESSAGE_MAX], tag[16];
    struct bench_min min = {0};
    int written;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        bench_start(&min);
        for (int round = 0; round < ROUNDS; round++) {
            EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
            if (EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, key, nonce) != 1 ||
                EVP_EncryptUpdate(context, NULL, &written, bytes, (int)aad_len) != 1 ||
                EVP_EncryptUpdate(context, out, &written, bytes, (int)len) != 1 ||
                EVP_EncryptFinal_ex(context, out, &written) != 1 ||
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, sizeof(tag), tag) != 1) {
                abort();
            }
            EVP_CIPHER_CTX_free(context);
        }
        bench_stop(&min);
    }
    return min.least / ROUNDS;
}

double peer_libsodium_ns(void) {
    uint8_t scalar[X25519_SIZE], point[X25519_SIZE] = {9}, out[X25519_SIZE];
    struct bench_min min = {0};
    randombytes_buf(scalar, sizeof(scalar));
    for (int repeat = 0; repeat < 4 * REPEATS; repeat++) {
        bench_start(&min);
        if (crypto_scalarmult(out, scalar, point) != 0) {
            abort();
        }
        bench_stop(&min);
    }
    return min.least;
}

/* Only the derivation: both keys are objects already. */
double peer_openssl_ns(void) {
    uint8_t scalar[X25519_SIZE], point[X25519_SIZE] = {9}, out[X25519_SIZE];
    size_t len = sizeof(out);
    struct bench_min min = {0};
    randombytes_buf(scalar, sizeof(scalar));
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar, sizeof(scalar));
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point, sizeof(point));
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    if (EVP_PKEY_derive_init(context) != 1 || EVP_PKEY_derive_set_peer(context, peer) != 1) {
        abort();
    }
    for (int repeat = 0; repeat < 4 * REPEATS; repeat++) {
        bench_start(&min);
        if (EVP_PKEY_derive(context, out, &len) != 1) {
            abort();
        }
        bench_stop(&min);
    }
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
    return min.least;
}
