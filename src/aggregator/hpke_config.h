/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_HPKE_CONFIG_H
#define MOIETY_AGGREGATOR_HPKE_CONFIG_H

#include "net/http.h"

/* GET hpke_config (DAP, "HPKE Configuration Request"), a route's handler whose
 * context is the aggregator. */
void hpke_config_handle(void *context, struct http_request *request);

#endif
