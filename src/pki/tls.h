/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PKI_TLS_H
#define MOIETY_PKI_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/arena.h"
#include "base/secret.h"
#include "base/status.h"

/*
 * A listener's side of TLS 1.2 and 1.3: a certificate, its key and whom to ask
 * for a client certificate, which can be replaced while connections live.
 *
 * Invariant: there is always a context that can serve. A reload that fails
 * leaves the one before in place, and a connection keeps the one it began with.
 */
struct tls_server;

enum tls_client_auth { TLS_CLIENT_NONE, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };

/* Where key and certificate come from that aren't in files: `read` gives both in
 * one PEM, the key and then the chain, leaf first. Called by tls_server_new() and
 * tls_server_reload(), on their threads. */
struct tls_source {
    struct status (*read)(void *context, struct secret *pem);
    void *context;
};

/* PEM files; the strings are copied. */
struct tls_server_config {
    struct tls_source source;     /* `read` NULL: the two files */
    const char *certificate_file; /* the chain, leaf first */
    const char *key_file;
    const char *client_ca_file; /* needed unless NONE */
    enum tls_client_auth client_auth;
};

/* INVALID_CONFIG if a file can't be read or they don't fit each other, or what the
 * source says; the cause is logged, and no key material with it. */
struct status tls_server_new(struct tls_server **out, const struct tls_server_config *config);
void tls_server_free(struct tls_server *server);

/* Reads the files, or asks the source, again and uses that for what tls_server_accept() makes from
 * now on. Thread-safe. */
struct status tls_server_reload(struct tls_server *server);

/* The server side of one new connection, owned by the caller; NULL if memory
 * is short. Thread-safe. */
SSL *tls_server_accept(struct tls_server *server);

/*
 * Answers TLS-ALPN-01 challenges (RFC 8737): when a client offers the protocol
 * "acme-tls/1", `find` is asked for the certificate of the name it wants, and
 * gives a certificate and a key with a reference each, or returns false, which
 * ends the handshake. Runs on loop threads. NULL takes it away; when this
 * returns the old one is not running.
 */
struct tls_challenges {
    bool (*find)(void *context, const char *server_name, X509 **certificate, EVP_PKEY **key);
    void *context;
};
void tls_server_set_challenges(struct tls_server *server, const struct tls_challenges *challenges);
/* Whether a connection came for a challenge. Its handshake was all of it: no
 * client certificate was asked for, so nothing may be served on it. */
bool tls_is_challenge(const SSL *ssl);

/* The peer's verified certificate. Strings live in the arena. */
struct tls_identity {
    uint8_t fingerprint[32]; /* SHA-256 of its DER */
    const char *subject;     /* RFC 2253 */
    const char *const *names; /* "DNS:..", "IP:..", "URI:..", of the first few dozen */
    size_t name_count;
};

/* Who is at the other end; false in *present if it showed no certificate, or
 * none that verified. */
struct status tls_peer_identity(const SSL *ssl, struct arena *arena, struct tls_identity *out,
                                bool *present);

#endif
