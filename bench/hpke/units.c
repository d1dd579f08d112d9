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

enum { LADDERS = 64, REPEATS = 300, ROUNDS = 200 };

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
