/* SPDX-License-Identifier: Apache-2.0 */
#include "config/server.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct server_config, member)
#define LISTENER(member) offsetof(struct server_listener, member)
#define TLS(member) offsetof(struct server_tls, member)
#define MS UINT64_C(1000)
#define SECONDS UINT64_C(1000000)
#define DAYS (24 * 3600 * SECONDS)
#define MIB (UINT64_C(1) << 20)

static const char *const client_certificate_words[] = {"none", "optional", "required", NULL};
static const char *const kem_words[] = {"x25519", "p256", NULL};
static const char *const aead_words[] = {"aes-128-gcm", "aes-256-gcm", "chacha20-poly1305", NULL};
static const char *const level_words[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const format_words[] = {"text", "json", NULL};

/* In the order of ACME's enum challenge_type. */
static const char *const challenge_words[] = {"http-01", "dns-01", "tls-alpn-01", "dns-account-01",
                                              "dns-persist-01", NULL};
enum { CHALLENGE_HTTP_01, CHALLENGE_TLS_ALPN_01 = 2 };
static const char *const key_words[] = {"p256", "p384", NULL};
static const char *const keep_words[] = {"folder", "database", NULL};

static const struct schema_field tls_fields[] = {
    {.name = "acme", .kind = SCHEMA_BOOL, .offset = TLS(acme), .initial = "false", .word = true,
     .doc = "Serve the certificate that the section acme below obtains, instead of\n"
            "files. `tls: acme` says so in short."},
    {.name = "certificate", .kind = SCHEMA_PATH, .offset = TLS(certificate),
     .example = "server.pem", .doc = "The certificate chain, leaf first (PEM)."},
    {.name = "key", .kind = SCHEMA_PATH, .offset = TLS(key), .example = "server.key",
     .doc = "Its private key (PEM)."},
    {.name = "client_ca", .kind = SCHEMA_PATH, .offset = TLS(client_ca), .example = "peers-ca.pem",
     .doc = "Whom client certificates must come from (PEM)."},
    {.name = "client_certificate", .kind = SCHEMA_CHOICE, .offset = TLS(client_certificate),
     .choices = client_certificate_words, .initial = "none",
     .doc = "Whether clients show a certificate. Uploads need none, so `required`\n"
            "fits a listener that only the peer and the collector use."},
    {.name = "line", .kind = SCHEMA_LINE, .offset = TLS(line)},
    {.name = NULL},
};

#define LISTENER_FIELDS                                                                          \
    {.name = "address", .kind = SCHEMA_STRING, .offset = LISTENER(address), .required = true,    \
     .example = "127.0.0.1:8080", .doc = "A numeric address and a port; port 0 takes a free one."}, \
    {.name = "tls", .kind = SCHEMA_SECTION, .offset = LISTENER(tls), .fields = tls_fields,       \
     .doc = "Serve HTTPS. The files are read again on SIGHUP."},                                 \
    {.name = "allow_plain_http", .kind = SCHEMA_BOOL, .offset = LISTENER(allow_plain_http),      \
     .initial = "false",                                                                         \
     .doc = "Serve plain HTTP on an address that other machines can reach, as\n"                 \
            "behind a proxy that ends TLS."},                                                    \
    {.name = "line", .kind = SCHEMA_LINE, .offset = LISTENER(line)},                             \
    {.name = NULL}

static const struct schema_field listener_fields[] = {LISTENER_FIELDS};

static const struct schema_field peers_fields[] = {
    {.name = "ca", .kind = SCHEMA_PATH, .offset = AT(peers.ca) - AT(peers), .example = "ca.pem",
     .doc = "Whom the other aggregators' certificates must come from (PEM);\n"
            "left out: the system's list."},
    {.name = "certificate", .kind = SCHEMA_PATH, .offset = AT(peers.certificate) - AT(peers),
     .example = "client.pem", .doc = "Our certificate toward them, for mutual TLS (PEM)."},
    {.name = "key", .kind = SCHEMA_PATH, .offset = AT(peers.key) - AT(peers),
     .example = "client.key", .doc = "Its private key (PEM)."},
    {.name = "proxy", .kind = SCHEMA_STRING, .offset = AT(peers.proxy) - AT(peers),
     .example = "http://proxy.example:3128", .doc = "The HTTP proxy to go through."},
    {.name = "allow_plain_http", .kind = SCHEMA_BOOL,
     .offset = AT(peers.allow_plain_http) - AT(peers), .initial = "false",
     .doc = "Talk plain HTTP to a peer on another machine. Tokens then cross the\n"
            "network in the clear."},
    {.name = "line", .kind = SCHEMA_LINE, .offset = AT(peers.line) - AT(peers)},
    {.name = NULL},
};

#define ACME(member) (AT(acme.member) - AT(acme))

static const struct schema_field acme_fields[] = {
    {.name = "names", .kind = SCHEMA_STRINGS, .offset = ACME(names), .required = true,
     .example = "dap.example.org",
     .doc = "What the certificate is for: DNS names, also with *. in front, and\n"
            "addresses."},
    {.name = "keep", .kind = SCHEMA_CHOICE, .offset = ACME(keep), .choices = keep_words,
     .initial = "folder",
     .doc = "Where the account's key and the certificate are kept: in the folder\n"
            "below, or sealed in the database, so that of the replicas which share\n"
            "it one renews, all answer the CA, and all serve what it issued."},
    {.name = "folder", .kind = SCHEMA_PATH, .offset = ACME(folder), .example = "acme",
     .doc = "The folder, its owner's alone. With keep: database it only gets a copy\n"
            "of key and certificate, pair.pem, for what reads files, as peers below\n"
            "do; left out: none."},
    {.name = "directory", .kind = SCHEMA_STRING, .offset = ACME(directory),
     .initial = "https://acme-v02.api.letsencrypt.org/directory",
     .doc = "The CA's ACME directory. Using it agrees to its terms."},
    {.name = "ca", .kind = SCHEMA_PATH, .offset = ACME(ca), .example = "root.pem",
     .doc = "Whom the CA's own TLS certificate must come from (PEM); left out: the\n"
            "system's list."},
    {.name = "contacts", .kind = SCHEMA_STRINGS, .offset = ACME(contacts),
     .example = "mailto:ops@example.org", .doc = "Whom the CA may tell of trouble."},
    {.name = "challenge", .kind = SCHEMA_CHOICE, .offset = ACME(challenge),
     .choices = challenge_words, .initial = "tls-alpn-01",
     .doc = "How to show that the names are ours. tls-alpn-01 is answered by the\n"
            "listeners with tls: acme, one of which must be reached at port 443;\n"
            "http-01 by every listener without TLS, one at port 80; the others by\n"
            "the hook. Wildcards need one of the latter."},
    {.name = "http", .kind = SCHEMA_STRING, .offset = ACME(http), .example = "0.0.0.0:80",
     .doc = "A listener that answers http-01 and nothing else."},
    {.name = "hook", .kind = SCHEMA_PATH, .offset = ACME(hook), .example = "set-dns-record",
     .doc = "The program that sets and removes DNS records, called as\n"
            "PROGRAM present|clean TYPE NAME RECORD VALUE."},
    {.name = "profile", .kind = SCHEMA_STRING, .offset = ACME(profile), .example = "shortlived",
     .doc = "One of the CA's profiles; left out: its default."},
    {.name = "chain", .kind = SCHEMA_STRING, .offset = ACME(chain), .example = "Example Root X1",
     .doc = "Of the chains that the CA offers, one with an issuer of this common\n"
            "name."},
    {.name = "key", .kind = SCHEMA_CHOICE, .offset = ACME(key_kind), .choices = key_words,
     .initial = "p256", .doc = "The kind of key that certificates are for."},
    {.name = "eab_kid", .kind = SCHEMA_STRING, .offset = ACME(eab_kid), .example = "aggregator-1",
     .doc = "External account binding, where the CA asks for it: the key's name."},
    {.name = "eab_key", .kind = SCHEMA_PATH, .offset = ACME(eab_key), .example = "eab.key",
     .doc = "And a file with the key itself, in base64url; or the file that `moiety ca`\n"
            "wrote, which has the name too."},
    {.name = "line", .kind = SCHEMA_LINE, .offset = ACME(line)},
    {.name = NULL},
};

static const struct schema_field threads_fields[] = {
    {.name = "loops", .kind = SCHEMA_INTEGER, .offset = AT(threads.loops) - AT(threads),
     .initial = "0", .max = 256, .doc = "Event loops, which only move bytes; 0: one for each processor."},
    {.name = "workers", .kind = SCHEMA_INTEGER, .offset = AT(threads.workers) - AT(threads),
     .initial = "0", .max = 1024,
     .doc = "Workers, which compute and write to the database; 0: two for each\n"
            "processor."},
    {.name = "queue", .kind = SCHEMA_INTEGER, .offset = AT(threads.queue) - AT(threads),
     .initial = "1024", .min = 1, .max = 1000000,
     .doc = "Requests that may wait for a worker; beyond it the answer is 503 with\n"
            "Retry-After."},
    {.name = NULL},
};

static const struct schema_field limits_fields[] = {
    {.name = "connections", .kind = SCHEMA_INTEGER, .offset = AT(limits.connections) - AT(limits),
     .initial = "4096", .min = 1, .max = 1000000, .doc = "Open connections of one listener."},
    {.name = "pipeline", .kind = SCHEMA_INTEGER, .offset = AT(limits.pipeline) - AT(limits),
     .initial = "4", .min = 1, .max = 8, .doc = "Unanswered requests of one connection."},
    {.name = "header_bytes", .kind = SCHEMA_SIZE, .offset = AT(limits.header_bytes) - AT(limits),
     .initial = "16KiB", .min = 1024, .max = 65536, .doc = "Request line and headers together."},
    {.name = "headers", .kind = SCHEMA_INTEGER, .offset = AT(limits.headers) - AT(limits),
     .initial = "64", .min = 8, .max = 1000, .doc = "Headers of one request."},
    {.name = "body_memory", .kind = SCHEMA_SIZE, .offset = AT(limits.body_memory) - AT(limits),
     .initial = "1GiB", .min = MIB, .max = UINT64_C(1) << 40,
     .doc = "Memory that all request bodies may hold together."},
    {.name = "upload_bytes", .kind = SCHEMA_SIZE, .offset = AT(limits.upload_bytes) - AT(limits),
     .initial = "1GiB", .min = 4096, .max = UINT64_C(1) << 40,
     .doc = "Body of one upload. It is taken in parts, so memory doesn't bound it."},
    {.name = "job_bytes", .kind = SCHEMA_SIZE, .offset = AT(limits.job_bytes) - AT(limits),
     .initial = "64MiB", .min = 4096, .max = UINT64_C(1) << 30,
     .doc = "Body of one aggregation job."},
    {.name = NULL},
};

#define TIMEOUT(field, text, help)                                                         \
    {.name = #field, .kind = SCHEMA_DURATION, .offset = AT(timeouts.field) - AT(timeouts), \
     .initial = text, .min = 100 * MS, .max = 3600 * SECONDS, .doc = help}

static const struct schema_field timeouts_fields[] = {
    TIMEOUT(header, "10s", "From the first byte of a request to its last header."),
    TIMEOUT(body, "30s", "For a body, and a second more for each KiB that came."),
    TIMEOUT(idle, "75s", "Between requests."),
    TIMEOUT(write, "30s", "To take an answer, and a second more for each KiB taken."),
    {.name = NULL},
};

static const struct schema_field hpke_fields[] = {
    {.name = "kem", .kind = SCHEMA_CHOICE, .offset = AT(hpke.kem) - AT(hpke),
     .choices = kem_words, .initial = "x25519", .doc = "Of keys that this server makes."},
    {.name = "aead", .kind = SCHEMA_CHOICE, .offset = AT(hpke.aead) - AT(hpke),
     .choices = aead_words, .initial = "aes-128-gcm", .doc = "Of keys that this server makes."},
    {.name = "config_max_age", .kind = SCHEMA_DURATION,
     .offset = AT(hpke.config_max_age) - AT(hpke), .initial = "24h", .min = SECONDS,
     .max = 30 * DAYS, .doc = "How long clients may keep hpke_config (Cache-Control)."},
    {.name = "key_lifetime", .kind = SCHEMA_DURATION, .offset = AT(hpke.key_lifetime) - AT(hpke),
     .initial = "0", .max = 3650 * DAYS,
     .doc = "Age at which a key is replaced by a new one, with an overlap; 0: only\n"
            "by `moiety key rotate`."},
    {.name = NULL},
};

#define AGGREGATOR(field, text, low, high, help)                                               \
    {.name = #field, .kind = SCHEMA_DURATION, .offset = AT(aggregator.field) - AT(aggregator), \
     .initial = text, .min = low, .max = high, .doc = help}

static const struct schema_field aggregator_fields[] = {
    AGGREGATOR(clock_skew, "5m", SECONDS, DAYS, "How far ahead of our clock a report's time may be."),
    AGGREGATOR(upload_delay, "0", 0, SECONDS, "How long a lone upload waits for others to share its commit."),
    AGGREGATOR(upload_patience, "5s", 100 * MS, 60 * SECONDS,
               "How long an upload waits for a database that is locked or away, before\n"
               "the answer is 503 with Retry-After."),
    AGGREGATOR(job_poll, "200ms", MS, 3600 * SECONDS, "How often the leader looks for work."),
    AGGREGATOR(lease, "1m", SECONDS, DAYS,
               "How long work that a process took stays its own when it no longer says\n"
               "that it lives. Replicas' clocks must agree much better than that."),
    AGGREGATOR(gc_interval, "1m", SECONDS / 10, DAYS, "How often expired data is deleted."),
    {.name = NULL},
};

static const struct schema_field log_fields[] = {
    {.name = "level", .kind = SCHEMA_CHOICE, .offset = AT(log.level) - AT(log),
     .choices = level_words, .initial = "info", .doc = "What is written to standard error."},
    {.name = "format", .kind = SCHEMA_CHOICE, .offset = AT(log.format) - AT(log),
     .choices = format_words, .initial = "text", .doc = "Lines for people, or one JSON object a line."},
    {.name = NULL},
};

static const struct schema_field fields[] = {
    {.name = "database", .kind = SCHEMA_STRING, .offset = AT(database), .required = true,
     .example = "sqlite:moiety.db", .doc = "Where everything is kept: sqlite:PATH, made at the first start, or\n"
            "postgresql://USER@HOST/NAME?..., a database that is there."},
    {.name = "wrapping_keys", .kind = SCHEMA_PATHS, .offset = AT(wrapping_keys), .required = true,
     .example = "wrapping.key",
     .doc = "Files with a key each (64 hexadecimal digits) that seal what is secret\n"
            "in the database. The first one seals; all open, so a new one goes first\n"
            "until `moiety db reseal` is done. credential:NAME takes systemd's\n"
            "LoadCredential=NAME:..., here and for every other file."},
    {.name = "listen", .kind = SCHEMA_SECTIONS, .offset = AT(listen), .required = true,
     .fields = listener_fields, .size = sizeof(struct server_listener),
     .doc = "Where DAP is served, with /healthz and /readyz."},
    {.name = "base_path", .kind = SCHEMA_STRING, .offset = AT(base_path), .example = "/dap",
     .doc = "The path of this aggregator's endpoint URL, under which all of DAP\n"
            "stands; left out: the root."},
    {.name = "cors_origins", .kind = SCHEMA_STRINGS, .offset = AT(cors_origins),
     .example = "\"https://app.example\"",
     .doc = "Web pages that may read hpke_config and upload reports; \"*\" for all."},
    {.name = "admin", .kind = SCHEMA_SECTION, .offset = AT(admin), .fields = listener_fields,
     .doc = "A listener of its own for /metrics, /healthz and /readyz."},
    {.name = "peers", .kind = SCHEMA_SECTION, .offset = AT(peers), .fields = peers_fields,
     .doc = "How this server, as a leader, reaches the helpers of its tasks."},
    {.name = "acme", .kind = SCHEMA_SECTION, .offset = AT(acme), .fields = acme_fields,
     .doc = "A certificate that looks after itself (RFC 8555): obtained at the first\n"
            "start, renewed when the CA wants it, put into use without closing a\n"
            "connection. For the listeners that say tls: acme."},
    {.name = "threads", .kind = SCHEMA_SECTION, .offset = AT(threads), .fields = threads_fields},
    {.name = "limits", .kind = SCHEMA_SECTION, .offset = AT(limits), .fields = limits_fields},
    {.name = "timeouts", .kind = SCHEMA_SECTION, .offset = AT(timeouts), .fields = timeouts_fields},
    {.name = "hpke", .kind = SCHEMA_SECTION, .offset = AT(hpke), .fields = hpke_fields},
    {.name = "aggregator", .kind = SCHEMA_SECTION, .offset = AT(aggregator),
     .fields = aggregator_fields},
    {.name = "log", .kind = SCHEMA_SECTION, .offset = AT(log), .fields = log_fields},
    {.name = NULL},
};

uint16_t server_config_kem(const struct server_config *config) {
    static const uint16_t ids[] = {0x0020, 0x0010};
    return ids[config->hpke.kem];
}

uint16_t server_config_aead(const struct server_config *config) {
    static const uint16_t ids[] = {0x0001, 0x0002, 0x0003};
    return ids[config->hpke.aead];
}

/* ---- What no single key shows ---- */

struct checker {
    const char *name;
    struct buffer *errors;
    size_t mistakes;
};

#define COMPLAIN(checker, line, ...)                                              \
    do {                                                                          \
        schema_complain((checker)->errors, (checker)->name, (line), __VA_ARGS__); \
        (checker)->mistakes++;                                                    \
    } while (0)

/* Splits "1.2.3.4:80" or "[::1]:80"; says whether it is this machine's alone. */
static bool address_read(const char *text, bool *loopback) {
    char host[INET6_ADDRSTRLEN + 1];
    struct in_addr v4;
    struct in6_addr v6;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strlen(colon + 1) > 5 || atol(colon + 1) > 65535) {
        return false;
    }
    size_t len = (size_t)(colon - text);
    bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
    text += brackets ? 1 : 0;
    len -= brackets ? 2 : 0;
    if (len >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    if (brackets && inet_pton(AF_INET6, host, &v6) == 1) {
        *loopback = IN6_IS_ADDR_LOOPBACK(&v6);
        return true;
    }
    if (!brackets && inet_pton(AF_INET, host, &v4) == 1) {
        *loopback = ntohl(v4.s_addr) >> 24 == 127;
        return true;
    }
    return false;
}

static void check_listener(struct checker *checker, const struct server_listener *listener) {
    bool loopback;
    if (!address_read(listener->address, &loopback)) {
        COMPLAIN(checker, listener->line,
                 "address: expected a numeric address and a port such as 127.0.0.1:8080 or "
                 "[::1]:8080, found \"%s\"",
                 listener->address);
        return;
    }
    const struct server_tls *tls = &listener->tls;
    if (!loopback && tls->line == 0 && !listener->allow_plain_http) {
        COMPLAIN(checker, listener->line,
                 "%s can be reached from other machines, so it needs a tls section, or "
                 "allow_plain_http: true if a proxy in front ends TLS",
                 listener->address);
    }
    if (tls->line != 0 && (tls->certificate != NULL || tls->key != NULL) == tls->acme) {
        COMPLAIN(checker, tls->line, "tls: expected certificate and key, or acme");
    } else if ((tls->certificate == NULL) != (tls->key == NULL)) {
        COMPLAIN(checker, tls->line, "tls: certificate and key go together");
    }
    if (listener->tls.client_certificate != 0 && listener->tls.client_ca == NULL) {
        COMPLAIN(checker, listener->tls.line,
                 "client_certificate: %s needs client_ca, to say whom to believe",
                 client_certificate_words[listener->tls.client_certificate]);
    }
    if (listener->tls.client_certificate == 0 && listener->tls.client_ca != NULL) {
        COMPLAIN(checker, listener->tls.line,
                 "client_ca has no effect without client_certificate: optional or required");
    }
}

bool server_config_uses_acme(const struct server_config *config) {
    const struct server_listener *listeners = config->listen.items;
    bool used = config->admin.tls.acme;
    for (size_t i = 0; i < config->listen.count; i++) {
        used = used || listeners[i].tls.acme;
    }
    return used;
}

static void check_acme(struct checker *checker, const struct server_config *config) {
    const bool used = server_config_uses_acme(config);
    const uint64_t challenge = config->acme.challenge;
    const bool served = challenge == CHALLENGE_HTTP_01 || challenge == CHALLENGE_TLS_ALPN_01;
    bool loopback;
    if (used && config->acme.line == 0) {
        COMPLAIN(checker, 0, "a listener says tls: acme, which needs a section acme");
    }
    if (!used || config->acme.line == 0) {
        return;
    }
    if (config->acme.keep == SERVER_ACME_FOLDER && config->acme.folder == NULL) {
        COMPLAIN(checker, config->acme.line,
                 "acme: expected a folder, or keep: database");
    }
    if (config->acme.names.count == 0) {
        COMPLAIN(checker, config->acme.line, "acme.names: expected at least one name");
    }
    if (!served && config->acme.hook == NULL) {
        COMPLAIN(checker, config->acme.line, "acme.challenge: %s needs acme.hook",
                 challenge_words[challenge]);
    }
    if (config->acme.eab_kid != NULL && config->acme.eab_key == NULL) {
        COMPLAIN(checker, config->acme.line, "acme: eab_kid needs eab_key");
    }
    if (config->acme.http != NULL && !address_read(config->acme.http, &loopback)) {
        COMPLAIN(checker, config->acme.line,
                 "acme.http: expected a numeric address and a port such as 0.0.0.0:80, found "
                 "\"%s\"",
                 config->acme.http);
    }
}

static void check_base_path(struct checker *checker, const struct server_config *config) {
    const char *path = config->base_path;
    size_t len = strlen(path);
    if (len > 0 && (path[0] != '/' || path[len - 1] == '/' || strpbrk(path, "{}?# ") != NULL)) {
        COMPLAIN(checker, 0,
                 "base_path: expected a path such as /dap, without a slash at its end, found "
                 "\"%s\"",
                 path);
    }
}

static void check_server(struct checker *checker, const struct server_config *config) {
    const struct server_listener *listeners = config->listen.items;
    if (config->listen.count == 0) {
        COMPLAIN(checker, 0, "listen: expected at least one address");
    }
    for (size_t i = 0; i < config->listen.count; i++) {
        check_listener(checker, &listeners[i]);
    }
    if (config->admin.address != NULL) {
        check_listener(checker, &config->admin);
    }
    if (config->wrapping_keys.count == 0) {
        COMPLAIN(checker, 0, "wrapping_keys: expected at least one file; `moiety init` makes one");
    }
    if ((config->peers.certificate == NULL) != (config->peers.key == NULL)) {
        COMPLAIN(checker, config->peers.line, "peers: certificate and key go together");
    }
    check_acme(checker, config);
    check_base_path(checker, config);
}

struct status server_config_load(const char *path, struct arena *arena, struct server_config *out,
                                 struct buffer *errors) {
    *out = (struct server_config){0};
    TRY(schema_load(fields, path, arena, out, errors));
    if (out->base_path == NULL) {
        out->base_path = "";
    }
    struct checker checker = {path, errors, 0};
    check_server(&checker, out);
    if (checker.mistakes > 0) {
        return FAIL(INVALID_CONFIG);
    }
    return schema_resolve_database(path, arena, &out->database);
}

struct status server_config_sample(struct buffer *out) {
    TRY(buffer_append_string(out,
                             "# SPDX-License-Identifier: Apache-2.0\n"
                             "# Every key of moietyd's configuration file, made by `moietyd "
                             "--print-config`.\n"
                             "# What is commented out shows its default, or an example where "
                             "there is none.\n"
                             "# Paths are taken from this file's own folder.\n\n"));
    return schema_print_sample(fields, out);
}
