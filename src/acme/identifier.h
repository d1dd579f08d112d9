/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_IDENTIFIER_H
#define MOIETY_ACME_IDENTIFIER_H

#include <netinet/in.h>
#include <openssl/x509v3.h>

#include "acme/json.h"

/*
 * What a certificate is for: a DNS name (RFC 8555 section 9.7.7) or an IP
 * address (RFC 8738). Thread-safe.
 *
 * Invariant: `value` is canonical, so identifiers are the same exactly if type
 * and value are: DNS in lower case, without a dot at its end, of letters,
 * digits and hyphens (internationalised names as A-labels), perhaps after
 * "*."; IPv4 dotted, IPv6 as RFC 5952 writes it.
 */
struct acme_identifier {
    enum acme_identifier_type { IDENTIFIER_DNS, IDENTIFIER_IP } type;
    const char *value;
};

enum { IDENTIFIERS_MAX = 100, DNS_NAME_MAX = 253 };

/* From what a person wrote or a peer sent: an address if it reads as one,
 * otherwise a name. INVALID_ARGUMENT if it is neither. */
struct status identifier_parse(const char *text, struct arena *arena, struct acme_identifier *out);
/* The same, of a known type. */
struct status identifier_make(enum acme_identifier_type type, const char *text,
                              struct arena *arena, struct acme_identifier *out);

bool identifier_equal(const struct acme_identifier *a, const struct acme_identifier *b);
bool identifier_is_wildcard(const struct acme_identifier *identifier);
/* The name below the "*.", or the value itself. */
const char *identifier_base(const struct acme_identifier *identifier);

/* 4 or 16 bytes of an address in network order; returns how many, 0 for a name. */
size_t identifier_address(const struct acme_identifier *identifier, uint8_t out[static 16]);

/* {"type":"dns","value":".."}; NULL if out of memory. */
json_t *identifier_json(const struct acme_identifier *identifier);
/* INVALID_MESSAGE if it isn't such an object or the value is malformed;
 * UNSUPPORTED_ALGORITHM for a type other than "dns" and "ip". */
struct status identifier_read(const json_t *object, struct arena *arena,
                              struct acme_identifier *out);

/* The subject alternative names of `identifiers`, for
 * GENERAL_NAMES_free(); NULL if out of memory. */
GENERAL_NAMES *identifiers_names(const struct acme_identifier *identifiers, size_t count);
/* The other way; at most IDENTIFIERS_MAX, each once. INVALID_MESSAGE for a kind
 * of name that is neither, a malformed one, or too many. NULL gives none. */
struct status identifiers_of_names(const GENERAL_NAMES *names, struct arena *arena,
                                   struct acme_identifier **out, size_t *count);

/* Whether both hold the same identifiers, in whatever order, none of them twice. */
bool identifiers_equal(const struct acme_identifier *a, size_t a_count,
                       const struct acme_identifier *b, size_t b_count);

#endif
