/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/jwk.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

#include "wire/base64url.h"

enum { COORDINATE_MAX = 66, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 4096, EXPONENT_BITS_MAX = 32,
       ED25519_BYTES = 32 };

/* RFC 7518 section 6.2.1: coordinates are of as many bytes as the curve's field. */
static const struct curve {
    const char *name;
    enum key_kind kind;
    size_t size;
} curves[] = {{"P-256", KEY_P256, 32}, {"P-384", KEY_P384, 48}, {"P-521", KEY_P521, 66}};

enum { CURVES = sizeof(curves) / sizeof(curves[0]) };

/* ---- Reading ---- */

/* A key of `type` from its public parameters, which are freed. */
static struct status key_from(const char *type, OSSL_PARAM *parameters, EVP_PKEY **out) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    const bool good = parameters != NULL && context != NULL &&
                      EVP_PKEY_fromdata_init(context) == 1 &&
                      EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    ERR_clear_error();
    if (!good) {
        return FAIL(INVALID_MESSAGE);
    }
    *out = key;
    return OK;
}

/* A member of exactly `len` bytes. */
static bool read_bytes(const json_t *jwk, const char *name, uint8_t *out, size_t len) {
    const char *text = json_text(jwk, name);
    return text != NULL && status_ok(base64url_decode(out, len, span_of_string(text)));
}

/* On the curve and, as the curves here have no cofactor, in its group. */
static struct status read_ec(const json_t *jwk, EVP_PKEY **out) {
    uint8_t point[1 + 2 * COORDINATE_MAX] = {4}; /* uncompressed */
    const char *name = json_text(jwk, "crv");
    const struct curve *curve = NULL;
    for (size_t i = 0; name != NULL && i < CURVES; i++) {
        curve = strcmp(name, curves[i].name) == 0 ? &curves[i] : curve;
    }
    if (curve == NULL) {
        return name == NULL ? FAIL(INVALID_MESSAGE) : FAIL(UNSUPPORTED_ALGORITHM);
    }
    const size_t size = curve->size;
    if (!read_bytes(jwk, "x", point + 1, size) || !read_bytes(jwk, "y", point + 1 + size, size)) {
        return FAIL(INVALID_MESSAGE);
    }
    return key_of_point(curve->kind, span_of(point, 1 + 2 * size), out);
}

/* A member that is a positive integer, shortest form (RFC 7518 section 2). */
static BIGNUM *read_number(const json_t *jwk, const char *name, struct arena *arena) {
    const char *text = json_text(jwk, name);
    struct span bytes;
    if (text == NULL ||
        !status_ok(base64url_decode_any(arena, span_of_string(text), &bytes)) ||
        bytes.len == 0 || bytes.len > RSA_BITS_MAX || bytes.data[0] == 0) {
        return NULL;
    }
    return BN_bin2bn(bytes.data, (int)bytes.len, NULL);
}

static OSSL_PARAM *rsa_parameters(const BIGNUM *n, const BIGNUM *e) {
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *parameters = NULL;
    if (builder != NULL && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        parameters = OSSL_PARAM_BLD_to_param(builder);
    }
    OSSL_PARAM_BLD_free(builder);
    return parameters;
}

static struct status read_rsa(const json_t *jwk, EVP_PKEY **out) {
    struct arena arena = ARENA_INIT;
    BIGNUM *n = read_number(jwk, "n", &arena);
    BIGNUM *e = read_number(jwk, "e", &arena);
    struct status status = FAIL(INVALID_MESSAGE);
    if (n != NULL && e != NULL) {
        const int bits = BN_num_bits(n);
        const bool fits = bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && BN_is_odd(n) &&
                          BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= EXPONENT_BITS_MAX;
        status = fits ? key_from("RSA", rsa_parameters(n, e), out) : FAIL(UNSUPPORTED_ALGORITHM);
    }
    BN_free(n);
    BN_free(e);
    arena_release(&arena);
    return status;
}

