/* SPDX-License-Identifier: Apache-2.0 */
#include "net/support.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { PATIENCE_MS = 20000 };

static atomic_int abandoned;

/* Requests to /held, oldest first. */
static pthread_mutex_t held_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct http_request *held[64];
static size_t held_count;

int fixture_abandoned(void) { return atomic_load(&abandoned); }

void sleep_ms(int ms) {
    const struct timespec delay = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&delay, NULL);
}

static struct http_request *take_held(void) {
    struct http_request *request = NULL;
    pthread_mutex_lock(&held_mutex);
    if (held_count > 0) {
        request = held[0];
        memmove(held, held + 1, --held_count * sizeof(held[0]));
    }
    pthread_mutex_unlock(&held_mutex);
    return request;
}

struct http_request *wait_for_held(void) {
    for (int waited = 0; waited < PATIENCE_MS; waited += 5) {
        struct http_request *request = take_held();
        if (request != NULL) {
            return request;
        }
        sleep_ms(5);
    }
    cr_assert_fail("no request came to be held");
    abort();
}

static void reply_text(struct http_request *request, struct span body) {
    const struct http_header type = HTTP_HEADER("Content-Type", SPAN_OF_LITERAL("text/plain"));
    http_reply(request, &(struct http_response){
                            .status = 200, .headers = &type, .header_count = 1, .body = body});
}

void release_held(struct http_request *request, const char *body) {
    reply_text(request, span_of_string(body));
}

static void handle_hello(void *context, struct http_request *request) {
    (void)context;
    reply_text(request, SPAN_OF_LITERAL("hello"));
}

static void handle_big(void *context, struct http_request *request) {
    (void)context;
    struct buffer body = BUFFER_INIT;
    cr_assert(status_ok(buffer_reserve(&body, BIG_BYTES)));
    memset(body.data, 'b', BIG_BYTES);
    body.len = BIG_BYTES;
    http_reply(request, &(struct http_response){.status = 200, .owned = &body});
    cr_assert_null(body.data);
}

static void work_slow(void *argument, bool cancelled) {
    (void)cancelled;
    reply_text(argument, SPAN_OF_LITERAL("slow"));
}

static void handle_slow(void *context, struct http_request *request) {
    struct fixture *fixture = context;
    if (!status_ok(work_queue_submit_after_ms(fixture->queue, 100, work_slow, request))) {
        http_reply_problem(request, 503, NULL, 1);
    }
}

static void handle_held(void *context, struct http_request *request) {
    (void)context;
    pthread_mutex_lock(&held_mutex);
    cr_assert_lt(held_count, sizeof(held) / sizeof(held[0]));
    held[held_count++] = request;
    pthread_mutex_unlock(&held_mutex);
}

static void handle_who(void *context, struct http_request *request) {
    (void)context;
    if (request->peer == NULL) {
        reply_text(request, SPAN_OF_LITERAL("nobody"));
        return;
    }
    struct buffer text = BUFFER_INIT;
    for (size_t i = 0; i < sizeof(request->peer->fingerprint); i++) {
        cr_assert(status_ok(buffer_printf(&text, "%02x", request->peer->fingerprint[i])));
    }
    cr_assert(status_ok(buffer_printf(&text, " %s", request->peer->subject)));
    for (size_t i = 0; i < request->peer->name_count; i++) {
        cr_assert(status_ok(buffer_printf(&text, " %s", request->peer->names[i])));
    }
    http_reply(request, &(struct http_response){.status = 200, .owned = &text});
}

static void work_echo(void *argument, bool cancelled) {
    (void)cancelled;
    struct http_request *request = argument;
    reply_text(request, request->body);
}

static void handle_echo(void *context, struct http_request *request) {
    struct fixture *fixture = context;
    if (!status_ok(work_queue_submit(fixture->queue, work_echo, request))) {
        http_reply_problem(request, 503, "the queue is full", 1);
    }
}

static void handle_small(void *context, struct http_request *request) {
    (void)context;
    reply_text(request, request->body);
}

/* FNV-1a: shows bytes that were lost, repeated or exchanged. */
struct stream {
    struct fixture *fixture;
    size_t total;
    uint64_t hash;
    bool stalls;
};

static void stream_add(struct stream *stream, struct span bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        stream->hash = (stream->hash ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    }
    stream->total += bytes.len;
}

static const char *stream_text(const struct stream *stream) {
    static _Thread_local char text[64];
    snprintf(text, sizeof(text), "%zu %016jx", stream->total, (uintmax_t)stream->hash);
    return text;
}

