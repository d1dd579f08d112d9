/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "config/schema.h"
#include "task_file.h"
#include "task_lookup.h"

static struct {
    const char *config, *dialect, *certificate, *send_token_file;
    bool new_peer, new_token, no_token, no_send_token, no_certificate;
} o;

static const struct option_spec list_options[] = {CLI_CONFIG_OPTION(o.config), {.name = NULL}};
static const struct option_spec set_options[] = {
    CLI_CONFIG_OPTION(o.config),
    {"new", OPTION_FLAG, &o.new_peer, NULL, "make it, if there is none of this name", NULL},
    {"new-token", OPTION_FLAG, &o.new_token, NULL,
     "make a token for it to send us; shown once, only\nits hash is kept", NULL},
    {"no-token", OPTION_FLAG, &o.no_token, NULL, "take no token from it any more; what we send it\nis left alone", NULL},
    {"send-token-file", OPTION_STRING, &o.send_token_file, "FILE",
     "the token that we send it; - reads standard input", NULL},
    {"no-send-token", OPTION_FLAG, &o.no_send_token, NULL, "send it no token any more", NULL},
    {"certificate", OPTION_STRING, &o.certificate, "NAME",
     "it may show a TLS certificate of this name, such\nas DNS:leader.example", NULL},
    {"no-certificate", OPTION_FLAG, &o.no_certificate, NULL, "take no certificate any more", NULL},
    {"dialect", OPTION_STRING, &o.dialect, "NAME", "draft-18 or janus-2026-08", NULL},
    {.name = NULL},
};

static const struct command_spec list_command = {
    .name = "moiety peer list",
    .arguments = "[options]",
    .summary = "Lists the other parties that this server knows. No token is shown.",
    .options = list_options,
};
static const struct command_spec set_command = {
    .name = "moiety peer set",
    .arguments = "[options] NAME",
    .summary = "Changes a peer, or makes one; tasks refer to it by name.",
    .help = "`moiety task import --peer NAME` lets a task use it. moietyd sees a change within\n"
            "a second.\n",
    .options = set_options,
    .min_arguments = 1,
    .max_arguments = 1,
};
static const struct command_spec remove_command = {
    .name = "moiety peer rm",
    .arguments = "[options] NAME",
    .summary = "Forgets a peer that no task uses.",
    .options = list_options,
    .min_arguments = 1,
    .max_arguments = 1,
};

static int print_peers(struct cli_server *server, char **argv) {
    (void)argv;
    struct task_table table;
    struct status status = task_table_read(server, &table);
    if (!status_ok(status)) {
        return cli_fail_status(status, "the peers can't be read");
    }
    printf("%-24s %-14s %-12s %-15s %s\n", "peer", "dialect", "sent a token", "sends us a token",
           "certificate");
    for (size_t i = 0; i < table.peer_count; i++) {
        const struct store_peer *p = &table.peers[i];
        printf("%-24s %-14s %-12s %-15s %s\n", p->name, p->dialect, p->token.len > 0 ? "yes" : "no",
               p->token_hash.len > 0 ? "yes" : "no",
               p->certificate_name == NULL ? "-" : p->certificate_name);
    }
    return EXIT_SUCCESS;
}

int peer_list_main(int argc, char **argv) {
    return cli_on_server(&list_command, &o.config, false, argc, argv, print_peers);
}

/* ---- peer set ---- */

static struct status read_sent_token(struct arena *arena, struct span *out) {
    enum { TOKEN_MAX = 4096 };
    struct span text;
    const char *path = strcmp(o.send_token_file, "-") == 0 ? "/dev/stdin" : o.send_token_file;
    if (strcmp(path, "/dev/stdin") == 0) {
        char *line = arena_alloc(arena, TOKEN_MAX, 1);
        if (line == NULL || fgets(line, TOKEN_MAX, stdin) == NULL) {
            return FAIL(IO);
        }
        text = span_of_string(line);
    } else {
        TRY(file_read(path, TOKEN_MAX, arena, &text));
    }
    while (text.len > 0 && text.data[text.len - 1] <= ' ') {
        text.len--;
    }
    *out = text;
    return task_file_is_token(text) ? OK : FAIL(INVALID_ARGUMENT);
}

