/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_NET_HTTP_CONNECTION_H
#define MOIETY_NET_HTTP_CONNECTION_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/queue.h>

#include "net/http1.h"
#include "net/http_exchange.h"
#include "net/http_server.h"

/*
 * Inside the server: what it is made of, and one connection.
 */
struct tls_server;
TAILQ_HEAD(http_connection_list, http_connection);

/* A server's part on one loop. On its thread only. */
struct http_shard {
    struct http_server *server;
    struct loop *loop;
    int listener; /* -1: closed */
    struct event *accepting;
    struct event *resume; /* accepting, after the machine ran short of something */
    bool draining;
    atomic_size_t held; /* exchanges that handlers hold; changed on the loop's thread */
    struct http_connection_list all;
    struct http_connection_list idle; /* the longest idle first */
    time_t date_second;
    char date[40]; /* of that second, as a Date header's value */
    struct loop_task start;
    struct loop_task drain;
    struct loop_task stop;
};

struct http_server {
    struct http_server_config config; /* with its defaults filled in */
    struct address address;
    struct tls_server *tls; /* NULL: plain */
    struct metric_family *request_family;
    struct metric_family *seconds_family;
    struct metric *refused;

    _Atomic uint64_t body_memory;
    atomic_size_t connections;
    atomic_size_t undrained; /* shards whose connections aren't all gone */
    void (*drained)(void *argument);
    void *drained_argument;

    pthread_mutex_t mutex; /* over the rest */
    pthread_cond_t changed;
    size_t holding_shards; /* of whose exchanges handlers hold any */
    size_t running_shards;  /* that were started and not stopped */
    bool started;
    bool draining;

    unsigned shard_count;
    struct http_shard shards[];
};

struct http_connection {
    TAILQ_ENTRY(http_connection) of_all;
    TAILQ_ENTRY(http_connection) of_idle;
    struct http_shard *shard;
    unsigned references; /* the shard's, and one for each exchange */

    /* Open: `event` lives. Lingering: `event` is NULL and `linger` lives. */
    struct bufferevent *event; /* owns the socket and `ssl` */
    SSL *ssl;                  /* NULL: plain */
    struct event *timer;
    struct event *linger;
    evutil_socket_t linger_fd;
    size_t linger_bytes;
    bool closed;
    bool idle; /* in the shard's list */

    bool established; /* TLS: the handshake is done */
    bool stopped;     /* reads no further request, nor the rest of this one */
    bool closing;     /* finishes what it began to read, then ends */
    bool ended;       /* the client sends no more */
    bool unread;      /* input was left unread: linger */

    struct address remote;
    struct arena arena;      /* of the identity */
    struct http_peer peer;
    bool has_peer;

    struct http1_reader reader;
    struct http_exchange *current; /* being read; also the last of the queue */
    struct http_exchange *first;   /* unanswered, in order */
    struct http_exchange **last;
    unsigned queued;

    int64_t since_ns;       /* accepted, or idle since then */
    bool fresh;             /* nothing was read yet */
    int64_t write_since_ns; /* the output isn't empty since then; 0: it is */
    size_t written;         /* bytes put into the output since then */
};

static inline const struct http_server_config *
http_connection_config(const struct http_connection *connection) {
    return &connection->shard->server->config;
}

/* Takes over a socket that was accepted, and what becomes of it. `refused`:
 * answers 503 whatever is asked. */
void http_connection_open(struct http_shard *shard, evutil_socket_t fd,
                          const struct address *remote, bool refused);
/* Ends when what was begun is done. */
void http_connection_drain(struct http_connection *connection);
/* Ends now. */
void http_connection_close(struct http_connection *connection);
/* The task of an exchange that was replied to. */
void http_connection_take_answer(struct loop_task *task);

/* The task of an exchange whose handler has done with a part of the body. */
void http_connection_take_part_back(struct loop_task *task);

struct loop *http_connection_loop(const struct http_connection *connection);
/* The value of a Date header. */
const char *http_shard_date(struct http_shard *shard);
/* Told by a connection when it is gone from the shard's list. */
void http_shard_connection_gone(struct http_shard *shard);
/* Counts an exchange into or out of those that handlers hold. After the last the
 * server may be freed. On the loop's thread. */
void http_shard_hold(struct http_shard *shard, bool held);

/* ---- Input (http_connection_read.c) ---------------------------------------- */

/* Reads what has come, as far as may be, and hands it over. */
void http_connection_read(struct http_connection *connection);
/* Whether a further request may be begun, or this one read on. */
bool http_connection_may_read(const struct http_connection *connection);
/* Makes the exchange of a further request; NULL if out of memory. */
struct http_exchange *http_connection_begin(struct http_connection *connection);
/* Gives up reading the current request and answers it with an error, unless
 * it was answered already. */
void http_connection_fail(struct http_connection *connection, int status);
/* The current request was answered before its body was read: reads over what
 * is left if that is little, or gives up reading. */
void http_connection_read_over(struct http_connection *connection, struct http_exchange *exchange);
/* Tells the plan, if it wants to know, that the body will never be complete. */
void http_exchange_abandon(struct http_exchange *exchange);

#endif
