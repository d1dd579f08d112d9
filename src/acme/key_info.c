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

static bool is_point(struct span der, const uint8_t *head, size_t head_len, size_t point_len) {
    return der.len == head_len + point_len && memcmp(der.data, head, head_len) == 0 &&
           der.data[head_len] == POINT_CONVERSION_UNCOMPRESSED;
}

/* Of every other kind: what OpenSSL reads, if it writes the same bytes again. A
 * point of the curves above is written otherwise if it comes to this. */
static struct status other_key(struct span der, EVP_PKEY **out) {
    const uint8_t *cursor = der.data;
    uint8_t *again = NULL;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &cursor, (long)der.len);
    const int len = key == NULL ? -1 : i2d_PUBKEY(key, &again);
    const bool same = len > 0 && key_kind(key) != KEY_P256 && key_kind(key) != KEY_P384 &&
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
    if (is_point(der, p256, sizeof(p256), 65)) {
        return key_of_point(KEY_P256, span_of(der.data + sizeof(p256), 65), out);
    }
    if (is_point(der, p384, sizeof(p384), 97)) {
        return key_of_point(KEY_P384, span_of(der.data + sizeof(p384), 97), out);
    }
    return other_key(der, out);
}
