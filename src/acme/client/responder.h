/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_RESPONDER_H
#define MOIETY_ACME_CLIENT_RESPONDER_H

#include "acme/client/vault.h"
#include "net/router.h"
#include "pki/tls.h"

/*
 * The challenges that wait to be validated, and what listeners answer for them:
 * http-01 by a route, tls-alpn-01 by a certificate in the handshake. Any number of
 * listeners may use one. Thread-safe.
 *
 * Where replicas share challenges, who asks by http-01 for one that isn't known waits for
 * the next look at what is shared.
 */
struct responder;

struct status responder_new(struct responder **out);
/* Listeners that use it must have been freed. NULL is allowed. */
void responder_free(struct responder *responder);

/* Answers `token` with `authorization` from now on. NO_MEMORY. */
struct status responder_add_http(struct responder *responder, const char *token,
                                 const char *authorization);
/* Answers handshakes for the identifier. NO_MEMORY, CRYPTO. */
struct status responder_add_alpn(struct responder *responder, const char *token,
                                 const struct acme_identifier *identifier,
                                 const char *authorization);
/* Forgets what was added for this token. */
void responder_remove(struct responder *responder, const char *token);

/* A look at the challenges of other replicas begins: whoever asks from now on for what
 * isn't known waits for the next one. Ended by responder_looked(); looks don't overlap. */
void responder_look(struct responder *responder);
/* Answers these from now on, too, and no longer what an earlier call gave that isn't
 * among them. NO_MEMORY, CRYPTO. */
struct status responder_share(struct responder *responder, const struct vault_challenge *list,
                              size_t count);
/* Answers those who waited; `more` says whether there will be another look, and so
 * whether to have anybody wait. */
void responder_looked(struct responder *responder, bool more);

/* Serves CHALLENGE_HTTP_PATH on a router, which the responder must outlive. */
struct status responder_mount(struct responder *responder, struct router *router);
/* For tls_server_set_challenges(). */
struct tls_challenges responder_challenges(struct responder *responder);

#endif
