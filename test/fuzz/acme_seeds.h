/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_FUZZ_ACME_SEEDS_H
#define MOIETY_TEST_FUZZ_ACME_SEEDS_H

#include "base/bytes.h"
#include "base/status.h"

/* Something that the target of this name accepts, for mutation to start from. Keys and
 * signatures in it are new each time. Appends; INVALID_ARGUMENT for an unknown name. */
struct status fuzz_acme_seed(const char *target, struct buffer *out);

#endif
