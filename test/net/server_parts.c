/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/support.h"

/* Bodies that are taken in parts: nothing is lost or held in memory, whoever is
 * slow, and whoever goes away in the middle. */

static struct fixture fixture;

static void start(void) {
    fixture_start(&fixture, (struct http_server_config){.body_memory_max = 4 * PART_BYTES});
}

static void stop(void) { fixture_stop(&fixture); }

TestSuite(parts, .init = start, .fini = stop, .timeout = 60);
TestSuite(parts_end, .timeout = 60);

#define POST(path) "POST " path " HTTP/1.1\r\nHost: x\r\n"

enum { LONG = 40 * PART_BYTES + 12345 };

static uint8_t *make_body(size_t length) {
    uint8_t *body = malloc(length);
    uint64_t state = 88172645463325252U;
    for (size_t i = 0; i < length; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        body[i] = (uint8_t)state;
    }
    return body;
}

static void expect(int fd, int status, const char *body) {
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.status, status, "%d %s", reply.status, reply.body);
    if (body != NULL) {
        cr_assert_str_eq(reply.body, body);
    }
    reply_release(&reply);
}

static void say_length(int fd, const char *path, size_t length) {
    char head[128];
    snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
             path, length);
    say(fd, head);
}

Test(parts, of_a_known_length) {
    const int fd = dial(&fixture);
    uint8_t *body = make_body(LONG);
    const size_t lengths[] = {LONG, 7, 0, PART_BYTES, PART_BYTES - 1, PART_BYTES + 1, LONG};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        say_length(fd, "/stream", lengths[i]);
        say_bytes(fd, body, lengths[i]);
        expect(fd, 200, stream_digest(span_of(body, lengths[i])));
    }
    free(body);
    close(fd);
    cr_assert_eq(fixture_abandoned(), 0);
}

/* Chunks of all sizes, and another request right behind the last. */
Test(parts, of_an_unknown_length) {
    const int fd = dial(&fixture);
    uint8_t *body = make_body(LONG);
    say(fd, POST("/stream") "Transfer-Encoding: chunked\r\n\r\n");
    size_t size = 1;
    for (size_t at = 0; at < LONG; at += size, size = size * 3 % 300007 + 1) {
        char line[32];
        size = size < LONG - at ? size : LONG - at;
        snprintf(line, sizeof(line), "%zx\r\n", size);
        say(fd, line);
        say_bytes(fd, body + at, size);
        say(fd, "\r\n");
    }
    say(fd, "0\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, 200, stream_digest(span_of(body, LONG)));
    expect(fd, 200, "hello");
    free(body);
    close(fd);
}

/* While a handler has a part, what the client sends stays outside of this
 * process, but for the connection's own input. */
Test(parts, make_the_client_wait) {
    const int fd = dial(&fixture);
    const int other = dial(&fixture);
    const int length = 64 << 20;
    uint8_t *body = make_body((size_t)length);
    say_length(fd, "/stall", (size_t)length);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    ssize_t sent = 0;
    for (int idle = 0; idle < 40;) { /* 200 ms without a byte taken */
        const ssize_t count = send(fd, body + sent, (size_t)(length - sent), MSG_NOSIGNAL);
        cr_assert(count >= 0 || errno == EAGAIN || errno == EWOULDBLOCK);
        sent += count > 0 ? count : 0;
        idle = count > 0 ? 0 : idle + 1;
        sleep_ms(count > 0 ? 0 : 5);
    }
    cr_assert_lt(sent, length / 2, "%zd bytes were taken", sent); /* mostly the kernel's */
    wait_for_stall();
    say(other, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"); /* others go on */
    expect(other, 200, "hello");
    release_stall();
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    say_bytes(fd, body + sent, (size_t)(length - sent));
    expect(fd, 200, stream_digest(span_of(body, (size_t)length)));
    free(body);
    close(fd);
    close(other);
}

static void wait_until_abandoned(int count) {
    for (int waited = 0; fixture_abandoned() != count; waited++) {
        cr_assert_lt(waited, 5000, "%d were abandoned", fixture_abandoned());
        sleep_ms(1);
    }
}

static void hang_up(int fd, bool reset) {
    const struct linger linger = {.l_onoff = reset};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

Test(parts, are_abandoned_when_the_client_goes) {
    uint8_t *body = make_body(3 * PART_BYTES);
    for (int i = 0; i < 20; i++) {
        const int fd = dial(&fixture);
        say_length(fd, "/stream", LONG);
        say_bytes(fd, body, (size_t)(i % 7) * PART_BYTES / 2);
        hang_up(fd, i % 2 == 0);
        wait_until_abandoned(i + 1);
    }
    free(body);
}

/* It isn't told while the handler has the request, but afterwards. */
Test(parts, outlive_a_client_that_goes) {
    uint8_t *body = make_body(PART_BYTES);
    const int fd = dial(&fixture);
    say_length(fd, "/stall", LONG);
    say_bytes(fd, body, PART_BYTES);
    wait_for_stall();
    hang_up(fd, true);
    sleep_ms(50);
    cr_assert_eq(fixture_abandoned(), 0);
    release_stall();
    wait_until_abandoned(1);
    free(body);
}

Test(parts, may_be_refused) {
    /* So long a rest isn't worth reading.. */
    int fd = dial(&fixture);
    say(fd, POST("/choke") "Content-Length: 1000000\r\n\r\nab");
    expect(fd, 503, NULL);
    cr_assert(hangs_up(fd, 5000));
    close(fd);
    fd = dial(&fixture);
    say(fd, POST("/choke") "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
    expect(fd, 503, NULL);
    close(fd);
    /* ..as this one is, to keep the connection. */
    fd = dial(&fixture);
    say(fd, POST("/choke") "Content-Length: 5\r\n\r\nhelloGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, 503, NULL);
    expect(fd, 200, "hello");
    close(fd);
}

/* The time that a handler takes isn't the client's; its own still is. */
Test(parts_end, take_no_time_from_the_client) {
    fixture_start(&fixture,
                  (struct http_server_config){.body_timeout_ms = 300, .rate_min = 1 << 30});
    uint8_t *body = make_body(2 * PART_BYTES);
    int fd = dial(&fixture);
    say_length(fd, "/stall", 2 * PART_BYTES);
    say_bytes(fd, body, PART_BYTES);
    wait_for_stall();
    sleep_ms(600);
    release_stall();
    sleep_ms(50);
    say_bytes(fd, body + PART_BYTES, PART_BYTES);
    expect(fd, 200, stream_digest(span_of(body, 2 * PART_BYTES)));
    say_length(fd, "/stream", 2 * PART_BYTES);
    say_bytes(fd, body, PART_BYTES);
    expect(fd, 408, NULL);
    close(fd);
    free(body);
    cr_assert_eq(fixture_abandoned(), 1);
    fixture_stop(&fixture);
}

static void *release_soon(void *argument) {
    (void)argument;
    sleep_ms(100);
    release_stall();
    return NULL;
}

Test(parts_end, end_with_the_server) {
    start();
    uint8_t *body = make_body(PART_BYTES);
    const int fd = dial(&fixture);
    say_length(fd, "/stall", LONG);
    say_bytes(fd, body, PART_BYTES);
    wait_for_stall();
    pthread_t thread;
    pthread_create(&thread, NULL, release_soon, NULL);
    http_server_stop(fixture.server);
    cr_assert(hangs_up(fd, 1000));
    fixture_stop(&fixture);
    pthread_join(thread, NULL);
    cr_assert_eq(fixture_abandoned(), 1);
    close(fd);
    free(body);
}
