/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "config/scalar.h"

static const struct cli_command commands[] = {
    {NULL, "init", "write a first configuration and wrapping key for moietyd", init_main},
    {"task", "new", "make a task: a file for each party", task_new_main},
    {"task", "import", "add a task's file to this server", task_import_main},
    {"task", "export", "write a task's file again", task_export_main},
    {"task", "header", "print a task as a C header, for an app", task_header_main},
    {"task", "list", "list this server's tasks", task_list_main},
    {"task", "show", "show a task and what happened in it", task_show_main},
    {"task", "set", "change how this server runs a task", task_set_main},
    {"task", "rm", "delete a task and all that belongs to it", task_remove_main},
    {"batch", "dump", "write which reports this server has counted", batch_dump_main},
    {NULL, "upload", "send measurements to a task", upload_main},
    {NULL, "collect", "collect a batch's result", collect_main},
    {NULL, "doctor", "check a live pair and say what is wrong", doctor_main},
    {"report", "decode", "show what an encoded report says in the clear", report_decode_main},
    {"key", "list", "list this server's HPKE keys", key_list_main},
    {"key", "rotate", "advertise a new HPKE key; the old ones are let go in time", key_rotate_main},
    {"peer", "list", "list the other parties that this server knows", peer_list_main},
    {"peer", "set", "change a peer's token, certificate or dialect", peer_set_main},
    {"peer", "rm", "forget a peer that no task uses", peer_remove_main},
    {"cert", "issue", "get a certificate by ACME", cert_issue_main},
    {"cert", "renew", "get it anew, if it is time", cert_renew_main},
    {"cert", "revoke", "revoke it", cert_revoke_main},
    {"cert", "account", "register, show or change the account with the CA", cert_account_main},
    {"ca", "init", "make a certificate authority for a private pair", ca_init_main},
    {"ca", "serve", "run it", ca_serve_main},
    {"ca", "eab-add", "make a key for an external account", ca_eab_add_main},
    {"ca", "eab-list", "list those keys", ca_eab_list_main},
    {"ca", "eab-rm", "forget one", ca_eab_remove_main},
    {"ca", "list", "list what was issued", ca_list_main},
    {"ca", "revoke", "revoke a certificate", ca_revoke_main},
    {"ca", "audit", "check a CA's log of everything it issued", ca_audit_main},
    {"db", "migrate", "bring the database to this version's schema", db_migrate_main},
    {"db", "reseal", "wrap the data keys under the first wrapping key", db_reseal_main},
    {"db", "rotate-key", "seal what is new under a fresh data key", db_rotate_key_main},
    {"db", "check", "open the database and read what it holds", db_check_main},
    {"db", "restored", "make a restored backup safe to serve", db_restored_main},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_commands(const char *group) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct cli_command *c = &commands[i];
        if (group == NULL || (c->group != NULL && strcmp(c->group, group) == 0)) {
            char name[32];
            snprintf(name, sizeof(name), "%s%s%s", c->group == NULL ? "" : c->group,
                     c->group == NULL ? "" : " ", c->name);
            printf("  %-16s %s\n", name, c->summary);
        }
    }
}

static int print_help(const char *group) {
    printf("usage: moiety %s [options] [arguments]\n\n", group == NULL ? "COMMAND" : group);
    if (group == NULL) {
        printf("Runs a pair of DAP aggregators, counts with them and collects the result.\n\n");
    }
    print_commands(group);
    printf("\n`moiety COMMAND --help` says what a command takes. Exit status: 0 success,\n"
           "1 failure, 2 a command line that makes no sense, 3 not yet.\n");
    return EXIT_SUCCESS;
}

static bool is_group(const char *word) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i].group != NULL && strcmp(commands[i].group, word) == 0) {
            return true;
        }
    }
    return false;
}

static int unknown(const char *group, const char *word) {
    const char *words[COMMAND_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct cli_command *c = &commands[i];
        if (group == NULL) {
            words[count++] = c->group == NULL ? c->name : c->group;
        } else if (c->group != NULL && strcmp(c->group, group) == 0) {
            words[count++] = c->name;
        }
    }
    const char *meant = scalar_nearest(word, words, sizeof(words[0]), count);
    fprintf(stderr, "moiety: unknown command %s%s%s%s%s%s (moiety --help lists them)\n",
            group == NULL ? "" : group, group == NULL ? "" : " ", word,
            meant == NULL ? "" : "; did you mean ", meant == NULL ? "" : meant,
            meant == NULL ? "" : "?");
    return EXIT_USAGE;
}

static int run(int argc, char **argv) {
    const char *group = is_group(argv[0]) ? argv[0] : NULL;
    int words = group == NULL ? 1 : 2;
    if (group != NULL && (argc < 2 || strcmp(argv[1], "--help") == 0)) {
        return argc < 2 ? (print_help(group), EXIT_USAGE) : print_help(group);
    }
    const char *name = argv[words - 1];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct cli_command *c = &commands[i];
        bool same_group = (c->group == NULL) == (group == NULL) &&
                          (group == NULL || strcmp(c->group, group) == 0);
        if (same_group && strcmp(c->name, name) == 0) {
            return c->run(argc - words, argv + words);
        }
    }
    return unknown(group, name);
}

int main(int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(NULL);
        return argc < 2 ? EXIT_USAGE : EXIT_SUCCESS;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("moiety %s\n", program_version());
        return EXIT_SUCCESS;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return cli_fail("libcurl can't start");
    }
    int result = run(argc - 1, argv + 1);
    curl_global_cleanup();
    return result;
}
