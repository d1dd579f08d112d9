/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_E2E_CONNECTION_H
#define MOIETY_BENCH_E2E_CONNECTION_H

#include <netinet/in.h>
#include <stdbool.h>

#include "base/bytes.h"

/*
 * One HTTP/1.1 connection that is kept alive, over plain TCP, with one request
 * under way at a time. It does what a load generator needs and no more: the
 * answer's status, its Content-Length, its body, Retry-After. Not thread-safe.
 */
enum { CONNECTION_ANSWER_MAX = 1 << 16 };

struct connection {
    int fd; /* -1: closed */
    struct sockaddr_in address;

    /* The request: head, which is copied, and body, which is borrowed. */
    char head[512];
    size_t head_len;
    struct span body;
    size_t sent; /* of both */

    /* The answer. */
    char answer[CONNECTION_ANSWER_MAX];
    size_t received;
    int status;
    struct span answer_body;
    unsigned retry_after_s;
    bool closes; /* the server keeps it no longer */
};

enum connection_event {
    CONNECTION_WAITS, /* for the socket's next edge (EPOLLET) */
    CONNECTION_ANSWERED, /* see `status`, `answer_body`, `retry_after_s` */
    CONNECTION_FAILED,   /* it broke, or what came is no answer; it is closed */
};

/* Sets a closed connection up; it connects with the first request. */
void connection_init(struct connection *connection, struct sockaddr_in address);
void connection_close(struct connection *connection);

/* Opens the socket if it is closed, without waiting; false if that fails. */
bool connection_open(struct connection *connection);
/* Begins the request, with `body` after the head for POST `path`. */
void connection_post(struct connection *connection, const char *path, const char *media_type,
                     struct span body);
/* Goes on with it, for as long as that takes no waiting. To be called after
 * connection_post() and whenever the socket becomes readable or writable. */
enum connection_event connection_go_on(struct connection *connection);

#endif
