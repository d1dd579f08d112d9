/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/issuer.h"

#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "acme/key.h"

struct status ca_issuer_init(struct ca_issuer *issuer, X509 *certificate, const char *url,
                             unsigned shards) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    unsigned len;
    if (X509_check_ca(certificate) != 1 || key_kind(X509_get0_pubkey(certificate)) != KEY_P256 ||
        X509_get0_subject_key_id(certificate) == NULL || shards == 0 || shards > CA_SHARDS_MAX) {
        return FAIL(INVALID_CONFIG);
    }
    if (X509_pubkey_digest(certificate, EVP_sha256(), digest, &len) != 1) {
        return FAIL(CRYPTO);
    }
    *issuer = (struct ca_issuer){.certificate = certificate, .url = url, .shards = shards};
    for (size_t i = 0; i < sizeof issuer->id / 2; i++) {
        snprintf(issuer->id + 2 * i, 3, "%02x", digest[i]);
    }
    return OK;
}

void ca_issuer_release(struct ca_issuer *issuer) {
    X509_free(issuer->certificate);
    *issuer = (struct ca_issuer){.certificate = NULL};
}

unsigned ca_issuer_shard(const struct ca_issuer *issuer, const uint8_t serial[CA_SERIAL_SIZE]) {
    return serial[CA_SERIAL_SIZE - 1] % issuer->shards;
}

void ca_issuer_crl_url(const struct ca_issuer *issuer, unsigned shard, char out[CA_URL_MAX]) {
    snprintf(out, CA_URL_MAX, "%s/crl/%s/%u.crl", issuer->url, issuer->id, shard);
}

void ca_issuer_ocsp_url(const struct ca_issuer *issuer, char out[CA_URL_MAX]) {
    snprintf(out, CA_URL_MAX, "%s/ocsp/%s", issuer->url, issuer->id);
}

void ca_issuer_certificate_url(const struct ca_issuer *issuer, char out[CA_URL_MAX]) {
    snprintf(out, CA_URL_MAX, "%s/issuer/%s.der", issuer->url, issuer->id);
}

bool ca_time_seconds(const ASN1_TIME *time, int64_t *out) {
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        return false;
    }
    *out = (int64_t)timegm(&parts);
    return true;
}

/* Reads a SEQUENCE's header at `*at`, which moves behind it. */
static bool sequence_open(const uint8_t **at, const uint8_t *end, long *len) {
    int tag;
    int class;
    int flags = ASN1_get_object(at, len, &tag, &class, end - *at);
    return flags == V_ASN1_CONSTRUCTED && tag == V_ASN1_SEQUENCE && class == V_ASN1_UNIVERSAL;
}

struct status ca_tbs_of(struct span der, struct span *out) {
    const uint8_t *at = der.data;
    const uint8_t *end = der.data + der.len;
    long len;
    if (!sequence_open(&at, end, &len) || at + len != end) {
        return FAIL(INVALID_MESSAGE);
    }
    const uint8_t *start = at;
    if (!sequence_open(&at, end, &len)) {
        return FAIL(INVALID_MESSAGE);
    }
    *out = span_of(start, (size_t)(at + len - start));
    return OK;
}

/* ---- Signed structures ---- */

/* AlgorithmIdentifier of ecdsa-with-SHA256, without parameters (RFC 5758 section 3.2). */
static const uint8_t ecdsa_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                       0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

struct status ca_signed_write(struct span tbs, struct span signature, struct buffer *out) {
    int bits = (int)signature.len + 1; /* behind the number of unused bits */
    int inner = (int)(tbs.len + sizeof ecdsa_sha256) +
                ASN1_object_size(0, bits, V_ASN1_BIT_STRING);
    int whole = ASN1_object_size(1, inner, V_ASN1_SEQUENCE);
    TRY(whole < 0 ? FAIL(INVALID_ARGUMENT) : buffer_reserve(out, (size_t)whole));
    uint8_t *at = out->data + out->len;
    ASN1_put_object(&at, 1, inner, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    memcpy(at, tbs.data, tbs.len);
    at += tbs.len;
    memcpy(at, ecdsa_sha256, sizeof ecdsa_sha256);
    at += sizeof ecdsa_sha256;
    ASN1_put_object(&at, 0, bits, V_ASN1_BIT_STRING, V_ASN1_UNIVERSAL);
    *at++ = 0;
    memcpy(at, signature.data, signature.len);
    out->len += (size_t)whole;
    return OK;
}

struct status ca_signed_read(struct span der, struct span *tbs, struct span *signature) {
    struct span first;
    TRY(ca_tbs_of(der, &first));
    const uint8_t *at = first.data + first.len;
    const uint8_t *end = der.data + der.len;
    long len;
    int tag;
    int class;
    if ((size_t)(end - at) <= sizeof ecdsa_sha256 ||
        memcmp(at, ecdsa_sha256, sizeof ecdsa_sha256) != 0) {
        return FAIL(INVALID_MESSAGE);
    }
    at += sizeof ecdsa_sha256;
    if (ASN1_get_object(&at, &len, &tag, &class, end - at) != 0 || tag != V_ASN1_BIT_STRING ||
        class != V_ASN1_UNIVERSAL || at + len != end || len < 2 || at[0] != 0) {
        return FAIL(INVALID_MESSAGE);
    }
    *tbs = first;
    *signature = span_of(at + 1, (size_t)len - 1);
    return OK;
}
