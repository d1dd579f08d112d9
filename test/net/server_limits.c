/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/support.h"

static struct fixture fixture;

static void start(void) {
    fixture_start(&fixture, (struct http_server_config){
                                .header_bytes_max = 2048,
                                .header_count_max = 8,
                                .body_memory_max = 3 * ECHO_MAX / 2,
                                .connections_max = 8,
                            });
}

static void start_hasty(void) {
    fixture_start(&fixture, (struct http_server_config){
                                .header_timeout_ms = 300,
                                .body_timeout_ms = 300,
                                .idle_timeout_ms = 800,
                                .write_timeout_ms = 500,
                                .rate_min = 1 << 20,
                            });
}

static void stop(void) { fixture_stop(&fixture); }

TestSuite(server_limits, .init = start, .fini = stop, .timeout = 60);
TestSuite(server_times, .init = start_hasty, .fini = stop, .timeout = 60);

#define POST(path) "POST " path " HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

/* One request each that has, or could have, two readings (RFC 9112 section
 * 11.2), or none. All of them end the connection. */
static const struct {
    int status;
    const char *request;
} refused[] = {
    {400, POST("/echo") "Content-Length: 5\r\n" CHUNKED "\r\n0\r\n\r\n"},
    {400, POST("/echo") CHUNKED "Content-Length: 5\r\n\r\n0\r\n\r\n"},
    {400, POST("/echo") "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
    {400, POST("/echo") "Content-Length: 5, 5\r\n\r\nhello"},
    {400, POST("/echo") "Content-Length: +5\r\n\r\nhello"},
    {400, POST("/echo") "Content-Length: -5\r\n\r\nhello"},
    {400, POST("/echo") "Content-Length: 0x5\r\n\r\nhello"},
    {400, POST("/echo") "Content-Length: 5 5\r\n\r\nhello"},
    {400, POST("/echo") "Content-Length: \r\n\r\n"},
    {400, POST("/echo") "Content-Length: 18446744073709551616\r\n\r\n"},
    {400, POST("/echo") "Content-Length : 5\r\n\r\nhello"},
    {400, POST("/echo") " Content-Length: 5\r\n\r\nhello"},
    {400, POST("/echo") "X: a\r\n folded\r\n\r\n"},
    {400, POST("/echo") "X: a\r\n\tfolded\r\n\r\n"},
    {400, POST("/echo") "No colon\r\n\r\n"},
    {400, POST("/echo") ": no name\r\n\r\n"},
    {400, POST("/echo") "X: a\rb\r\n\r\n"},
    {400, POST("/echo") "X: a\001b\r\n\r\n"},
    {400, POST("/echo") "X\x80: a\r\n\r\n"},
    {400, POST("/echo") "X: a\n\r\n"},
    {400, "GET /hello HTTP/1.1\nHost: x\n\n"},
    {400, "GET /hello HTTP/1.1\r\n\r\n"},
    {400, "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"},
    {400, "GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n"},
    {400, "GET /hello  HTTP/1.1\r\nHost: x\r\n\r\n"},
    {400, "GET /he\x80llo HTTP/1.1\r\nHost: x\r\n\r\n"},
    {400, "GET /he#llo HTTP/1.1\r\nHost: x\r\n\r\n"},
    {400, "GET hello HTTP/1.1\r\nHost: x\r\n\r\n"},
    {400, "GET * HTTP/1.1\r\nHost: x\r\n\r\n"},
    {400, "GET /hello\r\nHost: x\r\n\r\n"},
    {400, "GET /hello HTTQ/1.1\r\nHost: x\r\n\r\n"},
    {400, " GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"},
    {505, "GET /hello HTTP/2.0\r\nHost: x\r\n\r\n"},
    {501, "PRI * HTTP/2.0\r\n\r\n"},
    {501, "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n"},
    {501, "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"},
    {400, "POST /echo HTTP/1.0\r\n" CHUNKED "\r\n0\r\n\r\n"},
    {400, POST("/echo") CHUNKED CHUNKED "\r\n0\r\n\r\n"},
    {400, POST("/echo") "Transfer-Encoding: identity\r\n\r\n"},
    {400, POST("/echo") "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
    {501, POST("/echo") "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    {400, POST("/echo") "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
    {400, POST("/echo") "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
    {417, POST("/echo") "Expect: 200-ok\r\nContent-Length: 2\r\n\r\n"},
    /* Chunks. */
    {400, POST("/echo") CHUNKED "\r\n5\nhello\r\n0\r\n\r\n"},
    {400, POST("/echo") CHUNKED "\r\n5\r\nhelloXX0\r\n\r\n"},
    {400, POST("/echo") CHUNKED "\r\n5\r\nhello\n0\r\n\r\n"},
    {400, POST("/echo") CHUNKED "\r\n5 \r\nhello\r\n0\r\n\r\n"},
    {400, POST("/echo") CHUNKED "\r\n 5\r\nhello\r\n0\r\n\r\n"},
    {400, POST("/echo") CHUNKED "\r\n0x5\r\nhello\r\n0\r\n\r\n"},
    {400, POST("/echo") CHUNKED "\r\n-5\r\nhello\r\n0\r\n\r\n"},
    {400, POST("/echo") CHUNKED "\r\n\r\n0\r\n\r\n"},
    {400, POST("/echo") CHUNKED "\r\nfffffffffffffffff\r\n"},
    {400, POST("/echo") CHUNKED "\r\n5;a\nb\r\nhello\r\n0\r\n\r\n"},
    {400, POST("/echo") CHUNKED "\r\n0\r\nbad trailer\r\n\r\n"},
    {400, POST("/echo") CHUNKED "\r\n0\r\n folded: x\r\n\r\n"},
    /* Sizes. */
    {413, POST("/small") "Content-Length: 11\r\n\r\n"},
    {413, POST("/small") "Content-Length: 1844674407370955161\r\n\r\n"},
    {413, POST("/small") CHUNKED "\r\n5\r\nhello\r\n6\r\n world\r\n"},
    {413, POST("/small") CHUNKED "\r\nffffffff\r\n12345678901"},
    {413, "GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"},
    {431, "GET /hello HTTP/1.1\r\nHost: x\r\na:1\r\nb:1\r\nc:1\r\nd:1\r\ne:1\r\nf:1\r\ng:1\r\n"
          "h:1\r\n\r\n"},
};

Test(server_limits, refuses_what_can_be_read_twice) {
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        cr_assert(expect_status(&fixture, refused[i].request, refused[i].status),
                  "kept the connection after:\n%s", refused[i].request);
    }
}

Test(server_limits, refuses_a_nul) {
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n";
    const int fd = dial(&fixture);
    say_bytes(fd, request, sizeof(request) - 1);
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.status, 400);
    reply_release(&reply);
    close(fd);
}

Test(server_limits, takes_what_just_fits) {
    expect_status(&fixture, POST("/small") "Content-Length: 10\r\n\r\n0123456789", 200);
    expect_status(&fixture, POST("/small") CHUNKED "\r\na\r\n0123456789\r\n0\r\n\r\n", 200);
    expect_status(&fixture,
                  "GET /hello HTTP/1.1\r\nHost: x\r\na:1\r\nb:1\r\nc:1\r\nd:1\r\ne:1\r\nf:1\r\n"
                  "g:\r\n\r\n",
                  200);
}

static void expect_padded(const char *before, int padding, const char *after, int status) {
    struct buffer request = BUFFER_INIT;
    cr_assert(status_ok(buffer_append_string(&request, before)));
    for (int i = 0; i < padding; i++) {
        cr_assert(status_ok(buffer_append_u8(&request, 'p')));
    }
    cr_assert(status_ok(buffer_append_string(&request, after)));
    cr_assert(status_ok(buffer_append_u8(&request, '\0')));
    expect_status(&fixture, (const char *)request.data, status);
    buffer_release(&request);
}

Test(server_limits, bounds_the_head) {
    static const char head[] = "GET /hello HTTP/1.1\r\nHost: x\r\nPadding: ";
    const int rest = (int)sizeof(head) - 1 + 4;
    expect_padded(head, 2048 - rest, "\r\n\r\n", 200);
    expect_padded(head, 2048 - rest + 1, "\r\n\r\n", 431);
    expect_padded(head, 100000, "\r\n\r\n", 431);
    expect_padded("GET /", 100000, " HTTP/1.1\r\nHost: x\r\n\r\n", 414);
    expect_padded(POST("/echo") CHUNKED "\r\n0\r\nA: ", 1000, "\r\n\r\n", 200);
    expect_padded(POST("/echo") CHUNKED "\r\n0\r\nA: ", 3000, "\r\n\r\n", 400);
    expect_padded(POST("/echo") CHUNKED "\r\n1;", 2000, "\r\na\r\n0\r\n\r\n", 400);
}

Test(server_limits, bounds_the_trailers) {
    struct buffer request = BUFFER_INIT;
    cr_assert(status_ok(buffer_append_string(&request, POST("/echo") CHUNKED "\r\n0\r\n")));
    for (int i = 0; i < 200; i++) {
        cr_assert(status_ok(buffer_append_string(&request, "Trailer: value\r\n")));
    }
    cr_assert(status_ok(buffer_append_string(&request, "\r\n")));
    cr_assert(status_ok(buffer_append_u8(&request, '\0')));
    expect_status(&fixture, (const char *)request.data, 431);
    buffer_release(&request);
}

/* ---- time ---- */

static int64_t now_ms(void) { return clock_monotonic_ns() / 1000000; }

/* Says `text` over and over until the server answers; that must be `status`
 * and not take longer than the limits say, with room for a slow machine. */
static void expect_slow(const char *opening, const char *text, int interval, int status) {
    const int fd = dial(&fixture);
    const int64_t start_ms = now_ms();
    say(fd, opening);
    char byte;
    while (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
        cr_assert_lt(now_ms() - start_ms, 8000, "no time-out");
        say(fd, text);
        sleep_ms(interval);
    }
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.status, status, "%d", reply.status);
    cr_assert_geq(now_ms() - start_ms, 250);
    if (status != 0) {
        cr_assert_not_null(strstr(reply.head, "Connection: close\r\n"));
        cr_assert(hangs_up(fd, 5000));
    }
    reply_release(&reply);
    close(fd);
}

Test(server_times, times_out) {
    expect_slow("GET /hello HTTP/1.1\r\n", "X", 20, 408);
    expect_slow(POST("/echo") "Content-Length: 1000\r\n\r\n", "x", 20, 408);
    expect_slow(POST("/echo") CHUNKED "\r\n", "1\r\nx\r\n", 20, 408);
    expect_slow(POST("/stream") "Content-Length: 1000\r\n\r\n", "x", 20, 408);
    cr_assert_eq(fixture_abandoned(), 1);
    /* Nothing was asked: nothing is answered. */
    expect_slow("", "", 20, 0);
    /* Answered at its headers, it gets that answer even if it dawdles on. */
    expect_slow(POST("/refuse") "Content-Length: 1000\r\n\r\n", "x", 20, 401);
}

Test(server_times, gives_a_body_time_by_its_size) {
    const int fd = dial(&fixture);
    say(fd, POST("/stream") "Content-Length: 2097152\r\n\r\n");
    char *block = calloc(1, 1 << 20);
    say_bytes(fd, block, 1 << 20); /* buys a second */
    sleep_ms(600);
    say_bytes(fd, block, 1 << 20);
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.status, 200);
    reply_release(&reply);
    free(block);
    close(fd);
}

