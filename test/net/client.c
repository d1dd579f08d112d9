/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_client.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/certificates.h"
#include "net/support.h"

static struct fixture fixture;
static struct http_client *client;

static void start_client(void) {
    cr_assert(status_ok(http_client_new(&client, &(struct http_client_config){0})));
}

static void start(void) {
    /* A proxy that would be noticed. */
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    fixture_start(&fixture, (struct http_server_config){0});
    start_client();
}

static void stop(void) {
    http_client_free(client);
    fixture_stop(&fixture);
}

TestSuite(client, .init = start, .fini = stop, .timeout = 60);

static struct http_client_response *call(const struct http_client_request *request) {
    struct http_client_response *response = NULL;
    cr_assert(status_ok(http_client_call(client, request, &response)));
    return response;
}

static void expect_body(const struct http_client_response *response, const char *body) {
    cr_assert(span_equal_vartime(buffer_span(&response->body), span_of_string(body)), "%.*s",
              (int)response->body.len, (const char *)response->body.data);
}

Test(client, gets) {
    struct http_client_response *response = call(&(struct http_client_request){
        .method = "GET", .url = fixture_url(&fixture, "/hello")});
    cr_assert(status_ok(response->outcome), "%s", response->reason);
    cr_assert_eq(response->status, 200);
    expect_body(response, "hello");
    cr_assert(span_equal_vartime(http_client_response_header(response, "content-TYPE"),
                                 SPAN_OF_LITERAL("text/plain")));
    cr_assert_null(http_client_response_header(response, "x-none").data);
    http_client_response_free(response);
}

Test(client, posts) {
    struct http_client_response *response = call(&(struct http_client_request){
        .method = "POST",
        .url = fixture_url(&fixture, "/echo"),
        .body = SPAN_OF_LITERAL("a\0b"),
    });
    cr_assert_eq(response->status, 200);
    cr_assert(span_equal_vartime(buffer_span(&response->body), SPAN_OF_LITERAL("a\0b")));
    http_client_response_free(response);
    response = call(&(struct http_client_request){.method = "POST",
                                                  .url = fixture_url(&fixture, "/echo")});
    cr_assert_eq(response->status, 200);
    cr_assert_eq(response->body.len, 0);
    http_client_response_free(response);
    response = call(&(struct http_client_request){.method = "HEAD",
                                                  .url = fixture_url(&fixture, "/hello")});
    cr_assert_eq(response->status, 200);
    cr_assert_eq(response->body.len, 0);
    http_client_response_free(response);
}

static void expect_outcome(const struct http_client_request *request, enum status_code code) {
    struct http_client_response *response = call(request);
    cr_assert_eq(response->outcome.code, code, "%s: %s: %s", request->url,
                 status_name(response->outcome.code), response->reason);
    cr_assert_eq(response->status, 0);
    cr_assert_eq(response->body.len, 0);
    cr_assert_neq(response->reason[0], '\0');
    http_client_response_free(response);
}

