/* SPDX-License-Identifier: Apache-2.0 */
#include "support/database.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "config/keyfile.h"

void database_keys_free(struct database_keys *keys) {
    if (keys->keys != NULL) {
        secret_wipe(keys->keys, keys->count * sizeof(keys->keys[0]));
    }
    free(keys->keys);
    *keys = (struct database_keys){NULL, 0};
}

struct status database_keys_read(const struct server_config *config, struct database_keys *out) {
    struct buffer errors = BUFFER_INIT;
    struct database_keys keys = {calloc(config->wrapping_keys.count, sizeof(keys.keys[0])),
                                 config->wrapping_keys.count};
    struct status status = keys.keys == NULL ? FAIL(NO_MEMORY) : OK;
    for (size_t i = 0; i < keys.count && status_ok(status); i++) {
        status = keyfile_read(config->wrapping_keys.items[i], keys.keys[i].key, &errors);
    }
    if (status_ok(status)) {
        *out = keys;
    } else {
        fprintf(stderr, "%.*s", (int)errors.len, (const char *)errors.data);
        database_keys_free(&keys);
    }
    buffer_release(&errors);
    return status;
}

static void explain(const struct server_config *config, struct status status) {
    const char *advice = "";
    switch (status.code) {
    case STATUS_STORE_SCHEMA: advice = "; see \"Stopping and upgrading\" in docs/operating.md"; break;
    case STATUS_CONFLICT:
        advice = "; servers of the version before can't run on the new schema: stop them all and"
                 " say --stopped";
        break;
    case STATUS_UNKNOWN_KEY:
        advice = "; none of the wrapping_keys opens it, so the one it was sealed under is missing";
        break;
    case STATUS_NOT_FOUND: advice = "; moietyd makes it at its first start"; break;
    default: break;
    }
    fprintf(stderr, "%s: %s%s\n", config->database, status_text(status.code), advice);
}

struct status database_open(const struct server_config *config, enum database_access access,
                            struct store **out) {
    struct database_keys keys;
    TRY(database_keys_read(config, &keys));
    struct store_options options = {
        .wrapping_keys = keys.keys,
        .wrapping_key_count = keys.count,
        .clock = &clock_system,
        .create = access == DATABASE_CREATE,
        .read_only = access == DATABASE_READ,
    };
    struct status status = store_open(config->database, &options, out);
    database_keys_free(&keys);
    if (!status_ok(status)) {
        explain(config, status);
    }
    return status;
}

struct status database_migrate(const struct server_config *config, bool alone,
                               struct store_migration *out) {
    struct database_keys keys;
    TRY(database_keys_read(config, &keys));
    struct store_options options = {.wrapping_keys = keys.keys,
                                    .wrapping_key_count = keys.count,
                                    .clock = &clock_system,
                                    .alone = alone};
    struct status status = store_migrate(config->database, &options, out);
    database_keys_free(&keys);
    if (!status_ok(status)) {
        explain(config, status);
    }
    return status;
}
