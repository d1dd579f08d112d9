/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_KEY_H
#define MOIETY_ACME_KEY_H

#include <openssl/evp.h>

#include "base/secret.h"
#include "base/status.h"

/*
 * Key pairs of accounts and certificates, as OpenSSL holds them. Freed with
 * EVP_PKEY_free(). Thread-safe.
 */
enum key_kind { KEY_OTHER, KEY_P256, KEY_P384, KEY_P521, KEY_RSA, KEY_ED25519 };

/* A new P-256 or P-384 key; INVALID_ARGUMENT for another kind, CRYPTO. */
struct status key_new(enum key_kind kind, EVP_PKEY **out);
enum key_kind key_kind(const EVP_PKEY *key);

/* A public key of P-256, P-384 or P-521 from its point (SEC 1, section 2.3.3).
 * INVALID_MESSAGE if it isn't one of the curve. */
struct status key_of_point(enum key_kind kind, struct span point, EVP_PKEY **out);

/* PKCS#8 as PEM, unencrypted. `pem` holds one private key of whatever PEM form
 * OpenSSL reads without a passphrase; INVALID_MESSAGE otherwise. */
struct status key_write(EVP_PKEY *key, struct secret *pem);
struct status key_read(struct span pem, EVP_PKEY **out);

#endif
