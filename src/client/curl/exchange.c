/* SPDX-License-Identifier: Apache-2.0 */
#include "client/curl/exchange.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { ANSWER_MAX = 1024 * 1024, TIMEOUT_MS = 30000 };

/* "name: value" on the heap, or NULL. */
static char *header_line(const char *name, const char *value) {
    size_t size = strlen(name) + strlen(value) + 3;
    char *line = malloc(size);
    if (line != NULL) {
        snprintf(line, size, "%s: %s", name, value);
    }
    return line;
}

/* NULL stays NULL. */
static bool copy_string(char **out, const char *string) {
    *out = string == NULL ? NULL : strdup(string);
    return string == NULL || *out != NULL;
}

enum moiety_result exchange_init(struct exchange *exchange,
                                 const struct moiety_client_curl_options *options) {
    *exchange = (struct exchange){.curl = curl_easy_init(), .body = BUFFER_INIT};
    exchange->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
    if (options->authorization != NULL) {
        exchange->authorization_line = header_line("Authorization", options->authorization);
    }
    if ((options->certificate_file == NULL) != (options->key_file == NULL)) {
        return MOIETY_INVALID_ARGUMENT;
    }
    bool good = exchange->curl != NULL && copy_string(&exchange->ca_file, options->ca_file) &&
                copy_string(&exchange->certificate_file, options->certificate_file) &&
                copy_string(&exchange->key_file, options->key_file) &&
                (options->authorization == NULL || exchange->authorization_line != NULL);
    return good ? MOIETY_OK : MOIETY_NO_MEMORY;
}

void exchange_release(struct exchange *exchange) {
    curl_easy_cleanup(exchange->curl);
    if (exchange->authorization_line != NULL) {
        explicit_bzero(exchange->authorization_line, strlen(exchange->authorization_line));
    }
    free(exchange->authorization_line);
    free(exchange->ca_file);
    free(exchange->certificate_file);
    free(exchange->key_file);
    buffer_release(&exchange->body);
}

static size_t take_body(char *data, size_t size, size_t count, void *user) {
    struct exchange *exchange = user;
    size_t len = size * count;
    if (len > ANSWER_MAX - exchange->body.len ||
        !status_ok(buffer_append(&exchange->body, span_of(data, len)))) {
        return 0; /* curl gives CURLE_WRITE_ERROR */
    }
    return len;
}

static bool append_header(struct curl_slist **list, const char *line) {
    struct curl_slist *longer = line == NULL ? NULL : curl_slist_append(*list, line);
    if (longer == NULL) {
        return false;
    }
    *list = longer;
    return true;
}

static bool set_headers(const struct exchange *exchange, const struct exchange_request *request,
                        struct curl_slist **headers) {
    bool good = true;
    if (request->media_type != NULL) {
        char *line = header_line("Content-Type", request->media_type);
        /* No waiting for 100 Continue. */
        good = append_header(headers, line) && append_header(headers, "Expect:");
        free(line);
    }
    if (request->authorized && exchange->authorization_line != NULL) {
        good = good && append_header(headers, exchange->authorization_line);
    }
    return good;
}

/* Has curl not send an upload again by itself when a connection that it kept ends
 * before the answer begins: the report would be told to be a replay, and who
 * calls must know that it may have arrived. */
static int before_sending(void *user, char *peer, char *own, int peer_port, int own_port) {
    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    struct exchange *exchange = user;
    return exchange->sends++ > 0 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void set_options(struct exchange *exchange, const struct exchange_request *request,
                        struct curl_slist *headers) {
    CURL *curl = exchange->curl;
    curl_easy_reset(curl); /* connections stay */
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)exchange->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (exchange->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, exchange->ca_file);
    }
    if (exchange->certificate_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, exchange->certificate_file);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, exchange->key_file);
    }
    if (request->media_type != NULL) {
        exchange->sends = 0;
        curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, before_sending);
        curl_easy_setopt(curl, CURLOPT_PREREQDATA, exchange);
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)request->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    }
}

enum moiety_result exchange_run(struct exchange *exchange, const struct exchange_request *request,
                                int *http_status) {
    struct curl_slist *headers = NULL;
    enum moiety_result result = MOIETY_NO_MEMORY;
    exchange->error[0] = '\0';
    buffer_clear(&exchange->body);
    if (set_headers(exchange, request, &headers)) {
        set_options(exchange, request, headers);
        CURLcode code = curl_easy_perform(exchange->curl);
        if (code == CURLE_OK) {
            long status = 0;
            curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
            *http_status = (int)status;
            snprintf(exchange->error, sizeof(exchange->error), "HTTP status %ld", status);
            result = MOIETY_OK;
        } else {
            result = code == CURLE_WRITE_ERROR ? MOIETY_INVALID_MESSAGE : MOIETY_NETWORK;
            if (exchange->error[0] == '\0') {
                snprintf(exchange->error, sizeof(exchange->error), "%s", curl_easy_strerror(code));
            }
        }
    }
    curl_slist_free_all(headers);
    return result;
}

const char *exchange_header(struct exchange *exchange, const char *name) {
    struct curl_header *header;
    return curl_easy_header(exchange->curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK
               ? header->value
               : NULL;
}

static bool is_loopback(const char *host) {
    struct in_addr address;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

enum moiety_result exchange_check_url(const char *url) {
    CURLU *parts = curl_url();
    char *scheme = NULL;
    char *host = NULL;
    enum moiety_result result = MOIETY_INSECURE;
    if (parts == NULL) {
        return MOIETY_NO_MEMORY;
    }
    if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        (strcasecmp(scheme, "https") == 0 ||
         (strcasecmp(scheme, "http") == 0 && is_loopback(host)))) {
        result = MOIETY_OK;
    }
    curl_free(host);
    curl_free(scheme);
    curl_url_cleanup(parts);
    return result;
}
