/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/secret.h"
#include "cli.h"
#include "dap/media_type.h"
#include "dap/problem.h"
#include "hpke/provider/default.h"
#include "wire/retry_after.h"

bool cli_http_start(struct cli_http *http) {
    const struct http_client_config config = {.allow_plain_http = http->allow_plain_http,
                                              .user_agent = "moiety"};
    struct status status = http_client_new(&http->client, &config);
    if (!status_ok(status)) {
        cli_fail_status(status, "the HTTP client can't start");
    }
    return status_ok(status);
}

void cli_http_stop(struct cli_http *http) {
    http_client_free(http->client);
    http->client = NULL;
}

struct http_client_response *cli_http_call(const struct cli_http *http, const char *method,
                                           const char *url, const char *media, struct span token,
                                           struct span body) {
    struct buffer bearer = BUFFER_INIT;
    struct http_header headers[2];
    struct http_client_response *response = NULL;
    struct http_client_request request = {
        .method = method,
        .url = url,
        .headers = headers,
        .body = body,
        .tls = {http->ca, http->certificate, http->key},
    };
    struct status status = OK;
    if (media != NULL) {
        headers[request.header_count++] = HTTP_HEADER("Content-Type", span_of_string(media));
    }
    if (token.len > 0) {
        status = buffer_printf(&bearer, "Bearer %.*s", (int)token.len, (const char *)token.data);
        headers[request.header_count++] = HTTP_HEADER("Authorization", buffer_span(&bearer));
    }
    if (status_ok(status)) {
        status = http_client_call(http->client, &request, &response);
    }
    if (bearer.data != NULL) {
        secret_wipe(bearer.data, bearer.len);
    }
    buffer_release(&bearer);
    return status_ok(status) ? response : NULL;
}

const char *cli_http_header(struct http_client_response *response, const char *name) {
    struct span value = http_client_response_header(response, name);
    return value.data == NULL
               ? NULL
               : arena_printf(&response->arena, "%.*s", (int)value.len, (const char *)value.data);
}

const char *cli_http_unreachable(enum status_code code) {
    switch (code) {
    case STATUS_VERIFY_FAILED:
        return "its TLS certificate isn't one we trust; is --ca right, and does the certificate "
               "name this host?";
    case STATUS_TIMEOUT: return "it does not answer in time; is a firewall in between?";
    case STATUS_FORBIDDEN:
        return "plain http to another machine would show tokens to the network; serve https";
    case STATUS_IO: return "a TLS file of ours can't be used";
    case STATUS_INVALID_ARGUMENT: return "the URL makes no sense";
    default: return "it can't be reached; does moietyd run there, and is the address right?";
    }
}

const char *cli_http_explain(struct http_client_response *response) {
    struct problem problem;
    const char *text = NULL;
    if (response == NULL) {
        return "out of memory";
    }
    if (!status_ok(response->outcome)) {
        text = arena_printf(&response->arena, "%s (%s)",
                            cli_http_unreachable(response->outcome.code), response->reason);
    } else if (media_type_matches(http_client_response_header(response, "Content-Type"),
                                  MEDIA_PROBLEM) &&
               status_ok(
                   problem_decode(buffer_span(&response->body), &response->arena, &problem))) {
        const char *what =
            status_problem(problem.code) == NULL ? problem.title : status_problem(problem.code);
        text = arena_printf(&response->arena, "%d %s%s%s", response->status,
                            what == NULL ? "" : what, problem.detail == NULL ? "" : ": ",
                            problem.detail == NULL ? "" : problem.detail);
    } else {
        text = arena_printf(&response->arena, "%d %s", response->status,
                            http_reason(response->status));
    }
    return text == NULL ? "out of memory" : text;
}

int64_t cli_http_backoff_ms(const struct http_client_response *response, unsigned attempt) {
    enum { FIRST_MS = 250, LAST_MS = 30000, ASKED_MAX_S = 300, DOUBLINGS = 7 };
    uint64_t asked_s = 0;
    uint16_t random = 0;
    if (response != NULL && status_ok(response->outcome)) {
        struct span header = http_client_response_header(response, "Retry-After");
        struct status status =
            retry_after_parse(header, clock_now_s(&clock_system), ASKED_MAX_S, &asked_s);
        asked_s = status_ok(status) ? asked_s : 0;
    }
    int64_t wait = asked_s > 0 ? (int64_t)asked_s * 1000
                               : FIRST_MS << (attempt < DOUBLINGS ? attempt : DOUBLINGS);
    if (hpke_provider_default()->random(&random, sizeof(random)) != 0) {
        random = 0;
    }
    wait = wait < LAST_MS || asked_s > 0 ? wait : LAST_MS;
    return wait + wait / 4 * random / UINT16_MAX;
}

void cli_sleep_ms(int64_t ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}
