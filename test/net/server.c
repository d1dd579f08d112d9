/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/support.h"

static struct fixture fixture;

static void start(void) { fixture_start(&fixture, (struct http_server_config){0}); }
static void stop(void) { fixture_stop(&fixture); }

TestSuite(server, .init = start, .fini = stop, .timeout = 60);

static void expect(int fd, int status, const char *body) {
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.status, status, "%d: %s", reply.status, reply.body);
    cr_assert_str_eq(reply.body, body);
    reply_release(&reply);
}

Test(server, keeps_a_connection) {
    const int fd = dial(&fixture);
    for (int i = 0; i < 3; i++) {
        say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        struct reply reply = hear(fd, false);
        cr_assert_eq(reply.status, 200);
        cr_assert_str_eq(reply.body, "hello");
        cr_assert_not_null(strstr(reply.head, "HTTP/1.1 200 OK\r\n"));
        cr_assert_not_null(strstr(reply.head, "\r\nDate: "));
        cr_assert_not_null(strstr(reply.head, "\r\nContent-Type: text/plain\r\n"));
        cr_assert_null(strstr(reply.head, "Connection:"));
        reply_release(&reply);
    }
    cr_assert_eq(http_server_connections(fixture.server), 1);
    close(fd);
}

Test(server, closes_when_asked) {
    cr_assert(expect_status(&fixture, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                            200));
    cr_assert(expect_status(&fixture, "GET /hello HTTP/1.0\r\n\r\n", 200));
    cr_assert(
        expect_status(&fixture, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200));
}

/* The first answer comes last from its handler, and still goes out first; the
 * twenty requests are more than may be unanswered at a time. */
