/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_PEER_REQUEST_H
#define MOIETY_AGGREGATOR_PEER_REQUEST_H

#include "aggregator/context.h"
#include "dap/media_type.h"
#include "dap/url.h"

/*
 * Requests to a task's other aggregator and what came back, sorted into what a
 * state machine needs to know. Thread-safe.
 */
struct peer_request {
    const char *method;
    const char *url;
    bool has_body;
    enum media_type body_type;
    struct span body; /* borrowed until the callback */
};

/* Sends it with the task's credentials for its other aggregator, and to no
 * other host: redirects aren't followed. As http_client_send(). */
struct status peer_send(struct aggregator *aggregator, const struct served_task *task,
                        const struct peer_request *request, http_client_callback *callback,
                        void *argument);
/* Asks for a resource's deletion, once; nobody waits for the answer. */
void peer_delete(struct aggregator *aggregator, const struct served_task *task, const char *url);

/* The URL at the helper to create a resource at, or with `id` that of one; NULL
 * if out of memory. */
const char *peer_url(const struct served_task *task, enum resource resource,
                     const uint8_t id[STORE_ID_SIZE], struct arena *arena);

enum peer_outcome {
    PEER_READY,   /* success, and the representation is here */
    PEER_PENDING, /* success without a body: to be asked for again (DAP, "Asynchronous
                   * Request Handling") */
    PEER_REFUSED, /* a client error that no repetition of the request can change */
    PEER_FAILED,  /* anything else: no answer, a server error, credentials, a proxy's
                   * page. The request may or may not have been carried out */
};

struct peer_answer {
    enum peer_outcome outcome;
    struct span body;         /* READY; borrows the response */
    const char *location;     /* of the resource, if the answer names one that may be
                               * asked; else NULL */
    int64_t retry_after_ms;   /* -1 if the answer doesn't say */
    bool busy;                /* FAILED: since it has too much to do, or took too long */
    enum status_code problem; /* REFUSED: the DAP error that it names, or NOT_FOUND,
                               * TOO_LARGE or BAD_REQUEST. FAILED: PEER_FAILED, TIMEOUT,
                               * UNAUTHORIZED, .. */
    const char *reason;       /* in words, for the log */
};

/* The longest that a peer's Retry-After makes us wait. */
enum { PEER_RETRY_MAX_S = 300 };

/* Reads a response to a request for `request_url`, a resource of the kind given,
 * whose representation has the media type given. Strings live in the arena.
 * NO_MEMORY alone. */
struct status peer_answer_read(struct aggregator *aggregator, const struct served_task *task,
                               const struct http_client_response *response, enum resource resource,
                               const char *request_url, enum media_type type, struct arena *arena,
                               struct peer_answer *out);

/* How long to wait before try number `attempt` (from 1): doubles from a fifth
 * of a second up to a minute, or what the peer asked for if that is longer. */
int64_t peer_backoff_ms(uint32_t attempt, int64_t retry_after_ms);

#endif