Test(client, says_what_failed) {
    static const struct {
        const char *url;
        enum status_code code;
    } cases[] = {
        {"http://example.org/", STATUS_FORBIDDEN},
        {"http://127.0.0.1.example.org/", STATUS_FORBIDDEN},
        {"http://localhost@example.org/", STATUS_FORBIDDEN},
        {"ftp://127.0.0.1/", STATUS_INVALID_ARGUMENT},
        {"file:///etc/passwd", STATUS_INVALID_ARGUMENT},
        {"/path", STATUS_INVALID_ARGUMENT},
        {"", STATUS_INVALID_ARGUMENT},
        {"http://127.0.0.1:1/", STATUS_PEER_FAILED},
        {"http://[::1]:1/", STATUS_PEER_FAILED},
        {"http://localhost:1/", STATUS_PEER_FAILED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_outcome(&(struct http_client_request){.method = "GET", .url = cases[i].url},
                       cases[i].code);
    }
    const struct http_header bad = HTTP_HEADER("X", SPAN_OF_LITERAL("a\r\nY: b"));
    expect_outcome(&(struct http_client_request){.method = "GET",
                                                 .url = fixture_url(&fixture, "/hello"),
                                                 .headers = &bad,
                                                 .header_count = 1},
                   STATUS_INVALID_ARGUMENT);
    expect_outcome(&(struct http_client_request){.method = "GET /hello HTTP/1.1\r\nX:",
                                                 .url = fixture_url(&fixture, "/hello")},
                   STATUS_INVALID_ARGUMENT);
    expect_outcome(&(struct http_client_request){.method = "GET",
                                                 .url = fixture_url(&fixture, "/hello"),
                                                 .body_max = 4},
                   STATUS_TOO_LARGE);
    expect_outcome(&(struct http_client_request){.method = "GET",
                                                 .url = fixture_url(&fixture, "/slow"),
                                                 .timeout_ms = 20},
                   STATUS_TIMEOUT);
}

Test(client, takes_a_body_that_just_fits) {
    struct http_client_response *response =
        call(&(struct http_client_request){.method = "GET",
                                           .url = fixture_url(&fixture, "/big"),
                                           .body_max = BIG_BYTES});
    cr_assert(status_ok(response->outcome));
    cr_assert_eq(response->body.len, BIG_BYTES);
    http_client_response_free(response);
}

/* A server that says one thing and keeps what it heard. */
struct scripted {
    int listener;
    char url[64];
    const char *answer;
    char heard[4096];
    int connections;
    atomic_int requests;
    pthread_t thread;
};

static void *scripted_main(void *argument) {
    struct scripted *scripted = argument;
    for (int fd; (fd = accept(scripted->listener, NULL, NULL)) >= 0; close(fd)) {
        scripted->connections++;
        const ssize_t got = read(fd, scripted->heard, sizeof(scripted->heard) - 1);
        scripted->heard[got < 0 ? 0 : got] = '\0';
        say(fd, scripted->answer);
    }
    return NULL;
}

static void scripted_listen(struct scripted *scripted, void *(*serve)(void *argument)) {
    struct address address;
    cr_assert(status_ok(address_parse(&address, "127.0.0.1:0")));
    scripted->listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(scripted->listener, (struct sockaddr *)&address.storage, address.length), 0);
    listen(scripted->listener, 8);
    getsockname(scripted->listener, (struct sockaddr *)&address.storage, &address.length);
    snprintf(scripted->url, sizeof(scripted->url), "http://127.0.0.1:%u/path",
             address_port(&address));
    pthread_create(&scripted->thread, NULL, serve, scripted);
}

static void scripted_start(struct scripted *scripted, const char *answer) {
    *scripted = (struct scripted){.answer = answer};
    scripted_listen(scripted, scripted_main);
}

static void scripted_stop(struct scripted *scripted) {
    shutdown(scripted->listener, SHUT_RDWR);
    pthread_join(scripted->thread, NULL);
    close(scripted->listener);
}

