/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_FUZZ_ACME_CA_TARGETS_H
#define MOIETY_TEST_FUZZ_ACME_CA_TARGETS_H

#include "fuzz/fuzz.h"

/* What the CA reads while it validates: answers to http-01 with their redirects,
 * CAA values. Ends with a NULL name. */
extern const struct fuzz_target fuzz_targets_acme_ca[];

#endif
