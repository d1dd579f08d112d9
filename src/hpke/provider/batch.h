/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_HPKE_PROVIDER_BATCH_H
#define MOIETY_HPKE_PROVIDER_BATCH_H

#include "hpke/batch.h"

/* For hpke_provider_default(): X25519 in the lanes that the processor has or
 * MOIETY_CPU names, HMAC and the AEADs by OpenSSL. Static; to be called once,
 * before there are threads or under a lock. */
const struct moiety_provider_batch *provider_batch_make(void);

#endif
