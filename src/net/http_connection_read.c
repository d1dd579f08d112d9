/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/clock.h"
#include "net/http_connection.h"

/* A connection's input: from bytes to requests that handlers get, whole or in
 * parts. */

enum {
    /* How much output may wait before no further request is read. */
    OUTPUT_PAUSE = 256 * 1024,
    /* A body this short is read over to keep the connection when its request
     * was answered without it. */
    DISCARD_MAX = 64 * 1024,
    RETRY_AFTER_S = 5,
};

struct http_exchange *http_connection_begin(struct http_connection *connection) {
    struct http_exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL) {
        return NULL;
    }
    exchange->connection = connection;
    connection->references++;
    exchange->started_ns = connection->fresh ? connection->since_ns : clock_monotonic_ns();
    exchange->request.remote = connection->remote;
    exchange->request.secure = connection->ssl != NULL;
    exchange->request.peer = connection->has_peer ? &connection->peer : NULL;
    const struct http1_limits limits = {
        .head_bytes = http_connection_config(connection)->header_bytes_max,
        .header_count = http_connection_config(connection)->header_count_max,
    };
    http1_reader_begin(&connection->reader, &exchange->request, limits);
    *connection->last = exchange;
    connection->last = &exchange->next;
    connection->queued++;
    connection->current = exchange;
    connection->fresh = false;
    return exchange;
}

void http_exchange_abandon(struct http_exchange *exchange) {
    if (exchange->plan.abandon != NULL && !exchange->read) {
        exchange->plan.abandon(exchange->plan.context, &exchange->request);
    }
    exchange->plan = (struct http_plan){0};
}

static const char *failure_detail(int status) {
    switch (status) {
    case 400:
        return "the request is malformed or can be read in two ways";
    case 408:
        return "the request took too long to arrive";
    case 413:
        return "the body is larger than this resource accepts";
    case 414:
    case 431:
        return "the request line or the headers are larger than this server accepts";
    case 417:
        return "no other expectation than 100-continue is met here";
    case 501:
        return "the method or the transfer coding is not known here";
    case 503:
        return "the server is busy; try again later";
    default:
        return NULL;
    }
}

void http_connection_fail(struct http_connection *connection, int status) {
    struct http_exchange *exchange = connection->current;
    http_exchange_abandon(exchange);
    if (!exchange->held && !exchange->answered) {
        http_exchange_answer_problem(exchange, status, failure_detail(status),
                                     status == 503 ? RETRY_AFTER_S : 0);
        exchange->answered = true;
    }
    exchange->read = true;
    exchange->close = true;
    connection->current = NULL;
    connection->stopped = true;
    connection->unread = true;
}

/* Keeps count of what bodies hold of the server's memory; false if it is used
 * up. */
static bool account_body(struct http_exchange *exchange, size_t bytes) {
    struct http_server *server = exchange->connection->shard->server;
    const uint64_t before = atomic_fetch_add(&server->body_memory, bytes);
    exchange->body_accounted += bytes;
    return before + bytes <= server->config.body_memory_max;
}

void http_connection_read_over(struct http_connection *connection,
                               struct http_exchange *exchange) {
    const struct http1_reader *reader = &connection->reader;
    exchange->discard = true;
    exchange->plan = (struct http_plan){0};
    if (reader->has_body &&
        (reader->expects_continue || reader->content_length > DISCARD_MAX)) {
        http_connection_fail(connection, 413); /* the answer that is due stands */
    }
}

/* The most of a declared body that will be in memory at one time. */
static uint64_t held_at_once(const struct http_exchange *exchange) {
    const uint64_t length = exchange->connection->reader.content_length;
    const size_t part = exchange->plan.part_bytes;
    return exchange->plan.part != NULL && part < length ? part : length;
}

