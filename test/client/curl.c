/* SPDX-License-Identifier: Apache-2.0 */
/* The client over libcurl, against a server on the loopback that plays both
 * aggregators from a script. */
#include "moiety/client_curl.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/fixture.h"

/* What the server was asked, and what it says. One connection at a time, each
 * closed after its answer. */
static struct {
    int listener;
    uint16_t port;
    pthread_t thread;
    unsigned config_requests;
    unsigned uploads;
    bool authorized[8];      /* whether each upload carried the credentials */
    uint8_t ids[8][16];      /* the first report of each */
    int upload_errors[8];    /* DAP error to answer each with, or 0 */
    int upload_status;       /* 0 for 200 */
    const char *cache;       /* a header line, or "" */
    struct span leader_list; /* answered by the paths /l/ and /h/ */
    struct span helper_list;
} server;

static struct fixture fixture;
static struct moiety_client_curl *client;
static char leader_url[64], helper_url[64];

static void say(int connection, const char *head, struct span body) {
    char text[512];
    int len = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nConnection: close\r\n"
                                           "Content-Length: %zu\r\n\r\n",
                       head, body.len);
    /* The client may hang up on an answer that is too long. */
    if (send(connection, text, (size_t)len, MSG_NOSIGNAL) == len) {
        (void)!send(connection, body.data, body.len, MSG_NOSIGNAL);
    }
}

static void answer_upload(int connection, const char *head, const uint8_t *body) {
    unsigned n = server.uploads++ % 8;
    uint8_t status[17];
    memcpy(server.ids[n], body, 16);
    memcpy(status, body, 16);
    status[16] = (uint8_t)server.upload_errors[n];
    server.authorized[n] = strstr(head, "\r\nAuthorization: Bearer token\r\n") != NULL;
    if (server.upload_status != 0) {
        char line[64];
        snprintf(line, sizeof(line), "%d No\r\nRetry-After: 7", server.upload_status);
        say(connection, line, SPAN_EMPTY);
    } else if (status[16] != 0) {
        say(connection, "200 OK\r\nContent-Type: application/ppm-dap;message=upload-errors",
            SPAN_OF_ARRAY(status));
    } else {
        say(connection, "200 OK", SPAN_EMPTY);
    }
}

static void answer_config(int connection, const char *head) {
    char line[256];
    server.config_requests++;
    snprintf(line, sizeof(line),
             "200 OK\r\nContent-Type: application/ppm-dap;message=hpke-config-list%s",
             server.cache);
    cr_assert_null(strstr(head, "Authorization"), "credentials are for uploads");
    say(connection, line,
        strncmp(head, "GET /l/", 7) == 0 ? server.leader_list : server.helper_list);
}

static void serve(int connection) {
    static uint8_t request[65536];
    size_t len = 0;
    char *end = NULL;
    size_t body_len = 0;
    do {
        ssize_t got = read(connection, request + len, sizeof(request) - 1 - len);
        if (got <= 0) {
            return;
        }
        len += (size_t)got;
        request[len] = '\0';
        end = end != NULL ? end : strstr((char *)request, "\r\n\r\n");
        char *length = strstr((char *)request, "Content-Length: ");
        body_len = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    } while (end == NULL || (size_t)((uint8_t *)end + 4 - request) + body_len > len);
    end[2] = '\0';
    if (strncmp((char *)request, "POST /l/tasks/", 14) == 0) {
        answer_upload(connection, (char *)request, (uint8_t *)end + 4);
    } else if (strstr((char *)request, "/hpke_config HTTP/1.1\r\n") != NULL) {
        answer_config(connection, (char *)request);
    } else {
        say(connection, "404 Not Found", SPAN_EMPTY);
    }
}

static void *serve_all(void *unused) {
    for (;;) {
        int connection = accept(server.listener, NULL, NULL);
        if (connection < 0) {
            return unused;
        }
        serve(connection);
        close(connection);
    }
}

