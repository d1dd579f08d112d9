/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/signing_key.h"

#include <openssl/ecdsa.h>
#include <string.h>

#include "acme/ca/hierarchy.h"
#include "acme/ca/token_process.h"
#include "base/log.h"

static struct status failed(const char *which, const char *why) {
    log_event(LOG_ERROR, "the signer can't use a key", LOG_STRING("key", which),
              LOG_STRING("reason", why));
    return FAIL(INVALID_CONFIG);
}

/* ---- Signing ---- */

/* r and s as ECDSA-Sig-Value (RFC 3279 section 2.2.3). */
static struct status signature_write(const uint8_t raw[CA_TOKEN_SIGNATURE_SIZE],
                                     uint8_t out[CA_SIGNATURE_MAX], size_t *len) {
    enum { HALF = CA_TOKEN_SIGNATURE_SIZE / 2 };
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, HALF, NULL);
    BIGNUM *s = BN_bin2bn(raw + HALF, HALF, NULL);
    int size = -1;
    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL;
        size = i2d_ECDSA_SIG(pair, &out);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    *len = size > 0 ? (size_t)size : 0;
    return size > 0 ? OK : FAIL(NO_MEMORY);
}

static struct status token_sign(int token, struct span message, uint8_t out[CA_SIGNATURE_MAX],
                                size_t *len) {
    uint8_t digest[CA_TOKEN_DIGEST_SIZE];
    uint8_t raw[CA_TOKEN_SIGNATURE_SIZE];
    if (EVP_Digest(message.data, message.len, digest, NULL, EVP_sha256(), NULL) != 1) {
        return FAIL(CRYPTO);
    }
    TRY(ca_token_process_sign(token, digest, raw));
    return signature_write(raw, out, len);
}

struct status ca_signing_key_sign(const struct ca_signing_key *key, struct span message,
                                  uint8_t signature[CA_SIGNATURE_MAX], size_t *len) {
    if (key->key == NULL) {
        return token_sign(key->token, message, signature, len);
    }
    *len = CA_SIGNATURE_MAX;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool made = context != NULL &&
                EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->key) == 1 &&
                EVP_DigestSign(context, signature, len, message.data, message.len) == 1;
    EVP_MD_CTX_free(context);
    return made ? OK : FAIL(CRYPTO);
}

/* ---- Getting one ---- */

struct status ca_signing_key_file(const char *path, const struct secret *passphrase,
                                  EVP_PKEY **out) {
    struct status status = ca_key_load(path, secret_span(passphrase), out);
    return status_ok(status) ? OK
                             : failed(path, status.code == STATUS_VERIFY_FAILED
                                                ? "no key, or another passphrase"
                                                : status_text(status.code));
}

/* A signature shows whose key it is, wherever that is. */
static bool is_of(const struct ca_signing_key *key, X509 *certificate) {
    static const struct span message = SPAN_OF_LITERAL("moiety ca: is this the key?");
    uint8_t signature[CA_SIGNATURE_MAX];
    size_t len;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool its = context != NULL && status_ok(ca_signing_key_sign(key, message, signature, &len)) &&
               EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL,
                                    X509_get0_pubkey(certificate)) == 1 &&
               EVP_DigestVerify(context, signature, len, message.data, message.len) == 1;
    EVP_MD_CTX_free(context);
    return its;
}

struct status ca_signing_key_load(const struct ca_key_source *source,
                                  const struct secret *passphrase, X509 *certificate,
                                  struct ca_signing_key *out) {
    *out = (struct ca_signing_key){.token = -1};
    if (source->file != NULL) {
        TRY(ca_signing_key_file(source->file, passphrase, &out->key));
    } else {
        TRY(ca_token_process_start(&source->token, &out->token));
    }
    return is_of(out, certificate)
               ? OK
               : failed(source->file != NULL ? source->file : source->token.uri,
                        "it is another certificate's");
}
