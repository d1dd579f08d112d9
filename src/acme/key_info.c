/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/key_info.h"

#include <openssl/err.h>

ASN1_SEQUENCE(KEY_INFO) = {
    ASN1_SIMPLE(KEY_INFO, algorithm, X509_ALGOR),
    ASN1_SIMPLE(KEY_INFO, bits, ASN1_BIT_STRING),
} ASN1_SEQUENCE_END(KEY_INFO)

/* ---- Writing ---- */

/* Copies what OpenSSL wrote, and gives it back. */
static struct status take(uint8_t *bytes, int len, struct arena *arena, struct span *out) {
    struct status status = arena_copy(arena, span_of(bytes, (size_t)len), out);
    OPENSSL_free(bytes);
    return status;
}

struct status key_info_write(const KEY_INFO *info, struct arena *arena, struct span *der) {
    uint8_t *bytes = NULL;
    const int len = ASN1_item_i2d((const ASN1_VALUE *)info, &bytes, ASN1_ITEM_rptr(KEY_INFO));
    return len > 0 ? take(bytes, len, arena, der) : FAIL(NO_MEMORY);
}

struct status key_info_of(const EVP_PKEY *key, struct arena *arena, struct span *der) {
    uint8_t *bytes = NULL;
    const int len = i2d_PUBKEY(key, &bytes);
    return len > 0 ? take(bytes, len, arena, der) : FAIL(CRYPTO);
}

/* ---- Reading ---- */

/* What stands before an uncompressed point (RFC 5480). */
static const uint8_t p256[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                               0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                               0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
static const uint8_t p384[] = {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                               0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                               0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00};

static const uint8_t p521[] = {0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                               0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
                               0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00};

static const struct curve {
    enum key_kind kind;
    struct span head;
    size_t point_len;
} curves[] = {{KEY_P256, {p256, sizeof(p256)}, 65},
              {KEY_P384, {p384, sizeof(p384)}, 97},
              {KEY_P521, {p521, sizeof(p521)}, 133}};

enum { CURVES = sizeof(curves) / sizeof(curves[0]) };

static bool is_point(struct span der, const struct curve *curve) {
    const struct span head = curve->head;
    return der.len == head.len + curve->point_len && memcmp(der.data, head.data, head.len) == 0 &&
           der.data[head.len] == POINT_CONVERSION_UNCOMPRESSED;
}

static bool is_on_a_curve(const EVP_PKEY *key) {
    const enum key_kind kind = key_kind(key);
    return kind == KEY_P256 || kind == KEY_P384 || kind == KEY_P521;
}

/* Of every other kind: what OpenSSL reads, if it writes the same bytes again. A
 * point of the curves above is written otherwise if it comes to this. */
static struct status other_key(struct span der, EVP_PKEY **out) {
    const uint8_t *cursor = der.data;
    uint8_t *again = NULL;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &cursor, (long)der.len);
    const int len = key == NULL ? -1 : i2d_PUBKEY(key, &again);
    const bool same = len > 0 && !is_on_a_curve(key) &&
                      span_equal_vartime(der, span_of(again, (size_t)len));
    OPENSSL_free(again);
    ERR_clear_error();
    if (!same) {
        EVP_PKEY_free(key);
        return FAIL(INVALID_MESSAGE);
    }
    *out = key;
    return OK;
}

struct status key_info_key(struct span der, EVP_PKEY **out) {
    for (const struct curve *curve = curves; curve < curves + CURVES; curve++) {
        if (is_point(der, curve)) {
            return key_of_point(curve->kind,
                                span_of(der.data + curve->head.len, curve->point_len), out);
        }
    }
    return other_key(der, out);
}
