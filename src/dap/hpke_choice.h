/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_DAP_HPKE_CHOICE_H
#define MOIETY_DAP_HPKE_CHOICE_H

#include "dap/messages.h"

/*
 * Picks the configuration to encrypt to from an aggregator's hpke_config answer
 * (draft 18, section 4.4.1): the first whose algorithms we have and whose
 * public key has the right size. `out` borrows the body. INVALID_MESSAGE if it
 * isn't a valid, non-empty HpkeConfigList; UNSUPPORTED_ALGORITHM if it has none
 * that we can use. Thread-safe.
 */
struct status hpke_config_choose(struct span body, struct hpke_config *out);

#endif
