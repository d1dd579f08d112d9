/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "acme/client/renewer.h"
#include "base/file.h"
#include "base/log.h"
#include "server.h"

struct certificate {
    struct arena arena; /* of what the renewer borrows */
    struct moietyd *d;
    struct responder *responder;
    struct solver solver;
    struct acme_identifier *names;
    struct vault *vault;
    const char *copy; /* a file for what reads files; NULL: none */
    struct renewer *renewer;
    struct tls_source source;
};

static const char pair_name[] = "pair.pem";

/* A failure leaves the copy of before, which whoever reads it will find out of date. */
static void write_copy(const struct certificate *certificate) {
    struct secret pem = SECRET_INIT;
    if (certificate->copy == NULL) {
        return;
    }
    struct status status = certificate->source.read(certificate->source.context, &pem);
    if (status_ok(status)) {
        status = file_replace(certificate->copy, secret_span(&pem), 0600);
    }
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "the certificate's copy can't be written",
                  LOG_STRING("file", certificate->copy),
                  LOG_STRING("reason", status_text(status.code)));
    }
    secret_release(&pem);
}

/* On the renewer's thread. */
static void renewed(void *context) {
    struct certificate *certificate = context;
    write_copy(certificate);
    moietyd_reload(certificate->d);
}

static struct status read_names(struct certificate *certificate,
                                const struct schema_strings *names) {
    certificate->names =
        ARENA_ARRAY(&certificate->arena, struct acme_identifier, names->count);
    if (certificate->names == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < names->count; i++) {
        struct status status = identifier_parse(names->items[i], &certificate->arena,
                                                &certificate->names[i]);
        if (!status_ok(status)) {
            log_event(LOG_ERROR, "acme.names: neither a DNS name nor an address",
                      LOG_STRING("name", names->items[i]));
            return status.code == STATUS_NO_MEMORY ? status : FAIL(INVALID_CONFIG);
        }
    }
    return OK;
}

static struct status make_folder(const char *folder) {
    if (folder == NULL || mkdir(folder, 0700) == 0 || errno == EEXIST) {
        return OK;
    }
    log_event(LOG_ERROR, "acme.folder can't be made", LOG_STRING("folder", folder),
              LOG_STRING("reason", strerror(errno)));
    return FAIL(IO);
}

static struct status read_account(struct certificate *certificate,
                                  const struct server_config *config,
                                  struct account_wishes *wishes) {
    wishes->contacts = config->acme.contacts.items;
    wishes->contact_count = config->acme.contacts.count;
    wishes->eab_kid = config->acme.eab_kid;
    if (config->acme.eab_key == NULL) {
        return OK;
    }
    struct status status = account_read_eab(config->acme.eab_key, &certificate->arena,
                                            &wishes->eab_kid, &wishes->eab_key);
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "acme.eab_key can't be read, or has no name and there is no eab_kid",
                  LOG_STRING("file", config->acme.eab_key),
                  LOG_STRING("reason", status_text(status.code)));
    }
    return status;
}

static struct status make_renewer(struct certificate *certificate) {
    const struct server_config *config = certificate->d->config;
    struct renewer_config renewer = {
        .client = {.directory = config->acme.directory,
                   .ca_file = config->acme.ca,
                   .vault = certificate->vault,
                   .clock = &clock_system},
        .certificate = {.name = pair_name,
                        .identifiers = certificate->names,
                        .identifier_count = config->acme.names.count,
                        .profile = config->acme.profile,
                        .chain = config->acme.chain,
                        .key_kind = config->acme.key_kind == 0 ? KEY_P256 : KEY_P384,
                        .solver = &certificate->solver},
        .metrics = certificate->d->metrics,
        .renewed = renewed,
        .context = certificate,
    };
    TRY(read_account(certificate, config, &renewer.client.account));
    TRY(renewer_new(&certificate->renewer, &renewer));
    certificate->source = renewer_source(certificate->renewer);
    write_copy(certificate);
    return OK;
}

static struct status make_vault(struct certificate *certificate) {
    const struct server_config *config = certificate->d->config;
    TRY(make_folder(config->acme.folder));
    if (config->acme.keep == SERVER_ACME_FOLDER) {
        return vault_folder_new(config->acme.folder, &certificate->vault);
    }
    if (config->acme.folder != NULL) {
        certificate->copy =
            arena_printf(&certificate->arena, "%s/%s", config->acme.folder, pair_name);
        TRY(certificate->copy == NULL ? FAIL(NO_MEMORY) : OK);
    }
    return vault_store_new(certificate->d->store, &clock_system,
                           (int64_t)config->aggregator.lease, &certificate->vault);
}

static struct status fill(struct certificate *certificate) {
    const struct server_config *config = certificate->d->config;
    TRY(make_vault(certificate));
    TRY(read_names(certificate, &config->acme.names));
    TRY(responder_new(&certificate->responder));
    certificate->solver = (struct solver){
        .types = {(enum challenge_type)(config->acme.challenge + 1)},
        .responder = certificate->responder,
        .vault = certificate->vault,
        .clock = &clock_system,
        .hook = config->acme.hook,
    };
    return make_renewer(certificate);
}

struct status certificate_make(struct moietyd *d) {
    if (!server_config_uses_acme(d->config)) {
        return OK;
    }
    struct certificate *certificate = calloc(1, sizeof(*certificate));
    if (certificate == NULL) {
        return FAIL(NO_MEMORY);
    }
    certificate->d = d;
    struct status status = fill(certificate);
    if (!status_ok(status)) {
        certificate_free(certificate);
        return status;
    }
    d->certificate = certificate;
    return OK;
}

const struct tls_source *certificate_source(const struct certificate *certificate) {
    return &certificate->source;
}

struct status certificate_mount(struct certificate *certificate, struct router *router) {
    return responder_mount(certificate->responder, router);
}

void certificate_serve(struct certificate *certificate, struct http_server *server) {
    const struct tls_challenges challenges = responder_challenges(certificate->responder);
    tls_server_set_challenges(http_server_tls(server), &challenges);
}

struct status certificate_start(struct certificate *certificate) {
    return renewer_start(certificate->renewer);
}

void certificate_stop(struct certificate *certificate) {
    if (certificate != NULL) {
        renewer_stop(certificate->renewer);
    }
}

void certificate_free(struct certificate *certificate) {
    if (certificate == NULL) {
        return;
    }
    renewer_free(certificate->renewer);
    responder_free(certificate->responder);
    vault_free(certificate->vault);
    arena_release(&certificate->arena);
    free(certificate);
}
