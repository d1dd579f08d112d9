/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_VAULT_H
#define MOIETY_ACME_CLIENT_VAULT_H

#include "acme/challenge.h"
#include "acme/identifier.h"
#include "base/arena.h"
#include "base/clock.h"

/*
 * Where a client keeps what outlives it: named files with keys and certificates, and
 * the answers to challenges. A vault is a folder on a disk, or in a database, whose
 * replicas then share it. Names are printable ASCII without slashes.
 *
 * A file is there whole or not at all, after a crash too. Whoever replaces what other
 * processes may replace as well holds a lease on its name. Thread-safe. Apart from
 * what is said below calls fail with IO, PERMISSION_DENIED, NO_MEMORY, or as the store.
 */
struct vault;

struct vault_lease {
    const char *name; /* borrowed */
    int64_t token;    /* the vault's own */
};

/* What a kind of vault does. */
struct vault_driver {
    struct status (*load)(struct vault *vault, const char *name, struct arena *arena,
                          struct span *out);
    struct status (*save)(struct vault *vault, const char *name, struct span content,
                          const struct vault_lease *lease);
    struct status (*drop)(struct vault *vault, const char *name);
    struct status (*list)(struct vault *vault, const char *prefix, struct arena *arena,
                          const char *const **names, size_t *count);
    struct status (*take)(struct vault *vault, struct vault_lease *lease);
    struct status (*keep)(struct vault *vault, const struct vault_lease *lease);
    void (*give_back)(struct vault *vault, const struct vault_lease *lease);
    void (*free)(struct vault *vault);
};
/* The first member of each kind. */
struct vault {
    const struct vault_driver *driver;
    const char *place; /* of this vault, for messages */
};

/* On a disk, in a folder that is there; what it writes is for its owner alone. Leases
 * end with the process that has them. */
struct status vault_folder_new(const char *folder, struct vault **out);

/* In the database of an aggregator, sealed as all its secrets. A lease lasts `lease_us`
 * from when it was taken or kept last. Both must outlive the vault. */
struct store;
struct status vault_store_new(struct store *store, const struct clock *clock, int64_t lease_us,
                              struct vault **out);

static inline void vault_free(struct vault *vault) { /* NULL is allowed */
    if (vault != NULL) {
        vault->driver->free(vault);
    }
}

/* ---- Files ---- */

enum { VAULT_FILE_MAX = 256 * 1024 };

/* NOT_FOUND, TOO_LARGE (beyond VAULT_FILE_MAX). */
static inline struct status vault_load(struct vault *vault, const char *name, struct arena *arena,
                                       struct span *out) {
    return vault->driver->load(vault, name, arena, out);
}
/* Makes or replaces it, durably. `lease` (NULL: none is needed) must still be held, else
 * LEASE_LOST. TOO_LARGE; NOT_FOUND if the folder has gone. */
static inline struct status vault_save(struct vault *vault, const char *name, struct span content,
                                       const struct vault_lease *lease) {
    return vault->driver->save(vault, name, content, lease);
}
/* Nothing if there is none. */
static inline struct status vault_drop(struct vault *vault, const char *name) {
    return vault->driver->drop(vault, name);
}

/* ---- Leases ---- */

/* BUSY while another holds it. */
static inline struct status vault_take(struct vault *vault, struct vault_lease *lease) {
    return vault->driver->take(vault, lease);
}
/* Says that the holder lives: to be called several times in each period of a lease.
 * LEASE_LOST if another has it. */
static inline struct status vault_keep(struct vault *vault, const struct vault_lease *lease) {
    return vault->driver->keep(vault, lease);
}
static inline void vault_give_back(struct vault *vault, const struct vault_lease *lease) {
    vault->driver->give_back(vault, lease);
}

/* ---- Challenges ---- */

/* One that is to be answered by http-01 or tls-alpn-01, by whichever replica is asked. */
struct vault_challenge {
    const char *token;
    enum challenge_type type;
    struct acme_identifier identifier;
    const char *authorization;
};

/* How often replicas look for challenges, and how long it takes until all that live have
 * seen one: a server is told to validate no sooner. */
enum { VAULT_LOOK_MS = 500, VAULT_SETTLE_MS = 1500 };

struct status vault_challenge_put(struct vault *vault, const struct vault_challenge *challenge,
                                  int64_t now_s);
struct status vault_challenge_drop(struct vault *vault, const char *token);
/* Those that wait; what a killed process left is dropped after an hour. */
struct status vault_challenge_list(struct vault *vault, int64_t now_s, struct arena *arena,
                                   struct vault_challenge **out, size_t *count);

#endif
