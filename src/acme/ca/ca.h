/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_CA_H
#define MOIETY_ACME_CA_CA_H

#include "acme/ca/db.h"
#include "acme/ca/limit.h"
#include "acme/ca/policy.h"
#include "acme/ca/profile.h"
#include "acme/ca/signing_key.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "net/router.h"

/*
 * A certificate authority for a private deployment: an ACME server (RFC 8555,
 * 8737, 8738, 9773, draft-ietf-acme-profiles) with a signer in a process of its
 * own, CRLs, and a public log of everything it issued.
 */
struct ca;

/* An issuing certificate and the ways up from it. PEM files. */
struct ca_issuer_files {
    const char *certificate;
    struct ca_key_source key; /* used by the signer alone */
    const char *const *chains; /* what follows the issuing certificate, root last or
                                * left out; the first is the default */
    size_t chain_count;
};

/* All of it outlives the CA. */
struct ca_options {
    const char *database; /* a URL of store_open()'s kinds */
    const char *url;      /* where clients find it: "https://ca.example:14000" */
    const char *public_url; /* where certificates say that CRL and issuer are */
    const struct ca_issuer_files *issuers; /* the first one issues */
    size_t issuer_count;
    const char *log_key_file;
    const char *log_origin; /* the log's name */
    const char *passphrase_file; /* NULL: keys are not encrypted */
    const struct ca_profile *profiles;
    size_t profile_count;
    struct ca_policy policy;
    bool external_account_required;
    const char *terms_of_service; /* a URL; NULL: none */
    bool ocsp; /* certificates point to our OCSP */
    unsigned crl_shards;
    uint32_t crl_lifetime_s;           /* signed anew at a third of it, and soon after a
                                        * revocation */
    uint32_t order_lifetime_s;
    uint32_t authorization_lifetime_s; /* how long a proof may be used again; 0: once */
    struct {
        uint16_t http_port, tls_port;
        const char *resolver; /* "127.0.0.1:5353", several with commas; NULL: the
                               * system's, and its hosts file */
        const char *const *caa; /* our names in CAA records; none: CAA isn't looked at */
        size_t caa_count;
        uint32_t timeout_ms;
        unsigned workers; /* validations at a time */
    } validation;
    struct ca_limit account_limit; /* orders */
    struct ca_limit name_limit;    /* orders for one name */
    unsigned workers;
    struct metrics *metrics; /* may be NULL */
};

/* Reads certificates, opens the database, and forks the signer: so before there
 * are threads. INVALID_CONFIG says in the log what is wrong. */
struct status ca_new(const struct ca_options *options, struct ca **out);
/* Starts its threads: takes up what was under way, keeps CRLs fresh. */
struct status ca_start(struct ca *ca);
/* Its routes. */
struct status ca_add_routes(struct ca *ca, struct router *router);
/* Waits for what workers hold, and refuses more; the HTTP server still runs. */
void ca_stop(struct ca *ca);
/* Stops it, with the signer. Servers with its routes were freed. NULL is allowed. */
void ca_free(struct ca *ca);
/* The signer's process, whose end is the CA's. */
int ca_signer_pid(const struct ca *ca);

/* A certificate for the CA's own listener, with a new key: logged, and listed in
 * the database like all others. `profile` is of the web role. Appends PEM: the
 * chain, and the key. */
struct status ca_self_issue(struct ca *ca, const struct ca_profile *profile,
                            const char *const *names, size_t count, struct buffer *chain,
                            struct secret *key);

/* ---- What an operator does with the database ---- */

/* Revokes for `reason`, and blocks the key if that is keyCompromise (1).
 * NOT_FOUND; CONFLICT if it is revoked. */
struct status ca_operator_revoke(struct ca_db *db, const uint8_t serial[20], int reason);

#endif
