/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_NET_SUPPORT_H
#define MOIETY_TEST_NET_SUPPORT_H

#include "net/http_server.h"
#include "net/router.h"
#include "net/work_queue.h"

/*
 * A server on a free port of loopback with a few resources, and a client that
 * is a bare socket, so that tests decide on every byte and its time.
 *
 *   GET  /hello    "hello"
 *   GET  /big      BIG_BYTES bytes
 *   GET  /slow     "slow", from a worker, after 100 ms
 *   GET  /held     whatever release_held() says
 *   GET  /who      "<fingerprint in hex> <subject> <names>", or "nobody"
 *   POST /echo     the body, from a worker; up to ECHO_MAX bytes
 *   POST /small    the body; up to 10 bytes
 *   POST /stream   how many bytes came and how they hash, in parts of PART_BYTES,
 *                  of which a worker leaves some to the next part
 *   POST /stall    the same, but the first part is kept until release_stall()
 *   POST /refuse   401 at the headers
 *   POST /choke    503 at the first part
 */
enum { BIG_BYTES = 16 * 1024 * 1024, ECHO_MAX = 1024 * 1024, PART_BYTES = 128 * 1024 };

struct fixture {
    struct loop_group *loops;
    struct work_queue *queue;
    struct router *router;
    struct http_server *server;
    struct metrics *metrics;
};

/* `config` may set limits and TLS; the rest is filled in. */
void fixture_start(struct fixture *fixture, struct http_server_config config);
void fixture_stop(struct fixture *fixture);
/* "http://127.0.0.1:port" or https; static. */
const char *fixture_url(const struct fixture *fixture, const char *path);

/* How many plans were abandoned. */
int fixture_abandoned(void);
/* Waits until /stall has a part, and lets it go on. */
void wait_for_stall(void);
void release_stall(void);
/* What /stream answers to these bytes; in a static buffer. */
const char *stream_digest(struct span bytes);
/* The oldest request to /held; waits for one, and aborts the test after some
 * seconds. */
struct http_request *wait_for_held(void);
void release_held(struct http_request *request, const char *body);

/* A response off a bare socket. */
struct reply {
    int status; /* 0: the connection ended first */
    char head[8192];
    char *body; /* terminated; malloc'd */
    size_t length;
};

int dial(const struct fixture *fixture);
void say(int fd, const char *text);
void say_bytes(int fd, const void *bytes, size_t length);
/* Reads one response; `head_only` for HEAD and for 1xx and 204. */
struct reply hear(int fd, bool head_only);
void reply_release(struct reply *reply);
/* Whether the other end closes within `ms`, having sent nothing more. */
bool hangs_up(int fd, int ms);
/* Asserts that one request gets this status, and a problem document if it is
 * an error; returns whether the server closed afterwards. */
bool expect_status(const struct fixture *fixture, const char *request, int status);
void sleep_ms(int ms);

#endif
