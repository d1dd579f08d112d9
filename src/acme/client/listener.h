/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_LISTENER_H
#define MOIETY_ACME_CLIENT_LISTENER_H

#include "acme/client/responder.h"

/* Listeners of a program that serves nothing else, for as long as it takes to
 * validate challenges. */
struct listener;

/* Listens for http-01 on `http`, and for tls-alpn-01 on `tls` ("0.0.0.0:443"; NULL:
 * not). INVALID_ARGUMENT (an address), and as http_server_new(), which logs the cause. */
struct status listener_new(struct listener **out, struct responder *responder, const char *http,
                           const char *tls);
/* NULL is allowed. */
void listener_free(struct listener *listener);

#endif
