/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_SIGNER_H
#define MOIETY_ACME_CA_SIGNER_H

#include "acme/ca/lint.h"
#include "acme/ca/merkle.h"
#include "acme/ca/signing_key.h"

/*
 * The one process that has the CA's keys. It is forked from the server before
 * that has threads or connections, reads its keys, confines itself with seccomp
 * (it can read and write one socket, allocate memory, and end) and from then on
 * signs what passes its own lints and policy: who takes over the server gets
 * certificates that the CA would issue, and no key. Keys in PKCS#11 tokens are used
 * through a process for each (token_process.h), which takes orders from it alone.
 */
struct ca_signer;

/* All of it is read by the child, and must stay until ca_signer_start() returns. */
struct ca_signer_config {
    const struct ca_issuer *issuers;
    const struct ca_key_source *keys; /* of the issuers */
    size_t issuer_count;
    const char *log_key_file;
    const char *log_origin; /* what checkpoints begin with */
    const char *passphrase_file; /* NULL: the keys are not encrypted */
    const struct ca_profile *profiles;
    size_t profile_count;
    const struct ca_policy *policy;
};

enum { CA_LOG_KEY_SIZE = 32, CA_LOG_SIGNATURE_SIZE = 64, CA_CHECKPOINT_MAX = 512 };

/* Forks. Call it before there are threads. INVALID_CONFIG if a key can't be used
 * (which one is logged), IO. */
struct status ca_signer_start(const struct ca_signer_config *config, struct ca_signer **out);
/* Ends the process and waits for it. NULL is allowed. */
void ca_signer_stop(struct ca_signer *signer);
/* The process's number, for who watches over it. */
int ca_signer_process(const struct ca_signer *signer);

/* Signs what ca_template_build() made, for the issuer and profile of these
 * numbers. VERIFY_FAILED with `finding` set if the signer refuses; CRYPTO if it is
 * gone. Appends to `out`. Thread-safe, like all below. */
struct status ca_signer_certificate(struct ca_signer *signer, size_t issuer, size_t profile,
                                    struct span linted, struct buffer *out,
                                    struct ca_finding *finding);
/* Signs a CRL (DER, whatever its signature) whose issuer is that one. */
struct status ca_signer_crl(struct ca_signer *signer, size_t issuer, struct span crl,
                            struct buffer *out, struct ca_finding *finding);
/* Signs an OCSP answer (BasicOCSPResponse, DER) in that issuer's name, which holds for
 * CA_OCSP_LIFETIME at most. */
struct status ca_signer_ocsp(struct ca_signer *signer, size_t issuer, struct span answer,
                             struct buffer *out, struct ca_finding *finding);
/* Signs the text of a checkpoint: one whose tree is not smaller than any that this
 * process signed, and not another one of the same size. */
struct status ca_signer_checkpoint(struct ca_signer *signer, struct span text,
                                   uint8_t signature[static CA_LOG_SIGNATURE_SIZE],
                                   struct ca_finding *finding);
/* The public key of the log. */
const uint8_t *ca_signer_log_key(const struct ca_signer *signer);

#endif
