/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CLIENT_CURL_EXCHANGE_H
#define MOIETY_CLIENT_CURL_EXCHANGE_H

#include <curl/curl.h>

#include "base/bytes.h"
#include "moiety/client_curl.h"

/* One HTTP connection's worth of requests. Not thread-safe. */
struct exchange {
    CURL *curl;
    char *ca_file;
    char *certificate_file; /* with key_file, or NULL */
    char *key_file;
    char *authorization_line; /* "Authorization: ...", or NULL */
    uint32_t timeout_ms;
    unsigned sends; /* of the present upload */
    char error[CURL_ERROR_SIZE + 64];
    struct buffer body; /* of the last answer */
};

struct exchange_request {
    const char *url;
    const char *media_type; /* NULL for a GET */
    const uint8_t *body;
    size_t body_len;
    bool authorized; /* whether the Authorization header goes along */
};

/* OK, NO_MEMORY, INVALID_ARGUMENT (a certificate without key). `options` as in moiety_client_curl_new(). */
enum moiety_result exchange_init(struct exchange *exchange,
                                 const struct moiety_client_curl_options *options);
void exchange_release(struct exchange *exchange);

/* OK if an answer came, whatever its status, which goes to `http_status`;
 * NETWORK if not; INVALID_MESSAGE if it is longer than a megabyte. The words
 * for either are in `error`. */
enum moiety_result exchange_run(struct exchange *exchange, const struct exchange_request *request,
                                int *http_status);

/* A header of the last answer, or NULL. Lives until the next request. */
const char *exchange_header(struct exchange *exchange, const char *name);

/* OK for https, and for http to this machine; otherwise INSECURE. */
enum moiety_result exchange_check_url(const char *url);

#endif
