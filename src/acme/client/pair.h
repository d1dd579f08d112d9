/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_PAIR_H
#define MOIETY_ACME_CLIENT_PAIR_H

#include <openssl/x509.h>

#include "acme/identifier.h"
#include "acme/key.h"
#include "acme/client/vault.h"

/*
 * A key and its certificate in one PEM file of a vault, the key first, so that they
 * can't but fit each other: they are replaced at once. On a disk it serves as certificate
 * file and as key file (OpenSSL and what builds on it take both from one).
 */
struct pair {
    EVP_PKEY *key;
    STACK_OF(X509) *chain; /* leaf first */
};

/* NOT_FOUND, INVALID_CONFIG (no such pair), and as vault_load(). `pem` (NULL: not
 * wanted) is the file as it is. */
struct status pair_load(struct vault *vault, const char *name, struct pair *out,
                        struct secret *pem);
void pair_release(struct pair *pair);
static inline X509 *pair_leaf(const struct pair *pair) { return sk_X509_value(pair->chain, 0); }

/* The file's content, `chain` being PEM. */
struct status pair_write(EVP_PKEY *key, struct span chain, struct secret *pem);

/* SHA-256 of the leaf, to tell pairs apart. */
void pair_fingerprint(const struct pair *pair, uint8_t out[static 32]);

/* Makes one that signs itself, for a listener that has no certificate yet: it is
 * valid for an hour and nobody should believe it. */
struct status pair_placeholder(const struct acme_identifier *identifiers, size_t count,
                               struct secret *pem);
/* Whether it is such a one, or otherwise its own issuer. */
bool pair_is_placeholder(const struct pair *pair);

#endif
