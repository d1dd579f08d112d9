/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/provider/aead.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "base/secret.h"
#include "moiety/provider.h"

enum { AEADS = MOIETY_AEAD_CHACHA20_POLY1305 + 1, TAG_SIZE = 16 };

static EVP_CIPHER *ciphers[AEADS]; /* by identifier */
static once_flag ciphers_fetched = ONCE_FLAG_INIT;

static void fetch(void) {
    ciphers[MOIETY_AEAD_AES_128_GCM] = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    ciphers[MOIETY_AEAD_AES_256_GCM] = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    ciphers[MOIETY_AEAD_CHACHA20_POLY1305] = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
}

static bool aead_supported(uint16_t aead) {
    call_once(&ciphers_fetched, fetch);
    return aead < AEADS && ciphers[aead] != NULL;
}

/* One direction of one AEAD, or NULL. */
static EVP_CIPHER_CTX *context_new(uint16_t aead, bool sealing) {
    EVP_CIPHER_CTX *context = aead_supported(aead) ? EVP_CIPHER_CTX_new() : NULL;
    if (context != NULL &&
        EVP_CipherInit_ex2(context, ciphers[aead], NULL, NULL, sealing, NULL) == 1) {
        return context;
    }
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

static bool absorb(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t nonce[12],
                   const uint8_t *aad, size_t aad_len) {
    int absorbed;
    return aad_len <= INT_MAX && EVP_CipherInit_ex2(context, NULL, key, nonce, -1, NULL) == 1 &&
           (aad_len == 0 || EVP_CipherUpdate(context, NULL, &absorbed, aad, (int)aad_len) == 1);
}

static int context_seal(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t nonce[12],
                        const uint8_t *aad, size_t aad_len, const uint8_t *plaintext, size_t len,
                        uint8_t *out) {
    int written = 0;
    int last = 0;
    bool good = len <= INT_MAX && absorb(context, key, nonce, aad, aad_len) &&
                (len == 0 || EVP_CipherUpdate(context, out, &written, plaintext, (int)len) == 1) &&
                (size_t)written == len && EVP_CipherFinal_ex(context, out + len, &last) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, out + len) == 1;
    return good ? 0 : -1;
}

static int context_open(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t nonce[12],
                        const uint8_t *aad, size_t aad_len, const uint8_t *ciphertext, size_t len,
                        uint8_t *out) {
    if (len < TAG_SIZE || len > INT_MAX) {
        return -1;
    }
    len -= TAG_SIZE;
    uint8_t tag[TAG_SIZE];
    uint8_t last[TAG_SIZE];
    int written = 0;
    int rest = 0;
    memcpy(tag, ciphertext + len, TAG_SIZE);
    bool good = absorb(context, key, nonce, aad, aad_len) &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1 &&
                (len == 0 || EVP_CipherUpdate(context, out, &written, ciphertext, (int)len) == 1) &&
                (size_t)written == len && EVP_CipherFinal_ex(context, last, &rest) == 1;
    if (!good) {
        /* What was decrypted before the tag was found wrong. */
        secret_wipe(out, len);
    }
    return good ? 0 : -1;
}

struct aead_opener {
    EVP_CIPHER_CTX *contexts[AEADS]; /* made when first asked for */
};

struct aead_opener *aead_opener_new(void) {
    return calloc(1, sizeof(struct aead_opener));
}

void aead_opener_free(struct aead_opener *opener) {
    if (opener != NULL) {
        for (size_t aead = 0; aead < AEADS; aead++) {
            EVP_CIPHER_CTX_free(opener->contexts[aead]);
        }
        free(opener);
    }
}

int aead_opener_open(struct aead_opener *opener, uint16_t aead, const uint8_t *key,
                     const uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
                     const uint8_t *ciphertext, size_t len, uint8_t *out) {
    if (aead >= AEADS) {
        return -1;
    }
    EVP_CIPHER_CTX **context = &opener->contexts[aead];
    if (*context == NULL && (*context = context_new(aead, false)) == NULL) {
        return -1;
    }
    return context_open(*context, key, nonce, aad, aad_len, ciphertext, len, out);
}

int aead_open_once(uint16_t aead, const uint8_t *key, const uint8_t nonce[12], const uint8_t *aad,
                   size_t aad_len, const uint8_t *ciphertext, size_t len, uint8_t *out) {
    struct aead_opener opener = {{NULL}};
    int result = aead_opener_open(&opener, aead, key, nonce, aad, aad_len, ciphertext, len, out);
    if (aead < AEADS) {
        EVP_CIPHER_CTX_free(opener.contexts[aead]);
    }
    return result;
}

int aead_seal_once(uint16_t aead, const uint8_t *key, const uint8_t nonce[12], const uint8_t *aad,
                   size_t aad_len, const uint8_t *plaintext, size_t len, uint8_t *out) {
    EVP_CIPHER_CTX *context = context_new(aead, true);
    int result =
        context == NULL ? -1 : context_seal(context, key, nonce, aad, aad_len, plaintext, len, out);
    EVP_CIPHER_CTX_free(context);
    return result;
}