static struct status read_okp(const json_t *jwk, EVP_PKEY **out) {
    uint8_t bytes[ED25519_BYTES];
    const char *curve = json_text(jwk, "crv");
    if (curve == NULL || strcmp(curve, "Ed25519") != 0) {
        return curve == NULL ? FAIL(INVALID_MESSAGE) : FAIL(UNSUPPORTED_ALGORITHM);
    }
    if (!read_bytes(jwk, "x", bytes, sizeof(bytes))) {
        return FAIL(INVALID_MESSAGE);
    }
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, sizeof(bytes));
    ERR_clear_error();
    if (key == NULL) {
        return FAIL(INVALID_MESSAGE);
    }
    *out = key;
    return OK;
}

struct status jwk_read(const json_t *jwk, EVP_PKEY **out) {
    const char *type = json_text(jwk, "kty");
    if (type == NULL || json_object_get(jwk, "d") != NULL) {
        return FAIL(INVALID_MESSAGE);
    }
    if (strcmp(type, "EC") == 0) {
        return read_ec(jwk, out);
    }
    if (strcmp(type, "RSA") == 0) {
        return read_rsa(jwk, out);
    }
    return strcmp(type, "OKP") == 0 ? read_okp(jwk, out) : FAIL(UNSUPPORTED_ALGORITHM);
}

/* ---- Writing ---- */

static json_t *bytes_json(const uint8_t *bytes, size_t len) {
    char text[RSA_BITS_MAX / 8 * 4 / 3 + 4];
    if (len > RSA_BITS_MAX / 8) {
        return NULL;
    }
    base64url_encode(text, span_of(bytes, len));
    return json_string(text);
}

/* A number of the key in exactly `len` bytes, or in as few as it takes if 0. */
static json_t *number_json(const EVP_PKEY *key, const char *name, size_t len) {
    uint8_t bytes[RSA_BITS_MAX / 8];
    BIGNUM *number = NULL;
    json_t *text = NULL;
    if (EVP_PKEY_get_bn_param(key, name, &number) == 1) {
        len = len == 0 ? (size_t)BN_num_bytes(number) : len;
        if (len <= sizeof(bytes) && BN_bn2binpad(number, bytes, (int)len) == (int)len) {
            text = bytes_json(bytes, len);
        }
    }
    BN_free(number);
    return text;
}

static json_t *ec_json(const EVP_PKEY *key, enum key_kind kind) {
    const struct curve *curve = curves;
    while (curve->kind != kind) {
        curve++;
    }
    return json_pack("{s:s, s:s, s:o, s:o}", "crv", curve->name, "kty", "EC",
                     "x", number_json(key, OSSL_PKEY_PARAM_EC_PUB_X, curve->size),
                     "y", number_json(key, OSSL_PKEY_PARAM_EC_PUB_Y, curve->size));
}

static json_t *okp_json(const EVP_PKEY *key) {
    uint8_t bytes[ED25519_BYTES];
    size_t len = sizeof(bytes);
    if (EVP_PKEY_get_raw_public_key(key, bytes, &len) != 1) {
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o}", "crv", "Ed25519", "kty", "OKP", "x",
                     bytes_json(bytes, len));
}

json_t *jwk_json(const EVP_PKEY *key) {
    const enum key_kind kind = key_kind(key);
    switch (kind) {
    case KEY_P256:
    case KEY_P384:
    case KEY_P521: return ec_json(key, kind);
    case KEY_ED25519: return okp_json(key);
    case KEY_RSA:
        return json_pack("{s:o, s:s, s:o}", "e", number_json(key, OSSL_PKEY_PARAM_RSA_E, 0),
                         "kty", "RSA", "n", number_json(key, OSSL_PKEY_PARAM_RSA_N, 0));
    default: return NULL;
    }
}

struct status jwk_thumbprint(const EVP_PKEY *key, char out[static JWK_THUMBPRINT_LEN + 1]) {
    struct buffer text = BUFFER_INIT;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    json_t *jwk = jwk_json(key);
    struct status status = jwk == NULL ? FAIL(CRYPTO) : json_write(jwk, &text);
    if (status_ok(status)) {
        SHA256(text.data, text.len, digest);
        base64url_encode(out, SPAN_OF_ARRAY(digest));
    }
    json_decref(jwk);
    buffer_release(&text);
    return status;
}
