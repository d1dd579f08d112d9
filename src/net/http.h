/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_NET_HTTP_H
#define MOIETY_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "net/address.h"

/*
 * A request and its answer, whatever version of HTTP carried them: nothing
 * here knows of connections, chunks or frames.
 */

/* Spans borrow the request's arena, or whatever the maker of a response says.
 * Names compare without regard to case. */
struct http_header {
    struct span name;
    struct span value; /* without white space at its ends */
};

#define HTTP_HEADER(name_literal, value_span) \
    ((struct http_header){SPAN_OF_LITERAL(name_literal), (value_span)})

/* Who is at the other end of a TLS connection, as its certificate says. It
 * chains to the listener's client CA. */
struct http_peer {
    uint8_t fingerprint[32]; /* SHA-256 of the certificate's DER */
    const char *subject;     /* RFC 2253 */
    const char *const *names; /* subject alternative names: "DNS:..", "IP:..", "URI:.." */
    size_t name_count;
};

struct http_parameter {
    const char *name; /* static, of the route's pattern */
    struct span value;
};

enum { HTTP_PARAMETERS_MAX = 6 };

/*
 * A request. Owned by the server until its handler is called, by the handler
 * until it calls http_reply(), then by the server again. All spans and strings
 * borrow `arena`, which the handler may use for what it decodes and builds;
 * one thread at a time.
 */
struct http_request {
    const char *method; /* "GET": static, in capitals */
    struct span path;   /* as sent, percent-encoding kept; starts with '/' or is "*" */
    struct span query;  /* what follows '?', as sent; may be empty */
    const struct http_header *headers;
    size_t header_count;
    struct span body; /* complete, unless the handler's plan takes it in parts */
    const struct http_peer *peer; /* NULL: no client certificate */
    struct address remote;
    bool secure; /* came over TLS */
    struct arena arena;

    /* The router's. */
    const char *route; /* the pattern that matched, as a metric's label; may be NULL */
    struct http_parameter parameters[HTTP_PARAMETERS_MAX];
    size_t parameter_count;

    void *user; /* the handler's own */
};

/* The first header of this name; an empty span with NULL data if none. */
struct span http_request_header(const struct http_request *request, const char *name);
/* How many headers have this name. */
size_t http_request_header_count(const struct http_request *request, const char *name);
/* A segment that the route's pattern names; empty if it names none such. */
struct span http_request_parameter(const struct http_request *request, const char *name);
/* The value of `name` in the query, percent-encoding kept; false if absent. */
bool http_request_query(const struct http_request *request, const char *name, struct span *out);
/* Whether the Content-Type is `media_type`, whatever its parameters. */
bool http_request_is_media_type(const struct http_request *request, const char *media_type);
/* Whether the client is known to have gone: work for it may be skipped, but
 * the reply is still due. Thread-safe. */
bool http_request_gone(const struct http_request *request);
/* Adds a header to whatever answer the request will get. Name and value are
 * copied into the arena. NO_MEMORY, INVALID_ARGUMENT (control characters). */
struct status http_request_add_reply_header(struct http_request *request, const char *name,
                                            struct span value);

/* An answer. Content-Length, Date and Connection are the server's to add. */
struct http_response {
    int status;
    const struct http_header *headers;
    size_t header_count;
    struct span body;      /* copied */
    struct buffer *owned;  /* if not NULL, sent instead of `body`: its contents are taken
                            * without a copy, and it is left empty */
};

/* Answers the request, once, from any thread, and gives it back: `request` and
 * its arena must not be touched afterwards. Nothing of `response` is kept
 * (bodies are copied, `owned` is emptied). If the client is gone the answer is
 * dropped. Never blocks, never fails: if memory is short, or a header holds
 * control characters, the connection is closed instead. */
void http_reply(struct http_request *request, const struct http_response *response);

/* Answers with a problem document of type about:blank (RFC 9457). `detail` is
 * plain ASCII or NULL; `retry_after_s` above 0 adds Retry-After. */
void http_reply_problem(struct http_request *request, int status, const char *detail,
                        unsigned retry_after_s);

/* Ends a plan's part(): gives the request back, to get the body's next part.
 * The first `consumed` bytes of request->body are dropped, the others begin the
 * next part. From any thread; the request must not be touched afterwards. */
void http_continue(struct http_request *request, size_t consumed);

/* "Bad Request" for 400; "" for what RFC 9110 and RFC 6585 don't name. */
const char *http_reason(int status);
/* Whether two header or media type names are the same. */
bool http_name_equal(struct span a, const char *b);

/*
 * What to do with a request, said when its headers are in and before its body
 * is read.
 */
struct http_plan {
    /* A body above this many bytes gets 413, if declared before any of it is
     * read. */
    uint64_t body_limit;
    /* The request is complete. On the loop's thread: must not block; hands
     * over to a worker or replies. */
    void (*handle)(void *context, struct http_request *request);
    /* If not NULL, a body above `part_bytes` comes in parts, so that no more of
     * it than that is held in memory. Each time that many bytes have come,
     * request->body is what wasn't consumed yet and the request is the
     * handler's, until it calls http_continue() (or http_reply(): the rest of
     * the body is then not read). Meanwhile nothing is read from the client,
     * which has to wait. The last part goes with `handle`. On the loop's
     * thread: must not block. */
    void (*part)(void *context, struct http_request *request);
    size_t part_bytes;
    /* If not NULL, called when the body will never be complete (the client
     * went away, was too slow or sent nonsense), so that a plan with parts can
     * let go of what it holds. Not while the handler has the request. `handle`
     * is not called then, and the request is the server's to answer. On the
     * loop's thread. */
    void (*abandon)(void *context, struct http_request *request);
    void *context;
};

/* What a server serves. */
struct http_service {
    void *context;
    /* The headers are in. Either fills in the plan, whose body_limit is 0 and
     * whose context is NULL so far, or calls http_reply() and leaves
     * plan->handle NULL: the body is then not read. On a loop's thread. */
    void (*admit)(void *context, struct http_request *request, struct http_plan *plan);
};

#endif
