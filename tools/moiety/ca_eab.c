/* SPDX-License-Identifier: Apache-2.0 */
#include "ca_eab.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "acme/ca/record.h"
#include "ca_config.h"
#include "wire/base64url.h"

static const char *config_path = "ca.yaml";

/* ---- Making one ---- */

static struct status put(struct store_tx *tx, void *argument) { return ca_eab_put(tx, argument); }

bool ca_eab_make(struct ca_db *db, const char *profiles, struct buffer *out) {
    enum { KID_SIZE = 12, KEY_SIZE = 32 };
    uint8_t random[KID_SIZE + KEY_SIZE];
    char kid[24];
    char key[48];
    if (RAND_bytes(random, sizeof random) != 1) {
        return cli_fail("no random numbers"), false;
    }
    base64url_encode(kid, span_of(random, KID_SIZE));
    base64url_encode(key, span_of(random + KID_SIZE, KEY_SIZE));
    struct ca_eab eab = {.kid = kid,
                         .mac_key = span_of(random + KID_SIZE, KEY_SIZE),
                         .profiles = profiles,
                         .created = (int64_t)clock_now_s(&clock_system)};
    struct status status = ca_db_write(db, put, &eab);
    if (status_ok(status)) {
        status = buffer_printf(out, "kid: %s\nkey: %s\nprofiles: %s\n", kid, key,
                               profiles[0] == '\0' ? "all" : profiles);
    }
    secret_wipe(random, sizeof random);
    secret_wipe(key, sizeof key);
    return status_ok(status) || (cli_fail_status(status, "no key can be made"), false);
}

static const char *wanted_profiles = "";

static const struct option_spec add_options[] = {
    CA_CONFIG_OPTION(config_path),
    {"profiles", OPTION_STRING, &wanted_profiles, "NAMES",
     "what the account may ask for, with spaces between;\nleft out: everything", NULL},
    {.name = NULL},
};

static const struct command_spec add_command = {
    .name = "moiety ca eab-add",
    .arguments = "[options]",
    .summary = "Makes an external account key, for one account.",
    .options = add_options,
};

static bool profiles_known(const struct ca_config *config, struct arena *arena) {
    char *rest = arena_printf(arena, "%s", wanted_profiles);
    for (char *name; rest != NULL && (name = strsep(&rest, " ")) != NULL;) {
        if (name[0] != '\0' && ca_profile_find(config->options.profiles,
                                               config->options.profile_count, name) == NULL) {
            return cli_fail("there is no profile %s", name), false;
        }
    }
    return true;
}

int ca_eab_add_main(int argc, char **argv) {
    int result;
    struct arena arena = ARENA_INIT;
    struct buffer text = BUFFER_INIT;
    struct ca_config config;
    struct ca_db *db;
    if (!cli_options(&add_command, &argc, argv, &result)) {
        return result;
    }
    if (!ca_config_open(config_path, &arena, &config, &db)) {
        return EXIT_FAILURE;
    }
    bool made = profiles_known(&config, &arena) && ca_eab_make(db, wanted_profiles, &text);
    if (made) {
        printf("%.*s", (int)text.len, (const char *)text.data);
    }
    ca_db_close(db);
    buffer_release(&text);
    arena_release(&arena);
    return made ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- Listing and removing ---- */

static const struct option_spec plain_options[] = {
    CA_CONFIG_OPTION(config_path),
    {.name = NULL},
};

static const struct command_spec list_command = {
    .name = "moiety ca eab-list",
    .arguments = "[options]",
    .summary = "Lists the external account keys, without what is secret.",
    .options = plain_options,
};

static const struct command_spec remove_command = {
    .name = "moiety ca eab-rm",
    .arguments = "[options] KID",
    .summary = "Forgets an external account key. An account made with it stays.",
    .options = plain_options,
    .min_arguments = 1,
    .max_arguments = 1,
};

struct list {
    struct arena *arena;
    struct ca_eab *items;
    size_t count;
};

static struct status read_list(struct store_tx *tx, void *argument) {
    struct list *list = argument;
    return ca_eab_list(tx, list->arena, &list->items, &list->count);
}

static struct status remove_one(struct store_tx *tx, void *argument) {
    return ca_eab_delete(tx, argument);
}

int ca_eab_list_main(int argc, char **argv) {
    int result;
    struct arena arena = ARENA_INIT;
    struct ca_config config;
    struct ca_db *db;
    struct list list = {.arena = &arena};
    if (!cli_options(&list_command, &argc, argv, &result)) {
        return result;
    }
    if (!ca_config_open(config_path, &arena, &config, &db)) {
        return EXIT_FAILURE;
    }
    struct status status = ca_db_read(db, read_list, &list);
    for (size_t i = 0; i < list.count && status_ok(status); i++) {
        char time[CLI_TIME_MAX];
        const struct ca_eab *eab = &list.items[i];
        printf("%s  %s  %s  %s\n", eab->kid,
               cli_format_time((uint64_t)eab->created, time), eab->bound ? "used" : "free",
               eab->profiles[0] == '\0' ? "all" : eab->profiles);
    }
    ca_db_close(db);
    arena_release(&arena);
    return status_ok(status) ? EXIT_SUCCESS : cli_fail_status(status, "the keys can't be read");
}

int ca_eab_remove_main(int argc, char **argv) {
    int result;
    struct arena arena = ARENA_INIT;
    struct ca_config config;
    struct ca_db *db;
    if (!cli_options(&remove_command, &argc, argv, &result)) {
        return result;
    }
    if (!ca_config_open(config_path, &arena, &config, &db)) {
        return EXIT_FAILURE;
    }
    struct status status = ca_db_write(db, remove_one, argv[0]);
    ca_db_close(db);
    arena_release(&arena);
    return status_ok(status) ? EXIT_SUCCESS : cli_fail_status(status, "%s", argv[0]);
}
