/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_LINT_H
#define MOIETY_ACME_CA_LINT_H

#include "acme/ca/issuer.h"
#include "acme/ca/policy.h"
#include "acme/ca/profile.h"

/*
 * Checks of a certificate before anybody gets it: that it is what its profile
 * says, RFC 5280's rules, and the quality of its key. They read the encoded
 * certificate, and share nothing with the code that builds it.
 *
 * A certificate is linted three times: signed with a throwaway key by the
 * server, again by the signer before it signs, and once more by the server,
 * which compares what came back byte for byte (ca_lint_same()).
 */
struct ca_lint_input {
    struct span der;
    const struct ca_profile *profile;
    const struct ca_issuer *issuer;
    const struct ca_policy *policy;
    int64_t now; /* seconds since 1970 */
    /* What was asked for; NULL, as for the signer: not known. */
    struct span key; /* SubjectPublicKeyInfo */
    const struct acme_identifier *identifiers;
    size_t identifier_count;
    bool must_staple; /* looked at if `key` is known */
};

/* The check that failed, and why: both for the log and the client. */
struct ca_finding {
    const char *lint; /* its name; static */
    char text[200];
};

/* OK if every check passes. VERIFY_FAILED with `finding` set to the first that
 * doesn't; NO_MEMORY. Thread-safe. */
struct status ca_lint(const struct ca_lint_input *input, struct ca_finding *finding);

/* Whether the final certificate is the linted one but for its signature, and
 * carries the issuer's. VERIFY_FAILED with `finding` set. */
struct status ca_lint_same(struct span linted, struct span final, const struct ca_issuer *issuer,
                           struct ca_finding *finding);

/*
 * Key quality (lint_key.c): a P-256, P-384 or P-521 key whose point is on its curve,
 * and so in its group; or RSA of 2048 to 4096 bits with an odd exponent from 65537
 * to 2^256 (FIPS 186-5), whose modulus has no small factor, no two close
 * factors (100 rounds of Fermat's method) and not the structure of CVE-2017-15361
 * (ROCA). False with `text` set. Variable in time: public keys are public.
 */
bool ca_key_good(const EVP_PKEY *key, char text[200]);

/* The names of all checks, for documents and tests; NULL after the last. */
const char *ca_lint_name(size_t index);

#endif
