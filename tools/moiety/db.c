/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "support/database.h"

static const char *config_path;

static const struct option_spec options[] = {CLI_CONFIG_OPTION(config_path), {.name = NULL}};

static bool stopped;
static const struct option_spec migrate_options[] = {
    CLI_CONFIG_OPTION(config_path),
    {"stopped", OPTION_FLAG, &stopped, NULL, "no server runs on the database", NULL},
    {.name = NULL},
};

static const struct command_spec migrate_command = {
    .name = "moiety db migrate",
    .arguments = "[options]",
    .summary = "Brings the database to this version's schema.",
    .help = "Back the database up first. Servers may go on meanwhile, and be replaced one after\n"
            "the other; where those of the release before can't, this changes nothing and says\n"
            "so.\n",
    .options = migrate_options,
};

static const struct command_spec reseal_command = {
    .name = "moiety db reseal",
    .arguments = "[options]",
    .summary = "Wraps the data keys under the first wrapping key of the configuration.",
    .help = "To replace a wrapping key: put the new file first in wrapping_keys and keep the\n"
            "old one behind it, run this, then take the old one out and restart moietyd. What\n"
            "the data keys seal stays untouched, so this takes a moment at any size.\n",
    .options = options,
};

static const struct command_spec rotate_command = {
    .name = "moiety db rotate-key",
    .arguments = "[options]",
    .summary = "Adds a fresh data key, under which everything new is sealed.",
    .options = options,
};

static const struct command_spec check_command = {
    .name = "moiety db check",
    .arguments = "[options]",
    .summary = "Opens the database and reads every peer, key and task in it.",
    .options = options,
};

int db_migrate_main(int argc, char **argv) {
    int result;
    struct cli_server server;
    struct store_migration done;
    if (!cli_options(&migrate_command, &argc, argv, &result)) {
        return result;
    }
    if (!cli_server_load(&server, config_path)) {
        return EXIT_FAILURE;
    }
    struct status status = database_migrate(&server.config, stopped, &done);
    cli_server_close(&server);
    if (!status_ok(status)) {
        return EXIT_FAILURE;
    }
    if (done.from == done.to) {
        printf("the schema is at version %d already", done.to);
    } else {
        printf("schema version %d -> %d", done.from, done.to);
    }
    printf(", which serves programs of version %d and later\n", done.serves);
    return EXIT_SUCCESS;
}

static int reseal(struct cli_server *server, char **argv) {
    size_t rewrapped;
    (void)argv;
    struct status status = store_reseal(server->store, &rewrapped);
    if (!status_ok(status)) {
        return cli_fail_status(status, "the data keys can't be wrapped again");
    }
    printf("%zu data keys wrapped again; all are now under the first wrapping key\n", rewrapped);
    return EXIT_SUCCESS;
}

int db_reseal_main(int argc, char **argv) {
    return cli_on_server(&reseal_command, &config_path, true, argc, argv, reseal);
}

static int rotate_key(struct cli_server *server, char **argv) {
    (void)argv;
    struct status status = store_rotate_data_key(server->store);
    if (!status_ok(status)) {
        return cli_fail_status(status, "no new data key could be made");
    }
    printf("new rows are sealed under a fresh data key\n");
    return EXIT_SUCCESS;
}

int db_rotate_key_main(int argc, char **argv) {
    return cli_on_server(&rotate_command, &config_path, true, argc, argv, rotate_key);
}

struct contents {
    struct arena *arena;
    size_t peers, keys, tasks;
};

static struct status read_contents(struct store_tx *tx, void *argument) {
    struct contents *c = argument;
    struct store_peer *peers;
    struct store_hpke_key *keys;
    struct store_task *tasks;
    TRY(store_peer_list(tx, c->arena, &peers, &c->peers));
    TRY(store_hpke_key_list(tx, c->arena, &keys, &c->keys));
    return store_task_list(tx, c->arena, &tasks, &c->tasks);
}

static int check(struct cli_server *server, char **argv) {
    struct contents contents = {.arena = &server->arena};
    (void)argv;
    struct status status = store_run(server->store, STORE_READ, read_contents, &contents);
    if (!status_ok(status)) {
        return cli_fail_status(status, "the database can't be read");
    }
    printf("good: %zu tasks, %zu peers, %zu HPKE keys, and all of them open\n", contents.tasks,
           contents.peers, contents.keys);
    return EXIT_SUCCESS;
}

int db_check_main(int argc, char **argv) {
    return cli_on_server(&check_command, &config_path, false, argc, argv, check);
}
