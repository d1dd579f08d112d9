/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_NET_HTTP_EXCHANGE_H
#define MOIETY_NET_HTTP_EXCHANGE_H

#include <event2/buffer.h>
#include <stdatomic.h>

#include "net/http.h"
#include "net/loop.h"

/*
 * A request on its way and the answer to it: what stands around the struct
 * http_request that handlers see.
 *
 * Invariants: `held` exactly while someone outside the loop owes a reply (or,
 * if `paused`, http_continue() instead), in which time the loop's thread touches neither the request nor its arena; an
 * answer is written only when `read` is set, and in the order of the
 * connection's queue. The exchange is freed on its loop's thread when it is
 * neither held nor queued.
 */
struct http_connection;

struct http_added_header {
    struct http_added_header *next;
    struct http_header header;
};

struct http_exchange {
    struct http_request request; /* first */
    struct http_connection *connection; /* stays valid as long as the exchange */
    struct http_exchange *next;         /* of the connection's queue */
    struct http_plan plan;
    int64_t started_ns;      /* the first byte */
    int64_t body_started_ns; /* the last header; later by as long as it was paused */
    int64_t paused_ns;       /* since when */
    uint64_t body_received;
    uint64_t body_accounted; /* of the server's memory for bodies */
    struct buffer body;      /* of a plan with parts: what was not yet consumed */
    size_t part_end;         /* its length at which it is handed over as a part */

    bool head_read;
    bool read;           /* all of it, or as much as will be */
    bool discard;        /* the body: it was answered without */
    bool wants_continue; /* waits for 100 (Continue) */
    bool held;
    bool paused; /* a handler has a part of the body: nothing more is read */
    bool answered;
    bool close; /* no request may follow it */
    bool bodiless; /* HEAD: the answer goes without its body */
    atomic_bool gone;
    atomic_bool replied;

    /* The answer, made by http_reply() on whatever thread it is called from,
     * then carried over by `task`. NULL head: memory was short. */
    struct loop_task task;
    struct http_added_header *added;
    int status;
    struct evbuffer *head; /* without Date, Connection and the empty line */
    struct evbuffer *payload;
};

static inline struct http_exchange *http_exchange_of(const struct http_request *request) {
    return (struct http_exchange *)request;
}

/* Builds the answer into the exchange. Failures leave `head` NULL. */
void http_exchange_answer(struct http_exchange *exchange, const struct http_response *response);
/* The same, of a problem document of type about:blank. */
void http_exchange_answer_problem(struct http_exchange *exchange, int status, const char *detail,
                                  unsigned retry_after_s);
/* Frees what it owns, and itself. */
void http_exchange_free(struct http_exchange *exchange);

struct span http_header_find(const struct http_header *headers, size_t count, const char *name);
/* Free of control characters other than the tab. */
bool http_field_is_safe(struct span text);

#endif
