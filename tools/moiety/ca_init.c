/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "acme/ca/hierarchy.h"
#include "acme/ca/log.h"
#include "acme/ca/token.h"
#include "acme/certificate.h"
#include "base/clock.h"
#include "base/file.h"
#include "ca_config.h"
#include "ca_eab.h"
#include "wire/base64url.h"

static const char *ca_name = "Moiety";
static const char *listen_address = "127.0.0.1:14000";
static const char *url, *server_name = "localhost", *allowed, *pkcs11, *pin_file;

static const struct option_spec options[] = {
    {"name", OPTION_STRING, &ca_name, "NAME", "what the certificates call the CA; default Moiety",
     NULL},
    {"listen", OPTION_STRING, &listen_address, "ADDRESS",
     "numeric address and port; default 127.0.0.1:14000", NULL},
    {"server-name", OPTION_STRING, &server_name, "NAME",
     "name or address of the CA's server; default localhost", NULL},
    {"url", OPTION_STRING, &url, "URL",
     "where clients find it; default https://SERVER-NAME:PORT", NULL},
    {"allow", OPTION_STRING, &allowed, "DOMAIN", "issue for this domain alone, and all below it",
     NULL},
    {"pkcs11", OPTION_STRING, &pkcs11, "URI",
     "the issuing key is this one (P-256) in a token, made before; docs/ca.md", NULL},
    {"pin-file", OPTION_STRING, &pin_file, "FILE", "whose first line is the token's PIN", NULL},
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "moiety ca init",
    .arguments = "[options] FOLDER",
    .summary = "Makes a certificate authority: hierarchy, configuration, first account keys.",
    .help = "FOLDER gets ca.yaml, the certificates root.pem and issuing.pem with their keys,\n"
            "the log's key, the passphrase of all, the database, and a file with an external\n"
            "account key for each profile. Nothing is overwritten. Move root.key and a copy of\n"
            "the passphrase to where no network reaches: they are needed to make the next\n"
            "issuing certificate, and for nothing else.\n",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
};

struct making {
    struct arena arena;
    const char *folder;
    struct buffer text;
    char passphrase[64];
    EVP_PKEY *token_key; /* public; NULL: the issuing key is to be made */
};

static bool write_file(struct making *m, const char *name, struct span content, unsigned mode) {
    const char *path = arena_printf(&m->arena, "%s/%s", m->folder, name);
    struct status status =
        path == NULL ? FAIL(NO_MEMORY) : file_create(path, content, mode);
    if (status.code == STATUS_CONFLICT) {
        cli_fail("%s exists already", path);
    } else if (!status_ok(status)) {
        cli_fail_status(status, "%s", path);
    }
    return status_ok(status);
}

static bool write_key(struct making *m, const char *name, EVP_PKEY *key) {
    struct buffer pem = BUFFER_INIT;
    struct status status = ca_key_write(key, span_of_string(m->passphrase), &pem);
    bool written = status_ok(status) ? write_file(m, name, buffer_span(&pem), 0600)
                                     : (cli_fail_status(status, "%s", name), false);
    buffer_release(&pem);
    return written;
}

static bool write_certificate(struct making *m, const char *name, X509 *certificate) {
    struct buffer pem = BUFFER_INIT;
    bool written = status_ok(certificate_write(certificate, &pem)) &&
                   write_file(m, name, buffer_span(&pem), 0644);
    buffer_release(&pem);
    return written;
}

/* The key in the token, and proof that it can sign. */
static struct status token_key(EVP_PKEY **out) {
    const struct ca_token_config config = {.uri = pkcs11, .pin_file = pin_file};
    const uint8_t digest[CA_TOKEN_DIGEST_SIZE] = {0};
    uint8_t signature[CA_TOKEN_SIGNATURE_SIZE];
    struct ca_token *token;
    TRY(ca_token_open(&config, &token));
    struct status status = ca_token_sign(token, digest, signature);
    if (status_ok(status)) {
        status = ca_token_public_key(token, out);
    }
    ca_token_close(token);
    return status;
}

static struct status make_issuing(const struct making *m, const char *name, int64_t now,
                                  EVP_PKEY *root_key, X509 *root, EVP_PKEY **key,
                                  X509 **certificate) {
    return m->token_key == NULL
               ? ca_issuing_make(name, now, root_key, root, key, certificate)
               : ca_issuing_certify(name, now, root_key, root, m->token_key, certificate);
}

static bool make_passphrase(struct making *m) {
    enum { PASSPHRASE_SIZE = 32 };
    uint8_t random[PASSPHRASE_SIZE];
    if (RAND_bytes(random, sizeof random) != 1) {
        return cli_fail("no random numbers"), false;
    }
    base64url_encode(m->passphrase, SPAN_OF_ARRAY(random));
    strcat(m->passphrase, "\n");
    bool written = write_file(m, "passphrase", span_of_string(m->passphrase), 0600);
    m->passphrase[strlen(m->passphrase) - 1] = '\0';
    return written;
}

