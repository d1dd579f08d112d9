/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_server.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "net/http_connection.h"
#include "pki/tls.h"

enum {
    BACKLOG = 1024,
    /* Connections over the limit that may be told so at one time. */
    REFUSED_MAX = 64,
    ACCEPT_PAUSE_MS = 100,
    /* In a turn of the loop, so that a flood of new connections doesn't starve
     * those that are open. */
    ACCEPT_AT_ONCE = 16,
    HEADER_BYTES_LIMIT = 65536,
    PIPELINE_LIMIT = 8,
};

/* ---- configuration ---- */

static struct status fill_defaults(struct http_server_config *config) {
    if (config->header_bytes_max > HEADER_BYTES_LIMIT || config->pipeline_max > PIPELINE_LIMIT ||
        config->service.admit == NULL || config->listen.length == 0) {
        log_event(LOG_ERROR, "the HTTP server's limits are out of range");
        return FAIL(INVALID_CONFIG);
    }
#define DEFAULT(member, value) \
    config->member = config->member == 0 ? (value) : config->member
    DEFAULT(connections_max, 4096);
    DEFAULT(pipeline_max, 4);
    DEFAULT(header_bytes_max, 16384);
    DEFAULT(header_count_max, 64);
    DEFAULT(body_memory_max, UINT64_C(1) << 30);
    DEFAULT(header_timeout_ms, 10000);
    DEFAULT(body_timeout_ms, 30000);
    DEFAULT(idle_timeout_ms, 75000);
    DEFAULT(write_timeout_ms, 30000);
    DEFAULT(rate_min, 1024);
#undef DEFAULT
    return OK;
}

static struct status make_tls(struct http_server *server, const struct http_tls_config *tls) {
    server->config.tls = NULL; /* the caller's memory */
    if (tls == NULL) {
        return OK;
    }
    static const enum tls_client_auth auth[] = {
        [HTTP_CLIENT_CERTIFICATE_NONE] = TLS_CLIENT_NONE,
        [HTTP_CLIENT_CERTIFICATE_OPTIONAL] = TLS_CLIENT_OPTIONAL,
        [HTTP_CLIENT_CERTIFICATE_REQUIRED] = TLS_CLIENT_REQUIRED,
    };
    const struct tls_source source = tls->source == NULL ? (struct tls_source){NULL, NULL}
                                                         : *tls->source;
    return tls_server_new(&server->tls, &(struct tls_server_config){
                                            .source = source,
                                            .certificate_file = tls->certificate_file,
                                            .key_file = tls->key_file,
                                            .client_ca_file = tls->client_ca_file,
                                            .client_auth = auth[tls->client_certificate],
                                        });
}

static double read_connections(void *server) {
    return (double)http_server_connections(server);
}

static double read_requests(void *server) { return (double)http_server_requests(server); }

static struct status make_metrics(struct http_server *server) {
    struct metrics *metrics = server->config.metrics;
    const struct metric_description requests = {
        .name = "moiety_http_requests_total",
        .help = "Requests answered.",
        .kind = METRIC_COUNTER,
        .labels = {"route", "method", "status"},
    };
    const struct metric_description seconds = {
        .name = "moiety_http_request_seconds",
        .help = "From a request's first byte to its answer.",
        .kind = METRIC_HISTOGRAM,
        .labels = {"route"},
        .buckets = metric_buckets_seconds,
        .bucket_count = metric_buckets_seconds_count,
    };
    const struct metric_description refused = {
        .name = "moiety_http_connections_refused_total",
        .help = "Connections over the limit.",
        .kind = METRIC_COUNTER,
    };
    struct metric_family *family = NULL;
    TRY(metrics_family(metrics, &requests, &server->request_family));
    TRY(metrics_family(metrics, &seconds, &server->seconds_family));
    TRY(metrics_family(metrics, &refused, &family));
    server->refused = metric_series(family, NULL);
    TRY(metrics_gauge_reader(metrics, "moiety_http_connections", "Open connections.",
                             read_connections, server));
    return metrics_gauge_reader(metrics, "moiety_http_requests_held",
                                "Requests that handlers are busy with.", read_requests, server);
}

/* ---- listening ---- */

static struct status fail_listen(const struct address *address, const char *what) {
    const int error = errno;
    char text[ADDRESS_TEXT_MAX];
    address_format(address, text);
    log_event(LOG_ERROR, "cannot listen", LOG_STRING("address", text), LOG_STRING("call", what),
              LOG_STRING("reason", strerror(error)));
    return error == EACCES || error == EPERM ? FAIL(PERMISSION_DENIED) : FAIL(IO);
}

static struct status open_bound(const struct address *address, bool shared, int *out) {
    const int on = 1;
    const int fd =
        socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return fail_listen(address, "socket");
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, (const struct sockaddr *)&address->storage, address->length) != 0) {
        struct status status = fail_listen(address, "bind");
        close(fd);
        return status;
    }
    *out = fd;
    return OK;
}

/* SO_REUSEPORT would let two servers started by mistake share one port, each
 * getting half of the connections. One bind without it finds that out. */
