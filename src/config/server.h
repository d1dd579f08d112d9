/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CONFIG_SERVER_H
#define MOIETY_CONFIG_SERVER_H

#include "config/schema.h"

/* Where what ACME obtains is kept. */
enum server_acme_keep { SERVER_ACME_FOLDER, SERVER_ACME_DATABASE };

/*
 * moietyd's configuration file. What each key means, its unit, bounds and
 * default stand in the table in server.c, and in docs/moietyd.yaml, which
 * `moietyd --print-config` makes from that table. Durations are microseconds,
 * sizes bytes. Strings live in the arena that the file was loaded into.
 */
struct server_tls {
    bool acme;               /* the certificate that server_config's `acme` obtains */
    const char *certificate; /* a file; NULL: no TLS, or by ACME */
    const char *key;
    const char *client_ca;
    uint64_t client_certificate; /* enum http_client_certificate of net */
    size_t line;
};

struct server_listener {
    const char *address;
    bool allow_plain_http;
    struct server_tls tls;
    size_t line;
};

struct server_config {
    const char *database;
    struct schema_strings wrapping_keys;
    struct schema_sections listen; /* of struct server_listener; at least one */
    const char *base_path;         /* "" or "/dap" */
    struct schema_strings cors_origins;

    struct server_listener admin; /* address NULL: none */

    struct {
        const char *ca, *certificate, *key, *proxy;
        bool allow_plain_http;
        size_t line;
    } peers;

    struct {
        const char *directory, *ca, *folder, *http, *hook, *profile, *chain, *eab_kid, *eab_key;
        struct schema_strings names, contacts;
        uint64_t challenge; /* index of the table's choices, as enum challenge_type less one */
        uint64_t key_kind;  /* 0: P-256, 1: P-384 */
        uint64_t keep;      /* enum server_acme_keep */
        size_t line;
    } acme;

    struct {
        uint64_t loops, workers, queue;
    } threads;

    struct {
        uint64_t connections, pipeline, header_bytes, headers, body_memory, upload_bytes,
            job_bytes;
    } limits;

    struct {
        uint64_t header, body, idle, write;
    } timeouts;

    struct {
        uint64_t kem, aead; /* indices of the table's choices */
        uint64_t config_max_age, key_lifetime;
    } hpke;

    struct {
        uint64_t clock_skew, upload_delay, upload_patience, job_poll, lease, gc_interval;
    } aggregator;

    struct {
        uint64_t level, format; /* enum log_level and enum log_format */
    } log;
};

/* Loads and checks a file, also what no single key shows: that nothing listens
 * without TLS beyond this machine unless the file says so. Each mistake is a
 * line of `errors`. INVALID_CONFIG, NO_MEMORY. */
struct status server_config_load(const char *path, struct arena *arena, struct server_config *out,
                                 struct buffer *errors);

/* The commented sample: every key, what it means and its default. */
struct status server_config_sample(struct buffer *out);

/* Whether some listener serves the certificate of the acme section. */
bool server_config_uses_acme(const struct server_config *config);

/* The algorithms chosen, as RFC 9180 numbers them. */
uint16_t server_config_kem(const struct server_config *config);
uint16_t server_config_aead(const struct server_config *config);

#endif