static bool make_hierarchy(struct making *m) {
    int64_t now = (int64_t)clock_now_s(&clock_system);
    const char *root_name = arena_printf(&m->arena, "%s Root", ca_name);
    const char *issuing_name = arena_printf(&m->arena, "%s Issuing 1", ca_name);
    EVP_PKEY *root_key = NULL;
    EVP_PKEY *issuing_key = NULL;
    EVP_PKEY *log_key = NULL;
    X509 *root = NULL;
    X509 *issuing = NULL;
    struct status status = root_name == NULL || issuing_name == NULL ? FAIL(NO_MEMORY) : OK;
    TRY_GOTO(status, status, exit);
    TRY_GOTO(status, ca_root_make(root_name, now, &root_key, &root), exit);
    TRY_GOTO(status, make_issuing(m, issuing_name, now, root_key, root, &issuing_key, &issuing),
             exit);
    TRY_GOTO(status, ca_log_key_make(&log_key), exit);
    if (!write_key(m, "root.key", root_key) ||
        (issuing_key != NULL && !write_key(m, "issuing.key", issuing_key)) ||
        !write_key(m, "log.key", log_key) || !write_certificate(m, "root.pem", root) ||
        !write_certificate(m, "issuing.pem", issuing)) {
        status = FAIL(IO);
    }
exit:
    if (!status_ok(status) && status.code != STATUS_IO) {
        cli_fail_status(status, "the hierarchy can't be made");
    }
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(issuing_key);
    EVP_PKEY_free(log_key);
    X509_free(root);
    X509_free(issuing);
    return status_ok(status);
}

/* Where the issuing key is, as ca.yaml has it. */
static const char *key_lines(struct making *m) {
    if (pkcs11 == NULL) {
        return "    key: issuing.key\n";
    }
    const char *key = arena_printf(&m->arena, "    pkcs11: \"%s\"\n", pkcs11);
    char *pin = pin_file == NULL ? NULL : realpath(pin_file, NULL);
    if (key != NULL && pin != NULL) {
        key = arena_printf(&m->arena, "%s    pin: \"%s\"\n", key, pin);
    }
    free(pin);
    return key;
}

/* The CA's own server has to be allowed as well. */
static struct status add_allowed(struct making *m) {
    const struct ca_policy policy = {.domains = &allowed, .domain_count = 1};
    struct acme_identifier server;
    if (allowed == NULL) {
        return OK;
    }
    TRY(identifier_parse(server_name, &m->arena, &server));
    if (ca_policy_allows(&policy, &server)) {
        return buffer_printf(&m->text, "allow:\n  domains: [%s]\n", allowed);
    }
    return buffer_printf(&m->text,
                         server.type == IDENTIFIER_IP
                             ? "allow:\n  domains: [%s]\n  networks: [\"%s\"]\n"
                             : "allow:\n  domains: [%s, %s]\n",
                         allowed, server_name);
}

static bool write_config(struct making *m) {
    const char *key = key_lines(m);
    const char *port = strrchr(listen_address, ':');
    const char *base =
        url != NULL ? url
                    : arena_printf(&m->arena, "https://%s%s", server_name, port == NULL ? "" : port);
    if (base == NULL || key == NULL ||
        !status_ok(buffer_printf(
            &m->text,
            "# The CA's configuration; docs/ca.md tells of it.\n"
            "url: %s\n"
            "database: ca.db\n"
            "passphrase: passphrase\n"
            "listen:\n"
            "  - address: \"%s\"\n"
            "names: [%s]\n"
            "issuers:\n"
            "  - certificate: issuing.pem\n"
            "%s"
            "    chains: [root.pem]\n"
            "profiles:\n",
            base, listen_address, server_name, key))) {
        return false;
    }
    for (size_t i = 0; i < CA_ROLE_COUNT; i++) {
        const struct ca_profile *profile = &ca_profiles_default[i];
        if (!status_ok(buffer_printf(&m->text, "  - {name: %s, role: %s, lifetime: %uh}\n",
                                     profile->name, ca_role_name(profile->role),
                                     (unsigned)(profile->lifetime_s / CA_HOUR)))) {
            return false;
        }
    }
    return status_ok(buffer_printf(&m->text, "log:\n  key: log.key\n  origin: %s/log\n",
                                   server_name)) &&
           status_ok(add_allowed(m)) &&
           write_file(m, "ca.yaml", buffer_span(&m->text), 0644);
}

/* One for each profile, in a file that goes to whoever has that role. */
static bool make_account_keys(struct making *m) {
    const char *path = arena_printf(&m->arena, "%s/ca.yaml", m->folder);
    struct ca_config config;
    struct ca_db *db;
    if (path == NULL || !ca_config_open(path, &m->arena, &config, &db)) {
        return false;
    }
    bool made = true;
    for (size_t i = 0; made && i < config.options.profile_count; i++) {
        struct buffer text = BUFFER_INIT;
        const char *name = config.options.profiles[i].name;
        const char *file = arena_printf(&m->arena, "%s.eab", name);
        made = file != NULL && ca_eab_make(db, name, &text) &&
               write_file(m, file, buffer_span(&text), 0600);
        buffer_release(&text);
    }
    ca_db_close(db);
    return made;
}

int ca_init_main(int argc, char **argv) {
    int result;
    struct making m = {.arena = ARENA_INIT, .text = BUFFER_INIT};
    if (!cli_options(&command, &argc, argv, &result)) {
        return result;
    }
    if (pkcs11 != NULL && !status_ok(token_key(&m.token_key))) {
        return EXIT_FAILURE; /* the cause was said, and nothing was made */
    }
    m.folder = argv[0];
    if (mkdir(m.folder, 0700) != 0 && errno != EEXIST) {
        EVP_PKEY_free(m.token_key);
        return cli_fail("%s can't be made: %s", m.folder, strerror(errno));
    }
    bool made = make_passphrase(&m) && make_hierarchy(&m) && write_config(&m) &&
                make_account_keys(&m);
    if (made) {
        printf("%s/ca.yaml\nput %s/root.key away; give %s/root.pem to all who are to trust it\n"
               "start it with: moiety ca serve --config %s/ca.yaml\n",
               m.folder, m.folder, m.folder, m.folder);
    }
    secret_wipe(m.passphrase, sizeof m.passphrase);
    EVP_PKEY_free(m.token_key);
    buffer_release(&m.text);
    arena_release(&m.arena);
    return made ? EXIT_SUCCESS : EXIT_FAILURE;
}
