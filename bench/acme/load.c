/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads an ACME server with issuance by http-01, so many at a time, and says how
 * long each took: from the order to the downloaded chain. What it was given is
 * printed, one URL a line, so that a test can look for it afterwards.
 */
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "client.h"

struct load {
    struct acme_directory directory;
    const char *ca_file;
    struct http_client *http;
    EVP_PKEY *key;
    const char *kid;
    long count;
    atomic_long next, failed, requests;
    int64_t *took_ns; /* of each that succeeded; 0 otherwise */
};

static void issue_one(struct load *load, struct acme_client *client, long i) {
    static const char *const names[] = {"localhost"};
    struct acme_issued issued;
    EVP_PKEY *key;
    if (!status_ok(key_new(KEY_P256, &key))) {
        atomic_fetch_add(&load->failed, 1);
        return;
    }
    int64_t start = clock_monotonic_ns();
    if (acme_issue(client, names, 1, NULL, key, &issued)) {
        load->took_ns[i] = clock_monotonic_ns() - start;
        printf("%s\n", issued.certificate);
        buffer_release(&issued.pem);
    } else {
        atomic_fetch_add(&load->failed, 1);
    }
    EVP_PKEY_free(key);
}

static void *work(void *argument) {
    struct load *load = argument;
    struct acme_client client = {.http = load->http, .ca_file = load->ca_file,
                                 .directory = load->directory, .key = load->key,
                                 .kid = load->kid};
    for (long i; (i = atomic_fetch_add(&load->next, 1)) < load->count;) {
        issue_one(load, &client, i);
    }
    atomic_fetch_add(&load->requests, (long)client.requests);
    return NULL;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void report(struct load *load, double seconds) {
    long done = load->count - atomic_load(&load->failed);
    long skip = load->count - done;
    qsort(load->took_ns, (size_t)load->count, sizeof(int64_t), compare);
    if (done > 0) {
        fprintf(stderr,
                "%ld certificates, %ld failures, %.1f a second, %.2f requests each; ms: median "
                "%.2f, p99 %.2f, most %.2f\n",
                done, skip, (double)done / seconds,
                (double)atomic_load(&load->requests) / (double)done,
                (double)load->took_ns[skip + done / 2] / 1e6,
                (double)load->took_ns[skip + done * 99 / 100] / 1e6,
                (double)load->took_ns[load->count - 1] / 1e6);
    } else {
        fprintf(stderr, "no certificate, %ld failures\n", skip);
    }
}

static bool run(struct load *load, struct acme_client *client, int workers) {
    pthread_t threads[256];
    int started = 0;
    if (!acme_register(client, NULL, SPAN_EMPTY)) {
        fprintf(stderr, "no account can be made at %s\n", client->directory.new_account);
        return false;
    }
    load->directory = client->directory;
    load->key = client->key;
    load->kid = client->kid;
    int64_t start = clock_monotonic_ns();
    while (started < workers && started < 256 &&
           pthread_create(&threads[started], NULL, work, load) == 0) {
        started++;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    report(load, (double)(clock_monotonic_ns() - start) / 1e9);
    return true;
}

/* A URL with a path is a directory's. */
static bool is_directory(const char *url) {
    const char *host = strstr(url, "://");
    return host != NULL && strchr(host + 3, '/') != NULL;
}

int main(int argc, char **argv) {
    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: acme-load URL HTTP-01-PORT WORKERS COUNT [CA-FILE]\n"
                        "URL is our CA's, or another server's directory.\n");
        return 2;
    }
    struct load load = {.count = atol(argv[4]), .ca_file = argc == 6 ? argv[5] : NULL};
    const struct http_client_config config = {.user_agent = "acme-load",
                                              .connections_per_host = 256};
    struct acme_client client;
    struct acme_responder *responder = NULL;
    uint16_t port = (uint16_t)atoi(argv[2]);
    log_configure(LOG_ERROR, LOG_TEXT, 2);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    load.took_ns = calloc((size_t)load.count + 1, sizeof(int64_t));
    if (load.took_ns == NULL || !status_ok(http_client_new(&load.http, &config)) ||
        !acme_client_init(&client, load.http, argv[1]) ||
        !acme_responder_start(client.key, &responder, &port)) {
        fprintf(stderr, "the load can't start\n");
        return EXIT_FAILURE;
    }
    client.ca_file = load.ca_file;
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool ran = (!is_directory(argv[1]) || acme_client_discover(&client, argv[1])) &&
               run(&load, &client, atoi(argv[3]));
    acme_responder_stop(responder);
    acme_client_release(&client);
    http_client_free(load.http);
    bool whole = ran && atomic_load(&load.failed) == 0;
    free(load.took_ns);
    return whole ? EXIT_SUCCESS : EXIT_FAILURE;
}