static struct status probe_port(const struct address *address) {
    if (address_port(address) == 0) {
        return OK;
    }
    int fd;
    TRY(open_bound(address, false, &fd));
    close(fd);
    return OK;
}

static struct status listen_shard(struct http_server *server, struct http_shard *shard) {
    TRY(open_bound(&server->address, true, &shard->listener));
    if (listen(shard->listener, BACKLOG) != 0) {
        return fail_listen(&server->address, "listen");
    }
    server->address.length = sizeof(server->address.storage);
    if (getsockname(shard->listener, (struct sockaddr *)&server->address.storage,
                    &server->address.length) != 0) {
        return fail_listen(&server->config.listen, "getsockname");
    }
    return OK;
}

static bool make_room(struct http_shard *shard) {
    struct http_connection *idle = TAILQ_FIRST(&shard->idle);
    if (idle == NULL) {
        return false;
    }
    http_connection_close(idle);
    return true;
}

static void admit_connection(struct http_shard *shard, int fd, const struct address *remote) {
    struct http_server *server = shard->server;
    const size_t open = atomic_load(&server->connections);
    if (open < server->config.connections_max || make_room(shard)) {
        http_connection_open(shard, fd, remote, false);
        return;
    }
    metric_add(server->refused, 1);
    /* Saying why takes a connection; over TLS it would take a handshake, which
     * is what there is no room for. */
    if (server->tls == NULL && open < (size_t)server->config.connections_max + REFUSED_MAX) {
        http_connection_open(shard, fd, remote, true);
    } else {
        close(fd);
    }
}

/* Short of descriptors or memory: the listening socket would stay readable and
 * spin the loop, so leave it alone for a moment. */
static void pause_accepting(struct http_shard *shard) {
    const struct timeval delay = {.tv_usec = ACCEPT_PAUSE_MS * 1000};
    log_event(LOG_WARN, "cannot accept connections", LOG_STRING("reason", strerror(errno)));
    event_del(shard->accepting);
    event_add(shard->resume, &delay);
}

static void on_resume(evutil_socket_t fd, short events, void *argument) {
    (void)fd;
    (void)events;
    struct http_shard *shard = argument;
    event_add(shard->accepting, NULL);
}

