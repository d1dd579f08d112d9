/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_NET_HTTP_SERVER_H
#define MOIETY_NET_HTTP_SERVER_H

#include "base/metrics.h"
#include "net/http.h"
#include "net/loop.h"

/*
 * An HTTP/1.1 server (RFC 9110, RFC 9112) on a group of loops, each with a
 * listening socket of its own (SO_REUSEPORT).
 *
 * What the server itself answers, always a problem document of type
 * about:blank: 400 (malformed, or with more than one reading: both
 * Content-Length and Transfer-Encoding, two Content-Lengths, bare LF, folded
 * headers, control characters, no Host or two), 408 (slow), 413 (body over
 * the limit), 417 (an Expect that isn't 100-continue), 431 (headers over the
 * limits), 501 (unknown method or transfer coding), 503 (too many
 * connections, or too much memory held by bodies), 505.
 */
struct http_server;
struct tls_server;
struct tls_source;

enum http_client_certificate {
    HTTP_CLIENT_CERTIFICATE_NONE,     /* not asked for */
    HTTP_CLIENT_CERTIFICATE_OPTIONAL, /* asked for; if given, it must verify */
    HTTP_CLIENT_CERTIFICATE_REQUIRED, /* no handshake without one */
};

/* PEM files. */
struct http_tls_config {
    const struct tls_source *source; /* of pki/tls.h, copied; NULL: the two files */
    const char *certificate_file; /* the chain, leaf first */
    const char *key_file;
    const char *client_ca_file; /* needed unless NONE */
    enum http_client_certificate client_certificate;
};

/* 0 in a limit or a time-out means the default in brackets. */
struct http_server_config {
    struct loop_group *loops; /* must outlive the server */
    struct address listen;    /* port 0: any free one, see http_server_address() */
    struct http_service service;
    const struct http_tls_config *tls; /* NULL: plain HTTP; read during the call */
    struct metrics *metrics;           /* may be NULL; must outlive the server */

    unsigned connections_max;  /* [4096] in all; beyond it the longest idle one is
                                * closed, or the new one gets 503 */
    unsigned pipeline_max;     /* [4] unanswered requests of one connection, 1 to 8;
                                * reading pauses there */
    size_t header_bytes_max;   /* [16384] of request line and headers, at most 65536 */
    unsigned header_count_max; /* [64] */
    uint64_t body_memory_max;  /* [1 GiB] held by bodies being collected or handled */

    unsigned header_timeout_ms; /* [10000] from the first byte (or the accept, so it
                                 * bounds the TLS handshake) to the last header */
    unsigned body_timeout_ms;   /* [30000] for a body, and a second more for each
                                 * `rate_min` bytes that came */
    unsigned idle_timeout_ms;   /* [75000] between requests */
    unsigned write_timeout_ms;  /* [30000] to take an answer, and a second more for
                                 * each `rate_min` bytes taken */
    unsigned rate_min;          /* [1024] bytes a second */
};

/* Binds, and accepts as soon as the loops run. INVALID_CONFIG (limits, or TLS
 * files that don't fit each other), IO (the address is in use or can't be
 * bound), PERMISSION_DENIED; each is logged with its cause. */
struct status http_server_new(struct http_server **out, const struct http_server_config *config);

/* Where it listens, with the port that was bound. */
struct address http_server_address(const struct http_server *server);

/* Reads the TLS files again. Connections made from now on use them, those that
 * exist go on. If they can't be used the old ones stay, and the failure is
 * logged. OK without TLS. Thread-safe. */
struct status http_server_reload_tls(struct http_server *server);

/* The listener's side of TLS (pki/tls.h), for who obtains its certificates;
 * NULL without TLS. It lives as long as the server. */
struct tls_server *http_server_tls(struct http_server *server);

/* Stops accepting, closes idle connections, and lets the others finish what
 * they have begun, answered with `Connection: close`. Then calls `done`, once,
 * on one of the loops' threads (or never, if http_server_stop() comes first).
 * The loops must run. Thread-safe; once. */
void http_server_drain(struct http_server *server, void (*done)(void *argument), void *argument);

/* Closes the listening sockets and every connection now; returns when that is
 * done. Requests that handlers hold stay valid until replied to. The loops must
 * run; not from one of them. Idempotent. */
void http_server_stop(struct http_server *server);

/* Stops it, and waits until every request that a handler holds was replied to:
 * stop the work queue first. NULL is allowed. */
void http_server_free(struct http_server *server);

/* Requests that handlers hold, and open connections. Thread-safe. */
size_t http_server_requests(const struct http_server *server);
size_t http_server_connections(const struct http_server *server);

#endif
