/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_REPLY_H
#define MOIETY_AGGREGATOR_REPLY_H

#include "aggregator/task.h"
#include "net/http.h"

/*
 * What is sent back, and the one place that turns a status into it. Strings
 * and spans borrow the exchange's arena or are static.
 */
struct reply {
    int http_status;         /* 0: 200 */
    const char *media_type;  /* of the body; NULL if that is empty */
    struct span body;
    const char *location;    /* NULL: none */
    const char *cache_control;
    uint32_t retry_after_s;  /* 0: none */
};

/* A problem document (DAP, "Errors"): type, title, status, detail, and taskid if
 * `task_id` is not NULL. `detail` may be NULL, or plain ASCII. Statuses that a
 * client should retry carry Retry-After. `extra` is JSON members to add, such
 * as "\"unsupported_extensions\":[23]", or NULL. */
void reply_problem(struct arena *arena, struct status failure, const uint8_t *task_id,
                   const char *detail, const char *extra, struct reply *out);

/* Sends it; the request is gone afterwards. */
void reply_send(struct http_request *request, const struct reply *reply);

enum { REPLY_BUSY_RETRY_S = 2 }; /* Retry-After of 429 and 503 */

#endif
