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