static void start_server(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    server.cache = "";
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(server.listener, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(server.listener, 8), 0);
    cr_assert_eq(getsockname(server.listener, (struct sockaddr *)&address, &len), 0);
    server.port = ntohs(address.sin_port);
    cr_assert_eq(pthread_create(&server.thread, NULL, serve_all, NULL), 0);
}

static void setup(void) {
    start_server();
    snprintf(leader_url, sizeof(leader_url), "http://127.0.0.1:%u/l/", server.port);
    snprintf(helper_url, sizeof(helper_url), "http://127.0.0.1:%u/h/", server.port);
    struct moiety_task description = fixture_description(leader_url, MOIETY_TIME_INTERVAL);
    description.helper_url = helper_url;
    fixture_setup(&fixture, &description);
    const struct hpke_key *leader = &fixture.leader;
    const struct hpke_key *helper = &fixture.helper;
    server.leader_list = fixture_configs(&fixture, &leader, 1);
    server.helper_list = fixture_configs(&fixture, &helper, 1);
    const struct moiety_client_curl_options options = {
        .size = sizeof(options),
        .authorization = "Bearer token",
        .timeout_ms = 5000,
    };
    cr_assert_eq(moiety_client_curl_new(&description, &options, &client), MOIETY_OK);
}

static void teardown(void) {
    moiety_client_curl_free(client);
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    fixture_release(&fixture);
}

TestSuite(curl, .init = setup, .fini = teardown, .timeout = 30);

static enum moiety_result report_one(struct moiety_report **unsent) {
    static const uint64_t bucket = 2;
    return moiety_client_curl_report(client, &bucket, 1, unsent);
}

Test(curl, one_call_reports) {
    struct moiety_report *unsent = NULL;
    cr_assert_eq(report_one(&unsent), MOIETY_OK, "%s", moiety_client_curl_error(client));
    cr_assert_null(unsent);
    cr_assert_eq(server.config_requests, 2);
    cr_assert_eq(server.uploads, 1);
    cr_assert(server.authorized[0]);
}

Test(curl, configurations_are_kept_as_cache_control_says) {
    cr_assert_eq(report_one(NULL), MOIETY_OK);
    cr_assert_eq(report_one(NULL), MOIETY_OK);
    cr_assert_eq(server.config_requests, 4, "nothing said that they may be kept");
    server.cache = "\r\nCache-Control: max-age=3600";
    cr_assert_eq(report_one(NULL), MOIETY_OK);
    cr_assert_eq(report_one(NULL), MOIETY_OK);
    cr_assert_eq(server.config_requests, 6);
}

Test(curl, an_outdated_configuration_is_fetched_again_once) {
    server.cache = "\r\nCache-Control: max-age=3600";
    server.upload_errors[0] = REPORT_ERROR_OUTDATED_CONFIG;
    cr_assert_eq(report_one(NULL), MOIETY_OK);
    cr_assert_eq(server.config_requests, 4);
    cr_assert_eq(server.uploads, 2);
    cr_assert_arr_neq(server.ids[0], server.ids[1], 16);

    server.upload_errors[2] = server.upload_errors[3] = REPORT_ERROR_OUTDATED_CONFIG;
    struct moiety_report *unsent = NULL;
    cr_assert_eq(report_one(&unsent), MOIETY_REFUSED);
    cr_assert_eq(server.uploads, 4, "one new try and no more");
    cr_assert_null(unsent);
    cr_assert_str_eq(moiety_client_curl_error(client), "outdated_config");
}

