/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_connection.h"

#include <event2/bufferevent_ssl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "pki/tls.h"

enum {
    LINGER_BYTES = 1024 * 1024,
    LINGER_MS = 2000,
    /* Beside a head, how much input may wait; and how much output before no
     * further request is read. */
    INPUT_SLACK = 64 * 1024,
    OUTPUT_PAUSE = 256 * 1024,
    /* A body this short is read over to keep the connection when its request
     * was answered without it. */
    DISCARD_MAX = 64 * 1024,
    RETRY_AFTER_S = 5,
};

static void connection_advance(struct http_connection *connection);

static const struct http_server_config *config_of(const struct http_connection *connection) {
    return &connection->shard->server->config;
}

struct loop *http_connection_loop(const struct http_connection *connection) {
    return connection->shard->loop;
}

static void connection_unref(struct http_connection *connection) {
    if (--connection->references == 0) {
        arena_release(&connection->arena);
        free(connection);
    }
}

static void set_idle(struct http_connection *connection, bool idle) {
    if (idle == connection->idle) {
        return;
    }
    if (idle) {
        TAILQ_INSERT_TAIL(&connection->shard->idle, connection, of_idle);
    } else {
        TAILQ_REMOVE(&connection->shard->idle, connection, of_idle);
    }
    connection->idle = idle;
}

/* ---- exchanges ---- */

static struct http_exchange *exchange_begin(struct http_connection *connection) {
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
        .head_bytes = config_of(connection)->header_bytes_max,
        .header_count = config_of(connection)->header_count_max,
    };
    http1_reader_begin(&connection->reader, &exchange->request, limits);
    *connection->last = exchange;
    connection->last = &exchange->next;
    connection->queued++;
    connection->current = exchange;
    connection->fresh = false;
    return exchange;
}

/* Frees one that is neither queued nor held. */
static void exchange_end(struct http_exchange *exchange) {
    struct http_connection *connection = exchange->connection;
    atomic_fetch_sub(&connection->shard->server->body_memory, exchange->body_accounted);
    http_exchange_free(exchange);
    connection_unref(connection);
}

static void exchange_abandon(struct http_exchange *exchange) {
    if (exchange->plan.abandon != NULL && !exchange->read) {
        exchange->plan.abandon(exchange->plan.context, &exchange->request);
    }
    exchange->plan = (struct http_plan){0};
}

/* Takes the first exchange off the queue. */
static struct http_exchange *queue_pop(struct http_connection *connection) {
    struct http_exchange *exchange = connection->first;
    connection->first = exchange->next;
    if (connection->first == NULL) {
        connection->last = &connection->first;
    }
    connection->queued--;
    if (connection->current == exchange) {
        connection->current = NULL;
    }
    return exchange;
}

/* ---- the end of a connection ---- */

/* libevent may still hold the bufferevent for a turn of the loop, with its
 * events, so closing the socket (and freeing the SSL) is left to it: a socket
 * closed under its events could be another connection's by then. */
static void release_transport(struct http_connection *connection) {
    if (connection->event != NULL) {
        bufferevent_free(connection->event);
    }
    connection->event = NULL;
    connection->ssl = NULL;
}

void http_connection_close(struct http_connection *connection) {
    if (connection->closed) {
        return;
    }
    connection->closed = true;
    set_idle(connection, false);
    release_transport(connection);
    event_free(connection->timer);
    if (connection->linger != NULL) {
        event_free(connection->linger);
        close(connection->linger_fd);
    }
    while (connection->first != NULL) {
        struct http_exchange *exchange = queue_pop(connection);
        if (exchange->held) {
            atomic_store(&exchange->gone, true); /* freed when its reply comes */
        } else {
            exchange_abandon(exchange);
            exchange_end(exchange);
        }
    }
    TAILQ_REMOVE(&connection->shard->all, connection, of_all);
    http_shard_connection_gone(connection->shard);
    connection_unref(connection);
}

