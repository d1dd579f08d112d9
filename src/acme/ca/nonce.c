/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/nonce.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

#include "wire/base64url.h"

enum { BLOCK = 16, WINDOW = 1 << 20 };

/* Invariant: of the counters from next - WINDOW on, used[counter % WINDOW] says
 * which are used up. */
struct ca_nonces {
    pthread_mutex_t mutex;
    EVP_CIPHER_CTX *encrypt, *decrypt;
    uint64_t next;
    uint8_t used[WINDOW / 8];
};

static EVP_CIPHER_CTX *cipher_new(const uint8_t *key, int encrypting) {
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context != NULL && EVP_CipherInit_ex(context, EVP_aes_128_ecb(), NULL, key, NULL,
                                             encrypting) == 1) {
        EVP_CIPHER_CTX_set_padding(context, 0);
        return context;
    }
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

struct status ca_nonces_new(struct ca_nonces **out) {
    uint8_t key[BLOCK];
    struct ca_nonces *nonces = calloc(1, sizeof *nonces);
    if (nonces == NULL) {
        return FAIL(NO_MEMORY);
    }
    pthread_mutex_init(&nonces->mutex, NULL);
    bool made = RAND_bytes(key, sizeof key) == 1;
    nonces->encrypt = made ? cipher_new(key, 1) : NULL;
    nonces->decrypt = made ? cipher_new(key, 0) : NULL;
    OPENSSL_cleanse(key, sizeof key);
    if (nonces->encrypt == NULL || nonces->decrypt == NULL) {
        ca_nonces_free(nonces);
        return FAIL(CRYPTO);
    }
    *out = nonces;
    return OK;
}

void ca_nonces_free(struct ca_nonces *nonces) {
    if (nonces != NULL) {
        EVP_CIPHER_CTX_free(nonces->encrypt);
        EVP_CIPHER_CTX_free(nonces->decrypt);
        pthread_mutex_destroy(&nonces->mutex);
        free(nonces);
    }
}

static bool block_run(EVP_CIPHER_CTX *context, uint64_t block[2]) {
    int len;
    return EVP_CipherUpdate(context, (uint8_t *)block, &len, (const uint8_t *)block, BLOCK) == 1 &&
           len == BLOCK;
}

struct status ca_nonce_make(struct ca_nonces *nonces, char out[static CA_NONCE_LEN + 1]) {
    pthread_mutex_lock(&nonces->mutex);
    uint64_t at = nonces->next++;
    uint64_t block[2] = {at, 0};
    nonces->used[at % WINDOW / 8] &= (uint8_t)~(1U << at % 8);
    bool made = block_run(nonces->encrypt, block);
    pthread_mutex_unlock(&nonces->mutex);
    base64url_encode(out, SPAN_OF_ARRAY(block));
    return made ? OK : FAIL(CRYPTO);
}

bool ca_nonce_use(struct ca_nonces *nonces, const char *nonce) {
    uint64_t block[2];
    if (!status_ok(base64url_decode(block, sizeof block, span_of_string(nonce)))) {
        return false;
    }
    pthread_mutex_lock(&nonces->mutex);
    bool good = block_run(nonces->decrypt, block) && block[1] == 0 && block[0] < nonces->next &&
                nonces->next - block[0] <= WINDOW;
    if (good) {
        uint8_t *byte = &nonces->used[block[0] % WINDOW / 8];
        uint8_t bit = (uint8_t)(1U << block[0] % 8);
        good = (*byte & bit) == 0;
        *byte |= bit;
    }
    pthread_mutex_unlock(&nonces->mutex);
    return good;
}
