/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include "acme/jws.h"

enum { SIGNATURE_MAX = 512 };

static const char *const names[] = {
    [JWS_NONE] = "",         [JWS_ES256] = "ES256", [JWS_ES384] = "ES384",
    [JWS_ES512] = "ES512",   [JWS_RS256] = "RS256", [JWS_EDDSA] = "EdDSA",
    [JWS_HS256] = "HS256",
};

const char *jws_algorithm_name(enum jws_algorithm algorithm) { return names[algorithm]; }

enum jws_algorithm jws_algorithm_of_name(const char *name) {
    for (int i = JWS_ES256; i <= JWS_HS256; i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum jws_algorithm)i;
        }
    }
    return JWS_NONE;
}

enum jws_algorithm jws_algorithm_of_key(const EVP_PKEY *key) {
    switch (key_kind(key)) {
    case KEY_P256: return JWS_ES256;
    case KEY_P384: return JWS_ES384;
    case KEY_P521: return JWS_ES512;
    case KEY_RSA: return JWS_RS256;
    case KEY_ED25519: return JWS_EDDSA;
    default: return JWS_NONE;
    }
}

static const EVP_MD *digest_of(enum jws_algorithm algorithm) {
    return algorithm == JWS_EDDSA   ? NULL /* part of it */
           : algorithm == JWS_ES384 ? EVP_sha384()
           : algorithm == JWS_ES512 ? EVP_sha512()
                                    : EVP_sha256();
}

/* Bytes of r, and of s; 0 if it isn't ECDSA. */
static size_t half_of(enum jws_algorithm algorithm) {
    return algorithm == JWS_ES256   ? 32
           : algorithm == JWS_ES384 ? 48
           : algorithm == JWS_ES512 ? 66
                                    : 0;
}

/* From OpenSSL's DER to r || s, in place. */
static bool to_raw(uint8_t *bytes, size_t *len, size_t half) {
    const uint8_t *cursor = bytes;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &cursor, (long)*len);
    const bool good = pair != NULL &&
                      BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes, (int)half) == (int)half &&
                      BN_bn2binpad(ECDSA_SIG_get0_s(pair), bytes + half, (int)half) == (int)half;
    ECDSA_SIG_free(pair);
    *len = 2 * half;
    return good;
}

/* And back. `der` has room for SIGNATURE_MAX. */
static bool to_der(struct span raw, size_t half, uint8_t *der, size_t *len) {
    if (raw.len != 2 * half) {
        return false;
    }
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw.data, (int)half, NULL);
    BIGNUM *s = BN_bin2bn(raw.data + half, (int)half, NULL);
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return false;
    }
    uint8_t *cursor = der;
    const int size = i2d_ECDSA_SIG(pair, &cursor);
    ECDSA_SIG_free(pair);
    *len = size > 0 ? (size_t)size : 0;
    return size > 0;
}

struct status jws_signature_make(EVP_PKEY *key, struct span input, struct buffer *out) {
    const enum jws_algorithm algorithm = jws_algorithm_of_key(key);
    const size_t half = half_of(algorithm);
    uint8_t bytes[SIGNATURE_MAX];
    size_t len = sizeof(bytes);
    if (algorithm == JWS_NONE) {
        return FAIL(INVALID_ARGUMENT);
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const bool good =
        context != NULL &&
        EVP_DigestSignInit(context, NULL, digest_of(algorithm), NULL, key) == 1 &&
        EVP_DigestSign(context, bytes, &len, input.data, input.len) == 1 &&
        (half == 0 || to_raw(bytes, &len, half));
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good ? buffer_append(out, span_of(bytes, len)) : FAIL(CRYPTO);
}

bool jws_signature_good(EVP_PKEY *key, struct span input, struct span signature) {
    const enum jws_algorithm algorithm = jws_algorithm_of_key(key);
    const size_t half = half_of(algorithm);
    uint8_t der[SIGNATURE_MAX];
    size_t len = signature.len;
    if (algorithm == JWS_NONE || signature.len > SIGNATURE_MAX ||
        (half > 0 && !to_der(signature, half, der, &len))) {
        return false;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const bool good =
        context != NULL &&
        EVP_DigestVerifyInit(context, NULL, digest_of(algorithm), NULL, key) == 1 &&
        EVP_DigestVerify(context, half > 0 ? der : signature.data, len, input.data, input.len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}

void jws_mac(struct span key, struct span input, uint8_t out[static 32]) {
    unsigned int len = 32;
    HMAC(EVP_sha256(), key.data, (int)key.len, input.data, input.len, out, &len);
}
