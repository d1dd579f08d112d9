/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_KEY_CACHE_H
#define MOIETY_ACME_CA_KEY_CACHE_H

#include "acme/jwk.h"

/*
 * Account keys as OpenSSL holds them, by their JSON: a client makes several
 * requests in a row, and to read and check its key costs as much as to verify a
 * signature. Of fixed size; what falls on a slot in use replaces it. Thread-safe.
 */
struct ca_key_cache;

struct status ca_key_cache_new(struct ca_key_cache **out);
void ca_key_cache_free(struct ca_key_cache *cache); /* NULL is allowed */

/* The key of this JWK, which the database holds, with a reference for the caller.
 * INTERNAL if it can't be read. */
struct status ca_key_cache_get(struct ca_key_cache *cache, const char *jwk, EVP_PKEY **out);

#endif
