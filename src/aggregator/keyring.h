/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_KEYRING_H
#define MOIETY_AGGREGATOR_KEYRING_H

#include "base/arena.h"
#include "hpke/hpke.h"
#include "store/store.h"

struct aggregator;

/*
 * This server's HPKE keys, as they stood at one moment: immutable, counted,
 * shared by threads.
 *
 * A key's life: advertised (in hpke_config) -> accepted (no longer shown, but
 * uploads that use it are taken, since clients cache the list) -> open-only
 * (uploads get outdated_config; what is stored still opens) -> deleted, once no
 * stored report names it.
 */
struct keyring;

/* The current keys; the caller releases them. Refreshed like tasks are. May
 * wait for the store: workers only. */
struct status keyring_acquire(struct aggregator *aggregator, const struct keyring **out);
/* The same without asking the store; NULL if it is time to. For loops. */
const struct keyring *keyring_acquire_cached(struct aggregator *aggregator);
void keyring_release(const struct keyring *keyring); /* NULL is allowed */

/* Whether an upload may use it: advertised or accepted. */
bool keyring_accepts(const struct keyring *keyring, uint8_t id);
/* The key of any state, or NULL. Valid while the keyring is held. */
const struct hpke_key *keyring_find(const struct keyring *keyring, uint8_t id);
/* Encoded HpkeConfigList of the advertised keys, newest first; empty if there
 * is none. */
struct span keyring_config_list(const struct keyring *keyring);

struct keyring_cache;
struct status keyring_cache_new(struct keyring_cache **out);
void keyring_cache_free(struct keyring_cache *cache);

/* ---- Rotation: needs a store alone, so the CLI uses it as well ------------ */

struct keyring_policy {
    uint32_t lifetime_s;       /* age at which a newer key is advertised; 0: by hand only */
    uint32_t config_max_age_s; /* how long clients may cache hpke_config */
    struct hpke_suite suite;   /* of new keys */
};

struct keyring_changes {
    unsigned added, accepted, open_only, deleted;
    uint8_t added_id; /* if added */
};

/* Makes a key of the suite with a free random id and advertises it. CONFLICT if
 * all 256 ids are taken. */
struct status keyring_add(struct store *store, const struct moiety_provider *provider,
                          struct hpke_suite suite, int64_t now, uint8_t *id);
/* One pass over the keys, to be run now and then:
 *  - the newest advertised key is older than lifetime_s (or there is none): add
 *    one;
 *  - an advertised key that a newer advertised one of its suite replaced:
 *    accepted;
 *  - accepted for 2 * config_max_age_s (DAP, "HPKE Configuration Request"):
 *    open-only;
 *  - open-only for KEYRING_RETAIN_S, and named by no stored report: deleted. A
 *    helper can't see what a leader still stores, hence the time.
 * With lifetime_s 0 nothing is added, the rest is done. */
enum { KEYRING_RETAIN_S = 28 * 24 * 3600 };
struct status keyring_rotate(struct store *store, const struct moiety_provider *provider,
                             const struct keyring_policy *policy, int64_t now,
                             struct keyring_changes *out);

#endif