Test(server, answers_a_pipeline_in_order) {
    const int fd = dial(&fixture);
    for (int round = 0; round < 5; round++) {
        say(fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
                "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                "GET /none HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for (int round = 0; round < 5; round++) {
        expect(fd, 200, "slow");
        expect(fd, 200, "hello");
        expect(fd, 200, "abc");
        struct reply reply = hear(fd, false);
        cr_assert_eq(reply.status, 404);
        reply_release(&reply);
    }
    close(fd);
}

Test(server, pauses_at_the_pipelines_limit) {
    const int fd = dial(&fixture);
    for (int i = 0; i < 12; i++) {
        say(fd, "GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for (int answered = 0; answered < 12; answered++) {
        const size_t expected = answered + 4 < 12 ? 4 : (size_t)(12 - answered);
        sleep_ms(10);
        for (int waited = 0; http_server_requests(fixture.server) != expected; waited++) {
            cr_assert_lt(waited, 5000, "%zu held", http_server_requests(fixture.server));
            sleep_ms(1);
        }
        release_held(wait_for_held(), "held");
        expect(fd, 200, "held");
    }
    close(fd);
}

Test(server, drops_the_body_of_head) {
    const int fd = dial(&fixture);
    say(fd, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    struct reply reply = hear(fd, true);
    cr_assert_eq(reply.status, 200);
    cr_assert_not_null(strstr(reply.head, "\r\nContent-Length: 5\r\n"));
    reply_release(&reply);
    say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, 200, "hello");
    close(fd);
}

Test(server, reads_chunks_however_they_come) {
    static const char request[] =
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n6;extension=\"value\"\r\n world\r\n0\r\nTrailer: value\r\n\r\n"
        "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = dial(&fixture);
    say(fd, request);
    expect(fd, 200, "hello world");
    expect(fd, 200, "hello");
    for (const char *byte = request; *byte != '\0'; byte++) {
        say_bytes(fd, byte, 1);
    }
    expect(fd, 200, "hello world");
    expect(fd, 200, "hello");
    close(fd);
}

Test(server, collects_a_large_body) {
    const int fd = dial(&fixture);
    char *body = malloc(ECHO_MAX + 1);
    for (int i = 0; i < ECHO_MAX; i++) {
        body[i] = (char)('a' + i % 26);
    }
    body[ECHO_MAX] = '\0';
    char head[128];
    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
             ECHO_MAX);
    say(fd, head);
    say(fd, body);
    expect(fd, 200, body);
    free(body);
    close(fd);
}

Test(server, sends_a_large_body) {
    const int fd = dial(&fixture);
    say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.length, BIG_BYTES);
    cr_assert_eq(reply.body[BIG_BYTES - 1], 'b');
    reply_release(&reply);
    expect(fd, 200, "hello");
    close(fd);
}

Test(server, answers_an_expectation) {
    const int fd = dial(&fixture);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n");
    struct reply interim = hear(fd, true);
    cr_assert_eq(interim.status, 100);
    reply_release(&interim);
    say(fd, "ok");
    expect(fd, 200, "ok");
    /* The final answer to the first must not come after the second's 100. */
    say(fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    expect(fd, 200, "slow");
    interim = hear(fd, true);
    cr_assert_eq(interim.status, 100);
    reply_release(&interim);
    say(fd, "ok");
    expect(fd, 200, "ok");
    close(fd);
}

Test(server, skips_the_hundred_for_an_early_answer) {
    cr_assert(expect_status(&fixture,
                            "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                            "Expect: 100-continue\r\n\r\n",
                            401));
    cr_assert(expect_status(&fixture,
                            "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n"
                            "Expect: 100-continue\r\n\r\n",
                            413));
}

/* A short body after an early answer is read over, and the connection kept. */
Test(server, answers_at_the_headers) {
    const int fd = dial(&fixture);
    say(fd, "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n01234"
            "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.status, 401);
    cr_assert_not_null(strstr(reply.body, "\"detail\":\"no \\u0022credentials\\u0022\""));
    reply_release(&reply);
    expect(fd, 200, "hello");
    /* The same if the body takes its time. */
    say(fd, "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
    cr_assert_not(hangs_up(fd, 50));
    say(fd, "01234GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    reply = hear(fd, false);
    cr_assert_eq(reply.status, 401);
    reply_release(&reply);
    expect(fd, 200, "hello");
    close(fd);
}

Test(server, answers_an_upload_that_it_does_not_read) {
    const int fd = dial(&fixture);
    say(fd, "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
    char *block = calloc(1, 500000);
    say_bytes(fd, block, 500000); /* all of it, before listening */
    free(block);
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.status, 401);
    cr_assert_not_null(strstr(reply.head, "Connection: close\r\n"));
    reply_release(&reply);
    /* An end, not a reset, which could have overtaken the answer. */
    char byte;
    cr_assert_eq(read(fd, &byte, 1), 0);
    close(fd);
}

Test(server, answers_who_closes_a_half) {
    const int fd = dial(&fixture);
    say(fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.status, 200);
    cr_assert_not_null(strstr(reply.head, "Connection: close\r\n"));
    reply_release(&reply);
    cr_assert(hangs_up(fd, 5000));
    close(fd);
}

Test(server, takes_whole_urls_and_queries) {
    expect_status(&fixture, "GET http://example.org/hello?a=b HTTP/1.1\r\nHost: x\r\n\r\n", 200);
    expect_status(&fixture, "GET /hello?x HTTP/1.1\r\nHost: x\r\n\r\n", 200);
    expect_status(&fixture, "GET /hello/ HTTP/1.1\r\nHost: x\r\n\r\n", 404);
    expect_status(&fixture, "\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n", 200);
    expect_status(&fixture, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404);
}

Test(server, counts) {
    expect_status(&fixture, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", 200);
    expect_status(&fixture, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404);
    struct buffer text = BUFFER_INIT;
    cr_assert(status_ok(metrics_write(fixture.metrics, &text)));
    cr_assert(status_ok(buffer_append_u8(&text, 0)));
    const char *exposed = (const char *)text.data;
    cr_assert_not_null(strstr(
        exposed, "moiety_http_requests_total{route=\"/hello\",method=\"GET\",status=\"200\"} 1\n"));
    cr_assert_not_null(strstr(
        exposed, "moiety_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"} 1\n"));
    cr_assert_not_null(strstr(exposed, "moiety_http_request_seconds_count{route=\"/hello\"} 1\n"));
    buffer_release(&text);
}
