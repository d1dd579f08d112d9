/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_NONCE_H
#define MOIETY_ACME_CA_NONCE_H

#include "base/bytes.h"

/*
 * Anti-replay nonces (RFC 8555 section 6.5). A nonce is a counter and zeros,
 * enciphered under a key that is made at start and kept nowhere: so no nonce
 * outlives the process, and none is accepted twice, whatever happens between. A
 * bit for each of the last million says which were used. Thread-safe.
 */
struct ca_nonces;

enum { CA_NONCE_LEN = 22 };

struct status ca_nonces_new(struct ca_nonces **out);
void ca_nonces_free(struct ca_nonces *nonces); /* NULL is allowed */

/* A fresh one, as base64url and a terminator. CRYPTO. */
struct status ca_nonce_make(struct ca_nonces *nonces, char out[static CA_NONCE_LEN + 1]);
/* Uses it up; false if it is none of ours, was used, or is too old. */
bool ca_nonce_use(struct ca_nonces *nonces, const char *nonce);

#endif
