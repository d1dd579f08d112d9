/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_PAIR_H
#define MOIETY_ACME_CLIENT_PAIR_H

#include <openssl/x509.h>

#include "acme/identifier.h"
#include "acme/key.h"

/*
 * A key and its certificate in one PEM file, the key first, so that they
 * can't but fit each other: replacing it is one rename. It serves as certificate file
 * and as key file (OpenSSL and what builds on it take both from one).
 */
struct pair {
    EVP_PKEY *key;
    STACK_OF(X509) *chain; /* leaf first */
};

/* NOT_FOUND, INVALID_CONFIG (no such pair), IO, PERMISSION_DENIED. */
struct status pair_read(const char *path, struct pair *out);
void pair_release(struct pair *pair);
static inline X509 *pair_leaf(const struct pair *pair) { return sk_X509_value(pair->chain, 0); }

/* Replaces it durably, for its owner's eyes only. `chain` is PEM. */
struct status pair_write(const char *path, EVP_PKEY *key, struct span chain);

/* Whoever is about to replace a pair that other processes may replace as well holds
 * "<path>.lock": *fd is for pair_unlock(), which a crash does too. BUSY if another holds
 * it, IO, PERMISSION_DENIED. */
struct status pair_lock(const char *path, int *fd);
void pair_unlock(int fd);

/* SHA-256 of the leaf, to tell pairs apart. */
void pair_fingerprint(const struct pair *pair, uint8_t out[static 32]);

/* Makes one that signs itself, for a listener that has no certificate yet: it is
 * valid for an hour and nobody should believe it. */
struct status pair_write_placeholder(const char *path, const struct acme_identifier *identifiers,
                                     size_t count);
/* Whether it is such a one, or otherwise its own issuer. */
bool pair_is_placeholder(const struct pair *pair);

#endif
