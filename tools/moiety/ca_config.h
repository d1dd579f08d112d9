/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CA_CONFIG_H
#define MOIETY_CA_CONFIG_H

#include "acme/ca/ca.h"
#include "cli.h"

/* The CA's configuration file. What each key means, its unit, bounds and default
 * stand in the table in ca_config.c. Durations are microseconds. */
struct ca_listener {
    const char *address;
    bool plain_http;
    const char *certificate, *key; /* NULL: the CA's own certificate */
    size_t line;
};

struct ca_issuer_config {
    const char *certificate;
    const char *key, *pkcs11, *pin; /* a file, or a token's key and its PIN's file */
    struct schema_strings chains;
};

struct ca_profile_config {
    const char *name;
    uint64_t role, lifetime;
};

struct ca_config {
    const char *url, *public_url, *database, *passphrase, *server_folder;
    struct schema_strings names;     /* of the CA's own certificate */
    struct schema_sections listen;   /* of struct ca_listener */
    struct schema_sections issuers;  /* of struct ca_issuer_config */
    struct schema_sections profiles; /* of struct ca_profile_config */
    struct {
        const char *key, *origin;
    } log;
    struct {
        struct schema_strings domains, networks;
    } allow;
    bool external_account_required, ocsp;
    const char *terms_of_service;
    struct {
        uint64_t shards, lifetime;
    } crl;
    struct {
        uint64_t order, authorization;
    } lifetime;
    struct {
        uint64_t http_port, tls_port, timeout, workers;
        struct schema_strings resolvers, caa;
    } validation;
    struct {
        uint64_t account_burst, account_refill, name_burst, name_refill;
    } limits;
    uint64_t workers;
    struct {
        uint64_t level, format;
    } logging;

    /* What follows from it; see ca_config_load(). */
    struct ca_options options;
};

/* Loads and checks a file; what is wrong is said on standard error. */
bool ca_config_load(const char *path, struct arena *arena, struct ca_config *out);

#define CA_CONFIG_OPTION(variable)                                                             \
    {                                                                                          \
        "config", OPTION_STRING, &(variable), "FILE", "the CA's configuration; default ca.yaml", \
            NULL                                                                               \
    }

/* Opens the CA's database for a command; false was said. */
bool ca_config_open(const char *path, struct arena *arena, struct ca_config *config,
                    struct ca_db **db);

#endif
