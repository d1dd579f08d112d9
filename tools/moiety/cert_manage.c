/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert.h"

/* ---- Revoking ---- */

static const char *reason = "unspecified";
static bool by_key;

static const struct option_spec revoke_options[] = {
    CERT_OPTIONS,
    {"reason", OPTION_STRING, &reason, "REASON",
     "unspecified (the default), keyCompromise,\naffiliationChanged, superseded or\n"
     "cessationOfOperation", NULL},
    {"by-key", OPTION_FLAG, &by_key, NULL, "sign with the certificate's own key, not the account's",
     NULL},
    {.name = NULL}};

static const struct command_spec revoke_command = {
    .name = "moiety cert revoke",
    .arguments = "[options]",
    .summary = "Revokes the folder's certificate.",
    .help = "The file stays as it is; `moiety cert issue` replaces it.\n",
    .options = revoke_options,
};

/* The number of RFC 5280, section 5.3.1; -1 if it isn't for a subscriber to give. */
static int reason_number(const char *name) {
    static const struct {
        const char *name;
        int number;
    } reasons[] = {{"unspecified", 0},
                   {"keyCompromise", 1},
                   {"affiliationChanged", 3},
                   {"superseded", 4},
                   {"cessationOfOperation", 5}};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcasecmp(reasons[i].name, name) == 0) {
            return reasons[i].number;
        }
    }
    return -1;
}

int cert_revoke_main(int argc, char **argv) {
    struct cert cert = {.arena = ARENA_INIT};
    struct pair pair = {NULL, NULL};
    int result;
    if (!cli_options(&revoke_command, &argc, argv, &result)) {
        return result;
    }
    const int number = reason_number(reason);
    if (number < 0) {
        options_complain(&revoke_command, "--reason: %s is none that can be given here", reason);
        return EXIT_USAGE;
    }
    result = EXIT_FAILURE;
    if (cert_open(&cert, false) && cert_read_pair(&cert, &pair)) {
        result = status_ok(order_revoke(&cert.client.session, pair_leaf(&pair),
                                        by_key ? pair.key : NULL, number))
                     ? (printf("%s: revoked\n", cert.pair_path), EXIT_SUCCESS)
                     : cert_fail(&cert, "not revoked");
    }
    pair_release(&pair);
    cert_close(&cert);
    return result;
}

/* ---- The account ---- */

static const struct option_spec account_options[] = {CERT_OPTIONS, CERT_ACCOUNT_OPTIONS,
                                                     {.name = NULL}};

static const struct command_spec account_command = {
    .name = "moiety cert account",
    .arguments = "[options] register|show|update|change-key|deactivate",
    .summary = "Registers the folder's account, shows or changes it.",
    .help = "`update` sets the contacts to those of --contact. `change-key` gives it a new\n"
            "key. `deactivate` is for good.\n",
    .options = account_options,
    .min_arguments = 1,
    .max_arguments = 1,
};

static int show(struct cert *cert) {
    json_t *account = NULL;
    if (!status_ok(account_show(&cert->client.session, &account))) {
        return cert_fail(cert, "no account");
    }
    char *text = json_dumps(account, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    printf("%s\n%s\n", cert->client.session.account_url, text == NULL ? "" : text);
    free(text);
    json_decref(account);
    return EXIT_SUCCESS;
}

static struct status update(struct cert *cert) {
    const char *const *contacts;
    size_t count;
    if (!cert_split(&cert->arena, cert_options.contacts, &contacts, &count)) {
        return FAIL(NO_MEMORY);
    }
    return account_update(&cert->client.session, contacts, count);
}

static int run_account(struct cert *cert, const char *action) {
    struct status status = OK;
    if (strcmp(action, "update") == 0) {
        status = update(cert);
    } else if (strcmp(action, "change-key") == 0) {
        status = acme_client_change_key(&cert->client);
    } else if (strcmp(action, "deactivate") == 0) {
        status = account_deactivate(&cert->client.session);
        return status_ok(status) ? (printf("deactivated\n"), EXIT_SUCCESS)
                                 : cert_fail(cert, "not deactivated");
    }
    return status_ok(status) ? show(cert) : cert_fail(cert, "not changed");
}

int cert_account_main(int argc, char **argv) {
    static const char *const actions[] = {"register", "show", "update", "change-key",
                                          "deactivate"};
    struct cert cert = {.arena = ARENA_INIT};
    bool known = false;
    int result;
    if (!cli_options(&account_command, &argc, argv, &result)) {
        return result;
    }
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        known = known || strcmp(actions[i], argv[0]) == 0;
    }
    if (!known) {
        options_complain(&account_command, "there is no %s", argv[0]);
        return EXIT_USAGE;
    }
    result = cert_open(&cert, strcmp(argv[0], "register") == 0) ? run_account(&cert, argv[0])
                                                                : EXIT_FAILURE;
    cert_close(&cert);
    return result;
}
