/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_connection.h"

#include <errno.h>
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
    INPUT_SLACK = 64 * 1024, /* beside a head, how much input may wait */
};

static void connection_advance(struct http_connection *connection);

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

/* Frees one that is neither queued nor held. */
static void exchange_end(struct http_exchange *exchange) {
    struct http_connection *connection = exchange->connection;
    atomic_fetch_sub(&connection->shard->server->body_memory, exchange->body_accounted);
    http_exchange_free(exchange);
    connection_unref(connection);
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
            http_exchange_abandon(exchange);
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

/* Writes what there is to a plain socket, which mostly takes it all: asking first
 * whether it would is dearer than the write. What it doesn't take is left to the
 * bufferevent, which writes only while it is enabled to. False if it fails. */
static bool write_now(struct http_connection *connection) {
    struct bufferevent *event = connection->event;
    struct evbuffer *output = bufferevent_get_output(event);
    if (connection->ssl != NULL) {
        return true;
    }
    if (evbuffer_get_length(output) > 0 && (bufferevent_get_enabled(event) & EV_WRITE) == 0) {
        evbuffer_unfreeze(output, 1);
        const int written = evbuffer_write(output, bufferevent_getfd(event));
        evbuffer_freeze(output, 1);
        if (written < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
    }
    evbuffer_get_length(output) > 0 ? bufferevent_enable(event, EV_WRITE)
                                    : bufferevent_disable(event, EV_WRITE);
    return true;
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
    return (int64_t)(bytes / http_connection_config(connection)->rate_min) * 1000000000;
}

/* When reading has taken too long; INT64_MAX while nothing is awaited. */
static int64_t read_deadline(const struct http_connection *connection) {
    const struct http_server_config *config = http_connection_config(connection);
    const struct http_exchange *current = connection->current;
    if (current != NULL && current->paused) {
        return INT64_MAX; /* it is the client that waits */
    }
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
    return connection->write_since_ns + ms_to_ns(http_connection_config(connection)->write_timeout_ms) +
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
        http_connection_fail(connection, 408);
    }
    connection_advance(connection);
}

/* ---- what drives it ---- */

static void update_reading(struct http_connection *connection) {
    const bool wanted = http_connection_may_read(connection) && !connection->ended;
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
        http_connection_read(connection);
    } while (answer_is_due(connection));
    write_continue(connection);
    if (!write_now(connection)) {
        http_connection_close(connection);
        return;
    }
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
    struct http_shard *shard = connection->shard;
    exchange->held = false;
    exchange->paused = false;
    exchange->answered = true;
    if (connection->closed) {
        exchange_end(exchange);
    } else {
        if (connection->current == exchange) {
            http_connection_read_over(connection, exchange);
        }
        connection_advance(connection);
    }
    http_shard_hold(shard, false); /* the server may be freed from here on */
}

void http_connection_take_part_back(struct loop_task *task) {
    struct http_exchange *exchange =
        (struct http_exchange *)((char *)task - offsetof(struct http_exchange, task));
    struct http_connection *connection = exchange->connection;
    struct http_shard *shard = connection->shard;
    exchange->held = false;
    exchange->paused = false;
    exchange->body_started_ns += clock_monotonic_ns() - exchange->paused_ns;
    if (connection->closed) {
        http_exchange_abandon(exchange);
        exchange_end(exchange);
    } else {
        connection_advance(connection);
    }
    http_shard_hold(shard, false); /* the server may be freed from here on */
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
                             http_connection_config(connection)->header_bytes_max + INPUT_SLACK);
    bufferevent_setcb(connection->event, on_readable, on_written, on_event, connection);
    bufferevent_disable(connection->event, EV_WRITE); /* see write_now() */
    bufferevent_enable(connection->event, connection->ssl == NULL ? EV_READ : EV_READ | EV_WRITE);
    if (refused && http_connection_begin(connection) != NULL) {
        http_connection_fail(connection, 503);
        connection_advance(connection);
        return;
    }
    update_timer(connection);
}