Test(server_times, ends_idle_connections_but_not_waiting_ones) {
    const int fd = dial(&fixture);
    const int other = dial(&fixture);
    say(other, "GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.status, 200);
    reply_release(&reply);
    cr_assert_not(hangs_up(fd, 200));
    cr_assert(hangs_up(fd, 5000));
    cr_assert_not(hangs_up(other, 500));
    release_held(wait_for_held(), "at last");
    reply = hear(other, false);
    cr_assert_str_eq(reply.body, "at last");
    reply_release(&reply);
    close(fd);
    close(other);
}

Test(server_times, ends_who_does_not_read) {
    const int fd = dial(&fixture);
    const int small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int waited = 0; http_server_connections(fixture.server) > 0; waited += 10) {
        cr_assert_lt(waited, 15000, "still there");
        sleep_ms(10);
    }
    close(fd);
}

/* ---- numbers ---- */

Test(server_limits, bounds_the_memory_of_bodies) {
    int fds[2];
    char head[128];
    char *block = calloc(1, ECHO_MAX);
    snprintf(head, sizeof(head), POST("/echo") "Content-Length: %d\r\n\r\n", ECHO_MAX);
    fds[0] = dial(&fixture);
    say(fds[0], head);
    say_bytes(fds[0], block, ECHO_MAX - 1);
    sleep_ms(100);
    fds[1] = dial(&fixture);
    say(fds[1], head);
    struct reply reply = hear(fds[1], false);
    cr_assert_eq(reply.status, 503);
    cr_assert_not_null(strstr(reply.head, "\r\nRetry-After: "));
    reply_release(&reply);
    say_bytes(fds[0], block, 1);
    reply = hear(fds[0], false);
    cr_assert_eq(reply.status, 200);
    reply_release(&reply);
    /* What the first held is free again. */
    close(fds[1]);
    fds[1] = dial(&fixture);
    say(fds[1], head);
    say_bytes(fds[1], block, ECHO_MAX);
    reply = hear(fds[1], false);
    cr_assert_eq(reply.status, 200);
    reply_release(&reply);
    free(block);
    close(fds[0]);
    close(fds[1]);
}

Test(server_limits, bounds_the_connections) {
    int fds[8];
    for (int i = 0; i < 8; i++) {
        fds[i] = dial(&fixture);
        say(fds[i], "GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    struct http_request *requests[8];
    for (int i = 0; i < 8; i++) {
        requests[i] = wait_for_held();
    }
    /* All are busy. */
    const int refused_fd = dial(&fixture);
    struct reply reply = hear(refused_fd, false);
    cr_assert_eq(reply.status, 503);
    reply_release(&reply);
    close(refused_fd);
    for (int i = 0; i < 8; i++) {
        release_held(requests[i], "free");
    }
    for (int i = 0; i < 8; i++) {
        reply = hear(fds[i], false);
        reply_release(&reply);
    }
    /* Idle ones make room for as many as come. */
    int served = 0;
    for (int i = 0; i < 8; i++) {
        const int fd = dial(&fixture);
        say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        reply = hear(fd, false);
        served += reply.status == 200;
        reply_release(&reply);
        close(fd);
    }
    cr_assert_gt(served, 0);
    for (int i = 0; i < 8; i++) {
        close(fds[i]);
    }
}
