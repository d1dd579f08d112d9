/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_EXCHANGE_H
#define MOIETY_AGGREGATOR_EXCHANGE_H

#include "aggregator/context.h"
#include "aggregator/reply.h"
#include "dap/media_type.h"
#include "dap/url.h"

/*
 * A request on its way: what all resources below a task have in common. The
 * loop's thread hands it to a worker, or answers 503 if the queue is full; the
 * worker finds the task, checks the role, the caller's credentials and the
 * media type in that order, and calls the endpoint, which finishes the exchange
 * exactly once, from any thread. Where handing it over would be dearer than what
 * is to be done, an endpoint may take small requests on the loop's thread.
 *
 * An endpoint that takes long bodies in parts gets run_part() for each but the
 * last, and then run(); all checks come before the first.
 */
struct exchange {
    struct aggregator *aggregator;
    struct http_request *request; /* its body, its parameters */
    struct arena *arena;          /* the request's */
    const struct served_task *task;      /* held until the exchange is finished */
    const struct endpoint *endpoint;
    const char *detail;           /* for the problem document, if it fails; may be NULL */
    const uint16_t *unsupported_extensions; /* likewise, for unsupportedExtension */
    size_t unsupported_extension_count;
    int64_t started_ns;
    bool admitted; /* the checks are passed */
    bool complete; /* the request is: no part follows this one */
    void *state;   /* the endpoint's, from part to part */
};

enum endpoint_caller {
    CALLER_ANYONE,
    CALLER_AGGREGATOR, /* the task's other aggregator */
    CALLER_COLLECTOR,
};

struct endpoint {
    const char *name;            /* metric label */
    enum role role;              /* that this server must have in the task */
    enum endpoint_caller caller;
    bool has_body;
    enum media_type body_type;   /* of the body, if there is one */
    void (*run)(struct exchange *exchange);
    /* If not NULL, called on a loop's thread instead of run(), for a body of at
     * most EXCHANGE_SMALL_BYTES that passes the checks. It neither waits nor
     * computes for long; false if it would have to, and has done nothing. */
    bool (*run_small)(struct exchange *exchange);
    /* If not NULL, called with a part of the body; ends with exchange_continue()
     * or exchange_finish(). */
    void (*run_part)(struct exchange *exchange);
    /* If not NULL, called for an exchange that had parts and will neither be
     * continued nor finished: releases `state`. On a loop's thread. */
    void (*abandon)(struct exchange *exchange);
};
enum {
    EXCHANGE_PART_BYTES = 1 << 20, /* of a body that is taken in parts */
    EXCHANGE_SMALL_BYTES = 1 << 14,
};

/* For a route's handle(): takes the request over. */
void exchange_begin(struct aggregator *aggregator, struct http_request *request,
                    const struct endpoint *endpoint);
/* The same for a route's part(), and for abandon(). */
void exchange_part(struct aggregator *aggregator, struct http_request *request,
                   const struct endpoint *endpoint);
void exchange_abandon(struct http_request *request);
/* Asks for the next part of the body, of which the first `consumed` bytes are
 * done with. */
void exchange_continue(struct exchange *exchange, size_t consumed);
/* Ends it: with `reply` if `status` is OK, else with a problem document. */
void exchange_finish(struct exchange *exchange, struct status status, const struct reply *reply);

/* Notes what is wrong, in words, and gives the failure: for
 * `return exchange_fail(x, FAIL(BATCH_INVALID), "the interval is empty")`. */
static inline struct status exchange_fail(struct exchange *exchange, struct status failure,
                                          const char *detail) {
    exchange->detail = detail;
    return failure;
}

/* The id in the URL's parameter; `missing` if it isn't 16 bytes of base64url. */
struct status exchange_id(const struct exchange *exchange, const char *parameter,
                          enum status_code missing, uint8_t id[STORE_ID_SIZE]);
/* Location of a resource of this task, below this server's own endpoint as the
 * task configuration has it. `step` below 0: none. */
struct status exchange_location(const struct exchange *exchange, enum resource resource,
                                const uint8_t id[STORE_ID_SIZE], int step, const char **out);

#endif
