/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CHALLENGE_H
#define MOIETY_ACME_CHALLENGE_H

#include <openssl/x509.h>

#include "acme/identifier.h"
#include "acme/jwk.h"

/*
 * What answers a challenge, as the client gives it and the CA expects it.
 * Thread-safe.
 */
enum challenge_type {
    CHALLENGE_NONE,
    CHALLENGE_HTTP_01,        /* RFC 8555 section 8.3 */
    CHALLENGE_DNS_01,         /* RFC 8555 section 8.4 */
    CHALLENGE_TLS_ALPN_01,    /* RFC 8737 */
    CHALLENGE_DNS_ACCOUNT_01, /* draft-ietf-acme-dns-account-label */
    CHALLENGE_DNS_PERSIST_01, /* draft-ietf-acme-dns-persist */
    CHALLENGE_TYPE_COUNT,
};

/* "http-01"; and back, NONE for what isn't known. */
const char *challenge_name(enum challenge_type type);
enum challenge_type challenge_of_name(const char *name);

#define CHALLENGE_HTTP_PATH "/.well-known/acme-challenge/"
enum { CHALLENGE_TOKEN_MAX = 128 };

/* Whether it is of base64url's characters alone and not longer than
 * CHALLENGE_TOKEN_MAX: it becomes part of paths. */
bool challenge_token_good(const char *token);

/* token "." thumbprint (RFC 8555 section 8.1); the body that http-01 serves. */
struct status challenge_authorization(const char *token, const EVP_PKEY *account,
                                      struct arena *arena, const char **out);
/* Its SHA-256, which tls-alpn-01 carries. */
void challenge_digest(const char *authorization, uint8_t out[static 32]);
/* That in base64url: the TXT record of dns-01 and dns-account-01. */
const char *challenge_txt(const char *authorization, struct arena *arena);

/* The name that a record stands at, without a dot at its end: "_acme-challenge.",
 * "_<label>._acme-challenge." (`account_url` gives the label) or
 * "_validation-persist." before the identifier's base name. NULL if out of memory. */
const char *challenge_record_name(enum challenge_type type,
                                  const struct acme_identifier *identifier,
                                  const char *account_url, struct arena *arena);
/* The TXT record of dns-persist-01: the CA's `issuer` name and the account, and
 * the policy for names below if `wildcard`. */
const char *challenge_persist_txt(const char *issuer, const char *account_url, bool wildcard,
                                  struct arena *arena);

/* The server name that a tls-alpn-01 validation asks for: the name, or the
 * reverse name of an address (RFC 8738 section 6). NULL if out of memory. */
const char *challenge_alpn_name(const struct acme_identifier *identifier, struct arena *arena);
/* A self-signed certificate for it, with the digest in id-pe-acmeIdentifier. */
struct status challenge_alpn_certificate(const struct acme_identifier *identifier,
                                         const uint8_t digest[static 32], X509 **certificate,
                                         EVP_PKEY **key);
/* Whether a certificate is right for both: one name, which is the identifier,
 * and the digest in a critical extension (RFC 8737 section 3). */
bool challenge_alpn_matches(const X509 *certificate, const struct acme_identifier *identifier,
                            const uint8_t digest[static 32]);

#endif
