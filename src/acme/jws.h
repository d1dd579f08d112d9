/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_JWS_H
#define MOIETY_ACME_JWS_H

#include "acme/jwk.h"
#include "acme/problem.h"

/*
 * Signed requests: JWS in flattened JSON (RFC 7515, RFC 8555 section 6.2).
 * Thread-safe.
 */
enum jws_algorithm {
    JWS_NONE,
    JWS_ES256,
    JWS_ES384,
    JWS_ES512,
    JWS_RS256,
    JWS_EDDSA,
    JWS_HS256,
};

/* What was read; spans and strings are the arena's. */
struct jws {
    enum jws_algorithm algorithm;
    const char *kid;   /* exactly one of kid and key is there */
    EVP_PKEY *key;     /* what its `jwk` member holds, owned: see jws_release() */
    const char *nonce; /* base64url, as the header has it; NULL if it has none */
    const char *url;   /* NULL if the header has none */
    struct span payload;   /* decoded; empty for POST-as-GET */
    struct span input;     /* what was signed: the encoded header, a dot, the encoded payload */
    struct span signature;
};

/* Reads one, without believing it. Refused are: an unprotected header, `crit`
 * and `b64` (no extension is known here), both or neither of jwk and kid.
 * On INVALID_MESSAGE, `problem` (whole, its strings static) says which: malformed,
 * badSignatureAlgorithm or badPublicKey. `body` and what json_parse() made of
 * it may go afterwards. */
struct status jws_read(struct span body, struct arena *arena, struct jws *out,
                       struct acme_problem *problem);
/* The same for one inside a payload: an external account binding or the inner
 * half of a key change. */
struct status jws_read_object(const json_t *object, struct arena *arena, struct jws *out,
                              struct acme_problem *problem);
void jws_release(struct jws *jws);

/* VERIFY_FAILED unless the signature is the key's, and of the algorithm that
 * the header names. */
struct status jws_verify(const struct jws *jws, EVP_PKEY *key);
/* The same of an HS256 MAC, in constant time. */
struct status jws_verify_mac(const struct jws *jws, struct span mac_key);

/* The protected header of one to be made, without its algorithm. */
struct jws_header {
    const char *kid;   /* NULL: the signing key's own jwk */
    const char *nonce; /* NULL: none */
    const char *url;
};

/* Appends the JSON of a request signed by `key` with the algorithm of its kind
 * (ES256, ES384, ES512, RS256 or EdDSA). An empty payload is POST-as-GET. CRYPTO, NO_MEMORY,
 * INVALID_ARGUMENT for a key of another kind. */
struct status jws_sign(const struct jws_header *header, struct span payload, EVP_PKEY *key,
                       struct buffer *out);
/* The same with HS256. */
struct status jws_sign_mac(const struct jws_header *header, struct span payload,
                           struct span mac_key, struct buffer *out);

/* ---- Between jws.c and jws_signature.c ---- */

/* "ES256"; and back, NONE for what isn't known. */
const char *jws_algorithm_name(enum jws_algorithm algorithm);
enum jws_algorithm jws_algorithm_of_name(const char *name);
/* The one algorithm for this kind of key; NONE if there is none. */
enum jws_algorithm jws_algorithm_of_key(const EVP_PKEY *key);

/* Raw signatures as JWS has them: r and s of fixed width for ECDSA. */
struct status jws_signature_make(EVP_PKEY *key, struct span input, struct buffer *out);
bool jws_signature_good(EVP_PKEY *key, struct span input, struct span signature);
void jws_mac(struct span key, struct span input, uint8_t out[static 32]);

#endif
