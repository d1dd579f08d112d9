/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_KEY_INFO_H
#define MOIETY_ACME_KEY_INFO_H

#include <openssl/asn1t.h>
#include <openssl/x509.h>

#include "acme/key.h"
#include "base/arena.h"

/*
 * SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) as the bytes that it is.
 * OpenSSL turns those of every request and certificate that it reads into keys,
 * for which it asks all of its decoders, and back by all of its encoders: each
 * time more work than a signature. Here a key is made when it is wanted, and
 * bytes stay bytes. Thread-safe.
 */
typedef struct key_info {
    X509_ALGOR *algorithm;
    ASN1_BIT_STRING *bits;
} KEY_INFO;

/* For ASN1_SIMPLE() in what contains one. */
DECLARE_ASN1_ITEM(KEY_INFO)

/* Its DER, copied. NO_MEMORY. */
struct status key_info_write(const KEY_INFO *info, struct arena *arena, struct span *der);
/* That of a key; CRYPTO. */
struct status key_info_of(const EVP_PKEY *key, struct arena *arena, struct span *der);

/* The key. INVALID_MESSAGE unless `der` is one key, written in the one usual
 * way: points uncompressed, curves by name. */
struct status key_info_key(struct span der, EVP_PKEY **out);

#endif