const char *stream_digest(struct span bytes) {
    struct stream stream = {.hash = 1};
    stream_add(&stream, bytes);
    return stream_text(&stream);
}

static pthread_cond_t stall_changed = PTHREAD_COND_INITIALIZER;
static bool stalled, stall_released; /* under held_mutex */

void wait_for_stall(void) {
    pthread_mutex_lock(&held_mutex);
    while (!stalled) {
        pthread_cond_wait(&stall_changed, &held_mutex);
    }
    pthread_mutex_unlock(&held_mutex);
}

void release_stall(void) {
    pthread_mutex_lock(&held_mutex);
    stall_released = true;
    pthread_cond_broadcast(&stall_changed);
    pthread_mutex_unlock(&held_mutex);
}

static void stall(void) {
    pthread_mutex_lock(&held_mutex);
    stalled = true;
    pthread_cond_broadcast(&stall_changed);
    while (!stall_released) {
        pthread_cond_wait(&stall_changed, &held_mutex);
    }
    pthread_mutex_unlock(&held_mutex);
}

static void work_part(void *argument, bool cancelled) {
    (void)cancelled;
    struct http_request *request = argument;
    struct stream *stream = request->user;
    if (stream->stalls) {
        stall();
    }
    const size_t consumed = request->body.len - stream->hash % 1000;
    stream_add(stream, span_of(request->body.data, consumed));
    http_continue(request, consumed);
}

static void stream_part(void *context, struct http_request *request) {
    struct fixture *fixture = context;
    cr_assert_geq(request->body.len, PART_BYTES);
    cr_assert_lt(request->body.len, 2 * PART_BYTES); /* no more of it is in memory */
    cr_assert(status_ok(work_queue_submit_after_ms(fixture->queue, 0, work_part, request)));
}

static void stream_abandon(void *context, struct http_request *request) {
    (void)context;
    free(request->user);
    atomic_fetch_add(&abandoned, 1);
}

static void stream_admit(void *context, struct http_request *request, struct http_plan *plan) {
    struct stream *stream = calloc(1, sizeof(*stream));
    stream->fixture = context;
    stream->hash = 1;
    stream->stalls = strcmp(request->route, "/stall") == 0;
    request->user = stream;
    plan->part = stream_part;
    plan->part_bytes = PART_BYTES;
    plan->abandon = stream_abandon;
}

static void handle_stream(void *context, struct http_request *request) {
    (void)context;
    struct stream *stream = request->user;
    stream_add(stream, request->body);
    const char *text = stream_text(stream);
    free(stream);
    reply_text(request, span_of_string(text));
}

static void refuse_admit(void *context, struct http_request *request, struct http_plan *plan) {
    (void)context;
    plan->handle = NULL;
    http_reply_problem(request, 401, "no \"credentials\"", 0);
}

static void choke_part(void *context, struct http_request *request) {
    (void)context;
    http_reply_problem(request, 503, "no more of that", 1);
}

static void choke_admit(void *context, struct http_request *request, struct http_plan *plan) {
    (void)context;
    (void)request;
    plan->part = choke_part;
    plan->part_bytes = 2;
}

static const struct route routes[] = {
    {.method = "GET", .pattern = "/hello", .handle = handle_hello},
    {.method = "GET", .pattern = "/big", .handle = handle_big},
    {.method = "GET", .pattern = "/slow", .handle = handle_slow},
    {.method = "GET", .pattern = "/held", .handle = handle_held},
    {.method = "GET", .pattern = "/who", .handle = handle_who},
    {.method = "POST", .pattern = "/echo", .body_limit = ECHO_MAX, .handle = handle_echo},
    {.method = "POST", .pattern = "/small", .body_limit = 10, .handle = handle_small},
    {.method = "POST",
     .pattern = "/stream",
     .body_limit = UINT64_C(1) << 40,
     .handle = handle_stream,
     .admit = stream_admit},
    {.method = "POST",
     .pattern = "/stall",
     .body_limit = UINT64_C(1) << 40,
     .handle = handle_stream,
     .admit = stream_admit},
    {.method = "POST",
     .pattern = "/refuse",
     .body_limit = ECHO_MAX,
     .handle = handle_small,
     .admit = refuse_admit},
    {.method = "POST",
     .pattern = "/choke",
     .body_limit = ECHO_MAX,
     .handle = handle_small,
     .admit = choke_admit},
};

