/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/client.h"

#include "acme/certificate.h"
#include "base/log.h"

/* ---- Opening ---- */

/* Finds out whether the server took the staged key before the crash: it knows an
 * account by it, or not. */
static struct status finish_key_change(struct acme_client *client) {
    const struct account_wishes existing = {.existing_only = true};
    EVP_PKEY *staged = NULL;
    TRY(account_file_staged(&client->account, &staged));
    if (staged == NULL) {
        return OK;
    }
    const char *url = client->session.account_url;
    client->session.config.account_key = staged;
    struct status status = account_register(&client->session, &existing);
    if (status_ok(status)) {
        log_event(LOG_INFO, "finished an account's key change that was broken off");
        return account_file_commit(&client->account, staged);
    }
    EVP_PKEY_free(staged);
    client->session.config.account_key = client->account.key;
    client->session.account_url = url;
    /* The server doesn't know it: the old key is still the account's. */
    return client->session.failure.http >= 400 && client->session.failure.http < 500 ? OK : status;
}

static struct status register_account(struct acme_client *client,
                                      const struct acme_client_config *config) {
    TRY(account_register(&client->session, &config->account));
    client->account.url = client->session.account_url;
    log_event(LOG_INFO, "registered an ACME account", LOG_STRING("url", client->account.url));
    return account_file_write(&client->account);
}

static struct status find_account(struct acme_client *client,
                                  const struct acme_client_config *config) {
    struct status status = account_file_read(config->vault, config->directory, &client->arena,
                                             &client->account);
    client->account.lease = config->lease;
    if (status.code == STATUS_NOT_FOUND) {
        status = config->only_look ? OK
                                   : account_file_make(config->vault, config->lease,
                                                       config->directory, &client->arena,
                                                       &client->account);
    }
    return status_ok(status)
               ? OK
               : session_fail(&client->session, status.code, "%s: the ACME account's file: %s",
                              config->vault->place, status_text(status.code));
}

struct status acme_client_open(struct acme_client *client,
                               const struct acme_client_config *config) {
    *client = (struct acme_client){.vault = config->vault, .arena = ARENA_INIT};
    TRY(find_account(client, config));
    const struct session_config session = {
        .http = config->http,
        .directory = config->directory,
        .ca_file = config->ca_file,
        .account_key = client->account.key,
        .account_url = client->account.url,
        .clock = config->clock,
        .pause = config->pause,
        .pause_context = config->pause_context,
    };
    TRY(session_init(&client->session, &session));
    if (config->only_look) {
        return OK;
    }
    TRY(finish_key_change(client));
    return client->account.url != NULL ? OK : register_account(client, config);
}

void acme_client_close(struct acme_client *client) {
    session_release(&client->session);
    account_file_release(&client->account);
    arena_release(&client->arena);
}

/* ---- Certificates ---- */

static struct status save_pair(struct acme_client *client,
                               const struct acme_certificate *certificate, EVP_PKEY *key,
                               struct span chain) {
    struct secret pem = SECRET_INIT;
    struct status status = pair_write(key, chain, &pem);
    if (status_ok(status)) {
        status = vault_save(client->vault, certificate->name, secret_span(&pem),
                            certificate->lease);
    }
    secret_release(&pem);
    return status_ok(status)
               ? OK
               : session_fail(&client->session, status.code, "%s: %s: %s", client->vault->place,
                              certificate->name, status_text(status.code));
}

struct status acme_client_issue(struct acme_client *client,
                                const struct acme_certificate *certificate, const X509 *before) {
    struct arena arena = ARENA_INIT;
    EVP_PKEY *key = NULL;
    const char *replaces = NULL;
    struct span chain;
    TRY(key_new(certificate->key_kind, &key));
    if (before != NULL && session_url(&client->session, "renewalInfo") != NULL &&
        !status_ok(certificate_ari_id(before, &arena, &replaces))) {
        replaces = NULL; /* it has no name for the CA to know it by */
    }
    const struct order_wishes wishes = {
        .identifiers = certificate->identifiers,
        .identifier_count = certificate->identifier_count,
        .profile = certificate->profile,
        .replaces = replaces,
        .chain = certificate->chain,
        .key = key,
        .solver = certificate->solver,
    };
    struct status status = order_run(&client->session, &wishes, &arena, &chain);
    if (status_ok(status)) {
        status = save_pair(client, certificate, key, chain);
    }
    EVP_PKEY_free(key);
    arena_release(&arena);
    return status;
}

struct status acme_client_change_key(struct acme_client *client) {
    EVP_PKEY *key = NULL;
    TRY(key_new(KEY_P256, &key));
    struct status status = account_file_stage(&client->account, key);
    if (status_ok(status)) {
        status = account_change_key(&client->session, key);
    }
    if (status_ok(status)) {
        status = account_file_commit(&client->account, key);
    }
    if (!status_ok(status)) {
        client->session.config.account_key = client->account.key;
        EVP_PKEY_free(key);
    }
    return status;
}
