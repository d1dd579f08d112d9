/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_STORE_VAULT_H
#define MOIETY_STORE_VAULT_H

#include "store/store.h"

/*
 * What the replicas on one database share beside their tasks, in the terms of no
 * layer above: secrets under names, and leases that say which replica may change
 * them. Names are printable ASCII.
 *
 * A lease's token rises with each holder, so it fences: whoever was held up until
 * another had the lease can't write any more. Replicas' clocks must agree much
 * better than a lease is long.
 */
struct store_lease {
    const char *name;
    int64_t token;
};

/* BUSY while another holds it beyond `now`. Sets the token. */
struct status store_lease_take(struct store_tx *tx, struct store_lease *lease, int64_t now,
                               int64_t until);
/* LEASE_LOST if another has it, or it was given back. */
struct status store_lease_extend(struct store_tx *tx, const struct store_lease *lease,
                                 int64_t until);
/* Gives it back; nothing if it was lost. */
struct status store_lease_end(struct store_tx *tx, const struct store_lease *lease);

struct store_item {
    const char *name;
    struct span content; /* sealed */
};

/* Makes the item or replaces it. `lease`, if not NULL, must still be held, else
 * LEASE_LOST. */
struct status store_item_put(struct store_tx *tx, const struct store_item *item,
                             const struct store_lease *lease);
/* NOT_FOUND. */
struct status store_item_get(struct store_tx *tx, struct arena *arena, const char *name,
                             struct span *content);
/* Nothing if there is none. */
struct status store_item_delete(struct store_tx *tx, const char *name);
/* Those whose names begin with `prefix`, in the order of their bytes. */
struct status store_item_list(struct store_tx *tx, struct arena *arena, const char *prefix,
                              struct store_item **out, size_t *count);

#endif
