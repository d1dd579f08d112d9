/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_TEMPLATE_H
#define MOIETY_ACME_CA_TEMPLATE_H

#include "acme/ca/issuer.h"
#include "acme/ca/profile.h"
#include "acme/identifier.h"

/*
 * What is to be certified, and the certificate made of it. Nothing is taken
 * from a certificate signing request but its key: everything else follows from
 * the profile, the issuer and the names that were validated.
 */
struct ca_template {
    const struct ca_profile *profile;
    const struct ca_issuer *issuer;
    struct span key; /* the subject's, SubjectPublicKeyInfo */
    const struct acme_identifier *identifiers;
    size_t identifier_count;
    bool must_staple; /* RFC 7633: servers are to staple an OCSP answer */
    uint8_t serial[CA_SERIAL_SIZE];
    int64_t not_before; /* seconds since 1970 */
};

/* A random serial number of 20 octets: positive, never shorter, 158 bits of it
 * random (RFC 5280 section 4.1.2.2 allows 20 octets). CRYPTO. */
struct status ca_serial_new(uint8_t serial[static CA_SERIAL_SIZE]);

/* Builds the certificate and signs it with `throwaway`, a P-256 key that nobody
 * trusts: it can be linted as it will be, and is of no use to whoever finds it.
 * NO_MEMORY, CRYPTO. */
struct status ca_template_build(const struct ca_template *template, EVP_PKEY *throwaway,
                                X509 **out);

/* Adds an extension from its value, which stays the caller's. */
struct status ca_extension_add(X509 *certificate, int nid, bool critical, void *value);

#endif
