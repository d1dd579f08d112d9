/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acme/certificate.h"
#include "acme/client/ari.h"
#include "cert.h"

static const char *challenges = "http-01";
static const char *http_address = "0.0.0.0:80", *tls_address = "0.0.0.0:443";
static const char *hook, *profile, *chain, *kind_word = "p256";
static bool force;

#define ISSUE_OPTIONS                                                                              \
    CERT_OPTIONS, CERT_ACCOUNT_OPTIONS,                                                            \
        {"challenge", OPTION_STRING, &challenges, "TYPE,..",                                       \
         "how to show that the names are ours, the preferred first:\n"                             \
         "http-01 (the default), tls-alpn-01, dns-01,\n"                                           \
         "dns-account-01, dns-persist-01", NULL},                                                  \
        {"http", OPTION_STRING, &http_address, "ADDRESS",                                          \
         "where to listen for http-01; default 0.0.0.0:80", NULL},                                 \
        {"tls", OPTION_STRING, &tls_address, "ADDRESS",                                            \
         "where to listen for tls-alpn-01; default 0.0.0.0:443", NULL},                            \
        {"hook", OPTION_STRING, &hook, "PROGRAM",                                                  \
         "sets DNS records: PROGRAM present|clean TYPE NAME RECORD VALUE", NULL},                  \
        {"profile", OPTION_STRING, &profile, "NAME", "one of the CA's profiles", NULL},            \
        {"chain", OPTION_STRING, &chain, "NAME",                                                   \
         "of the chains offered, one with an issuer of this\ncommon name", NULL},                  \
        {"key", OPTION_STRING, &kind_word, "KIND", "p256 (the default) or p384", NULL}

static const struct option_spec issue_options[] = {ISSUE_OPTIONS, {.name = NULL}};
static const struct option_spec renew_options[] = {
    ISSUE_OPTIONS,
    {"force", OPTION_FLAG, &force, NULL, "renew even if it isn't time", NULL},
    {.name = NULL}};

static const struct command_spec issue_command = {
    .name = "moiety cert issue",
    .arguments = "[options] NAME...",
    .summary = "Gets a certificate by ACME, with a new key.",
    .help = "Each NAME is a DNS name, one with *. before it, or an address. Key and chain go\n"
            "to pair.pem in the folder, in one file, so that they always fit each other: give\n"
            "it as certificate and as key. An account is made at the first call.\n",
    .options = issue_options,
    .min_arguments = 1,
    .max_arguments = IDENTIFIERS_MAX,
};

static const struct command_spec renew_command = {
    .name = "moiety cert renew",
    .arguments = "[options]",
    .summary = "Gets the folder's certificate anew, if it is time.",
    .help = "When that is, the CA says (ARI, RFC 9773); if it doesn't: at two thirds of its\n"
            "life, at half if it lives less than ten days. For a timer; on failure, and\n"
            "before its time, pair.pem stays as it is.\n",
    .options = renew_options,
};

/* ---- What is wanted ---- */

static bool read_solver(struct arena *arena, struct solver *solver) {
    const char *const *words;
    size_t count;
    if (!cert_split(arena, challenges, &words, &count) || count >= CHALLENGE_TYPE_COUNT) {
        cli_fail("--challenge: too many");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        solver->types[i] = challenge_of_name(words[i]);
        if (solver->types[i] == CHALLENGE_NONE) {
            cli_fail("--challenge: %s is no type of challenge", words[i]);
            return false;
        }
        if (strncmp(words[i], "dns", 3) == 0 && hook == NULL) {
            cli_fail("--challenge: %s needs --hook", words[i]);
            return false;
        }
    }
    solver->hook = hook;
    return true;
}

static bool read_kind(enum key_kind *kind) {
    *kind = strcmp(kind_word, "p384") == 0 ? KEY_P384 : KEY_P256;
    return *kind == KEY_P384 || strcmp(kind_word, "p256") == 0 ||
           (cli_fail("--key: expected p256 or p384, found %s", kind_word), false);
}

static bool wants(const struct solver *solver, enum challenge_type type) {
    for (size_t i = 0; i < CHALLENGE_TYPE_COUNT; i++) {
        if (solver->types[i] == type) {
            return true;
        }
    }
    return false;
}

static bool open_listener(struct solver *solver, struct listener **listener) {
    const bool http = wants(solver, CHALLENGE_HTTP_01);
    const bool tls = wants(solver, CHALLENGE_TLS_ALPN_01);
    if (!http && !tls) {
        return true;
    }
    struct status status = responder_new(&solver->responder);
    if (status_ok(status)) {
        status = listener_new(listener, solver->responder, http ? http_address : NULL,
                              tls ? tls_address : NULL);
    }
    return status_ok(status) || (cli_fail_status(status, "no listener for challenges"), false);
}

