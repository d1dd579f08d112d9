/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_SIGNING_KEY_H
#define MOIETY_ACME_CA_SIGNING_KEY_H

#include <openssl/x509.h>

#include "acme/ca/token.h"
#include "base/secret.h"

/*
 * An issuer's key as the signer has it: in its own memory, from a file, or in a
 * PKCS#11 token that a process of its own talks to.
 */
struct ca_key_source {
    const char *file;             /* PKCS#8 in PEM; or NULL, and */
    struct ca_token_config token; /* a key in a token */
};

struct ca_signing_key {
    EVP_PKEY *key; /* NULL: in a token */
    int token;     /* the socket of its process; -1 for a key in memory */
};

enum { CA_SIGNATURE_MAX = 80 }; /* ECDSA-Sig-Value of P-256, with room */

/* Gets the key and shows that it is the certificate's. INVALID_CONFIG; the cause was
 * logged. */
struct status ca_signing_key_load(const struct ca_key_source *source,
                                  const struct secret *passphrase, X509 *certificate,
                                  struct ca_signing_key *out);

/* ECDSA with SHA-256, as DER. CRYPTO; IO if the token's process is gone. */
struct status ca_signing_key_sign(const struct ca_signing_key *key, struct span message,
                                  uint8_t signature[CA_SIGNATURE_MAX], size_t *len);

/* Reads a key file; the cause of a failure is logged. */
struct status ca_signing_key_file(const char *path, const struct secret *passphrase,
                                  EVP_PKEY **out);

#endif
