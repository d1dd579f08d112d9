/* SPDX-License-Identifier: Apache-2.0 */
#include "cert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

struct cert_options cert_options = {.directory = CERT_DIRECTORY, .folder = "."};

bool cert_split(struct arena *arena, const char *list, const char *const **items, size_t *count) {
    size_t most = 1;
    for (const char *c = list; c != NULL && *c != '\0'; c++) {
        most += *c == ',';
    }
    const char **found = ARENA_ARRAY(arena, const char *, most);
    size_t at = 0;
    while (found != NULL && list != NULL && *list != '\0') {
        const size_t len = strcspn(list, ",");
        found[at] = arena_printf(arena, "%.*s", (int)len, list);
        if (found[at++] == NULL) {
            return false;
        }
        list += len + (list[len] == ',');
    }
    *items = found;
    *count = at;
    return found != NULL;
}

static bool read_eab(struct arena *arena, struct account_wishes *wishes) {
    struct status status =
        account_read_eab(cert_options.eab_key, arena, &wishes->eab_kid, &wishes->eab_key);
    if (status.code == STATUS_INVALID_MESSAGE) {
        cli_fail("%s: expected a key in base64url%s", cert_options.eab_key,
                 wishes->eab_kid == NULL
                     ? " after \"key: \" and its name after \"kid: \", or --eab-kid too"
                     : "");
        return false;
    }
    return status_ok(status) || (cli_fail_status(status, "%s", cert_options.eab_key), false);
}

static bool read_wishes(struct cert *cert, struct account_wishes *wishes) {
    wishes->eab_kid = cert_options.eab_kid;
    if (cert_options.eab_kid != NULL && cert_options.eab_key == NULL) {
        cli_fail("--eab-kid needs --eab-key");
        return false;
    }
    return cert_split(&cert->arena, cert_options.contacts, &wishes->contacts,
                      &wishes->contact_count) &&
           (cert_options.eab_key == NULL || read_eab(&cert->arena, wishes));
}

static bool account_exists(struct cert *cert) {
    struct account_file account;
    struct status status = account_file_read(cert->vault, cert_options.directory,
                                             &cert->arena, &account);
    if (status_ok(status)) {
        account_file_release(&account);
        return true;
    }
    cli_fail_status(status, "%s: no account of %s", cert_options.folder, cert_options.directory);
    return false;
}

static bool open_vault(struct cert *cert, bool make) {
    const char *folder = cert_options.folder;
    if (make && mkdir(folder, 0700) != 0 && errno != EEXIST) {
        cli_fail("%s can't be made: %s", folder, strerror(errno));
        return false;
    }
    struct status status = vault_folder_new(folder, &cert->vault);
    return status_ok(status) || (cli_fail_status(status, "%s", folder), false);
}

bool cert_open(struct cert *cert, bool make) {
    const struct http_client_config http = {.user_agent = "moiety-cert"};
    struct acme_client_config config = {
        .directory = cert_options.directory,
        .ca_file = cert_options.ca,
        .clock = &clock_system,
    };
    log_configure(LOG_WARN, LOG_TEXT, 2);
    cert->pair_path = arena_printf(&cert->arena, "%s/" CERT_PAIR, cert_options.folder);
    if (cert->pair_path == NULL || !open_vault(cert, make) || !read_wishes(cert, &config.account) ||
        (!make && !account_exists(cert))) {
        return false;
    }
    struct status status = http_client_new(&cert->http, &http);
    if (!status_ok(status)) {
        cli_fail_status(status, "the HTTP client can't start");
        return false;
    }
    config.http = cert->http;
    config.vault = cert->vault;
    cert->opened = true;
    return status_ok(acme_client_open(&cert->client, &config)) ||
           (cert_fail(cert, "no account"), false);
}

void cert_close(struct cert *cert) {
    if (cert->opened) {
        acme_client_close(&cert->client);
    }
    http_client_free(cert->http);
    vault_free(cert->vault);
    arena_release(&cert->arena);
}

bool cert_read_pair(const struct cert *cert, struct pair *pair) {
    struct status status = pair_load(cert->vault, CERT_PAIR, pair, NULL);
    return status_ok(status) || (cli_fail_status(status, "%s", cert->pair_path), false);
}

int cert_fail(const struct cert *cert, const char *what) {
    const struct session_failure *failure = &cert->client.session.failure;
    cli_fail("%s: %s", what, failure->text[0] != '\0' ? failure->text : "out of memory, or a file");
    if (failure->retry_after_s > 0) {
        cli_warn("the CA asks to try again in %llu seconds",
                 (unsigned long long)failure->retry_after_s);
        return EXIT_NOT_YET;
    }
    return EXIT_FAILURE;
}
