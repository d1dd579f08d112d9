/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_FUZZ_ACME_TARGETS_H
#define MOIETY_TEST_FUZZ_ACME_TARGETS_H

#include "fuzz/fuzz.h"

/* What ACME's client and CA read from who knows where: signed requests, keys,
 * problem documents, signing requests, chains, private keys, Link headers, names,
 * times. Ends with a NULL name. */
extern const struct fuzz_target fuzz_targets_acme[];

#endif
