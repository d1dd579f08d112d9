/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "acme/client/renewer.h"
#include "base/log.h"
#include "server.h"

struct certificate {
    struct arena arena; /* of what the renewer borrows */
    struct moietyd *d;
    struct responder *responder;
    struct solver solver;
    struct acme_identifier *names;
    const char *path;
    struct renewer *renewer;
};

/* On the renewer's thread. */
static void renewed(void *context) {
    struct certificate *certificate = context;
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
    if (mkdir(folder, 0700) == 0 || errno == EEXIST) {
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
    if (wishes->eab_kid == NULL) {
        return OK;
    }
    struct status status =
        account_read_eab_key(config->acme.eab_key, &certificate->arena, &wishes->eab_key);
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "acme.eab_key can't be read",
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
                   .folder = config->acme.folder,
                   .clock = &clock_system},
        .certificate = {.path = certificate->path,
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
    return renewer_new(&certificate->renewer, &renewer);
}

static struct status fill(struct certificate *certificate) {
    const struct server_config *config = certificate->d->config;
    TRY(make_folder(config->acme.folder));
    TRY(read_names(certificate, &config->acme.names));
    TRY(responder_new(&certificate->responder));
    certificate->path = arena_printf(&certificate->arena, "%s/pair.pem", config->acme.folder);
    if (certificate->path == NULL) {
        return FAIL(NO_MEMORY);
    }
    certificate->solver = (struct solver){
        .types = {(enum challenge_type)(config->acme.challenge + 1)},
        .responder = certificate->responder,
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

const char *certificate_path(const struct certificate *certificate) { return certificate->path; }

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
    arena_release(&certificate->arena);
    free(certificate);
}
