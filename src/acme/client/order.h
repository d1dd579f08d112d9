/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_ORDER_H
#define MOIETY_ACME_CLIENT_ORDER_H

#include "acme/client/session.h"
#include "acme/client/solver.h"

/* Getting a certificate (RFC 8555 section 7.4). */
struct order_wishes {
    const struct acme_identifier *identifiers;
    size_t identifier_count;
    const char *profile;  /* draft-ietf-acme-profiles; NULL: the CA's default */
    const char *replaces; /* RFC 9773's name of the certificate before; NULL: none */
    const char *chain;    /* common name of an issuer that the chain should have; NULL: any */
    EVP_PKEY *key;        /* the certificate's */
    const struct solver *solver;
};

/* Orders, answers the challenges of all names side by side, finalises and fetches the
 * chain, as PEM in the arena: checked to be for this key, to hold these names and to
 * be linked. If the server refuses `replaces` the order is made without it. A
 * `chain` that isn't offered gives the default one, which is logged. Failures as
 * session_post() tells them; FORBIDDEN if a challenge fails, TIMEOUT if the server takes
 * longer than a quarter of an hour. */
struct status order_run(struct session *session, const struct order_wishes *wishes,
                        struct arena *arena, struct span *pem);

/* Revokes (section 7.6) with a reason of RFC 5280, 0 to 10, in the account's name, or by
 * the certificate's own key if it isn't NULL. */
struct status order_revoke(struct session *session, X509 *certificate, EVP_PKEY *certificate_key,
                           int reason);

#endif
