/* SPDX-License-Identifier: Apache-2.0 */
#include "ca_config.h"

#include <stdio.h>
#include <string.h>

#define AT(member) offsetof(struct ca_config, member)
#define LISTENER(member) offsetof(struct ca_listener, member)
#define ISSUER(member) offsetof(struct ca_issuer_config, member)
#define PROFILE(member) offsetof(struct ca_profile_config, member)
#define SECONDS UINT64_C(1000000)
#define HOURS (3600 * SECONDS)
#define DAYS (24 * HOURS)

static const char *const role_words[] = {"aggregator", "collector", "client", "web", NULL};
static const char *const level_words[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const format_words[] = {"text", "json", NULL};

static const struct schema_field listener_fields[] = {
    {.name = "address", .kind = SCHEMA_STRING, .offset = LISTENER(address), .required = true,
     .example = "127.0.0.1:14000", .doc = "A numeric address and a port."},
    {.name = "plain_http", .kind = SCHEMA_BOOL, .offset = LISTENER(plain_http),
     .initial = "false", .doc = "Without TLS: for CRLs, issuers and the log, or behind a proxy."},
    {.name = "certificate", .kind = SCHEMA_PATH, .offset = LISTENER(certificate),
     .example = "server.pem", .doc = "A certificate chain (PEM) instead of the CA's own."},
    {.name = "key", .kind = SCHEMA_PATH, .offset = LISTENER(key), .example = "server.key",
     .doc = "Its private key (PEM)."},
    {.name = "line", .kind = SCHEMA_LINE, .offset = LISTENER(line)},
    {.name = NULL},
};

static const struct schema_field issuer_fields[] = {
    {.name = "certificate", .kind = SCHEMA_PATH, .offset = ISSUER(certificate), .required = true,
     .example = "issuing.pem", .doc = "The issuing certificate (PEM)."},
    {.name = "key", .kind = SCHEMA_PATH, .offset = ISSUER(key),
     .example = "issuing.key", .doc = "Its private key, which the signer alone reads."},
    {.name = "pkcs11", .kind = SCHEMA_STRING, .offset = ISSUER(pkcs11),
     .example = "\"pkcs11:token=ca;object=issuing?module-path=/usr/lib/hsm.so\"",
     .doc = "Instead of `key`: a key in a PKCS#11 token (RFC 7512)."},
    {.name = "pin", .kind = SCHEMA_PATH, .offset = ISSUER(pin), .example = "pin",
     .doc = "The file whose first line is the token's PIN."},
    {.name = "chains", .kind = SCHEMA_PATHS, .offset = ISSUER(chains), .required = true,
     .example = "[root.pem]",
     .doc = "What leads up from it, a file for each way (PEM). The first is the\n"
            "default, the others are offered as alternates; one that begins with a\n"
            "cross-signed issuing certificate puts that in its place."},
    {.name = NULL},
};

static const struct schema_field profile_fields[] = {
    {.name = "name", .kind = SCHEMA_STRING, .offset = PROFILE(name), .required = true,
     .example = "aggregator", .doc = "What clients ask for."},
    {.name = "role", .kind = SCHEMA_CHOICE, .offset = PROFILE(role), .required = true,
     .choices = role_words, .example = "aggregator",
     .doc = "aggregator: server and client authentication; web: server; collector\n"
            "and client: client."},
    {.name = "lifetime", .kind = SCHEMA_DURATION, .offset = PROFILE(lifetime), .required = true,
     .min = CA_LIFETIME_MIN * SECONDS, .max = 90 * DAYS, .example = "45d",
     .doc = "How long its certificates live, first and last second counted: 24h,\n"
            "160h, 45d, 90d."},
    {.name = NULL},
};

static const struct schema_field log_fields[] = {
    {.name = "key", .kind = SCHEMA_PATH, .offset = AT(log.key) - AT(log), .required = true,
     .example = "log.key", .doc = "The Ed25519 key that signs checkpoints."},
    {.name = "origin", .kind = SCHEMA_STRING, .offset = AT(log.origin) - AT(log),
     .required = true, .example = "ca.example/log", .doc = "The log's name. Never change it."},
    {.name = NULL},
};

static const struct schema_field allow_fields[] = {
    {.name = "domains", .kind = SCHEMA_STRINGS, .offset = AT(allow.domains) - AT(allow),
     .example = "[example]", .doc = "Names, and all below them."},
    {.name = "networks", .kind = SCHEMA_STRINGS, .offset = AT(allow.networks) - AT(allow),
     .example = "[10.0.0.0/8]", .doc = "Addresses."},
    {.name = NULL},
};

static const struct schema_field crl_fields[] = {
    {.name = "shards", .kind = SCHEMA_INTEGER, .offset = AT(crl.shards) - AT(crl),
     .initial = "4", .min = 1, .max = 128,
     .doc = "Parts of each issuer's CRL. Certificates say in which they are, so\n"
            "never make it fewer while any live."},
    {.name = "lifetime", .kind = SCHEMA_DURATION, .offset = AT(crl.lifetime) - AT(crl),
     .initial = "7d", .min = HOURS, .max = 30 * DAYS,
     .doc = "Made anew after a third of it, and within seconds of a revocation."},
    {.name = NULL},
};

static const struct schema_field lifetime_fields[] = {
    {.name = "order", .kind = SCHEMA_DURATION, .offset = AT(lifetime.order) - AT(lifetime),
     .initial = "7d", .min = 60 * SECONDS, .max = 30 * DAYS, .doc = "Of an order."},
    {.name = "authorization", .kind = SCHEMA_DURATION,
     .offset = AT(lifetime.authorization) - AT(lifetime), .initial = "8h", .max = 30 * DAYS,
     .doc = "For how long a proof of a name may be used again; 0: for one order."},
    {.name = NULL},
};

static const struct schema_field validation_fields[] = {
    {.name = "http_port", .kind = SCHEMA_INTEGER,
     .offset = AT(validation.http_port) - AT(validation), .initial = "80", .min = 1, .max = 65535,
     .doc = "Where http-01 is answered."},
    {.name = "tls_port", .kind = SCHEMA_INTEGER,
     .offset = AT(validation.tls_port) - AT(validation), .initial = "443", .min = 1, .max = 65535,
     .doc = "Where tls-alpn-01 is answered."},
    {.name = "timeout", .kind = SCHEMA_DURATION, .offset = AT(validation.timeout) - AT(validation),
     .initial = "10s", .min = SECONDS / 10, .max = 60 * SECONDS, .doc = "Of one validation."},
    {.name = "workers", .kind = SCHEMA_INTEGER, .offset = AT(validation.workers) - AT(validation),
     .initial = "32", .min = 1, .max = 256, .doc = "Validations at a time."},
    {.name = "resolvers", .kind = SCHEMA_STRINGS,
     .offset = AT(validation.resolvers) - AT(validation), .example = "[\"127.0.0.1:53\"]",
     .doc = "DNS servers, as addresses with ports; left out: the system's, and\n"
            "its hosts file."},
    {.name = "caa", .kind = SCHEMA_STRINGS, .offset = AT(validation.caa) - AT(validation),
     .example = "[ca.example]",
     .doc = "What this CA is called in CAA and dns-persist-01 records; left out:\n"
            "CAA is not looked at, and dns-persist-01 not offered."},
    {.name = NULL},
};

static const struct schema_field limits_fields[] = {
    {.name = "account_burst", .kind = SCHEMA_INTEGER,
     .offset = AT(limits.account_burst) - AT(limits), .initial = "300", .max = 1000000,
     .doc = "Orders that an account may place at once; 0: no limit."},
    {.name = "account_refill", .kind = SCHEMA_DURATION,
     .offset = AT(limits.account_refill) - AT(limits), .initial = "36s", .min = 1000,
     .max = DAYS, .doc = "Until it may place another one."},
    {.name = "name_burst", .kind = SCHEMA_INTEGER, .offset = AT(limits.name_burst) - AT(limits),
     .initial = "50", .max = 1000000, .doc = "Orders for one name at once; 0: no limit."},
    {.name = "name_refill", .kind = SCHEMA_DURATION,
     .offset = AT(limits.name_refill) - AT(limits), .initial = "1h", .min = 1000, .max = 7 * DAYS,
     .doc = "Until there may be another one."},
    {.name = NULL},
};

static const struct schema_field logging_fields[] = {
    {.name = "level", .kind = SCHEMA_CHOICE, .offset = AT(logging.level) - AT(logging),
     .initial = "info", .choices = level_words, .doc = "What is logged."},
    {.name = "format", .kind = SCHEMA_CHOICE, .offset = AT(logging.format) - AT(logging),
     .initial = "text", .choices = format_words, .doc = "How."},
    {.name = NULL},
};

static const struct schema_field fields[] = {
    {.name = "url", .kind = SCHEMA_STRING, .offset = AT(url), .required = true,
     .example = "https://ca.example:14000", .doc = "Where clients find the CA."},
    {.name = "public_url", .kind = SCHEMA_STRING, .offset = AT(public_url),
     .example = "http://ca.example:14080",
     .doc = "Where certificates say that CRLs and issuers are; left out: url."},
    {.name = "database", .kind = SCHEMA_STRING, .offset = AT(database), .required = true,
     .example = "ca.db",
     .doc = "A SQLite file, made at the first start, or postgresql://USER@HOST/NAME?...,\n"
            "a database of the CA's own that is there."},
    {.name = "passphrase", .kind = SCHEMA_PATH, .offset = AT(passphrase),
     .example = "passphrase", .doc = "The file with the keys' passphrase."},
    {.name = "listen", .kind = SCHEMA_SECTIONS, .offset = AT(listen), .required = true,
     .fields = listener_fields, .size = sizeof(struct ca_listener), .doc = "Where it listens."},
    {.name = "names", .kind = SCHEMA_STRINGS, .offset = AT(names), .example = "[ca.example]",
     .doc = "Names of the certificate that the CA issues to itself, by the first\n"
            "profile of role web."},
    {.name = "server_folder", .kind = SCHEMA_PATH, .offset = AT(server_folder),
     .initial = ".", .doc = "Where it keeps that, as server.pem and server.key."},
    {.name = "issuers", .kind = SCHEMA_SECTIONS, .offset = AT(issuers), .required = true,
     .fields = issuer_fields, .size = sizeof(struct ca_issuer_config),
     .doc = "Issuing certificates: the first one issues, the CRLs of all are kept."},
    {.name = "profiles", .kind = SCHEMA_SECTIONS, .offset = AT(profiles),
     .fields = profile_fields, .size = sizeof(struct ca_profile_config),
     .doc = "What it issues; left out: a profile for each role."},
    {.name = "log", .kind = SCHEMA_SECTION, .offset = AT(log), .required = true,
     .fields = log_fields, .doc = "The log of everything issued."},
    {.name = "allow", .kind = SCHEMA_SECTION, .offset = AT(allow), .fields = allow_fields,
     .doc = "What it issues for; left out: every name and address."},
    {.name = "external_account_required", .kind = SCHEMA_BOOL,
     .offset = AT(external_account_required), .initial = "true",
     .doc = "Whether an account needs a key from `moiety ca eab-add`."},
    {.name = "terms_of_service", .kind = SCHEMA_STRING, .offset = AT(terms_of_service),
     .example = "https://ca.example/terms", .doc = "What accounts must agree to."},
    {.name = "ocsp", .kind = SCHEMA_BOOL, .offset = AT(ocsp), .initial = "false",
     .doc = "Answer OCSP, and say so in certificates; must-staple needs it. Who\n"
            "can read CRLs needs no OCSP."},
    {.name = "crl", .kind = SCHEMA_SECTION, .offset = AT(crl), .fields = crl_fields,
     .doc = "Revocation lists."},
    {.name = "lifetime", .kind = SCHEMA_SECTION, .offset = AT(lifetime),
     .fields = lifetime_fields, .doc = "How long things last."},
    {.name = "validation", .kind = SCHEMA_SECTION, .offset = AT(validation),
     .fields = validation_fields, .doc = "How names are proved."},
    {.name = "limits", .kind = SCHEMA_SECTION, .offset = AT(limits), .fields = limits_fields,
     .doc = "Rate limits."},
    {.name = "workers", .kind = SCHEMA_INTEGER, .offset = AT(workers), .initial = "0",
     .max = 256, .doc = "Threads for requests; 0: one for each processor, at least 4."},
    {.name = "logging", .kind = SCHEMA_SECTION, .offset = AT(logging), .fields = logging_fields,
     .doc = "What is written to standard error."},
    {.name = NULL},
};

/* ---- From the file's form to the CA's ---- */

struct checker {
    const char *path;
    struct arena *arena;
    struct buffer *errors;
    struct ca_config *config;
};

static bool complain(struct checker *c, size_t line, const char *what) {
    schema_complain(c->errors, c->path, line, "%s", what);
    return false;
}

static bool take_profiles(struct checker *c) {
    struct ca_options *o = &c->config->options;
    const struct ca_profile_config *from = c->config->profiles.items;
    size_t count = c->config->profiles.count;
    struct ca_profile *profiles = ARENA_ARRAY(c->arena, struct ca_profile, count + 1);
    o->profiles = ca_profiles_default;
    o->profile_count = CA_ROLE_COUNT;
    if (count == 0) {
        return true;
    }
    if (profiles == NULL || count > CA_PROFILES_MAX) {
        return complain(c, 1, "there are too many profiles");
    }
    for (size_t i = 0; i < count; i++) {
        profiles[i] = (struct ca_profile){from[i].name, (enum ca_role)from[i].role,
                                          (uint32_t)(from[i].lifetime / SECONDS)};
        if (ca_profile_find(profiles, i, from[i].name) != NULL ||
            strpbrk(from[i].name, " \"\\") != NULL) {
            return complain(c, 1, "profiles need different names, of one word each");
        }
    }
    o->profiles = profiles;
    o->profile_count = count;
    return true;
}

static bool take_policy(struct checker *c) {
    struct ca_policy *policy = &c->config->options.policy;
    const struct schema_strings *domains = &c->config->allow.domains;
    const struct schema_strings *networks = &c->config->allow.networks;
    struct ca_network *parsed = ARENA_ARRAY(c->arena, struct ca_network, networks->count + 1);
    *policy = (struct ca_policy){
        .domains = domains->items, .domain_count = domains->count,
        .networks = parsed, .network_count = networks->count,
        .any = domains->count == 0 && networks->count == 0};
    for (size_t i = 0; i < networks->count; i++) {
        if (parsed == NULL || !status_ok(ca_network_parse(networks->items[i], &parsed[i]))) {
            return complain(c, 1, "allow.networks: not an address and a number of bits");
        }
    }
    return true;
}

static bool take_issuers(struct checker *c) {
    const struct ca_issuer_config *from = c->config->issuers.items;
    size_t count = c->config->issuers.count;
    struct ca_issuer_files *issuers = ARENA_ARRAY(c->arena, struct ca_issuer_files, count + 1);
    for (size_t i = 0; issuers != NULL && i < count; i++) {
        issuers[i] = (struct ca_issuer_files){
            .certificate = from[i].certificate,
            .key = {from[i].key, {from[i].pkcs11, from[i].pin}},
            .chains = from[i].chains.items,
            .chain_count = from[i].chains.count};
        if ((from[i].key == NULL) == (from[i].pkcs11 == NULL)) {
            return complain(c, 1, "an issuer has either a `key` or a `pkcs11` URI");
        }
    }
    c->config->options.issuers = issuers;
    c->config->options.issuer_count = count;
    return (issuers != NULL && count > 0) || complain(c, 1, "there is no issuer");
}

/* c-ares takes them with commas between. */
static bool take_resolvers(struct checker *c) {
    const struct schema_strings *resolvers = &c->config->validation.resolvers;
    const char *joined = NULL;
    for (size_t i = 0; i < resolvers->count; i++) {
        joined = i == 0 ? resolvers->items[0]
                        : arena_printf(c->arena, "%s,%s", joined, resolvers->items[i]);
    }
    c->config->options.validation.resolver = joined;
    return true;
}

static bool url_good(const char *url) {
    size_t len = strlen(url);
    return len < 256 && url[len - 1] != '/' &&
           (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0);
}

static bool take_rest(struct checker *c) {
    enum { US_PER_MS = 1000 };
    struct ca_config *config = c->config;
    struct ca_options *o = &config->options;
    o->database = config->database;
    o->url = config->url;
    o->public_url = config->public_url != NULL ? config->public_url : config->url;
    o->log_key_file = config->log.key;
    o->log_origin = config->log.origin;
    o->passphrase_file = config->passphrase;
    o->external_account_required = config->external_account_required;
    o->terms_of_service = config->terms_of_service;
    o->ocsp = config->ocsp;
    o->crl_shards = (unsigned)config->crl.shards;
    o->crl_lifetime_s = (uint32_t)(config->crl.lifetime / SECONDS);
    o->order_lifetime_s = (uint32_t)(config->lifetime.order / SECONDS);
    o->authorization_lifetime_s = (uint32_t)(config->lifetime.authorization / SECONDS);
    o->validation.http_port = (uint16_t)config->validation.http_port;
    o->validation.tls_port = (uint16_t)config->validation.tls_port;
    o->validation.timeout_ms = (uint32_t)(config->validation.timeout / US_PER_MS);
    o->validation.workers = (unsigned)config->validation.workers;
    o->validation.caa = config->validation.caa.items;
    o->validation.caa_count = config->validation.caa.count;
    o->account_limit = (struct ca_limit){(uint32_t)config->limits.account_burst,
                                         (uint32_t)(config->limits.account_refill / US_PER_MS)};
    o->name_limit = (struct ca_limit){(uint32_t)config->limits.name_burst,
                                      (uint32_t)(config->limits.name_refill / US_PER_MS)};
    o->workers = (unsigned)config->workers;
    return (url_good(o->url) && url_good(o->public_url)) ||
           complain(c, 1, "url and public_url begin with https:// or http:// and don't end with /");
}

bool ca_config_load(const char *path, struct arena *arena, struct ca_config *out) {
    struct buffer errors = BUFFER_INIT;
    *out = (struct ca_config){.url = NULL};
    struct checker checker = {path, arena, &errors, out};
    struct status status = schema_load(fields, path, arena, out, &errors);
    bool good = status_ok(status) && take_profiles(&checker) && take_policy(&checker) &&
                take_issuers(&checker) && take_resolvers(&checker) &&
                status_ok(schema_resolve_database(path, arena, &out->database)) &&
                take_rest(&checker);
    if (errors.len > 0) {
        fprintf(stderr, "%.*s", (int)errors.len, (const char *)errors.data);
    } else if (!good) {
        cli_fail_status(status, "%s", path);
    }
    buffer_release(&errors);
    return good;
}

bool ca_config_open(const char *path, struct arena *arena, struct ca_config *config,
                    struct ca_db **db) {
    if (!ca_config_load(path, arena, config)) {
        return false;
    }
    struct status status = ca_db_open(config->database, true, db);
    if (!status_ok(status)) {
        cli_fail_status(status, "%s", config->database);
    }
    return status_ok(status);
}
