/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/peer_request.h"

#include "base/log.h"
#include "dap/problem.h"
#include "wire/retry_after.h"

enum {
    REQUEST_TIMEOUT_MS = 120 * 1000,
    RESPONSE_MAX = 256 << 20,
    PROBLEM_MAX = 64 << 10,
    BACKOFF_FIRST_MS = 200,
    BACKOFF_DOUBLINGS = 8, /* to 51 s */
};

/* The credentials' header. Janus takes tokens under a name of its own. */
static struct status auth_header(const struct task_peer *peer, struct arena *arena,
                                 struct http_header *out) {
    bool janus = peer->dialect == TASK_DIALECT_JANUS;
    const char *value = arena_printf(arena, "%s%.*s", janus ? "" : "Bearer ", (int)peer->token.len,
                                     (const char *)peer->token.data);
    if (value == NULL) {
        return FAIL(NO_MEMORY);
    }
    *out = (struct http_header){janus ? SPAN_OF_LITERAL("DAP-Auth-Token")
                                      : SPAN_OF_LITERAL("Authorization"),
                                span_of_string(value)};
    return OK;
}

struct status peer_send(struct aggregator *aggregator, const struct served_task *task,
                        const struct peer_request *request, http_client_callback *callback,
                        void *argument) {
    struct arena arena = ARENA_INIT; /* holds the token: wiped */
    struct http_header headers[2];
    struct http_client_request http = {
        .method = request->method,
        .url = request->url,
        .headers = headers,
        .body = request->body,
        .tls = aggregator->options.peer_tls,
        .timeout_ms = REQUEST_TIMEOUT_MS,
        .body_max = RESPONSE_MAX,
    };
    struct status status = OK;
    if (task->aggregator_peer.token.len > 0) {
        status = auth_header(&task->aggregator_peer, &arena, &headers[http.header_count++]);
    }
    if (request->has_body) {
        headers[http.header_count++] =
            HTTP_HEADER("Content-Type", span_of_string(media_type_string(request->body_type)));
    }
    if (status_ok(status)) {
        status = http_client_send(aggregator->options.http_client, &http, callback, argument);
    }
    arena_release(&arena);
    return status;
}

static void ignore_response(void *argument, struct http_client_response *response) {
    (void)argument;
    http_client_response_free(response);
}

void peer_delete(struct aggregator *aggregator, const struct served_task *task, const char *url) {
    struct peer_request request = {.method = "DELETE", .url = url};
    struct status status = peer_send(aggregator, task, &request, ignore_response, NULL);
    if (!status_ok(status)) {
        log_event(LOG_DEBUG, "the helper was not told of a deletion",
                  LOG_STRING("error", status_text(status.code)));
    }
}

const char *peer_url(const struct served_task *task, enum resource resource,
                     const uint8_t id[STORE_ID_SIZE], struct arena *arena) {
    struct job_id job;
    if (id != NULL) {
        memcpy(job.bytes, id, sizeof job.bytes);
    }
    return resource_url(task->dap.configuration.helper_aggregator_endpoint, resource, &task->dap.id,
                        id == NULL ? NULL : &job, arena);
}

/* Text of a peer's for our log: printable ASCII, bounded. */
static const char *printable(const char *text, struct arena *arena) {
    char *copy = text == NULL ? NULL : arena_printf(arena, "%.160s", text);
    for (char *c = copy; c != NULL && *c != '\0'; c++) {
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    }
    return copy == NULL ? "" : copy;
}

/* Client errors that come from the circumstances, not from what was asked. */
static bool http_status_may_change(int status) {
    switch (status) {
    case 401:
    case 403:
    case 407:
    case 408:
    case 421:
    case 425:
    case 429: return true;
    default: return status < 400 || status >= 500;
    }
}

static enum status_code code_of_http_status(int status) {
    switch (status) {
    case 401:
    case 403: return STATUS_UNAUTHORIZED;
    case 404:
    case 410: return STATUS_NOT_FOUND;
    case 413: return STATUS_TOO_LARGE;
    default: return status >= 400 && status < 500 ? STATUS_BAD_REQUEST : STATUS_PEER_FAILED;
    }
}