static void accept_some(struct http_shard *shard, unsigned most) {
    for (unsigned i = 0; i < most; i++) {
        struct address remote = {.length = sizeof(remote.storage)};
        const int accepted = accept4(shard->listener, (struct sockaddr *)&remote.storage,
                                     &remote.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted >= 0) {
            admit_connection(shard, accepted, &remote);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(shard);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

static void on_accept(evutil_socket_t fd, short events, void *argument) {
    (void)fd;
    (void)events;
    accept_some(argument, ACCEPT_AT_ONCE);
}

/* What waits to be accepted would be reset by closing the socket, so it is
 * accepted first. */
static void close_listener(struct http_shard *shard, bool accept_waiting) {
    if (shard->listener < 0) {
        return;
    }
    if (shard->accepting != NULL) {
        if (accept_waiting) {
            accept_some(shard, BACKLOG);
        }
        event_free(shard->accepting);
        event_free(shard->resume);
        shard->accepting = NULL;
        shard->resume = NULL;
    }
    close(shard->listener);
    shard->listener = -1;
}

/* ---- shards, on their loops ---- */

#define SHARD_OF(task, member) \
    ((struct http_shard *)((char *)(task)-offsetof(struct http_shard, member)))

static void run_start(struct loop_task *task) {
    struct http_shard *shard = SHARD_OF(task, start);
    struct event_base *base = loop_base(shard->loop);
    shard->accepting =
        event_new(base, shard->listener, EV_READ | EV_PERSIST, on_accept, shard);
    shard->resume = evtimer_new(base, on_resume, shard);
    if (shard->accepting == NULL || shard->resume == NULL ||
        event_add(shard->accepting, NULL) != 0) {
        log_event(LOG_ERROR, "out of memory: a loop accepts no connections");
    }
}

static void check_drained(struct http_shard *shard) {
    struct http_server *server = shard->server;
    if (!shard->draining || !TAILQ_EMPTY(&shard->all)) {
        return;
    }
    shard->draining = false;
    if (atomic_fetch_sub(&server->undrained, 1) == 1) {
        server->drained(server->drained_argument);
    }
}

void http_shard_connection_gone(struct http_shard *shard) {
    atomic_fetch_sub(&shard->server->connections, 1);
    check_drained(shard);
}

static void run_drain(struct loop_task *task) {
    struct http_shard *shard = SHARD_OF(task, drain);
    close_listener(shard, true);
    struct http_connection *connection = TAILQ_FIRST(&shard->all);
    while (connection != NULL) {
        struct http_connection *next = TAILQ_NEXT(connection, of_all);
        http_connection_drain(connection);
        connection = next;
    }
    shard->draining = true;
    check_drained(shard);
}

static void run_stop(struct loop_task *task) {
    struct http_shard *shard = SHARD_OF(task, stop);
    struct http_server *server = shard->server;
    shard->draining = false;
    close_listener(shard, false);
    while (!TAILQ_EMPTY(&shard->all)) {
        http_connection_close(TAILQ_FIRST(&shard->all));
    }
    pthread_mutex_lock(&server->mutex);
    server->running_shards--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

const char *http_shard_date(struct http_shard *shard) {
    const time_t now = time(NULL);
    if (now != shard->date_second) {
        struct tm parts;
        gmtime_r(&now, &parts);
        strftime(shard->date, sizeof(shard->date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        shard->date_second = now;
    }
    return shard->date;
}

/* ---- the server ---- */

/* The server hears of the first and the last, so that loops don't meet at its
 * mutex for each request. */
void http_shard_hold(struct http_shard *shard, bool held) {
    struct http_server *server = shard->server;
    const size_t before = held ? atomic_fetch_add(&shard->held, 1) : atomic_fetch_sub(&shard->held, 1);
    if (before != (held ? 0 : 1)) {
        return;
    }
    pthread_mutex_lock(&server->mutex);
    held ? server->holding_shards++ : server->holding_shards--;
    if (server->holding_shards == 0) {
        pthread_cond_broadcast(&server->changed);
    }
    pthread_mutex_unlock(&server->mutex);
}

static struct http_server *server_new(const struct http_server_config *config) {
    const unsigned count = loop_group_count(config->loops);
    struct http_server *server =
        calloc(1, sizeof(*server) + count * sizeof(struct http_shard));
    if (server == NULL) {
        return NULL;
    }
    server->config = *config;
    server->address = config->listen;
    server->shard_count = count;
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->changed, NULL);
    for (unsigned i = 0; i < count; i++) {
        struct http_shard *shard = &server->shards[i];
        shard->server = server;
        shard->loop = loop_group_at(config->loops, i);
        shard->listener = -1;
        TAILQ_INIT(&shard->all);
        TAILQ_INIT(&shard->idle);
        shard->start.run = run_start;
        shard->drain.run = run_drain;
        shard->stop.run = run_stop;
    }
    return server;
}

static struct status server_listen(struct http_server *server) {
    TRY(probe_port(&server->address));
    for (unsigned i = 0; i < server->shard_count; i++) {
        TRY(listen_shard(server, &server->shards[i]));
    }
    return OK;
}

struct status http_server_new(struct http_server **out, const struct http_server_config *config) {
    struct http_server *server = server_new(config);
    if (server == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status;
    TRY_GOTO(status, fill_defaults(&server->config), fail);
    TRY_GOTO(status, make_tls(server, config->tls), fail);
    TRY_GOTO(status, server_listen(server), fail);
    TRY_GOTO(status, make_metrics(server), fail);
    server->started = true;
    server->running_shards = server->shard_count;
    for (unsigned i = 0; i < server->shard_count; i++) {
        loop_post(server->shards[i].loop, &server->shards[i].start);
    }
    *out = server;
    return OK;
fail:
    http_server_free(server);
    return status;
}

struct address http_server_address(const struct http_server *server) { return server->address; }

struct status http_server_reload_tls(struct http_server *server) {
    return server->tls == NULL ? OK : tls_server_reload(server->tls);
}

struct tls_server *http_server_tls(struct http_server *server) { return server->tls; }

void http_server_drain(struct http_server *server, void (*done)(void *argument), void *argument) {
    pthread_mutex_lock(&server->mutex);
    const bool first = !server->draining && server->started;
    server->draining = true;
    if (first) {
        server->drained = done;
        server->drained_argument = argument;
        atomic_store(&server->undrained, server->shard_count);
        for (unsigned i = 0; i < server->shard_count; i++) {
            loop_post(server->shards[i].loop, &server->shards[i].drain);
        }
    }
    pthread_mutex_unlock(&server->mutex);
}

void http_server_stop(struct http_server *server) {
    pthread_mutex_lock(&server->mutex);
    if (server->started) {
        server->started = false;
        for (unsigned i = 0; i < server->shard_count; i++) {
            loop_post(server->shards[i].loop, &server->shards[i].stop);
        }
    }
    while (server->running_shards > 0) {
        pthread_cond_wait(&server->changed, &server->mutex);
    }
    pthread_mutex_unlock(&server->mutex);
}

void http_server_free(struct http_server *server) {
    if (server == NULL) {
        return;
    }
    http_server_stop(server);
    pthread_mutex_lock(&server->mutex);
    while (server->holding_shards > 0) {
        pthread_cond_wait(&server->changed, &server->mutex);
    }
    pthread_mutex_unlock(&server->mutex);
    metrics_forget_reader(server->config.metrics, server);
    for (unsigned i = 0; i < server->shard_count; i++) {
        close_listener(&server->shards[i], false); /* if it was never started */
    }
    tls_server_free(server->tls);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

size_t http_server_requests(const struct http_server *server) {
    size_t held = 0;
    for (unsigned i = 0; i < server->shard_count; i++) {
        held += atomic_load(&server->shards[i].held);
    }
    return held;
}

size_t http_server_connections(const struct http_server *server) {
    return atomic_load(&server->connections);
}
