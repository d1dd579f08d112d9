/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/http_connection.h"
#include "net/http_exchange.h"

/* RFC 9110 sections 6.4.1 and 15.3.5: these have no content, nor a
 * Content-Length. */
static bool status_has_content(int status) {
    return status >= 200 && status != 204 && status != 304;
}

static bool add_header(struct evbuffer *head, struct http_header header) {
    return http_field_is_safe(header.name) && http_field_is_safe(header.value) &&
           evbuffer_add(head, header.name.data, header.name.len) == 0 &&
           evbuffer_add(head, ": ", 2) == 0 &&
           evbuffer_add(head, header.value.data, header.value.len) == 0 &&
           evbuffer_add(head, "\r\n", 2) == 0;
}

static bool add_headers(struct evbuffer *head, const struct http_exchange *exchange,
                        const struct http_response *response) {
    bool complete = true;
    for (size_t i = 0; i < response->header_count; i++) {
        complete = complete && add_header(head, response->headers[i]);
    }
    for (const struct http_added_header *added = exchange->added; added != NULL;
         added = added->next) {
        complete = complete && add_header(head, added->header);
    }
    return complete;
}

static struct evbuffer *make_head(const struct http_exchange *exchange,
                                  const struct http_response *response, size_t length) {
    struct evbuffer *head = evbuffer_new();
    if (head == NULL) {
        return NULL;
    }
    bool complete = evbuffer_add_printf(head, "HTTP/1.1 %d %s\r\n", response->status,
                                        http_reason(response->status)) > 0 &&
                    add_headers(head, exchange, response);
    if (complete && status_has_content(response->status)) {
        complete = evbuffer_add_printf(head, "Content-Length: %zu\r\n", length) > 0;
    }
    if (!complete) {
        evbuffer_free(head);
        return NULL;
    }
    return head;
}

static void free_payload(const void *data, size_t length, void *argument) {
    (void)length;
    (void)argument;
    free((void *)data);
}

/* Takes `owned`, or copies `body`; NULL if memory is short. */
static struct evbuffer *make_payload(const struct http_response *response) {
    struct evbuffer *payload = evbuffer_new();
    if (payload == NULL) {
        return NULL;
    }
    struct buffer *owned = response->owned;
    int result = 0;
    if (owned == NULL) {
        result = evbuffer_add(payload, response->body.data, response->body.len);
    } else if (owned->len > 0) {
        result = evbuffer_add_reference(payload, owned->data, owned->len, free_payload, NULL);
        if (result == 0) {
            *owned = BUFFER_INIT;
        }
    }
    if (result != 0) {
        evbuffer_free(payload);
        return NULL;
    }
    return payload;
}

void http_exchange_answer(struct http_exchange *exchange, const struct http_response *response) {
    const size_t length = response->owned == NULL ? response->body.len : response->owned->len;
    exchange->status = response->status;
    exchange->head = make_head(exchange, response, length);
    if (exchange->head != NULL && length > 0 && !exchange->bodiless &&
        status_has_content(response->status)) {
        exchange->payload = make_payload(response);
        if (exchange->payload == NULL) {
            evbuffer_free(exchange->head);
            exchange->head = NULL;
        }
    }
    if (response->owned != NULL) {
        buffer_release(response->owned);
    }
}

static struct status add_json_string(struct buffer *out, const char *text) {
    TRY(buffer_append_u8(out, '"'));
    for (; *text != '\0'; text++) {
        const uint8_t byte = (uint8_t)*text;
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            TRY(buffer_printf(out, "\\u%04x", byte));
        } else {
            TRY(buffer_append_u8(out, byte));
        }
    }
    return buffer_append_u8(out, '"');
}

static struct status problem_document(struct buffer *out, int status, const char *detail) {
    TRY(buffer_append_string(out, "{\"type\":\"about:blank\",\"title\":"));
    TRY(add_json_string(out, http_reason(status)));
    TRY(buffer_printf(out, ",\"status\":%d", status));
    if (detail != NULL) {
        TRY(buffer_append_string(out, ",\"detail\":"));
        TRY(add_json_string(out, detail));
    }
    return buffer_append_u8(out, '}');
}

void http_exchange_answer_problem(struct http_exchange *exchange, int status, const char *detail,
                                  unsigned retry_after_s) {
    struct buffer document = BUFFER_INIT;
    if (!status_ok(problem_document(&document, status, detail))) {
        buffer_clear(&document); /* the status alone will have to do */
    }
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%u", retry_after_s);
    const struct http_header headers[] = {
        HTTP_HEADER("Content-Type", SPAN_OF_LITERAL("application/problem+json")),
        HTTP_HEADER("Retry-After", span_of_string(seconds)),
    };
    http_exchange_answer(exchange, &(struct http_response){
                                       .status = status,
                                       .headers = headers,
                                       .header_count = retry_after_s > 0 ? 2 : 1,
                                       .owned = &document,
                                   });
}

/* Hands the exchange back to its loop. */
static void post(struct http_exchange *exchange) {
    [[maybe_unused]] const bool again = atomic_exchange(&exchange->replied, true);
    assert(!again);
    exchange->task.run = http_connection_take_answer;
    loop_post(http_connection_loop(exchange->connection), &exchange->task);
}

void http_reply(struct http_request *request, const struct http_response *response) {
    struct http_exchange *exchange = http_exchange_of(request);
    http_exchange_answer(exchange, response);
    post(exchange);
}

void http_reply_problem(struct http_request *request, int status, const char *detail,
                        unsigned retry_after_s) {
    struct http_exchange *exchange = http_exchange_of(request);
    http_exchange_answer_problem(exchange, status, detail, retry_after_s);
    post(exchange);
}

void http_continue(struct http_request *request, size_t consumed) {
    struct http_exchange *exchange = http_exchange_of(request);
    struct buffer *body = &exchange->body;
    assert(consumed <= body->len);
    memmove(body->data, body->data + consumed, body->len - consumed);
    body->len -= consumed;
    atomic_fetch_sub(&exchange->connection->shard->server->body_memory, consumed);
    exchange->body_accounted -= consumed;
    exchange->part_end = body->len + exchange->plan.part_bytes;
    request->body = SPAN_EMPTY;
    exchange->task.run = http_connection_take_part_back;
    loop_post(http_connection_loop(exchange->connection), &exchange->task);
}

void http_exchange_free(struct http_exchange *exchange) {
    if (exchange->head != NULL) {
        evbuffer_free(exchange->head);
    }
    if (exchange->payload != NULL) {
        evbuffer_free(exchange->payload);
    }
    buffer_release(&exchange->body);
    arena_release(&exchange->request.arena);
    free(exchange);
}
