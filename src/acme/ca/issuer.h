/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_ISSUER_H
#define MOIETY_ACME_CA_ISSUER_H

#include <openssl/x509.h>

#include "base/bytes.h"

/*
 * One issuing certificate of the CA, without its key, which only the signer
 * has: what a certificate issued under it refers to.
 */
struct ca_issuer {
    X509 *certificate;
    char id[17];       /* hexadecimal: the start of SHA-256 of its public key */
    const char *url;   /* where the CA's public files are: "http://ca.example"; borrowed */
    unsigned shards;   /* of its CRL, at least 1 */
    bool ocsp;         /* certificates say where OCSP is answered; set after init */
};

enum { CA_URL_MAX = 512, CA_SERIAL_SIZE = 20, CA_SHARDS_MAX = 128 };
/* Seconds for which an OCSP answer holds. */
enum { CA_OCSP_LIFETIME = 24 * 3600 };

/* Takes the certificate over. INVALID_CONFIG if it is no CA's on P-256. */
struct status ca_issuer_init(struct ca_issuer *issuer, X509 *certificate, const char *url,
                             unsigned shards);
void ca_issuer_release(struct ca_issuer *issuer);

/* Which shard of the CRL tells of a serial number; the number's last byte says. */
unsigned ca_issuer_shard(const struct ca_issuer *issuer, const uint8_t serial[CA_SERIAL_SIZE]);
void ca_issuer_crl_url(const struct ca_issuer *issuer, unsigned shard, char out[CA_URL_MAX]);
void ca_issuer_certificate_url(const struct ca_issuer *issuer, char out[CA_URL_MAX]);
void ca_issuer_ocsp_url(const struct ca_issuer *issuer, char out[CA_URL_MAX]);

/* The certificate's time as seconds since 1970; false if it isn't a time. */
bool ca_time_seconds(const ASN1_TIME *time, int64_t *out);

/* A certificate of its to-be-signed part and an ECDSA signature with SHA-256, and the
 * way back, which gives INVALID_MESSAGE for anything else. Signing and comparing
 * work on the bytes that were linted, not on what a parser made of them. */
struct status ca_signed_write(struct span tbs, struct span signature, struct buffer *out);
struct status ca_signed_read(struct span der, struct span *tbs, struct span *signature);

/* The to-be-signed part of a certificate or CRL: the first element of the outer
 * sequence. Borrows. INVALID_MESSAGE. */
struct status ca_tbs_of(struct span der, struct span *out);

#endif
