/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_JWK_H
#define MOIETY_ACME_JWK_H

#include "acme/json.h"
#include "acme/key.h"

/*
 * Public keys as JSON (RFC 7517, RFC 7518 section 6, RFC 8037). Thread-safe.
 */

/* P-256, P-384, P-521, RSA of 2048 to 4096 bits with an odd exponent of up to 32
 * bits, Ed25519. A private member is refused: whoever sent it gave its key
 * away. INVALID_MESSAGE if malformed or not a point of its curve,
 * UNSUPPORTED_ALGORITHM for another kind or size. */
struct status jwk_read(const json_t *jwk, EVP_PKEY **out);

/* The required members alone, in lexical order, as a thumbprint needs them.
 * NULL if out of memory, or for a kind that jwk_read() doesn't take. */
json_t *jwk_json(const EVP_PKEY *key);

enum { JWK_THUMBPRINT_LEN = 43 };

/* RFC 7638 with SHA-256, as base64url and a terminator. */
struct status jwk_thumbprint(const EVP_PKEY *key, char out[static JWK_THUMBPRINT_LEN + 1]);

#endif