static void set_timer(struct http_connection *connection, int64_t ns) {
    const int64_t us = ns <= 0 ? 0 : (ns + 999) / 1000;
    const struct timeval delay = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    event_add(connection->timer, &delay);
}

/* Reads and drops. */
static void on_linger(evutil_socket_t fd, short events, void *argument) {
    (void)events;
    struct http_connection *connection = argument;
    char bytes[16 * 1024];
    const ssize_t count = read(fd, bytes, sizeof(bytes));
    connection->linger_bytes += count > 0 ? (size_t)count : 0;
    if (count <= 0 || connection->linger_bytes > LINGER_BYTES) {
        http_connection_close(connection);
    }
}

/* Everything is written. If the client may still be sending, closing would
 * reset the connection and could destroy our answer before it is read (RFC
 * 9112 section 9.6), so half-close and wait for its end, for a while. */
static void connection_finish(struct http_connection *connection) {
    if (connection->ssl != NULL && connection->established) {
        SSL_shutdown(connection->ssl);
    }
    if (!connection->unread || connection->ended) {
        http_connection_close(connection);
        return;
    }
    connection->linger_fd = fcntl(bufferevent_getfd(connection->event), F_DUPFD_CLOEXEC, 0);
    if (connection->linger_fd >= 0) {
        connection->linger = event_new(loop_base(connection->shard->loop), connection->linger_fd,
                                       EV_READ | EV_PERSIST, on_linger, connection);
    }
    if (connection->linger == NULL || event_add(connection->linger, NULL) != 0) {
        http_connection_close(connection);
        return;
    }
    shutdown(connection->linger_fd, SHUT_WR);
    release_transport(connection);
    set_idle(connection, false);
    set_timer(connection, (int64_t)LINGER_MS * 1000000);
}

/* ---- reading ---- */

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

/* Gives up reading the current request and answers it with an error, unless
 * it was answered already. */
