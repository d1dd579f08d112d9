/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_SUPPORT_DATABASE_H
#define MOIETY_SUPPORT_DATABASE_H

#include "config/server.h"
#include "store/store.h"

/* The wrapping keys that a configuration names; wiped by database_keys_free().
 * INVALID_CONFIG says on standard error what is wrong. */
struct database_keys {
    struct store_wrapping_key *keys;
    size_t count;
};
struct status database_keys_read(const struct server_config *config, struct database_keys *out);
void database_keys_free(struct database_keys *keys);

enum database_access { DATABASE_READ, DATABASE_WRITE, DATABASE_CREATE };

/* Opens the database of a configuration. A failure is said on standard error
 * in words that tell what to do. */
struct status database_open(const struct server_config *config, enum database_access access,
                            struct store **out);
/* Brings its schema to this program's version. */
struct status database_migrate(const struct server_config *config, bool alone,
                               struct store_migration *out);

#endif