static struct status answer_error(const struct http_client_response *response, struct arena *arena,
                                  struct peer_answer *answer) {
    bool may_change = http_status_may_change(response->status);
    answer->outcome = may_change ? PEER_FAILED : PEER_REFUSED;
    answer->problem = code_of_http_status(response->status);
    answer->busy = response->status == 429 || response->status == 503;
    struct problem problem = {0};
    if (response->body.len <= PROBLEM_MAX &&
        status_ok(problem_decode(buffer_span(&response->body), arena, &problem)) && !may_change &&
        status_problem(problem.code) != NULL) {
        answer->problem = problem.code;
    }
    const char *detail = printable(problem.detail, arena);
    answer->reason = arena_printf(arena, "HTTP status %d%s%s%s%s", response->status,
                                  problem.type == NULL ? "" : ", ", printable(problem.type, arena),
                                  *detail == '\0' ? "" : ": ", detail);
    return answer->reason == NULL ? FAIL(NO_MEMORY) : OK;
}

static void answer_success(const struct http_client_response *response, enum media_type type,
                           struct peer_answer *answer) {
    if (response->body.len == 0) {
        answer->outcome = PEER_PENDING;
        answer->reason = "not ready yet";
    } else if (media_type_matches(http_client_response_header(response, "content-type"), type)) {
        answer->outcome = PEER_READY;
        answer->body = buffer_span(&response->body);
        answer->reason = "ready";
    } else {
        /* Something other than the helper may have answered, so nothing follows
         * for what was asked. */
        answer->outcome = PEER_FAILED;
        answer->problem = STATUS_PEER_FAILED;
        answer->reason = "an answer of another media type";
    }
}

/* A Location that leaves the task is as good as none. */
static struct status answer_location(const struct served_task *task, enum resource resource,
                                     const char *request_url, struct span location,
                                     struct arena *arena, struct peer_answer *answer) {
    if (location.data == NULL) {
        return OK;
    }
    char *url;
    struct status status =
        location_resolve(task->dap.configuration.helper_aggregator_endpoint, resource,
                         &task->dap.id, span_of_string(request_url), location, arena, &url);
    if (status_ok(status)) {
        answer->location = url;
    } else if (status.code != STATUS_NO_MEMORY) {
        log_event(LOG_WARN, "the helper's Location leaves the task and is ignored",
                  LOG_STRING("task", task->id_text), LOG_STRING("request", request_url));
        status = OK;
    }
    return status;
}

struct status peer_answer_read(struct aggregator *aggregator, const struct served_task *task,
                               const struct http_client_response *response, enum resource resource,
                               const char *request_url, enum media_type type, struct arena *arena,
                               struct peer_answer *out) {
    struct peer_answer answer = {.retry_after_ms = -1};
    if (!status_ok(response->outcome)) {
        answer.outcome = PEER_FAILED;
        answer.problem = response->outcome.code;
        answer.busy = response->outcome.code == STATUS_TIMEOUT;
        answer.reason = printable(response->reason, arena);
        *out = answer;
        return OK;
    }
    uint64_t wait_s;
    struct span retry_after = http_client_response_header(response, "retry-after");
    if (retry_after.data != NULL &&
        status_ok(retry_after_parse(retry_after, clock_now_s(aggregator->options.clock),
                                    PEER_RETRY_MAX_S, &wait_s))) {
        answer.retry_after_ms = (int64_t)wait_s * 1000;
    }
    if (response->status >= 200 && response->status < 300) {
        answer_success(response, type, &answer);
        TRY(answer_location(task, resource, request_url,
                            http_client_response_header(response, "location"), arena, &answer));
    } else {
        TRY(answer_error(response, arena, &answer));
    }
    *out = answer;
    return OK;
}

int64_t peer_backoff_ms(uint32_t attempt, int64_t retry_after_ms) {
    uint32_t doublings = attempt > 0 ? attempt - 1 : 0;
    int64_t delay = (int64_t)BACKOFF_FIRST_MS
                    << (doublings < BACKOFF_DOUBLINGS ? doublings : BACKOFF_DOUBLINGS);
    return delay > retry_after_ms ? delay : retry_after_ms;
}
