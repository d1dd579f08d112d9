/* SPDX-License-Identifier: Apache-2.0 */
#include "moiety/client_curl.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/curl/cache_lifetime.h"
#include "client/curl/exchange.h"

struct moiety_client_curl {
    struct moiety_client *client;
    struct exchange exchange;
    /* When each aggregator's configuration is too old, on a clock that never
     * goes back; 0 if there is none. Leader, helper. */
    uint64_t fresh_until_s[2];
    uint64_t retry_after_s;
};

enum { RETRY_AFTER_CAP_S = 24 * 3600 };

static const enum moiety_role roles[2] = {MOIETY_LEADER, MOIETY_HELPER};

static uint64_t monotonic_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

/* An app built against an older header has a shorter struct. */
static struct moiety_client_curl_options
current_form(const struct moiety_client_curl_options *given) {
    struct moiety_client_curl_options options = {0};
    if (given != NULL) {
        memcpy(&options, given, given->size < sizeof(options) ? given->size : sizeof(options));
    }
    if (options.provider == NULL) {
        options.provider = &moiety_provider_openssl;
    }
    return options;
}

enum moiety_result moiety_client_curl_new(const struct moiety_task *task,
                                          const struct moiety_client_curl_options *options,
                                          struct moiety_client_curl **out) {
    struct moiety_client_curl_options form = current_form(options);
    if (out == NULL) {
        return MOIETY_INVALID_ARGUMENT;
    }
    struct moiety_client_curl *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return MOIETY_NO_MEMORY;
    }
    enum moiety_result result = exchange_init(&client->exchange, &form);
    if (result == MOIETY_OK) {
        result = moiety_client_new(task, form.provider, &client->client);
    }
    for (int i = 0; i < 2 && result == MOIETY_OK; i++) {
        /* Reports go to the same place as the leader's configuration. */
        result = exchange_check_url(moiety_client_config_url(client->client, roles[i]));
    }
    if (result != MOIETY_OK) {
        moiety_client_curl_free(client);
        return result;
    }
    *out = client;
    return MOIETY_OK;
}

void moiety_client_curl_free(struct moiety_client_curl *client) {
    if (client != NULL) {
        moiety_client_free(client->client);
        exchange_release(&client->exchange);
        free(client);
    }
}

struct moiety_client *moiety_client_curl_client(struct moiety_client_curl *client) {
    return client->client;
}

/* Runs a request and remembers how long the server asks to wait. */
static enum moiety_result run(struct moiety_client_curl *client,
                              const struct exchange_request *request, int *http_status) {
    client->retry_after_s = 0;
    enum moiety_result result = exchange_run(&client->exchange, request, http_status);
    if (result == MOIETY_OK) {
        client->retry_after_s = moiety_client_retry_after(
            exchange_header(&client->exchange, "Retry-After"), (uint64_t)time(NULL),
            RETRY_AFTER_CAP_S);
    }
    return result;
}

static enum moiety_result fetch_config(struct moiety_client_curl *client, int i) {
    const struct exchange_request get = {
        .url = moiety_client_config_url(client->client, roles[i]),
    };
    int http_status = 0;
    enum moiety_result result = run(client, &get, &http_status);
    if (result != MOIETY_OK) {
        return result;
    }
    if (http_status < 200 || http_status > 299) {
        bool passing = http_status >= 500 || http_status == 429 || http_status == 408;
        return passing ? MOIETY_RETRY_LATER : MOIETY_REFUSED;
    }
    const struct buffer *body = &client->exchange.body;
    result = moiety_client_set_config(client->client, roles[i], body->data, body->len);
    if (result == MOIETY_OK) {
        client->fresh_until_s[i] =
            monotonic_s() + cache_lifetime(exchange_header(&client->exchange, "Cache-Control"),
                                           exchange_header(&client->exchange, "Age"));
    }
    return result;
}

enum moiety_result moiety_client_curl_configure(struct moiety_client_curl *client, int again) {
    enum moiety_result result = MOIETY_OK;
    for (int i = 0; i < 2 && result == MOIETY_OK; i++) {
        if (again || client->fresh_until_s[i] <= monotonic_s()) {
            result = fetch_config(client, i);
        }
    }
    return result;
}

enum moiety_result moiety_client_curl_upload(struct moiety_client_curl *client,
                                             struct moiety_report *const reports[], size_t count,
                                             struct moiety_outcome outcomes[]) {
    struct moiety_upload *upload;
    enum moiety_result result = moiety_client_upload(client->client, reports, count, &upload);
    if (result != MOIETY_OK) {
        return result;
    }
    struct exchange_request post = {
        .url = moiety_upload_url(upload),
        .media_type = moiety_upload_media_type(upload),
        .authorized = true,
    };
    post.body = moiety_upload_body(upload, &post.body_len);
    int http_status = 0;
    result = run(client, &post, &http_status);
    if (result == MOIETY_OK) {
        result = moiety_upload_answer(upload, http_status,
                                      exchange_header(&client->exchange, "Content-Type"),
                                      client->exchange.body.data, client->exchange.body.len,
                                      outcomes);
    } else {
        /* No answer: every report is to be sent again. */
        (void)moiety_upload_answer(upload, 0, NULL, NULL, 0, outcomes);
    }
    moiety_upload_free(upload);
    return result;
}

/* Makes one report and sends it. `*verdict` is set if it was made. */
static enum moiety_result try_report(struct moiety_client_curl *client, const uint64_t values[],
                                     size_t count, struct moiety_report **report,
                                     enum moiety_verdict *verdict) {
    enum moiety_result result =
        moiety_client_report(client->client, values, count, (uint64_t)time(NULL), report);
    if (result != MOIETY_OK) {
        return result;
    }
    /* An answer that makes no sense says nothing of the report. */
    struct moiety_outcome outcome = {MOIETY_REPORT_RETRY, 0};
    result = moiety_client_curl_upload(client, report, 1, &outcome);
    *verdict = outcome.verdict;
    if (result == MOIETY_OK && outcome.verdict != MOIETY_REPORT_ACCEPTED) {
        snprintf(client->exchange.error, sizeof(client->exchange.error), "%s",
                 moiety_report_error_name(outcome.error));
        result = outcome.verdict == MOIETY_REPORT_RETRY ? MOIETY_RETRY_LATER : MOIETY_REFUSED;
    }
    return result;
}

enum moiety_result moiety_client_curl_report(struct moiety_client_curl *client,
                                             const uint64_t values[], size_t count,
                                             struct moiety_report **unsent) {
    struct moiety_report *report = NULL;
    enum moiety_verdict verdict = MOIETY_REPORT_REJECTED;
    client->exchange.error[0] = '\0';
    if (unsent != NULL) {
        *unsent = NULL;
    }
    enum moiety_result result = moiety_client_curl_configure(client, 0);
    if (result == MOIETY_OK) {
        result = try_report(client, values, count, &report, &verdict);
    }
    if (report != NULL && verdict == MOIETY_REPORT_REMAKE) {
        moiety_report_free(report);
        report = NULL;
        result = moiety_client_curl_configure(client, 1);
        if (result == MOIETY_OK) {
            result = try_report(client, values, count, &report, &verdict);
        }
    }
    if (report != NULL && verdict == MOIETY_REPORT_RETRY && unsent != NULL) {
        *unsent = report;
    } else {
        moiety_report_free(report);
    }
    return result;
}

uint64_t moiety_client_curl_retry_after(const struct moiety_client_curl *client) {
    return client->retry_after_s;
}

const char *moiety_client_curl_error(const struct moiety_client_curl *client) {
    return client->exchange.error;
}