Test(client, follows_no_redirect) {
    struct scripted scripted;
    scripted_start(&scripted, "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\n"
                              "Retry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    const struct http_header headers[] = {
        HTTP_HEADER("DAP-Auth-Token", SPAN_OF_LITERAL("token")),
        HTTP_HEADER("Content-Type", SPAN_OF_LITERAL("text/x")),
        HTTP_HEADER("Empty", SPAN_OF_LITERAL("")),
    };
    struct http_client_response *response =
        call(&(struct http_client_request){.method = "PUT",
                                           .url = scripted.url,
                                           .headers = headers,
                                           .header_count = 3,
                                           .body = SPAN_OF_LITERAL("body")});
    cr_assert_eq(response->status, 307);
    cr_assert(span_equal_vartime(http_client_response_header(response, "Location"),
                                 SPAN_OF_LITERAL("/elsewhere")));
    cr_assert(span_equal_vartime(http_client_response_header(response, "Retry-After"),
                                 SPAN_OF_LITERAL("7")));
    http_client_response_free(response);
    scripted_stop(&scripted);
    cr_assert_eq(scripted.connections, 1);
    cr_assert_not_null(strstr(scripted.heard, "PUT /path HTTP/1.1\r\n"));
    cr_assert_not_null(strstr(scripted.heard, "\r\nDAP-Auth-Token: token\r\n"));
    cr_assert_not_null(strstr(scripted.heard, "\r\nContent-Type: text/x\r\n"));
    cr_assert_not_null(strstr(scripted.heard, "\r\nEmpty:\r\n"));
    cr_assert_not_null(strstr(scripted.heard, "\r\nContent-Length: 4\r\n"));
    cr_assert_not_null(strstr(scripted.heard, "\r\nUser-Agent: moiety\r\n"));
    cr_assert_null(strstr(scripted.heard, "Expect:"));
}

static bool hear_request(struct scripted *scripted, int fd) {
    const bool heard = read(fd, scripted->heard, sizeof(scripted->heard)) > 0;
    scripted->requests += heard;
    return heard;
}

/* Answers the first request of a connection and hangs up on the second. */
static void *flaky_main(void *argument) {
    struct scripted *scripted = argument;
    for (int fd; (fd = accept(scripted->listener, NULL, NULL)) >= 0; close(fd)) {
        if (hear_request(scripted, fd)) {
            say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            hear_request(scripted, fd);
        }
    }
    return NULL;
}

/* What may have been carried out isn't sent again behind the caller's back. */
Test(client, sends_nothing_twice_by_itself) {
    struct scripted scripted = {0};
    scripted_listen(&scripted, flaky_main);
    struct http_client_request request = {
        .method = "POST", .url = scripted.url, .body = SPAN_OF_LITERAL("body")};
    http_client_response_free(call(&request));
    struct http_client_response *response = call(&request);
    cr_assert_eq(response->outcome.code, STATUS_PEER_FAILED, "%s",
                 status_name(response->outcome.code));
    cr_assert_eq(scripted.requests, 2);
    http_client_response_free(response);
    request = (struct http_client_request){.method = "GET", .url = scripted.url};
    http_client_response_free(call(&request));
    response = call(&request); /* on a connection of its own, in the end */
    cr_assert(status_ok(response->outcome));
    cr_assert_eq(scripted.requests, 5);
    http_client_response_free(response);
    http_client_free(client);
    client = NULL;
    scripted_stop(&scripted);
}

