/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pki/tls.h"
#include "server.h"
#include "support/database.h"

static bool check_readable(const char *path) {
    if (path == NULL || access(path, R_OK) == 0) {
        return true;
    }
    fprintf(stderr, "%s: can't be read: %s\n", path, strerror(errno));
    return false;
}

static bool check_listener(const struct server_listener *listener) {
    const struct server_tls *tls = &listener->tls;
    struct tls_server *server;
    if (tls->certificate == NULL) {
        return true;
    }
    const struct tls_server_config config = {
        .certificate_file = tls->certificate,
        .key_file = tls->key,
        .client_ca_file = tls->client_ca,
        .client_auth = tls->client_ca == NULL ? TLS_CLIENT_NONE : TLS_CLIENT_OPTIONAL,
    };
    if (!status_ok(tls_server_new(&server, &config))) { /* the cause was logged */
        return false;
    }
    tls_server_free(server);
    return true;
}

/* A database that is not there yet is no mistake. */
static bool check_database(const struct server_config *config) {
    static const char scheme[] = "sqlite:";
    struct database_keys keys;
    struct store *store;
    const char *file = strncmp(config->database, scheme, strlen(scheme)) == 0
                           ? config->database + strlen(scheme)
                           : config->database;
    if (!status_ok(database_keys_read(config, &keys))) {
        return false;
    }
    database_keys_free(&keys);
    if (access(file, F_OK) != 0) {
        return true;
    }
    if (!status_ok(database_open(config, DATABASE_READ, &store))) {
        return false;
    }
    store_close(store);
    return true;
}

bool check_files(const struct server_config *config) {
    const struct server_listener *listeners = config->listen.items;
    bool good = check_database(config);
    for (size_t i = 0; i < config->listen.count; i++) {
        good = check_listener(&listeners[i]) && good;
    }
    good = check_listener(&config->admin) && good;
    good = check_readable(config->peers.ca) && good;
    good = check_readable(config->peers.certificate) && good;
    return check_readable(config->peers.key) && good;
}
