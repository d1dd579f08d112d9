/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_REPLICA_H
#define MOIETY_ACME_CLIENT_REPLICA_H

#include "acme/client/responder.h"

/*
 * What a process does for as long as it shares a vault with others, on a thread of its
 * own: it answers the challenges of whichever replica renews just now, and says that it
 * lives while it is the one.
 */
struct replica;

/* Looks for the first time. All must outlive it. NO_MEMORY. */
struct status replica_new(struct replica **out, struct vault *vault, struct responder *responder,
                          const struct clock *clock);
struct status replica_start(struct replica *replica);
/* Idempotent. */
void replica_stop(struct replica *replica);
/* Stops it first. NULL is allowed. */
void replica_free(struct replica *replica);

/* The lease is kept from now on; NULL: none is any more, once this returns. */
void replica_hold(struct replica *replica, const struct vault_lease *lease);

#endif