/* The head is in: asks the service what is to be done. */
static void request_admit(struct http_connection *connection) {
    struct http_exchange *exchange = connection->current;
    struct http_request *request = &exchange->request;
    struct http_server *server = connection->shard->server;
    const struct http1_reader *reader = &connection->reader;
    exchange->head_read = true;
    exchange->body_started_ns = clock_monotonic_ns();
    exchange->bodiless = strcmp(request->method, "HEAD") == 0;
    exchange->close = !reader->keep_alive;
    /* Held from here on, since the service may reply at once, and from there
     * on another thread may. */
    exchange->held = true;
    http_shard_hold(connection->shard, true);
    server->config.service.admit(server->config.service.context, request, &exchange->plan);
    if (exchange->plan.handle == NULL) {
        http_connection_read_over(connection, exchange);
        return;
    }
    exchange->held = false;
    exchange->part_end = exchange->plan.part == NULL ? SIZE_MAX : exchange->plan.part_bytes;
    http_shard_hold(connection->shard, false);
    if (!reader->has_body) {
        return;
    }
    const bool declared = reader->content_length != UINT64_MAX;
    if (declared && reader->content_length > exchange->plan.body_limit) {
        http_connection_fail(connection, 413);
    } else if (declared && atomic_load(&server->body_memory) + held_at_once(exchange) >
                               server->config.body_memory_max) {
        http_connection_fail(connection, 503);
    } else {
        exchange->wants_continue = reader->expects_continue;
    }
}

/* The handler's until it says that it goes on. */
static void request_part(struct http_exchange *exchange) {
    exchange->request.body = buffer_span(&exchange->body);
    exchange->paused_ns = clock_monotonic_ns();
    exchange->paused = true;
    exchange->held = true;
    http_shard_hold(exchange->connection->shard, true);
    exchange->plan.part(exchange->plan.context, &exchange->request);
}

static void request_piece(struct http_connection *connection, struct span piece) {
    struct http_exchange *exchange = connection->current;
    exchange->body_received += piece.len;
    if (exchange->discard) {
        if (exchange->body_received > DISCARD_MAX) {
            http_connection_fail(connection, 413);
        }
        return;
    }
    if (exchange->body_received > exchange->plan.body_limit) {
        http_connection_fail(connection, 413);
        return;
    }
    if (!account_body(exchange, piece.len) || !status_ok(buffer_append(&exchange->body, piece))) {
        http_connection_fail(connection, 503);
    } else if (exchange->body.len >= exchange->part_end) {
        request_part(exchange);
    }
}

/* The request is complete: it is the handler's now. */
static void request_handle(struct http_connection *connection) {
    struct http_exchange *exchange = connection->current;
    connection->current = NULL;
    exchange->read = true;
    exchange->wants_continue = false;
    if (exchange->close) {
        connection->stopped = true;
    }
    if (exchange->discard) {
        return;
    }
    exchange->request.body = buffer_span(&exchange->body);
    exchange->held = true;
    http_shard_hold(connection->shard, true);
    exchange->plan.handle(exchange->plan.context, &exchange->request);
}

bool http_connection_may_read(const struct http_connection *connection) {
    if (connection->stopped) {
        return false;
    }
    if (connection->current != NULL) {
        return !connection->current->paused;
    }
    return !connection->closing && connection->queued < http_connection_config(connection)->pipeline_max &&
           evbuffer_get_length(bufferevent_get_output(connection->event)) < OUTPUT_PAUSE;
}

/* One step; false if there is nothing to be done with what has come. */
static bool read_step(struct http_connection *connection, struct evbuffer *input) {
    if (connection->current == NULL) {
        if (evbuffer_get_length(input) == 0) {
            return false;
        }
        if (http_connection_begin(connection) == NULL) {
            connection->stopped = true;
            return false;
        }
    }
    struct span piece;
    switch (http1_read(&connection->reader, input, &piece)) {
    case HTTP1_HEAD:
        request_admit(connection);
        return true;
    case HTTP1_BODY:
        request_piece(connection, piece);
        return true;
    case HTTP1_END:
        request_handle(connection);
        return true;
    case HTTP1_ERROR:
        http_connection_fail(connection, connection->reader.failure);
        return false;
    case HTTP1_WAIT:
    default:
        return false;
    }
}

void http_connection_read(struct http_connection *connection) {
    struct evbuffer *input = bufferevent_get_input(connection->event);
    while (http_connection_may_read(connection) && read_step(connection, input)) {
    }
    if (connection->ended && connection->current != NULL && !connection->current->paused) {
        /* The rest will not come, and no answer is owed to half a request. */
        http_connection_fail(connection, 400);
    }
}
