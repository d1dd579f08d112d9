/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_MINT_H
#define MOIETY_ACME_CA_MINT_H

#include "acme/ca/record.h"
#include "acme/ca/signer.h"
#include "acme/ca/template.h"

/* Makes certificates: built, linted, signed by the signer, compared. */
struct ca_mint {
    const struct ca_issuer *issuers; /* the first one issues; the others' CRLs go on */
    size_t issuer_count;
    const struct ca_profile *profiles;
    size_t profile_count;
    const struct ca_policy *policy;
    struct ca_signer *signer;
    EVP_PKEY *throwaway;
};

/* A certificate of `profile` for key (SubjectPublicKeyInfo) and names, with must-staple
 * or without, valid from about `now`. All but
 * `number` and `account` of `out` is set. VERIFY_FAILED with `finding` set if a lint
 * or the signer refuses, which is logged. Thread-safe. */
struct status ca_mint_certificate(const struct ca_mint *mint, const struct ca_profile *profile,
                                  struct span key, const struct acme_identifier identifiers[],
                                  size_t count, bool must_staple, int64_t now,
                                  struct arena *arena,
                                  struct ca_certificate *out, struct ca_finding *finding);

#endif