Test(curl, what_could_not_be_sent_is_kept_and_sent_later) {
    struct moiety_report *unsent = NULL;
    server.upload_status = 503;
    cr_assert_eq(report_one(&unsent), MOIETY_RETRY_LATER);
    cr_assert_not_null(unsent);
    cr_assert_eq(moiety_client_curl_retry_after(client), 7);
    server.upload_status = 0;
    server.upload_errors[1] = REPORT_ERROR_REPORT_REPLAYED;
    struct moiety_outcome outcome;
    cr_assert_eq(moiety_client_curl_upload(client, &unsent, 1, &outcome), MOIETY_OK);
    cr_assert_eq(outcome.verdict, MOIETY_REPORT_ACCEPTED, "the first try had got through");
    cr_assert_arr_eq(server.ids[0], server.ids[1], 16);
    moiety_report_free(unsent);
}

Test(curl, a_report_that_is_too_early_is_kept) {
    struct moiety_report *unsent = NULL;
    server.upload_errors[0] = REPORT_ERROR_REPORT_TOO_EARLY;
    cr_assert_eq(report_one(&unsent), MOIETY_RETRY_LATER);
    cr_assert_not_null(unsent);
    moiety_report_free(unsent);
    server.upload_errors[1] = REPORT_ERROR_TASK_EXPIRED;
    cr_assert_eq(report_one(&unsent), MOIETY_REFUSED);
    cr_assert_null(unsent);
}

Test(curl, no_server_is_a_network_error) {
    cr_assert_eq(moiety_client_curl_configure(client, 0), MOIETY_OK);
    static const uint64_t bucket = 0;
    struct moiety_report *report;
    struct moiety_outcome outcome = {MOIETY_REPORT_REJECTED, 9};
    cr_assert_eq(moiety_client_report(moiety_client_curl_client(client), &bucket, 1, NOW, &report),
                 MOIETY_OK);
    shutdown(server.listener, SHUT_RDWR);
    cr_assert_eq(moiety_client_curl_upload(client, &report, 1, &outcome), MOIETY_NETWORK);
    cr_assert_eq(outcome.verdict, MOIETY_REPORT_RETRY);
    cr_assert_gt(strlen(moiety_client_curl_error(client)), 0);
    cr_assert_eq(report_one(NULL), MOIETY_NETWORK);
    moiety_report_free(report);
}

Test(curl, bad_configurations_are_refused) {
    server.leader_list = SPAN_OF_LITERAL("nonsense");
    cr_assert_eq(report_one(NULL), MOIETY_INVALID_MESSAGE);
    static uint8_t endless[2 * 1024 * 1024];
    server.leader_list = SPAN_OF_ARRAY(endless);
    cr_assert_eq(moiety_client_curl_configure(client, 1), MOIETY_INVALID_MESSAGE);
    cr_assert_null(strstr(moiety_client_curl_error(client), "HTTP status"),
                   "the transfer goes on to its end");
    cr_assert_eq(server.uploads, 0);
}

Test(curl, plain_http_stays_on_this_machine) {
    static const struct {
        const char *url;
        enum moiety_result result;
    } known[] = {
        {"https://leader.example/", MOIETY_OK},
        {"http://127.0.0.1:1/", MOIETY_OK},
        {"http://127.9.9.9/", MOIETY_OK},
        {"http://localhost:8080/", MOIETY_OK},
        {"http://[::1]:8080/", MOIETY_OK},
        {"http://leader.example/", MOIETY_INSECURE},
        {"http://10.0.0.1/", MOIETY_INSECURE},
        {"http://128.0.0.1/", MOIETY_INSECURE},
        {"http://127.0.0.1.example/", MOIETY_INSECURE},
        {"http://localhost.example/", MOIETY_INSECURE},
        {"http://[::2]/", MOIETY_INSECURE},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct moiety_client_curl *other = NULL;
        struct moiety_task task = fixture.description;
        task.leader_url = known[i].url;
        cr_assert_eq(moiety_client_curl_new(&task, NULL, &other), known[i].result, "%s",
                     known[i].url);
        moiety_client_curl_free(other);
        task = fixture.description;
        task.helper_url = known[i].url;
        other = NULL;
        cr_assert_eq(moiety_client_curl_new(&task, NULL, &other), known[i].result);
        moiety_client_curl_free(other);
    }
}
