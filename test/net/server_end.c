/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/support.h"

static struct fixture fixture;

static void start(void) { fixture_start(&fixture, (struct http_server_config){0}); }

TestSuite(server_end, .init = start, .timeout = 60);

static const char held[] = "GET /held HTTP/1.1\r\nHost: x\r\n\r\n";

static void expect(int fd, int status, const char *body) {
    struct reply reply = hear(fd, false);
    cr_assert_eq(reply.status, status);
    cr_assert_str_eq(reply.body, body);
    reply_release(&reply);
}

static void wait_for_connections(size_t count) {
    for (int waited = 0; http_server_connections(fixture.server) != count; waited++) {
        cr_assert_lt(waited, 5000, "%zu connections", http_server_connections(fixture.server));
        sleep_ms(1);
    }
}

/* The client resets the connection while a handler has its request: the
 * request stays as it was, is known to be in vain, and its reply goes nowhere. */
Test(server_end, outlives_its_clients) {
    const int fd = dial(&fixture);
    say(fd, "GET /held?q HTTP/1.1\r\nHost: x\r\nName: value\r\n\r\n");
    struct http_request *request = wait_for_held();
    cr_assert_not(http_request_gone(request));
    const struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    wait_for_connections(0);
    cr_assert(http_request_gone(request));
    cr_assert(span_equal_vartime(request->path, SPAN_OF_LITERAL("/held")));
    cr_assert(span_equal_vartime(request->query, SPAN_OF_LITERAL("q")));
    cr_assert(span_equal_vartime(http_request_header(request, "name"), SPAN_OF_LITERAL("value")));
    cr_assert_eq(http_server_requests(fixture.server), 1);
    release_held(request, "to nobody");
    fixture_stop(&fixture);
}

Test(server_end, abandons_half_a_body) {
    int fd = dial(&fixture);
    say(fd, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    for (int waited = 0; http_server_connections(fixture.server) == 0; waited++) {
        sleep_ms(1);
    }
    sleep_ms(50);
    close(fd);
    wait_for_connections(0);
    cr_assert_eq(fixture_abandoned(), 1);
    fd = dial(&fixture);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    sleep_ms(50);
    close(fd);
    wait_for_connections(0);
    fixture_stop(&fixture);
}

Test(server_end, stops_with_requests_in_hand) {
    const int fd = dial(&fixture);
    const int idle = dial(&fixture);
    say(fd, held);
    say(idle, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    struct http_request *request = wait_for_held();
    sleep_ms(50);
    http_server_stop(fixture.server);
    cr_assert(hangs_up(fd, 1000));
    cr_assert(hangs_up(idle, 1000));
    cr_assert(http_request_gone(request));
    cr_assert_eq(fixture_abandoned(), 1);
    cr_assert_eq(http_server_connections(fixture.server), 0);
    release_held(request, "too late");
    fixture_stop(&fixture);
    close(fd);
    close(idle);
}

static sem_t drained;
static int drained_count;

static void on_drained(void *argument) {
    cr_assert_eq(argument, &fixture);
    drained_count++;
    sem_post(&drained);
}

static bool accepts(void) {
    const struct address address = http_server_address(fixture.server);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const bool accepted =
        connect(fd, (const struct sockaddr *)&address.storage, address.length) == 0;
    cr_assert(accepted || errno == ECONNREFUSED);
    close(fd);
    return accepted;
}

Test(server_end, drains) {
    sem_init(&drained, 0, 0);
    const int busy = dial(&fixture);
    const int pipelined = dial(&fixture);
    const int idle = dial(&fixture);
    const int half = dial(&fixture);
    say(idle, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(idle, 200, "hello");
    say(busy, held);
    struct http_request *first = wait_for_held();
    say(pipelined, held);
    struct http_request *second = wait_for_held();
    say(pipelined, held);
    struct http_request *third = wait_for_held();
    say(half, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
    wait_for_connections(4);
    sleep_ms(50);
    http_server_drain(fixture.server, on_drained, &fixture);
    http_server_drain(fixture.server, on_drained, &fixture);

    cr_assert(hangs_up(idle, 5000));
    for (int waited = 0; accepts(); waited++) {
        cr_assert_lt(waited, 5000, "accepts while draining");
        sleep_ms(1);
    }

    say(half, "cd");
    struct reply reply = hear(half, false);
    cr_assert_str_eq(reply.body, "abcd");
    cr_assert_not_null(strstr(reply.head, "Connection: close\r\n"));
    reply_release(&reply);
    cr_assert(hangs_up(half, 5000));

    release_held(first, "first");
    reply = hear(busy, false);
    cr_assert_str_eq(reply.body, "first");
    cr_assert_not_null(strstr(reply.head, "Connection: close\r\n"));
    reply_release(&reply);
    cr_assert(hangs_up(busy, 5000));

    cr_assert_eq(sem_trywait(&drained), -1, "drained with requests in hand");
    release_held(third, "third");
    release_held(second, "second");
    expect(pipelined, 200, "second");
    expect(pipelined, 200, "third");
    cr_assert(hangs_up(pipelined, 5000));
    while (sem_wait(&drained) != 0) {
    }
    sleep_ms(20);
    cr_assert_eq(drained_count, 1);
    fixture_stop(&fixture);
    close(busy);
    close(pipelined);
    close(idle);
    close(half);
}

Test(server_end, drains_at_once_when_idle) {
    sem_init(&drained, 0, 0);
    http_server_drain(fixture.server, on_drained, &fixture);
    while (sem_wait(&drained) != 0) {
    }
    fixture_stop(&fixture);
}

Test(server_end, refuses_a_port_in_use) {
    struct http_server *second = NULL;
    const struct http_server_config config = {
        .loops = fixture.loops,
        .listen = http_server_address(fixture.server),
        .service = router_service(fixture.router),
    };
    cr_assert_eq(http_server_new(&second, &config).code, STATUS_IO);
    fixture_stop(&fixture);
}

Test(server_end, refuses_limits_out_of_range) {
    struct http_server *second = NULL;
    struct http_server_config config = {
        .loops = fixture.loops,
        .service = router_service(fixture.router),
        .pipeline_max = 9,
    };
    cr_assert(status_ok(address_parse(&config.listen, "127.0.0.1:0")));
    cr_assert_eq(http_server_new(&second, &config).code, STATUS_INVALID_CONFIG);
    config.pipeline_max = 0;
    config.header_bytes_max = 65537;
    cr_assert_eq(http_server_new(&second, &config).code, STATUS_INVALID_CONFIG);
    fixture_stop(&fixture);
}