void fixture_start(struct fixture *fixture, struct http_server_config config) {
    *fixture = (struct fixture){0};
    cr_assert(status_ok(metrics_new(&fixture->metrics)));
    cr_assert(status_ok(loop_group_new(&fixture->loops, 2)));
    cr_assert(status_ok(loop_group_start(fixture->loops)));
    cr_assert(status_ok(work_queue_new(&fixture->queue,
                                       &(struct work_queue_config){.threads = 2})));
    cr_assert(status_ok(router_new(&fixture->router)));
    cr_assert(status_ok(router_mount(fixture->router, "", routes,
                                     sizeof(routes) / sizeof(routes[0]), fixture)));
    config.loops = fixture->loops;
    config.service = router_service(fixture->router);
    config.metrics = fixture->metrics;
    cr_assert(status_ok(address_parse(&config.listen, "127.0.0.1:0")));
    cr_assert(status_ok(http_server_new(&fixture->server, &config)));
}

void fixture_stop(struct fixture *fixture) {
    http_server_stop(fixture->server);
    work_queue_stop(fixture->queue);
    http_server_free(fixture->server);
    work_queue_free(fixture->queue);
    router_free(fixture->router);
    loop_group_free(fixture->loops);
    metrics_free(fixture->metrics);
}

const char *fixture_url(const struct fixture *fixture, const char *path) {
    static char url[256];
    const struct address address = http_server_address(fixture->server);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", address_port(&address), path);
    return url;
}

int dial(const struct fixture *fixture) {
    const struct address address = http_server_address(fixture->server);
    const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&address.storage, address.length), 0,
                 "connect: %s", strerror(errno));
    return fd;
}

/* The server may close while we speak; the test sees that when it listens. */
void say_bytes(int fd, const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        const ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent < 0) {
            cr_assert(errno == EPIPE || errno == ECONNRESET, "send: %s", strerror(errno));
            return;
        }
        at += sent;
        length -= (size_t)sent;
    }
}

void say(int fd, const char *text) { say_bytes(fd, text, strlen(text)); }

static ssize_t read_within(int fd, void *out, size_t length, int ms) {
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    const int ready = poll(&poller, 1, ms);
    cr_assert_geq(ready, 0);
    return ready == 0 ? -2 : read(fd, out, length);
}

/* Byte by byte, so that nothing of the next response is taken. */
static bool read_head(int fd, struct reply *reply) {
    size_t length = 0;
    while (length < 4 || memcmp(reply->head + length - 4, "\r\n\r\n", 4) != 0) {
        cr_assert_lt(length + 1, sizeof(reply->head));
        const ssize_t got = read_within(fd, reply->head + length, 1, PATIENCE_MS);
        cr_assert_neq(got, -2, "the server says nothing");
        if (got <= 0) {
            return false;
        }
        reply->head[++length] = '\0';
    }
    return true;
}

struct reply hear(int fd, bool head_only) {
    struct reply reply = {0};
    if (!read_head(fd, &reply)) {
        return reply;
    }
    cr_assert_eq(sscanf(reply.head, "HTTP/1.1 %d ", &reply.status), 1, "%s", reply.head);
    const char *declared = strstr(reply.head, "\r\nContent-Length: ");
    reply.length = head_only || declared == NULL ? 0 : strtoul(declared + 18, NULL, 10);
    reply.body = calloc(1, reply.length + 1);
    for (size_t at = 0; at < reply.length;) {
        const ssize_t got = read_within(fd, reply.body + at, reply.length - at, PATIENCE_MS);
        cr_assert_gt(got, 0, "the body breaks off at %zu of %zu", at, reply.length);
        at += (size_t)got;
    }
    return reply;
}

void reply_release(struct reply *reply) {
    free(reply->body);
    *reply = (struct reply){0};
}

bool hangs_up(int fd, int ms) {
    char byte;
    const ssize_t got = read_within(fd, &byte, 1, ms);
    return got == 0 || (got == -1 && errno == ECONNRESET);
}

bool expect_status(const struct fixture *fixture, const char *request, int status) {
    const int fd = dial(fixture);
    say(fd, request);
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.status, status, "%d, not %d, to:\n%s", reply.status, status, request);
    if (status >= 400) {
        cr_assert_not_null(strstr(reply.head, "Content-Type: application/problem+json\r\n"));
        char expected[64];
        snprintf(expected, sizeof(expected), "\"status\":%d", status);
        cr_assert_not_null(strstr(reply.body, expected), "%s", reply.body);
        cr_assert_not_null(strstr(reply.body, "\"type\":\"about:blank\""));
    }
    const bool closing = strstr(reply.head, "Connection: close\r\n") != NULL;
    if (closing) {
        cr_assert(hangs_up(fd, 5000), "said close, and did not, after:\n%s", request);
    }
    reply_release(&reply);
    close(fd);
    return closing;
}
