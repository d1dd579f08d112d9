/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_HPKE_PROVIDER_DEFAULT_H
#define MOIETY_HPKE_PROVIDER_DEFAULT_H

#include "moiety/provider.h"

/* The table that servers and tools use: libsodium for X25519 and random bytes,
 * OpenSSL for P-256, HMAC and the AEADs. Ends the process if a library can't
 * start, since nothing can be done without it. Thread-safe; the table is
 * static. */
const struct moiety_provider *hpke_provider_default(void);

#endif
