/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_CLIENT_H
#define MOIETY_ACME_CLIENT_CLIENT_H

#include "acme/client/account.h"
#include "acme/client/account_file.h"
#include "acme/client/order.h"
#include "acme/client/pair.h"

/*
 * An ACME server and an account with it that is kept in a vault: what one needs
 * to get certificates. Everything in the config must outlive the client. Not
 * thread-safe.
 */
struct acme_client_config {
    struct http_client *http;
    const char *directory;
    const char *ca_file; /* NULL: the system's */
    struct vault *vault; /* of the account's file */
    const struct vault_lease *lease; /* that changes to it need; NULL: none */
    /* Changes nothing: an account isn't made, and without one only what anybody may
     * ask can be asked. */
    bool only_look;
    struct account_wishes account;
    const struct clock *clock;
    bool (*pause)(void *context, uint64_t ms); /* as in struct session_config */
    void *pause_context;
};

struct acme_client {
    struct vault *vault;
    struct session session;
    struct account_file account;
    struct arena arena;
};

/* Reads the account, or makes and registers one; a key change that a crash broke
 * off is brought to its end. client->session.failure tells more of a failure. */
struct status acme_client_open(struct acme_client *client,
                               const struct acme_client_config *config);
/* Also after a failure to open. */
void acme_client_close(struct acme_client *client);

/* What a certificate is to be. */
struct acme_certificate {
    const char *name; /* of its pair in the vault */
    const struct vault_lease *lease; /* on that, held by who replaces it */
    const struct acme_identifier *identifiers;
    size_t identifier_count;
    const char *profile;
    const char *chain;
    enum key_kind key_kind;
    const struct solver *solver;
};

/* Gets a new certificate with a new key, and puts the pair in its place; `before`, if
 * not NULL, is what it replaces. On failure the file is as it was; LEASE_LOST if another
 * process has taken over meanwhile. */
struct status acme_client_issue(struct acme_client *client,
                                const struct acme_certificate *certificate, const X509 *before);

/* Gives the account a new key. */
struct status acme_client_change_key(struct acme_client *client);

#endif
