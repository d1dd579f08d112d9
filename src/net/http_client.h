/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_NET_HTTP_CLIENT_H
#define MOIETY_NET_HTTP_CLIENT_H

#include <stdbool.h>

#include "net/http.h"

/*
 * An HTTP client on a thread of its own, over libcurl.
 *
 * It follows no redirect, so that a token goes nowhere but to the host it was
 * given for; it uses no proxy but the one configured, whatever the environment
 * says; it speaks https, and http to this machine only unless told otherwise.
 * Connections are kept and reused.
 */
struct http_client;

/* 0 means the default in brackets. */
struct http_client_config {
    bool allow_plain_http;        /* to hosts other than this machine */
    const char *proxy;            /* NULL: none */
    const char *user_agent;       /* ["moiety"] */
    unsigned connections_per_host; /* [64] */
    unsigned connections_max;      /* [256] */
};

/* Whom to trust and who we are, as PEM files. */
struct http_client_tls {
    const char *ca_file;          /* NULL: the system's */
    const char *certificate_file; /* NULL: none */
    const char *key_file;
};

struct http_client_request {
    const char *method; /* "GET", "PUT", "POST", "DELETE", .. */
    const char *url;
    const struct http_header *headers;
    size_t header_count;
    struct span body;            /* borrowed until the callback; all else is copied */
    struct http_client_tls tls;
    unsigned connect_timeout_ms; /* [10000] */
    unsigned timeout_ms;         /* [60000] for all of it */
    size_t body_max;             /* [64 MiB] of the response's body */
};

/* What came back. Owned by the callback, which frees it or passes it on. */
struct http_client_response {
    /* OK if an HTTP response came, whatever its status. Otherwise:
     * INVALID_ARGUMENT (URL, method or header), FORBIDDEN (plain http to
     * another machine), PEER_FAILED (can't be reached or broke off), TIMEOUT,
     * TOO_LARGE (over body_max), IO (a TLS file of ours), VERIFY_FAILED (its
     * certificate), CANCELLED, NO_MEMORY. */
    struct status outcome;
    char reason[256]; /* of the failure, for the log: no header or body in it */
    int status;
    const struct http_header *headers;
    size_t header_count;
    struct buffer body;
    struct arena arena; /* owns the headers */
};

/* Runs on the client's thread and must not block: it submits to a work queue,
 * or signals. */
typedef void http_client_callback(void *argument, struct http_client_response *response);

struct status http_client_new(struct http_client **out, const struct http_client_config *config);

/* Sends a request. If this fails (NO_MEMORY, CANCELLED after the stop) the
 * callback is not called; otherwise it is called exactly once, and every other
 * failure is told by the response. Thread-safe; never blocks. */
struct status http_client_send(struct http_client *client,
                               const struct http_client_request *request,
                               http_client_callback *callback, void *argument);

/* The same, waiting for the response: for programs with nothing else to do.
 * On failure nothing is to be freed; on success the response is the caller's,
 * and its `outcome` may still be a failure. */
struct status http_client_call(struct http_client *client,
                               const struct http_client_request *request,
                               struct http_client_response **out);

/* The first header of this name; an empty span with NULL data if none. */
struct span http_client_response_header(const struct http_client_response *response,
                                        const char *name);
void http_client_response_free(struct http_client_response *response);

/* Breaks off what is under way (each callback gets CANCELLED) and joins the
 * thread. Idempotent; not from a callback. */
void http_client_stop(struct http_client *client);
/* Stops it first. NULL is allowed. */
void http_client_free(struct http_client *client);

#endif
