/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_TOKEN_H
#define MOIETY_ACME_CA_TOKEN_H

#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * One P-256 key in a PKCS#11 token, through p11-kit: found by a URI of RFC 7512
 * that says which token and which object, and with which module (`module-path`).
 * The module is other people's code, which opens files, devices and sockets and
 * starts threads as it sees fit; token_process.h keeps it in a process of its own.
 * Not thread-safe.
 */
struct ca_token;

struct ca_token_config {
    const char *uri;      /* without a PIN, which would be seen where the URI is */
    const char *pin_file; /* its first line; NULL: the token asks for none */
};

enum { CA_TOKEN_DIGEST_SIZE = 32, CA_TOKEN_SIGNATURE_SIZE = 64 };

/* Whether this build has PKCS#11. */
bool ca_token_supported(void);

/* Loads the module, logs in and finds the one private key that the URI means. What
 * is wrong is logged. INVALID_CONFIG for a URI, PIN file or build that can't do,
 * NOT_FOUND for a token or key that isn't there, PERMISSION_DENIED for a PIN that is
 * refused, CRYPTO for whatever else the module says. */
struct status ca_token_open(const struct ca_token_config *config, struct ca_token **out);
/* Its public half, from the public object of the same name. */
struct status ca_token_public_key(struct ca_token *token, EVP_PKEY **out);
/* ECDSA: r and s. CRYPTO. */
struct status ca_token_sign(struct ca_token *token, const uint8_t digest[CA_TOKEN_DIGEST_SIZE],
                            uint8_t signature[CA_TOKEN_SIGNATURE_SIZE]);
/* NULL is allowed. */
void ca_token_close(struct ca_token *token);

#endif
