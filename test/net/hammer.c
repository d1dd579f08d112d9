/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_client.h"
#include "net/support.h"

/*
 * Many clients at once, polite and rude, while the server counts: every polite
 * request gets its own answer, whatever the rude ones do.
 */
enum { POLITE = 6, RUDE = 3, ROUNDS = 60, BATCH = 8, CALLS = 300 };

static struct fixture fixture;
static atomic_bool over;
static atomic_int wrong; /* answers; counted, since other threads can't assert */

static void *polite_main(void *argument) {
    const int number = (int)(intptr_t)argument;
    const int fd = dial(&fixture);
    for (int round = 0; round < ROUNDS; round++) {
        char head[128];
        char bodies[BATCH][64];
        for (int i = 0; i < BATCH; i++) {
            const int length = snprintf(bodies[i], sizeof(bodies[i]), "%d/%d/%d", number, round, i);
            snprintf(head, sizeof(head),
                     "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", length);
            say(fd, head);
            say(fd, bodies[i]);
        }
        for (int i = 0; i < BATCH; i++) {
            struct reply reply = hear(fd, false);
            if (reply.status != 200 || strcmp(reply.body, bodies[i]) != 0) {
                atomic_fetch_add(&wrong, 1);
            }
            reply_release(&reply);
        }
    }
    close(fd);
    return NULL;
}

/* Half requests, resets, nonsense, answers not waited for. */
static void *rude_main(void *argument) {
    static const char *const texts[] = {
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
        "POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /hel",
        "\x16\x03\x01\x02",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    };
    unsigned seed = (unsigned)(intptr_t)argument;
    while (!atomic_load(&over)) {
        const int fd = dial(&fixture);
        say(fd, rand_r(&seed) % 100 == 0
                    ? "GET /big HTTP/1.1\r\nHost: x\r\n\r\n"
                    : texts[(unsigned)rand_r(&seed) % (sizeof(texts) / sizeof(texts[0]))]);
        if (rand_r(&seed) % 2 == 0) {
            const struct linger reset = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        if (rand_r(&seed) % 3 > 0) {
            sleep_ms(1);
        }
        close(fd);
    }
    return NULL;
}

static atomic_int called;

static void on_called(void *argument, struct http_client_response *response) {
    if (!status_ok(response->outcome) || response->status != 200 ||
        !span_equal_vartime(buffer_span(&response->body), span_of_string(argument))) {
        atomic_fetch_add(&wrong, 1);
    }
    http_client_response_free(response);
    free(argument);
    atomic_fetch_add(&called, 1);
}

static void call_many(struct http_client *client) {
    char url[256];
    snprintf(url, sizeof(url), "%s", fixture_url(&fixture, "/echo"));
    for (int i = 0; i < CALLS; i++) {
        char *body = malloc(32);
        snprintf(body, 32, "call %d", i);
        const struct http_client_request request = {
            .method = "POST", .url = url, .body = span_of_string(body)};
        cr_assert(status_ok(http_client_send(client, &request, on_called, body)));
    }
    for (int waited = 0; atomic_load(&called) < CALLS; waited++) {
        cr_assert_lt(waited, 60000);
        sleep_ms(1);
    }
}

Test(hammer, answers_everyone, .timeout = 240) {
    fixture_start(&fixture, (struct http_server_config){.pipeline_max = 8});
    struct http_client *client;
    cr_assert(status_ok(
        http_client_new(&client, &(struct http_client_config){.connections_per_host = 16})));
    pthread_t polite[POLITE];
    pthread_t rude[RUDE];
    for (intptr_t i = 0; i < POLITE; i++) {
        pthread_create(&polite[i], NULL, polite_main, (void *)i);
    }
    for (intptr_t i = 0; i < RUDE; i++) {
        pthread_create(&rude[i], NULL, rude_main, (void *)(i + 1));
    }
    call_many(client);
    for (int i = 0; i < POLITE; i++) {
        pthread_join(polite[i], NULL);
    }
    /* Stop in the middle of the rudeness. */
    http_client_free(client);
    atomic_store(&over, true);
    for (int i = 0; i < RUDE; i++) {
        pthread_join(rude[i], NULL);
    }
    fixture_stop(&fixture);
    cr_assert_eq(atomic_load(&called), CALLS);
    cr_assert_eq(atomic_load(&wrong), 0, "%d wrong answers", atomic_load(&wrong));
}
