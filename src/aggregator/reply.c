/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/reply.h"

#include <stdio.h>

#include "dap/media_type.h"

static bool is_worth_a_retry(int http_status) { return http_status == 429 || http_status == 503; }

/* What the database refuses it may take later, when there is room or a server
 * again. */
static int http_status_of(enum status_code code) {
    return code == STATUS_STORE || code == STATUS_IO ? 503 : status_http(code);
}

void reply_problem(struct arena *arena, const struct problem *problem, struct reply *out) {
    struct buffer text = BUFFER_INIT;
    int http_status = problem->status != 0 ? problem->status : http_status_of(problem->code);
    *out = (struct reply){.http_status = http_status,
                          .retry_after_s = is_worth_a_retry(http_status) ? REPLY_BUSY_RETRY_S : 0,
                          .authenticate = http_status == 401};
    /* Without memory for the document the bare status still says the most. */
    if (status_ok(problem_encode(problem, &text)) &&
        status_ok(arena_copy(arena, buffer_span(&text), &out->body))) {
        out->content_type = media_type_string(MEDIA_PROBLEM);
    }
    buffer_release(&text);
}

void reply_send(struct http_request *request, const struct reply *reply) {
    struct http_header headers[5];
    char retry_after[16];
    size_t count = 0;
    if (reply->content_type != NULL) {
        headers[count++] = HTTP_HEADER("Content-Type", span_of_string(reply->content_type));
    }
    if (reply->location != NULL) {
        headers[count++] = HTTP_HEADER("Location", span_of_string(reply->location));
    }
    if (reply->cache_control != NULL) {
        headers[count++] = HTTP_HEADER("Cache-Control", span_of_string(reply->cache_control));
    }
    if (reply->retry_after_s != 0) {
        snprintf(retry_after, sizeof(retry_after), "%u", (unsigned)reply->retry_after_s);
        headers[count++] = HTTP_HEADER("Retry-After", span_of_string(retry_after));
    }
    if (reply->authenticate) {
        headers[count++] = HTTP_HEADER("WWW-Authenticate", SPAN_OF_LITERAL("Bearer"));
    }
    struct http_response response = {
        .status = reply->http_status != 0 ? reply->http_status : 200,
        .headers = headers,
        .header_count = count,
        .body = reply->body,
    };
    http_reply(request, &response);
}
