/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CERTIFICATE_H
#define MOIETY_ACME_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdint.h>

#include "acme/identifier.h"

/* Issued certificates: chains in PEM (RFC 8555 section 9.1), and what is to be
 * known of a leaf. Thread-safe. */
enum { CHAIN_MAX = 10, CHAIN_BYTES_MAX = 128 * 1024 };

/* The certificates in `pem`, leaf first, for certificates_free(). INVALID_MESSAGE if
 * there are none, more than CHAIN_MAX, anything but certificates, or if one
 * can't be read. */
struct status certificates_read(struct span pem, STACK_OF(X509) **out);
void certificates_free(STACK_OF(X509) *chain);
/* Appends. */
struct status certificate_write(X509 *certificate, struct buffer *pem);
/* Whether each is signed by the next; the root may be left out. */
bool certificates_linked(const STACK_OF(X509) *chain);
/* Whether some certificate of the chain was issued by a CA with this common
 * name. */
bool certificates_issued_by(const STACK_OF(X509) *chain, const char *common_name);

struct certificate_times {
    int64_t not_before; /* seconds since 1970, both inclusive */
    int64_t not_after;
};
struct status certificate_times_of(const X509 *certificate, struct certificate_times *out);

/* Its subject alternative names as identifiers; INVALID_MESSAGE if others are
 * among them. */
struct status certificate_identifiers(const X509 *certificate, struct arena *arena,
                                      struct acme_identifier **out, size_t *count);

/* base64url(authority key identifier) "." base64url(serial), which names it to
 * its CA (RFC 9773 section 4.1). INVALID_MESSAGE without an authority key identifier. */
struct status certificate_ari_id(const X509 *certificate, struct arena *arena, const char **out);

#endif