static struct status put_peer(struct store_tx *tx, void *argument) {
    return store_peer_put(tx, argument);
}

static int set_peer(struct cli_server *server, const char *name) {
    struct task_table table;
    struct store_peer peer = {.name = name, .dialect = "draft-18"};
    struct span token = SPAN_EMPTY;
    struct status status = task_table_read(server, &table);
    const struct store_peer *found = status_ok(status) ? task_table_peer(&table, name) : NULL;
    if (status_ok(status) && found == NULL && !o.new_peer) {
        return cli_fail("there is no peer %s; `moiety peer list` shows them, --new makes one", name);
    }
    if (found != NULL) {
        peer = *found;
    }
    if (status_ok(status) && o.send_token_file != NULL) {
        status = read_sent_token(&server->arena, &peer.token);
        if (status.code == STATUS_INVALID_ARGUMENT) {
            return cli_fail("%s holds no token, which is one line of letters, digits and -._~+/=",
                            o.send_token_file);
        }
    }
    peer.token = o.no_send_token ? SPAN_EMPTY : peer.token;
    if (status_ok(status) && o.new_token) {
        status = task_file_new_token(&server->arena, &token, &peer.token_hash);
    }
    peer.token_hash = o.no_token ? SPAN_EMPTY : peer.token_hash;
    peer.certificate_name = o.no_certificate        ? NULL
                            : o.certificate != NULL ? o.certificate
                                                    : peer.certificate_name;
    peer.dialect = o.dialect != NULL ? o.dialect : peer.dialect;
    if (status_ok(status)) {
        status = store_run(server->store, STORE_WRITE, put_peer, &peer);
    }
    if (!status_ok(status)) {
        return cli_fail_status(status, "peer %s stays as it was", name);
    }
    if (token.len > 0) {
        fprintf(stderr, "moiety: the token that %s sends us, shown this once:\n", name);
        printf("%.*s\n", (int)token.len, (const char *)token.data);
    }
    return EXIT_SUCCESS;
}

int peer_set_main(int argc, char **argv) {
    int result;
    struct cli_server server;
    if (!cli_options(&set_command, &argc, argv, &result)) {
        return result;
    }
    if (o.dialect != NULL && strcmp(o.dialect, "draft-18") != 0 &&
        strcmp(o.dialect, "janus-2026-08") != 0) {
        options_complain(&set_command, "--dialect: expected draft-18 or janus-2026-08");
        return EXIT_USAGE;
    }
    if ((o.new_token && o.no_token) || (o.send_token_file != NULL && o.no_send_token) ||
        (o.certificate != NULL && o.no_certificate)) {
        options_complain(&set_command, "these options contradict each other");
        return EXIT_USAGE;
    }
    if (!cli_server_open(&server, o.config, true)) {
        return EXIT_FAILURE;
    }
    result = set_peer(&server, argv[0]);
    cli_server_close(&server);
    return result;
}

/* ---- peer rm ---- */

static struct status delete_peer(struct store_tx *tx, void *argument) {
    return store_peer_delete(tx, argument);
}

static int remove_peer(struct cli_server *server, char **argv) {
    struct status status = store_run(server->store, STORE_WRITE, delete_peer, argv[0]);
    if (status.code == STATUS_CONFLICT) {
        return cli_fail("a task uses peer %s; `moiety task list` shows the tasks", argv[0]);
    }
    return status_ok(status) ? EXIT_SUCCESS : cli_fail_status(status, "peer %s", argv[0]);
}

int peer_remove_main(int argc, char **argv) {
    return cli_on_server(&remove_command, &o.config, true, argc, argv, remove_peer);
}
