/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CLI_HTTP_H
#define MOIETY_CLI_HTTP_H

#include "net/http_client.h"
#include "support/options.h"

/* How this program talks to aggregators; the options below set it. */
struct cli_http {
    const char *ca, *certificate, *key;
    bool allow_plain_http;
    struct http_client *client;
};

#define CLI_HTTP_OPTIONS(http)                                                                     \
    {                                                                                              \
        "ca",                                                                                      \
        OPTION_STRING,                                                                             \
        &(http).ca,                                                                                \
        "FILE",                                                                                    \
        "whom to trust for TLS (PEM); default: the system's",                                      \
        NULL},                                                                                     \
        {"certificate", OPTION_STRING, &(http).certificate, "FILE", "our TLS certificate (PEM)",   \
         NULL},                                                                                    \
        {"key", OPTION_STRING, &(http).key, "FILE", "and its key (PEM)", NULL}, {                  \
        "allow-plain-http", OPTION_FLAG, &(http).allow_plain_http, NULL,                           \
            "talk plain http to other machines", NULL                                              \
    }

/* False was said. */
bool cli_http_start(struct cli_http *http);
void cli_http_stop(struct cli_http *http);

/* One request; NULL if memory is short. The answer's outcome may be a failure;
 * whoever gets it frees it. `token` may be empty, `media` NULL. Thread-safe. */
struct http_client_response *cli_http_call(const struct cli_http *http, const char *method,
                                           const char *url, const char *media, struct span token,
                                           struct span body);

/* A header as a terminated string of the response's arena; NULL if it didn't
 * come. */
const char *cli_http_header(struct http_client_response *response, const char *name);
/* Why no HTTP answer came, in words that say what to look at. Static memory. */
const char *cli_http_unreachable(enum status_code code);
/* What went wrong, in words: the failure to get an answer, or the answer's own
 * problem document. Lives with the response. */
const char *cli_http_explain(struct http_client_response *response);

/* How long to wait before try number `attempt` (from 0): what the server asks
 * for, or an exponential back-off from 250 ms to 30 s, spread at random so
 * that clients don't come back all at once. `response` may be NULL. */
int64_t cli_http_backoff_ms(const struct http_client_response *response, unsigned attempt);
void cli_sleep_ms(int64_t ms);

#endif
