/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_LOG_H
#define MOIETY_ACME_CA_LOG_H

#include "acme/ca/context.h"

/*
 * The log of everything issued, as others see it: signed checkpoints
 * (c2sp.org/tlog-checkpoint) and proofs. Leaf n is the hash of the DER of the
 * n-th certificate.
 */

/* The signed note of the tree as it stands, made and stored if there is none
 * yet. Two notes never contradict each other. */
struct status ca_log_checkpoint(struct ca *ca, struct arena *arena, const char **note);

/* A checkpoint, read: VERIFY_FAILED unless `key` signed it under `origin`. */
struct ca_checkpoint {
    uint64_t size;
    struct merkle_hash root;
};
struct status ca_checkpoint_verify(struct span note, const char *origin,
                                   const uint8_t key[CA_LOG_KEY_SIZE], struct ca_checkpoint *out);

/* The log's verifier key as signed notes write it: origin+hash+base64. */
const char *ca_log_verifier(const char *origin, const uint8_t key[CA_LOG_KEY_SIZE],
                            struct arena *arena);
/* The other way; INVALID_ARGUMENT. */
struct status ca_log_verifier_read(const char *text, struct arena *arena, const char **origin,
                                   uint8_t key[CA_LOG_KEY_SIZE]);

#endif
