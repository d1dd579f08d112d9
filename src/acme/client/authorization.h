/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_AUTHORIZATION_H
#define MOIETY_ACME_CLIENT_AUTHORIZATION_H

#include "acme/client/session.h"
#include "acme/client/solver.h"

/* Authorisations of an order (RFC 8555 section 7.5). */

/* Answers one challenge of each that is pending, all of them side by side, waits
 * until the server has validated them, and takes the answers away. `urls` is the
 * order's list. FORBIDDEN if one becomes invalid, or offers nothing that can be answered
 * here; TIMEOUT. */
struct status authorizations_solve(struct session *session, const struct solver *solver,
                                   const json_t *urls);

/* Waiting for a state to change: as long as Retry-After says, else ever longer. */
struct patience {
    uint64_t wait_ms;
    uint64_t waited_ms;
};
#define PATIENCE_INIT ((struct patience){250, 0})

/* TIMEOUT when a quarter of an hour has gone by, CANCELLED. */
struct status patience_wait(struct session *session, struct patience *patience,
                            const struct session_answer *answer);

#endif