/* ---- Getting it ---- */

static void print_result(const struct cert *cert) {
    struct pair pair;
    struct certificate_times times;
    char until[CLI_TIME_MAX];
    if (cert_read_pair(cert, &pair)) {
        if (status_ok(certificate_times_of(pair_leaf(&pair), &times))) {
            printf("%s: valid until %s\n", cert->pair_path,
                   cli_format_time((uint64_t)times.not_after, until));
        }
        pair_release(&pair);
    }
}

static int get(struct cert *cert, const struct acme_identifier *names, size_t count,
               const X509 *before) {
    struct vault_lease lease = {.name = CERT_PAIR};
    struct listener *listener = NULL;
    struct solver solver = {0};
    struct acme_certificate certificate = {
        .name = CERT_PAIR,
        .lease = &lease,
        .identifiers = names,
        .identifier_count = count,
        .profile = profile,
        .chain = chain,
        .solver = &solver,
    };
    int result = EXIT_FAILURE;
    struct status status = vault_take(cert->vault, &lease);
    if (status.code == STATUS_BUSY) {
        return cli_fail("%s: another process is replacing it", cert->pair_path);
    }
    if (!status_ok(status)) {
        return cli_fail_status(status, "%s", cert->pair_path);
    }
    if (read_solver(&cert->arena, &solver) && read_kind(&certificate.key_kind) &&
        open_listener(&solver, &listener)) {
        result = status_ok(acme_client_issue(&cert->client, &certificate, before))
                     ? (print_result(cert), EXIT_SUCCESS)
                     : cert_fail(cert, "no certificate");
    }
    vault_give_back(cert->vault, &lease);
    listener_free(listener);
    responder_free(solver.responder);
    return result;
}

int cert_issue_main(int argc, char **argv) {
    struct cert cert = {.arena = ARENA_INIT};
    int result;
    if (!cli_options(&issue_command, &argc, argv, &result)) {
        return result;
    }
    struct acme_identifier *names = ARENA_ARRAY(&cert.arena, struct acme_identifier, (size_t)argc);
    result = names == NULL ? EXIT_FAILURE : EXIT_SUCCESS;
    for (int i = 0; i < argc && result == EXIT_SUCCESS; i++) {
        if (!status_ok(identifier_parse(argv[i], &cert.arena, &names[i]))) {
            result = cli_fail("%s is neither a DNS name nor an address", argv[i]);
        }
    }
    if (result == EXIT_SUCCESS) {
        result = cert_open(&cert, true) ? get(&cert, names, (size_t)argc, NULL) : EXIT_FAILURE;
    }
    cert_close(&cert);
    return result;
}

/* ---- Renewing ---- */

/* When the CA says, or else by its lifetime. */
static bool due_at(struct cert *cert, const X509 *leaf, int64_t *due) {
    struct certificate_times times;
    struct ari ari;
    const char *id;
    uint32_t chance = 0;
    RAND_bytes((uint8_t *)&chance, sizeof(chance));
    if (!status_ok(certificate_times_of(leaf, &times))) {
        return false;
    }
    if (status_ok(certificate_ari_id(leaf, &cert->arena, &id)) &&
        status_ok(ari_fetch(&cert->client.session, id, &cert->arena, &ari))) {
        *due = schedule_in_window(&ari.window, chance);
    } else {
        *due = schedule_by_lifetime(&times, 0);
    }
    return true;
}

static int renew(struct cert *cert, const struct pair *pair) {
    struct acme_identifier *names;
    char when[CLI_TIME_MAX];
    size_t count;
    int64_t due;
    struct status status =
        certificate_identifiers(pair_leaf(pair), &cert->arena, &names, &count);
    if (!status_ok(status)) {
        return cli_fail_status(status, "%s: its names can't be read", cert->pair_path);
    }
    if (!due_at(cert, pair_leaf(pair), &due)) {
        return cli_fail("%s: its times can't be read", cert->pair_path);
    }
    if (!force && due > (int64_t)time(NULL)) {
        printf("%s: not to be renewed before %s\n", cert->pair_path,
               cli_format_time((uint64_t)due, when));
        return EXIT_SUCCESS;
    }
    return get(cert, names, count, pair_leaf(pair));
}

int cert_renew_main(int argc, char **argv) {
    struct cert cert = {.arena = ARENA_INIT};
    struct pair pair = {NULL, NULL};
    int result;
    if (!cli_options(&renew_command, &argc, argv, &result)) {
        return result;
    }
    result = cert_open(&cert, true) && cert_read_pair(&cert, &pair) ? renew(&cert, &pair)
                                                                    : EXIT_FAILURE;
    pair_release(&pair);
    cert_close(&cert);
    return result;
}
