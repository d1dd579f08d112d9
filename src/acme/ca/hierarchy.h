/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_HIERARCHY_H
#define MOIETY_ACME_CA_HIERARCHY_H

#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/secret.h"

/*
 * The CA's own certificates: a root on P-384, which signs issuing certificates
 * and is then put away, and issuing ones on P-256, which sign the rest. Their
 * lifetimes are inclusive too.
 */
enum { CA_ROOT_YEARS = 20, CA_ISSUING_YEARS = 5 };

/* A self-signed root with this common name, valid from `now` (seconds since
 * 1970). CRYPTO, NO_MEMORY; INVALID_ARGUMENT for a name over 64 characters. */
struct status ca_root_make(const char *name, int64_t now, EVP_PKEY **key, X509 **certificate);
/* An issuing certificate under it for this key, of which the public half is enough,
 * never outliving the root. */
struct status ca_issuing_certify(const char *name, int64_t now, EVP_PKEY *root_key, X509 *root,
                                 EVP_PKEY *key, X509 **certificate);
/* The same for a new key. */
struct status ca_issuing_make(const char *name, int64_t now, EVP_PKEY *root_key, X509 *root,
                              EVP_PKEY **key, X509 **certificate);
/* The key that signs the log's checkpoints: Ed25519. */
struct status ca_log_key_make(EVP_PKEY **key);

/* Keys in files: PKCS#8 in PEM, encrypted under a passphrase. */
struct status ca_key_write(EVP_PKEY *key, struct span passphrase, struct buffer *pem);
/* Reads what ca_key_write() made, or an unencrypted key. VERIFY_FAILED for a
 * wrong passphrase or no key, NOT_FOUND, PERMISSION_DENIED, IO. */
struct status ca_key_load(const char *path, struct span passphrase, EVP_PKEY **out);
/* A passphrase: the first line of a file. */
struct status ca_passphrase_load(const char *path, struct secret *out);

#endif
