/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_ACME_CA_TARGETS_H
#define MOIETY_TEST_ACME_CA_TARGETS_H

#include <openssl/evp.h>

#include "fuzz/fuzz.h"

/* What others send the CA or its auditor: answers of the servers that it validates,
 * DNS, CAA values, checkpoints. */
extern const struct fuzz_target fuzz_targets_acme_ca[];

/* The log whose checkpoints the targets believe; it signed one size alone. */
#define FUZZ_LOG "ca.example/log"
enum { FUZZ_LOG_SIZE = 12 };
/* For EVP_PKEY_free(). */
EVP_PKEY *fuzz_log_key(void);

#endif