Test(client, refuses_responses_out_of_bounds) {
    static char answer[120000];
    struct scripted scripted;
    strcpy(answer, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 70; i++) {
        strcat(answer, "X: y\r\n");
    }
    strcat(answer, "Content-Length: 0\r\n\r\n");
    scripted_start(&scripted, answer);
    expect_outcome(&(struct http_client_request){.method = "GET", .url = scripted.url},
                   STATUS_TOO_LARGE);
    scripted_stop(&scripted);
    scripted_start(&scripted, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    expect_outcome(&(struct http_client_request){.method = "GET", .url = scripted.url},
                   STATUS_PEER_FAILED);
    scripted_stop(&scripted);
    scripted_start(&scripted, "nonsense");
    expect_outcome(&(struct http_client_request){.method = "GET", .url = scripted.url},
                   STATUS_PEER_FAILED);
    scripted_stop(&scripted);
    scripted_start(&scripted, "HTTP/1.1 103 Early Hints\r\nX: early\r\n\r\n"
                              "HTTP/1.1 200 OK\r\nY: late\r\nContent-Length: 0\r\n\r\n");
    struct http_client_response *response =
        call(&(struct http_client_request){.method = "GET", .url = scripted.url});
    cr_assert_eq(response->status, 200);
    cr_assert_null(http_client_response_header(response, "x").data);
    cr_assert_not_null(http_client_response_header(response, "y").data);
    http_client_response_free(response);
    scripted_stop(&scripted);
}

static atomic_int cancelled;

static void on_cancelled(void *argument, struct http_client_response *response) {
    (void)argument;
    cr_assert_eq(response->outcome.code, STATUS_CANCELLED);
    atomic_fetch_add(&cancelled, 1);
    http_client_response_free(response);
}

Test(client, cancels_when_it_stops) {
    const struct http_client_request request = {.method = "GET",
                                                .url = fixture_url(&fixture, "/held")};
    for (int i = 0; i < 10; i++) {
        cr_assert(status_ok(http_client_send(client, &request, on_cancelled, NULL)));
    }
    struct http_request *held[10];
    for (int i = 0; i < 10; i++) {
        held[i] = wait_for_held();
    }
    http_client_stop(client);
    cr_assert_eq(atomic_load(&cancelled), 10);
    cr_assert_eq(http_client_send(client, &request, on_cancelled, NULL).code, STATUS_CANCELLED);
    cr_assert_eq(atomic_load(&cancelled), 10);
    for (int i = 0; i < 10; i++) {
        release_held(held[i], "");
    }
}

/* ---- TLS ---- */

Test(client_tls, trusts_whom_it_is_told, .timeout = 60) {
    certificates_folder();
    struct certificate ca = certificate_make("Test CA", NULL, NULL);
    struct certificate other_ca = certificate_make("Other CA", NULL, NULL);
    struct certificate server = certificate_make("server", "IP:127.0.0.1", &ca);
    struct certificate leader = certificate_make("leader", NULL, &ca);
    certificate_write(&ca, "ca");
    certificate_write(&other_ca, "other_ca");
    certificate_write(&server, "server");
    certificate_write(&leader, "leader");
    const struct http_tls_config tls = {
        .certificate_file = certificate_path("server.pem"),
        .key_file = certificate_path("server.key"),
        .client_ca_file = certificate_path("ca.pem"),
        .client_certificate = HTTP_CLIENT_CERTIFICATE_OPTIONAL,
    };
    fixture_start(&fixture, (struct http_server_config){.tls = &tls});
    start_client();

    const struct address address = http_server_address(fixture.server);
    char url[64];
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/who", address_port(&address));
    struct http_client_request request = {
        .method = "GET", .url = url, .tls.ca_file = certificate_path("ca.pem")};
    struct http_client_response *response = call(&request);
    cr_assert(status_ok(response->outcome), "%s", response->reason);
    expect_body(response, "nobody");
    http_client_response_free(response);

    /* Another identity does not reuse the connection of the first. */
    request.tls.certificate_file = certificate_path("leader.pem");
    request.tls.key_file = certificate_path("leader.key");
    response = call(&request);
    cr_assert(status_ok(response->outcome), "%s", response->reason);
    cr_assert_eq(memcmp(response->body.data + 64, " CN=leader", 10), 0);
    http_client_response_free(response);

    request.tls.certificate_file = certificate_path("none.pem");
    expect_outcome(&request, STATUS_IO);
    request.tls = (struct http_client_tls){.ca_file = certificate_path("none.pem")};
    expect_outcome(&request, STATUS_IO);
    request.tls.ca_file = certificate_path("other_ca.pem");
    expect_outcome(&request, STATUS_VERIFY_FAILED);
    request.tls.ca_file = NULL;
    expect_outcome(&request, STATUS_VERIFY_FAILED);
    request.tls.ca_file = certificate_path("ca.pem");
    snprintf(url, sizeof(url), "https://localhost:%u/who", address_port(&address));
    expect_outcome(&request, STATUS_VERIFY_FAILED); /* the certificate is for 127.0.0.1 */
    stop();
    certificates_clean();
    certificate_release(&ca);
    certificate_release(&other_ca);
    certificate_release(&server);
    certificate_release(&leader);
}
