/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_AUTH_H
#define MOIETY_AGGREGATOR_AUTH_H

#include "aggregator/task.h"
#include "net/http.h"

/*
 * Whether a request comes from the peer (DAP, "Request Authentication"): by a
 * bearer token (RFC 6750), compared in constant time by its SHA-256, or by a
 * TLS client certificate that bears the peer's name. Either is enough if the
 * peer has both; a peer with neither is never let in. UNAUTHORIZED otherwise.
 */
struct status auth_check(const struct http_request *request, const struct task_peer *peer);

/* The stored form of a token. */
void auth_hash(struct span token, uint8_t hash[32]);

#endif
