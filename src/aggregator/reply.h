/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_REPLY_H
#define MOIETY_AGGREGATOR_REPLY_H

#include "base/arena.h"
#include "dap/problem.h"
#include "net/http.h"

/*
 * What is sent back, and the one place that turns a status into it. Strings
 * and spans borrow the exchange's arena or are static.
 */
struct reply {
    int http_status;         /* 0: 200 */
    const char *content_type; /* of the body; NULL if that is empty */
    struct span body;
    const char *location;    /* NULL: none */
    const char *cache_control;
    uint32_t retry_after_s;  /* 0: none */
    bool authenticate;       /* WWW-Authenticate: Bearer */
};

/* A problem document (DAP, "Errors"). Statuses after which a client should try
 * again carry Retry-After, and a 401 WWW-Authenticate. */
void reply_problem(struct arena *arena, const struct problem *problem, struct reply *out);

/* Sends it; the request is gone afterwards. */
void reply_send(struct http_request *request, const struct reply *reply);

enum { REPLY_BUSY_RETRY_S = 2 }; /* Retry-After of 429 and 503 */

#endif
