/* SPDX-License-Identifier: Apache-2.0 */
#include "cert.h"

#include <stdlib.h>
#include <string.h>

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

static bool read_eab_key(struct arena *arena, struct span *key) {
    struct status status = account_read_eab_key(cert_options.eab_key, arena, key);
    return status_ok(status) || (cli_fail_status(status, "%s", cert_options.eab_key), false);
}

static bool read_wishes(struct cert *cert, struct account_wishes *wishes) {
    wishes->eab_kid = cert_options.eab_kid;
    if ((cert_options.eab_kid == NULL) != (cert_options.eab_key == NULL)) {
        cli_fail("--eab-kid and --eab-key go together");
        return false;
    }
    return cert_split(&cert->arena, cert_options.contacts, &wishes->contacts,
                      &wishes->contact_count) &&
           (wishes->eab_kid == NULL || read_eab_key(&cert->arena, &wishes->eab_key));
}

static bool account_exists(struct cert *cert) {
    struct account_file account;
    struct status status = account_file_read(cert_options.folder, cert_options.directory,
                                             &cert->arena, &account);
    if (status_ok(status)) {
        account_file_release(&account);
        return true;
    }
    cli_fail_status(status, "%s: no account of %s", cert_options.folder, cert_options.directory);
    return false;
}

bool cert_open(struct cert *cert, bool make) {
    const struct http_client_config http = {.user_agent = "moiety-cert"};
    struct acme_client_config config = {
        .directory = cert_options.directory,
        .ca_file = cert_options.ca,
        .folder = cert_options.folder,
        .clock = &clock_system,
    };
    log_configure(LOG_WARN, LOG_TEXT, 2);
    cert->pair_path = arena_printf(&cert->arena, "%s/pair.pem", cert_options.folder);
    if (cert->pair_path == NULL || !read_wishes(cert, &config.account) ||
        (!make && !account_exists(cert))) {
        return false;
    }
    struct status status = http_client_new(&cert->http, &http);
    if (!status_ok(status)) {
        cli_fail_status(status, "the HTTP client can't start");
        return false;
    }
    config.http = cert->http;
    cert->opened = true;
    return status_ok(acme_client_open(&cert->client, &config)) ||
           (cert_fail(cert, "no account"), false);
}

void cert_close(struct cert *cert) {
    if (cert->opened) {
        acme_client_close(&cert->client);
    }
    http_client_free(cert->http);
    arena_release(&cert->arena);
}

bool cert_read_pair(const struct cert *cert, struct pair *pair) {
    struct status status = pair_read(cert->pair_path, pair);
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
