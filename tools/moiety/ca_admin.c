/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "acme/ca/record.h"
#include "acme/certificate.h"
#include "ca_config.h"
#include "wire/base64url.h"

/* What an operator sees of what was issued, and takes back. */
static const char *config_path = "ca.yaml";

/* ---- list ---- */

static uint64_t first;

static const struct option_spec list_options[] = {
    CA_CONFIG_OPTION(config_path),
    {"from", OPTION_NUMBER, &first, "NUMBER", "begin at this leaf of the log", NULL},
    {.name = NULL},
};

static const struct command_spec list_command = {
    .name = "moiety ca list",
    .arguments = "[options]",
    .summary = "Lists what was issued, in the order of the log.",
    .options = list_options,
};

enum { PAGE = 256 };

struct page {
    struct arena arena;
    int64_t from;
    struct ca_certificate *items;
    size_t count;
};

static struct status read_page(struct store_tx *tx, void *argument) {
    struct page *page = argument;
    return ca_certificate_list(tx, &page->arena, page->from, PAGE, &page->items, &page->count);
}

static void print_names(struct arena *arena, struct span der) {
    const uint8_t *at = der.data;
    struct acme_identifier *names;
    size_t count = 0;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    if (certificate != NULL &&
        status_ok(certificate_identifiers(certificate, arena, &names, &count))) {
        for (size_t i = 0; i < count; i++) {
            printf(" %s", names[i].value);
        }
    }
    X509_free(certificate);
}

static void print_one(struct arena *arena, const struct ca_certificate *c) {
    char serial[32];
    char end[CLI_TIME_MAX];
    base64url_encode(serial, SPAN_OF_ARRAY(c->serial));
    printf("%lld  %s  %s  until %s", (long long)c->number, serial, c->profile,
           cli_format_time((uint64_t)c->not_after, end));
    print_names(arena, c->der);
    if (c->revoked != 0) {
        char when[CLI_TIME_MAX];
        printf("  revoked %s for reason %d", cli_format_time((uint64_t)c->revoked, when),
               c->reason);
    }
    printf("\n");
}

int ca_list_main(int argc, char **argv) {
    int result;
    struct arena arena = ARENA_INIT;
    struct ca_config config;
    struct ca_db *db;
    struct page page = {.arena = ARENA_INIT};
    if (!cli_options(&list_command, &argc, argv, &result)) {
        return result;
    }
    if (!ca_config_open(config_path, &arena, &config, &db)) {
        return EXIT_FAILURE;
    }
    struct status status;
    page.from = (int64_t)first;
    do {
        status = ca_db_read(db, read_page, &page);
        for (size_t i = 0; status_ok(status) && i < page.count; i++) {
            print_one(&page.arena, &page.items[i]);
        }
        page.from += PAGE;
        arena_release(&page.arena);
    } while (status_ok(status) && page.count == PAGE);
    ca_db_close(db);
    arena_release(&arena);
    return status_ok(status) ? EXIT_SUCCESS : cli_fail_status(status, "the list can't be read");
}

/* ---- revoke ---- */

static uint64_t reason;

static const struct option_spec revoke_options[] = {
    CA_CONFIG_OPTION(config_path),
    {"reason", OPTION_NUMBER, &reason, "NUMBER",
     "0 unspecified, 1 key compromised (the key is never\ncertified again), 3 affiliation "
     "changed, 4 superseded,\n5 ceased, 9 privilege withdrawn; default 0",
     NULL},
    {.name = NULL},
};

static const struct command_spec revoke_command = {
    .name = "moiety ca revoke",
    .arguments = "[options] SERIAL",
    .summary = "Revokes a certificate, named as `moiety ca list` shows it.",
    .help = "The CRL says so within seconds, and renewal information tells its holder to\n"
            "renew at once. The server may run meanwhile.\n",
    .options = revoke_options,
    .min_arguments = 1,
    .max_arguments = 1,
};

static bool reason_good(uint64_t number) {
    return number <= 1 || (number >= 3 && number <= 5) || number == 9;
}

int ca_revoke_main(int argc, char **argv) {
    int result;
    struct arena arena = ARENA_INIT;
    struct ca_config config;
    struct ca_db *db;
    uint8_t serial[CA_SERIAL_SIZE];
    if (!cli_options(&revoke_command, &argc, argv, &result)) {
        return result;
    }
    if (!reason_good(reason)) {
        options_complain(&revoke_command, "--reason is one of 0, 1, 3, 4, 5 and 9");
        return EXIT_USAGE;
    }
    if (!status_ok(base64url_decode(serial, sizeof serial, span_of_string(argv[0])))) {
        return cli_fail("%s is no serial number", argv[0]);
    }
    if (!ca_config_open(config_path, &arena, &config, &db)) {
        return EXIT_FAILURE;
    }
    struct status status = ca_operator_revoke(db, serial, (int)reason);
    ca_db_close(db);
    arena_release(&arena);
    return status_ok(status) ? EXIT_SUCCESS : cli_fail_status(status, "%s", argv[0]);
}
