/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_LEAF_H
#define MOIETY_ACME_CA_LEAF_H

#include <openssl/x509v3.h>

#include "acme/key_info.h"

/*
 * A certificate taken to pieces for its checks (RFC 5280 section 4.1). It is no
 * X509, which OpenSSL can't read without making a key of its bytes (see
 * key_info.h), and which remembers the encoding that it came in: this one, when
 * written, is what its parts make.
 */
typedef struct leaf_tbs {
    ASN1_INTEGER *version; /* NULL: it is not there, which means 1 */
    ASN1_INTEGER *serial;
    X509_ALGOR *algorithm;
    X509_NAME *issuer;
    X509_VAL *validity;
    X509_NAME *subject;
    KEY_INFO *key;
    ASN1_BIT_STRING *issuer_id, *subject_id;
    STACK_OF(X509_EXTENSION) *extensions;
} LEAF_TBS;

typedef struct leaf {
    LEAF_TBS *tbs;
    X509_ALGOR *algorithm;
    ASN1_BIT_STRING *signature;
} LEAF;

/* NULL if it is malformed or bytes follow it. For ca_leaf_free(). */
LEAF *ca_leaf_read(struct span der);
void ca_leaf_free(LEAF *leaf);

/* The DER of its to-be-signed part, for OPENSSL_free(); its length, or less than 1. */
int ca_leaf_tbs_write(const LEAF *leaf, uint8_t **out);

#endif
