/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/relay.h"

#include <pthread.h>
#include <stdlib.h>

struct relay {
    struct pair *pair;
    struct loop_group *loops;
    struct http_server *http;
    struct work_queue *queue;
    struct http_client *client;
    pthread_mutex_t lock; /* a script sees one request at a time */
    unsigned count;
};

struct relayed {
    struct relay *relay;
    struct http_request *request;
    struct relay_verdict verdict;
};

static void reply_verdict(struct http_request *request, const struct relay_verdict *verdict) {
    struct http_header headers[3];
    struct http_response response = {
        .status = verdict->status, .headers = headers, .body = verdict->body};
    if (verdict->content_type != NULL) {
        headers[response.header_count++] =
            HTTP_HEADER("Content-Type", span_of_string(verdict->content_type));
    }
    if (verdict->location != NULL) {
        headers[response.header_count++] =
            HTTP_HEADER("Location", span_of_string(verdict->location));
    }
    if (verdict->retry_after != NULL) {
        headers[response.header_count++] =
            HTTP_HEADER("Retry-After", span_of_string(verdict->retry_after));
    }
    http_reply(request, &response);
}

static void reply_forwarded(struct http_request *request, const struct http_client_response *answer,
                            bool strip) {
    struct http_header headers[3];
    struct http_response response = {.status = strip ? 202 : answer->status,
                                     .headers = headers,
                                     .body = strip ? SPAN_EMPTY : buffer_span(&answer->body)};
    static const char *const names[] = {"location", "content-type", "retry-after"};
    for (size_t i = 0; i < (strip ? 1 : 3); i++) {
        struct span value = http_client_response_header(answer, names[i]);
        if (value.data != NULL) {
            headers[response.header_count++] =
                (struct http_header){span_of_string(names[i]), value};
        }
    }
    http_reply(request, &response);
}

static void note_answer(struct relayed *relayed, const struct http_client_response *answer) {
    if (answer->status == 503 && strcmp(relayed->request->method, "POST") == 0 &&
        http_client_response_header(answer, "retry-after").len > 0) {
        atomic_fetch_add(&relayed->relay->pair->busy_answers, 1);
    }
}

static struct status forward(struct relayed *relayed, struct http_client_response **answer) {
    struct http_request *request = relayed->request;
    struct http_header headers[3];
    struct http_client_request outgoing = {
        .method = request->method, .headers = headers, .body = request->body, .timeout_ms = 20000};
    static const char *const names[] = {"content-type", "authorization", "dap-auth-token"};
    for (size_t i = 0; i < 3; i++) {
        struct span value = http_request_header(request, names[i]);
        if (value.data != NULL) {
            headers[outgoing.header_count++] =
                (struct http_header){span_of_string(names[i]), value};
        }
    }
    outgoing.url = arena_printf(&request->arena, "http://127.0.0.1:%u%.*s%s%.*s",
                                relayed->relay->pair->helper.port, (int)request->path.len,
                                (const char *)request->path.data, request->query.len > 0 ? "?" : "",
                                (int)request->query.len, (const char *)request->query.data);
    return http_client_call(relayed->relay->client, &outgoing, answer);
}

static void relay_work(void *argument, bool cancelled) {
    struct relayed *relayed = argument;
    struct http_request *request = relayed->request;
    struct relay_verdict verdict = relayed->verdict;
    struct http_client_response *answer = NULL;
    if (cancelled || verdict.action == RELAY_LOSE) {
        reply_verdict(request, cancelled ? &(struct relay_verdict){.status = 503} : &verdict);
        return;
    }
    struct status status = forward(relayed, &answer);
    if (!status_ok(status) || !status_ok(answer->outcome)) {
        reply_verdict(request, &(struct relay_verdict){.status = 502});
    } else if (verdict.action == RELAY_LOSE_ANSWER) {
        reply_verdict(request, &verdict);
    } else {
        note_answer(relayed, answer);
        reply_forwarded(request, answer, verdict.action == RELAY_STRIP_BODY);
    }
    if (status_ok(status)) {
        http_client_response_free(answer);
    }
}

/* On the loop's thread: decides, and leaves the rest to a worker. */
static void relay_handle(void *context, struct http_request *request) {
    struct relay *relay = context;
    struct relayed *relayed = ARENA_NEW(&request->arena, struct relayed);
    *relayed = (struct relayed){.relay = relay, .request = request};
    struct relay_request seen = {
        .method = request->method,
        .path = arena_printf(&request->arena, "%.*s%s%.*s", (int)request->path.len,
                             (const char *)request->path.data, request->query.len > 0 ? "?" : "",
                             (int)request->query.len, (const char *)request->query.data),
        .body = request->body,
    };
    pthread_mutex_lock(&relay->lock);
    seen.number = relay->count++;
    relay_script *script = relay->pair->script;
    if (script != NULL) {
        relayed->verdict = script(relay->pair->script_argument, &seen);
    }
    pthread_mutex_unlock(&relay->lock);
    if (!status_ok(work_queue_submit(relay->queue, relay_work, relayed))) {
        reply_verdict(request, &(struct relay_verdict){.status = 503});
    }
}

static void relay_admit(void *context, struct http_request *request, struct http_plan *plan) {
    (void)request;
    plan->body_limit = 256 << 20;
    plan->handle = relay_handle;
    plan->context = context;
}

struct status relay_new(struct pair *pair, struct relay **out) {
    struct relay *relay = calloc(1, sizeof *relay);
    if (relay == NULL) {
        return FAIL(NO_MEMORY);
    }
    relay->pair = pair;
    pthread_mutex_init(&relay->lock, NULL);
    struct work_queue_config queue = {.threads = 2, .name = "relay"};
    struct http_server_config server = {.service = {relay, relay_admit}};
    TRY(address_parse(&server.listen, "127.0.0.1:0"));
    TRY(work_queue_new(&relay->queue, &queue));
    TRY(http_client_new(&relay->client, &(struct http_client_config){0}));
    TRY(loop_group_new(&relay->loops, 1));
    server.loops = relay->loops;
    TRY(http_server_new(&relay->http, &server));
    TRY(loop_group_start(relay->loops));
    *out = relay;
    return OK;
}

unsigned relay_port(const struct relay *relay) {
    struct address address = http_server_address(relay->http);
    return address_port(&address);
}

void relay_free(struct relay *relay) {
    http_client_stop(relay->client);
    http_server_stop(relay->http);
    work_queue_free(relay->queue);
    http_server_free(relay->http);
    loop_group_free(relay->loops);
    http_client_free(relay->client);
    pthread_mutex_destroy(&relay->lock);
    free(relay);
}