static void connection_fail(struct http_connection *connection, int status) {
    struct http_exchange *exchange = connection->current;
    exchange_abandon(exchange);
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

static void request_answered_early(struct http_connection *connection,
                                   struct http_exchange *exchange) {
    const struct http1_reader *reader = &connection->reader;
    exchange->discard = true;
    exchange->plan = (struct http_plan){0};
    if (reader->has_body &&
        (reader->expects_continue || reader->content_length > DISCARD_MAX)) {
        connection_fail(connection, 413); /* the answer that is due stands */
    }
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
    http_server_hold(server, true);
    server->config.service.admit(server->config.service.context, request, &exchange->plan);
    if (exchange->plan.handle == NULL) {
        request_answered_early(connection, exchange);
        return;
    }
    exchange->held = false;
    http_server_hold(server, false);
    if (!reader->has_body) {
        return;
    }
    const bool declared = reader->content_length != UINT64_MAX;
    if (declared && reader->content_length > exchange->plan.body_limit) {
        connection_fail(connection, 413);
    } else if (declared && exchange->plan.piece == NULL &&
               atomic_load(&server->body_memory) + reader->content_length >
                   server->config.body_memory_max) {
        connection_fail(connection, 503);
    } else {
        exchange->wants_continue = reader->expects_continue;
    }
}

static void request_piece(struct http_connection *connection, struct span piece) {
    struct http_exchange *exchange = connection->current;
    exchange->body_received += piece.len;
    if (exchange->discard) {
        if (exchange->body_received > DISCARD_MAX) {
            connection_fail(connection, 413);
        }
        return;
    }
    if (exchange->body_received > exchange->plan.body_limit) {
        connection_fail(connection, 413);
        return;
    }
    if (exchange->plan.piece != NULL) {
        struct status status =
            exchange->plan.piece(exchange->plan.context, &exchange->request, piece);
        if (!status_ok(status)) {
            connection_fail(connection, status_http(status.code));
        }
        return;
    }
    if (!account_body(exchange, piece.len) || !status_ok(buffer_append(&exchange->body, piece))) {
        connection_fail(connection, 503);
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
    http_server_hold(connection->shard->server, true);
    exchange->plan.handle(exchange->plan.context, &exchange->request);
}

/* Whether a further request may be begun, or this one read on. */
static bool may_read(const struct http_connection *connection) {
    if (connection->stopped) {
        return false;
    }
    if (connection->current != NULL) {
        return true;
    }
    return !connection->closing && connection->queued < config_of(connection)->pipeline_max &&
           evbuffer_get_length(bufferevent_get_output(connection->event)) < OUTPUT_PAUSE;
}

/* One step; false if there is nothing to be done with what has come. */
static bool read_step(struct http_connection *connection, struct evbuffer *input) {
    if (connection->current == NULL) {
        if (evbuffer_get_length(input) == 0) {
            return false;
        }
        if (exchange_begin(connection) == NULL) {
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
        connection_fail(connection, connection->reader.failure);
        return false;
    case HTTP1_WAIT:
    default:
        return false;
    }
}

static void connection_read(struct http_connection *connection) {
    struct evbuffer *input = bufferevent_get_input(connection->event);
    while (may_read(connection) && read_step(connection, input)) {
    }
    if (connection->ended && connection->current != NULL) {
        /* The rest will not come, and no answer is owed to half a request. */
        connection_fail(connection, 400);
    }
}

/* ---- writing ---- */

static void output_grows(struct http_connection *connection, size_t bytes) {
    if (connection->write_since_ns == 0) {
        connection->write_since_ns = clock_monotonic_ns();
        connection->written = 0;
    }
    connection->written += bytes;
}

static void count_request(const struct http_exchange *exchange) {
    const struct http_server *server = exchange->connection->shard->server;
    if (server->request_family == NULL) {
        return;
    }
    char status[8];
    snprintf(status, sizeof(status), "%d", exchange->status % 1000);
    const char *route = exchange->request.route == NULL ? "none" : exchange->request.route;
    const char *method = exchange->request.method == NULL ? "none" : exchange->request.method;
    metric_add(metric_series(server->request_family, (const char *[]){route, method, status}), 1);
    const int64_t ns = clock_monotonic_ns() - exchange->started_ns;
    metric_observe(metric_series(server->seconds_family, (const char *[]){route}),
                   (double)ns / 1e9);
}

/* Whether a complete answer stands first in the queue. */
static bool answer_is_due(const struct http_connection *connection) {
    const struct http_exchange *first = connection->first;
    return first != NULL && first->answered && first->read;
}

/* False if there is none to write, for want of memory: what follows in the
 * queue would then be taken for it, so the connection must end. */
static bool write_answer(struct http_connection *connection) {
    struct http_exchange *exchange = queue_pop(connection);
    struct evbuffer *output = bufferevent_get_output(connection->event);
    const bool none_follows =
        connection->first == NULL && (connection->closing || connection->ended);
    const bool last = exchange->close || none_follows;
    const size_t before = evbuffer_get_length(output);
    count_request(exchange);
    const bool complete = exchange->head != NULL;
    if (complete) {
        evbuffer_add_buffer(output, exchange->head);
        evbuffer_add_printf(output, "Date: %s\r\n%s\r\n", http_shard_date(connection->shard),
                            last ? "Connection: close\r\n" : "");
        if (exchange->payload != NULL) {
            evbuffer_add_buffer(output, exchange->payload);
        }
    }
    output_grows(connection, evbuffer_get_length(output) - before);
    if (last) {
        connection->stopped = true;
    }
    exchange_end(exchange);
    return complete;
}

/* An interim answer goes out when everything before it has. */
static void write_continue(struct http_connection *connection) {
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_exchange *current = connection->current;
    if (current == NULL || current != connection->first || !current->wants_continue) {
        return;
    }
    current->wants_continue = false;
    if (current->body_received == 0) {
        bufferevent_write(connection->event, interim, sizeof(interim) - 1);
        output_grows(connection, sizeof(interim) - 1);
    }
}

/* ---- time ---- */

static int64_t ms_to_ns(unsigned ms) { return (int64_t)ms * 1000000; }

/* A second for each `rate_min` bytes. */
static int64_t allowance(const struct http_connection *connection, uint64_t bytes) {
    return (int64_t)(bytes / config_of(connection)->rate_min) * 1000000000;
}

/* When reading has taken too long; INT64_MAX while nothing is awaited. */
static int64_t read_deadline(const struct http_connection *connection) {
    const struct http_server_config *config = config_of(connection);
    const struct http_exchange *current = connection->current;
    if (current != NULL && !current->head_read) {
        return current->started_ns + ms_to_ns(config->header_timeout_ms);
    }
    if (current != NULL) {
        return current->body_started_ns + ms_to_ns(config->body_timeout_ms) +
               allowance(connection, current->body_received);
    }
    if (connection->fresh) {
        return connection->since_ns + ms_to_ns(config->header_timeout_ms);
    }
    return connection->idle ? connection->since_ns + ms_to_ns(config->idle_timeout_ms) : INT64_MAX;
}

static int64_t write_deadline(const struct http_connection *connection) {
    if (connection->write_since_ns == 0) {
        return INT64_MAX;
    }
    const size_t left = evbuffer_get_length(bufferevent_get_output(connection->event));
    return connection->write_since_ns + ms_to_ns(config_of(connection)->write_timeout_ms) +
           allowance(connection, connection->written - left);
}

static void update_timer(struct http_connection *connection) {
    const int64_t read = read_deadline(connection);
    const int64_t write = write_deadline(connection);
    const int64_t deadline = read < write ? read : write;
    if (deadline == INT64_MAX) {
        event_del(connection->timer);
    } else {
        set_timer(connection, deadline - clock_monotonic_ns());
    }
}

static void on_timer(evutil_socket_t fd, short events, void *argument) {
    (void)fd;
    (void)events;
    struct http_connection *connection = argument;
    const int64_t now = clock_monotonic_ns();
    if (connection->event == NULL || now >= write_deadline(connection)) {
        http_connection_close(connection);
        return;
    }
    if (now >= read_deadline(connection)) {
        if (connection->current == NULL) {
            http_connection_close(connection);
            return;
        }
        connection_fail(connection, 408);
    }
    connection_advance(connection);
}

/* ---- what drives it ---- */

static void update_reading(struct http_connection *connection) {
    const bool wanted = may_read(connection) && !connection->ended;
    const bool enabled = (bufferevent_get_enabled(connection->event) & EV_READ) != 0;
    if (wanted != enabled) {
        wanted ? bufferevent_enable(connection->event, EV_READ)
               : bufferevent_disable(connection->event, EV_READ);
    }
}

/* Whether nothing more will be read, nor is anything to be answered. */
static bool is_finished(const struct http_connection *connection) {
    return connection->first == NULL &&
           (connection->stopped || connection->closing || connection->ended);
}

/* Does all that can be done now. Every event ends up here, and it may close
 * the connection. */
static void connection_advance(struct http_connection *connection) {
    do {
        while (answer_is_due(connection)) {
            if (!write_answer(connection)) {
                http_connection_close(connection);
                return;
            }
        }
        connection_read(connection);
    } while (answer_is_due(connection));
    write_continue(connection);
    if (evbuffer_get_length(bufferevent_get_output(connection->event)) == 0) {
        connection->write_since_ns = 0;
        if (is_finished(connection)) {
            connection_finish(connection);
            return;
        }
    }
    const bool idle = connection->first == NULL && !connection->fresh;
    if (idle && !connection->idle) {
        connection->since_ns = clock_monotonic_ns();
    }
    set_idle(connection, idle);
    update_reading(connection);
    update_timer(connection);
}

void http_connection_take_answer(struct loop_task *task) {
    struct http_exchange *exchange =
        (struct http_exchange *)((char *)task - offsetof(struct http_exchange, task));
    struct http_connection *connection = exchange->connection;
    struct http_server *server = connection->shard->server;
    exchange->held = false;
    exchange->answered = true;
    if (connection->closed) {
        exchange_end(exchange);
    } else {
        connection_advance(connection);
    }
    http_server_hold(server, false); /* the server may be freed from here on */
}

void http_connection_drain(struct http_connection *connection) {
    connection->closing = true;
    if (connection->event != NULL) {
        connection_advance(connection);
    }
}

static void on_readable(struct bufferevent *event, void *argument) {
    (void)event;
    connection_advance(argument);
}

/* Called when the output has been taken. */
static void on_written(struct bufferevent *event, void *argument) {
    (void)event;
    connection_advance(argument);
}

static struct status take_identity(struct http_connection *connection) {
    struct tls_identity identity = {0};
    bool present = false;
    TRY(tls_peer_identity(connection->ssl, &connection->arena, &identity, &present));
    memcpy(connection->peer.fingerprint, identity.fingerprint, sizeof(identity.fingerprint));
    connection->peer.subject = identity.subject;
    connection->peer.names = identity.names;
    connection->peer.name_count = identity.name_count;
    connection->has_peer = present;
    return OK;
}

static void on_event(struct bufferevent *event, short what, void *argument) {
    (void)event;
    struct http_connection *connection = argument;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        connection->established = true;
        if (tls_is_challenge(connection->ssl) || !status_ok(take_identity(connection))) {
            http_connection_close(connection);
        }
        return;
    }
    if ((what & BEV_EVENT_EOF) != 0 && connection->established) {
        /* It may have closed its half only: what it asked for is answered. */
        connection->ended = true;
        connection_advance(connection);
        return;
    }
    http_connection_close(connection);
}

/* ---- the start ---- */

/* Takes the socket over, unless it fails. */
static struct bufferevent *make_transport(struct http_connection *connection, evutil_socket_t fd) {
    /* Deferred, so that no callback comes while the connection does something
     * to its bufferevent. */
    const int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
    struct event_base *base = loop_base(connection->shard->loop);
    struct tls_server *tls = connection->shard->server->tls;
    if (tls == NULL) {
        connection->established = true;
        return bufferevent_socket_new(base, fd, options);
    }
    SSL *ssl = tls_server_accept(tls);
    struct bufferevent *event =
        ssl == NULL ? NULL
                    : bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                                     options);
    if (event == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    /* The framing of requests shows a truncation. */
    bufferevent_openssl_set_allow_dirty_shutdown(event, 1);
    connection->ssl = ssl;
    return event;
}

static struct http_connection *connection_new(struct http_shard *shard, evutil_socket_t fd,
                                              const struct address *remote) {
    struct http_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return NULL;
    }
    connection->shard = shard;
    connection->references = 1;
    connection->remote = *remote;
    connection->last = &connection->first;
    connection->since_ns = clock_monotonic_ns();
    connection->fresh = true;
    connection->timer = evtimer_new(loop_base(shard->loop), on_timer, connection);
    connection->event = connection->timer == NULL ? NULL : make_transport(connection, fd);
    if (connection->event == NULL) {
        if (connection->timer != NULL) {
            event_free(connection->timer);
        }
        free(connection);
        return NULL;
    }
    return connection;
}

void http_connection_open(struct http_shard *shard, evutil_socket_t fd,
                          const struct address *remote, bool refused) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct http_connection *connection = connection_new(shard, fd, remote);
    if (connection == NULL) {
        close(fd);
        return;
    }
    TAILQ_INSERT_TAIL(&shard->all, connection, of_all);
    atomic_fetch_add(&shard->server->connections, 1);
    bufferevent_setwatermark(connection->event, EV_READ, 0,
                             config_of(connection)->header_bytes_max + INPUT_SLACK);
    bufferevent_setcb(connection->event, on_readable, on_written, on_event, connection);
    bufferevent_enable(connection->event, EV_READ | EV_WRITE);
    if (refused && exchange_begin(connection) != NULL) {
        connection_fail(connection, 503);
        connection_advance(connection);
        return;
    }
    update_timer(connection);
}
