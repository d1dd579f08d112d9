/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/http_exchange.h"
#include "net/thread.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    TIMEOUT_MS = 60000,
    BODY_MAX = 64 * 1024 * 1024,
    HEADERS_MAX = 64,
    HEADER_BYTES_MAX = 64 * 1024,
    CONNECTIONS_PER_HOST = 64,
    CONNECTIONS_MAX = 256,
    POLL_MS = 60000,
};

/* One request under way. Until it is taken from the inbox it belongs to the
 * thread that sends it, then to the client's. */
struct transfer {
    struct transfer *next;
    struct transfer **link; /* what points to it, in the list of those under way */
    CURL *easy;
    struct curl_slist *headers;
    http_client_callback *callback;
    void *argument;
    struct http_client_response *response;
    struct http_header *received; /* `response->headers` */
    size_t header_bytes;
    size_t body_max;
    bool repeatable;       /* may be sent again by curl itself */
    bool was_sent;
    struct status failure; /* ours, found in a callback of curl's */
    char error[CURL_ERROR_SIZE];
};

struct http_client {
    bool allow_plain_http;
    char *proxy;
    char *user_agent;
    CURLM *multi;
    pthread_t thread;
    bool running; /* `thread` is set */

    pthread_mutex_t mutex; /* over the inbox and `stopping` */
    struct transfer *inbox;
    struct transfer **inbox_last;
    bool stopping;

    struct transfer *under_way; /* the client's thread alone */
};

/* ---- responses ---- */

struct span http_client_response_header(const struct http_client_response *response,
                                        const char *name) {
    return http_header_find(response->headers, response->header_count, name);
}

void http_client_response_free(struct http_client_response *response) {
    if (response == NULL) {
        return;
    }
    buffer_release(&response->body);
    struct arena arena = response->arena;
    free(response);
    arena_release(&arena);
}

static size_t on_body(char *data, size_t size, size_t count, void *argument) {
    struct transfer *transfer = argument;
    const size_t length = size * count;
    struct buffer *body = &transfer->response->body;
    if (length > transfer->body_max - body->len) {
        transfer->failure = FAIL(TOO_LARGE);
        return 0;
    }
    transfer->failure = buffer_append(body, span_of(data, length));
    return status_ok(transfer->failure) ? length : 0;
}

static struct span trimmed(const uint8_t *data, size_t length) {
    while (length > 0 && (*data == ' ' || *data == '\t')) {
        data++;
        length--;
    }
    while (length > 0 && strchr(" \t\r\n", data[length - 1]) != NULL) {
        length--;
    }
    return span_of(data, length);
}

static struct status take_header(struct transfer *transfer, struct span line) {
    struct http_client_response *response = transfer->response;
    const uint8_t *colon = memchr(line.data, ':', line.len);
    if (colon == NULL) {
        return OK;
    }
    transfer->header_bytes += line.len;
    if (response->header_count == HEADERS_MAX || transfer->header_bytes > HEADER_BYTES_MAX) {
        return FAIL(TOO_LARGE);
    }
    const size_t name = (size_t)(colon - line.data);
    struct http_header header;
    TRY(arena_copy(&response->arena, trimmed(line.data, name), &header.name));
    TRY(arena_copy(&response->arena, trimmed(colon + 1, line.len - name - 1), &header.value));
    transfer->received[response->header_count++] = header;
    return OK;
}

static size_t on_header(char *data, size_t size, size_t count, void *argument) {
    struct transfer *transfer = argument;
    const size_t length = size * count;
    const struct span line = span_of(data, length);
    if (length > 5 && memcmp(data, "HTTP/", 5) == 0) {
        transfer->response->header_count = 0; /* what came was interim */
        return length;
    }
    transfer->failure = take_header(transfer, line);
    return status_ok(transfer->failure) ? length : 0;
}

static struct status outcome_of(const struct transfer *transfer, CURLcode code) {
    if (!status_ok(transfer->failure)) {
        return transfer->failure;
    }
    switch (code) {
    case CURLE_OK:
        return OK;
    case CURLE_OPERATION_TIMEDOUT:
        return FAIL(TIMEOUT);
    case CURLE_URL_MALFORMAT:
        return FAIL(INVALID_ARGUMENT);
    case CURLE_OUT_OF_MEMORY:
        return FAIL(NO_MEMORY);
    case CURLE_PEER_FAILED_VERIFICATION:
        return FAIL(VERIFY_FAILED);
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return FAIL(IO);
    case CURLE_FILESIZE_EXCEEDED:
        return FAIL(TOO_LARGE);
    case CURLE_ABORTED_BY_CALLBACK:
        return FAIL(CANCELLED);
    default:
        return FAIL(PEER_FAILED);
    }
}

/* ---- requests ---- */

static struct status is_allowed(const struct http_client *client, const char *url, char *reason,
                                size_t reason_size) {
    CURLU *parsed = curl_url();
    char *scheme = NULL;
    char *host = NULL;
    struct status status = FAIL(INVALID_ARGUMENT);
    if (parsed == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        const size_t length = strlen(host);
        if (length > 2 && host[0] == '[') {
            host[length - 1] = '\0';
        }
        const bool plain = strcmp(scheme, "http") == 0;
        if (!plain) {
            status = strcmp(scheme, "https") == 0 ? OK : FAIL(INVALID_ARGUMENT);
        } else {
            status = client->allow_plain_http || address_host_is_loopback(host + (host[0] == '['))
                         ? OK
                         : FAIL(FORBIDDEN);
        }
    }
    if (!status_ok(status)) {
        snprintf(reason, reason_size, "%s",
                 status.code == STATUS_FORBIDDEN
                     ? "plain http is for this machine only, unless allowed by the configuration"
                     : "the URL is not an http or https URL");
    }
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parsed);
    return status;
}

static struct status append_header(struct curl_slist **list, const char *line) {
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL) {
        return FAIL(NO_MEMORY);
    }
    *list = longer;
    return OK;
}

static struct status add_request_headers(struct transfer *transfer,
                                         const struct http_client_request *request) {
    /* A round trip before each large body is not worth it between servers. */
    TRY(append_header(&transfer->headers, "Expect:"));
    bool typed = false;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (!http_field_is_safe(header->name) || !http_field_is_safe(header->value) ||
            header->name.len == 0 || memchr(header->name.data, ':', header->name.len) != NULL) {
            return FAIL(INVALID_ARGUMENT);
        }
        typed = typed || http_name_equal(header->name, "content-type");
        /* To curl, "name:" means to send none; "name;" sends an empty one. */
        char *line = arena_printf(&transfer->response->arena, "%.*s%s%.*s", (int)header->name.len,
                                  (const char *)header->name.data,
                                  header->value.len > 0 ? ": " : ";", (int)header->value.len,
                                  (const char *)header->value.data);
        if (line == NULL) {
            return FAIL(NO_MEMORY);
        }
        TRY(append_header(&transfer->headers, line));
    }
    return typed ? OK : append_header(&transfer->headers, "Content-Type:");
}

static bool set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

static bool set_pointer(CURL *easy, CURLoption option, const void *value) {
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

static bool set_tls(CURL *easy, const struct http_client_tls *tls) {
    return set_long(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) &&
           (tls->ca_file == NULL ||
            (set_pointer(easy, CURLOPT_CAINFO, tls->ca_file) &&
             set_pointer(easy, CURLOPT_CAPATH, NULL))) &&
           (tls->certificate_file == NULL ||
            set_pointer(easy, CURLOPT_SSLCERT, tls->certificate_file)) &&
           (tls->key_file == NULL || set_pointer(easy, CURLOPT_SSLKEY, tls->key_file));
}

static bool set_body(CURL *easy, const struct http_client_request *request) {
    if (strcmp(request->method, "HEAD") == 0) {
        return set_long(easy, CURLOPT_NOBODY, 1);
    }
    const bool has_body = request->body.len > 0 || strcmp(request->method, "POST") == 0 ||
                          strcmp(request->method, "PUT") == 0 ||
                          strcmp(request->method, "PATCH") == 0;
    static const char empty[] = "";
    return !has_body ||
           (curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len) ==
                CURLE_OK &&
            set_pointer(easy, CURLOPT_POSTFIELDS,
                        request->body.len == 0 ? (const void *)empty : request->body.data));
}

static bool set_limits(CURL *easy, const struct http_client_request *request) {
    const unsigned connect =
        request->connect_timeout_ms == 0 ? CONNECT_TIMEOUT_MS : request->connect_timeout_ms;
    const unsigned total = request->timeout_ms == 0 ? TIMEOUT_MS : request->timeout_ms;
    return set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, connect) &&
           set_long(easy, CURLOPT_TIMEOUT_MS, total) &&
           set_long(easy, CURLOPT_FOLLOWLOCATION, 0) && set_long(easy, CURLOPT_NOSIGNAL, 1) &&
           set_pointer(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           set_long(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           set_long(easy, CURLOPT_NETRC, CURL_NETRC_IGNORED) &&
           set_long(easy, CURLOPT_TCP_NODELAY, 1) &&
           set_long(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1);
}

/* libcurl sends a request again by itself when a connection that it kept ends
 * before the answer begins. That it was carried out already must not go
 * unnoticed: who asked decides whether to try again. */
static int on_send(void *argument, char *peer, char *own, int peer_port, int own_port) {
    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    struct transfer *transfer = argument;
    if (transfer->was_sent && !transfer->repeatable) {
        transfer->failure = FAIL(PEER_FAILED);
        snprintf(transfer->error, sizeof(transfer->error), "the connection ended unanswered");
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->was_sent = true;
    return CURL_PREREQFUNC_OK;
}

static bool set_callbacks(CURL *easy, struct transfer *transfer) {
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send) == CURLE_OK &&
           set_pointer(easy, CURLOPT_PREREQDATA, transfer) &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           set_pointer(easy, CURLOPT_WRITEDATA, transfer) &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           set_pointer(easy, CURLOPT_HEADERDATA, transfer) &&
           set_pointer(easy, CURLOPT_PRIVATE, transfer) &&
           set_pointer(easy, CURLOPT_ERRORBUFFER, transfer->error);
}

static struct status set_up(const struct http_client *client, struct transfer *transfer,
                            const struct http_client_request *request) {
    TRY(is_allowed(client, request->url, transfer->error, sizeof(transfer->error)));
    if (request->method[0] == '\0' ||
        request->method[strspn(request->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0') {
        return FAIL(INVALID_ARGUMENT);
    }
    TRY(add_request_headers(transfer, request));
    transfer->repeatable =
        strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    CURL *easy = transfer->easy;
    const bool complete =
        set_pointer(easy, CURLOPT_URL, request->url) && set_body(easy, request) &&
        set_pointer(easy, CURLOPT_CUSTOMREQUEST, request->method) &&
        set_pointer(easy, CURLOPT_HTTPHEADER, transfer->headers) &&
        /* An empty string, unlike NULL, keeps curl from asking the environment. */
        set_pointer(easy, CURLOPT_PROXY, client->proxy == NULL ? "" : client->proxy) &&
        set_pointer(easy, CURLOPT_USERAGENT, client->user_agent) &&
        set_limits(easy, request) && set_tls(easy, &request->tls) && set_callbacks(easy, transfer);
    return complete ? OK : FAIL(NO_MEMORY);
}

static void transfer_free(struct transfer *transfer) {
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    http_client_response_free(transfer->response);
    free(transfer);
}

static struct transfer *transfer_new(http_client_callback *callback, void *argument) {
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    if (transfer == NULL) {
        return NULL;
    }
    transfer->callback = callback;
    transfer->argument = argument;
    transfer->failure = OK;
    transfer->easy = curl_easy_init();
    transfer->response = calloc(1, sizeof(*transfer->response));
    if (transfer->response != NULL) {
        transfer->received =
            ARENA_ARRAY(&transfer->response->arena, struct http_header, HEADERS_MAX);
    }
    if (transfer->easy == NULL || transfer->received == NULL) {
        transfer_free(transfer);
        return NULL;
    }
    transfer->response->headers = transfer->received;
    return transfer;
}

/* ---- the client's thread ---- */

/* Hands over the response and ends the transfer. */
static void transfer_finish(struct transfer *transfer, struct status outcome, const char *reason) {
    struct http_client_response *response = transfer->response;
    transfer->response = NULL;
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    response->outcome = outcome;
    response->status = status_ok(outcome) ? (int)status : 0;
    if (!status_ok(outcome)) {
        snprintf(response->reason, sizeof(response->reason), "%s", reason);
        buffer_release(&response->body);
        response->header_count = 0;
    }
    http_client_callback *callback = transfer->callback;
    void *argument = transfer->argument;
    /* The body is borrowed until the callback: curl must let go of it first. */
    transfer_free(transfer);
    callback(argument, response);
}

static void start(struct http_client *client, struct transfer *transfer) {
    if (!status_ok(transfer->failure)) {
        transfer_finish(transfer, transfer->failure,
                        transfer->error[0] != '\0' ? transfer->error
                                                   : status_text(transfer->failure.code));
        return;
    }
    if (curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) {
        transfer_finish(transfer, FAIL(NO_MEMORY), status_text(STATUS_NO_MEMORY));
        return;
    }
    transfer->next = client->under_way;
    transfer->link = &client->under_way;
    if (transfer->next != NULL) {
        transfer->next->link = &transfer->next;
    }
    client->under_way = transfer;
}

static void take_off(struct http_client *client, struct transfer *transfer) {
    curl_multi_remove_handle(client->multi, transfer->easy);
    *transfer->link = transfer->next;
    if (transfer->next != NULL) {
        transfer->next->link = transfer->link;
    }
}

/* Whether the server went away between its TLS handshake and its answer. So does
 * one that wants a client certificate: with TLS 1.3 the handshake is over here
 * before the server looks, and its alert is often lost with the connection. */
static bool ended_after_handshake(CURL *easy, CURLcode code) {
    curl_off_t handshake_us = 0;
    long status = 0;
    return (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING) &&
           curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &handshake_us) == CURLE_OK &&
           curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
           handshake_us > 0 && status == 0;
}

static void describe(const struct transfer *transfer, CURLcode code, char *out, size_t size) {
    const bool ours = !status_ok(transfer->failure);
    snprintf(out, size, "%s%s",
             !ours && ended_after_handshake(transfer->easy, code)
                 ? "it ended the connection after the TLS handshake, as without a client "
                   "certificate that it takes: "
                 : "",
             ours                          ? status_text(transfer->failure.code)
             : transfer->error[0] != '\0' ? transfer->error
                                          : curl_easy_strerror(code));
}

static void finish_completed(struct http_client *client) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        const CURLcode code = message->data.result;
        char *private = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct transfer *transfer = (struct transfer *)(void *)private;
        take_off(client, transfer);
        const struct status outcome = outcome_of(transfer, code);
        char reason[2 * CURL_ERROR_SIZE]; /* the error, and what is said before it */
        describe(transfer, code, reason, sizeof(reason));
        transfer_finish(transfer, outcome, reason);
    }
}

/* Empties the inbox; whether the client goes on. */
static bool take_inbox(struct http_client *client, struct transfer **out) {
    pthread_mutex_lock(&client->mutex);
    *out = client->inbox;
    client->inbox = NULL;
    client->inbox_last = &client->inbox;
    const bool go_on = !client->stopping;
    pthread_mutex_unlock(&client->mutex);
    return go_on;
}

static void cancel_all(struct http_client *client, struct transfer *waiting) {
    const char *reason = "the client is stopping";
    while (waiting != NULL) {
        struct transfer *next = waiting->next;
        transfer_finish(waiting, FAIL(CANCELLED), reason);
        waiting = next;
    }
    while (client->under_way != NULL) {
        struct transfer *transfer = client->under_way;
        take_off(client, transfer);
        transfer_finish(transfer, FAIL(CANCELLED), reason);
    }
}

static void *client_main(void *argument) {
    struct http_client *client = argument;
    struct transfer *waiting;
    while (take_inbox(client, &waiting)) {
        while (waiting != NULL) {
            struct transfer *next = waiting->next;
            start(client, waiting);
            waiting = next;
        }
        int running;
        curl_multi_perform(client->multi, &running);
        finish_completed(client);
        curl_multi_poll(client->multi, NULL, 0, POLL_MS, NULL);
    }
    cancel_all(client, waiting);
    return NULL;
}

/* ---- for everyone ---- */

struct status http_client_send(struct http_client *client,
                               const struct http_client_request *request,
                               http_client_callback *callback, void *argument) {
    struct transfer *transfer = transfer_new(callback, argument);
    if (transfer == NULL) {
        return FAIL(NO_MEMORY);
    }
    transfer->body_max = request->body_max == 0 ? BODY_MAX : request->body_max;
    /* A failure is told on the client's thread, like any other. */
    transfer->failure = set_up(client, transfer, request);
    pthread_mutex_lock(&client->mutex);
    const bool stopping = client->stopping;
    if (!stopping) {
        *client->inbox_last = transfer;
        client->inbox_last = &transfer->next;
    }
    pthread_mutex_unlock(&client->mutex);
    if (stopping) {
        transfer_free(transfer);
        return FAIL(CANCELLED);
    }
    curl_multi_wakeup(client->multi);
    return OK;
}

struct call {
    sem_t done;
    struct http_client_response *response;
};

static void on_called(void *argument, struct http_client_response *response) {
    struct call *call = argument;
    call->response = response;
    sem_post(&call->done);
}

struct status http_client_call(struct http_client *client,
                               const struct http_client_request *request,
                               struct http_client_response **out) {
    struct call call = {0};
    sem_init(&call.done, 0, 0);
    struct status status = http_client_send(client, request, on_called, &call);
    if (status_ok(status)) {
        while (sem_wait(&call.done) != 0) { /* interrupted by a signal */
        }
        *out = call.response;
    }
    sem_destroy(&call.done);
    return status;
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static void init_curl(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

struct status http_client_new(struct http_client **out, const struct http_client_config *config) {
    pthread_once(&curl_once, init_curl);
    struct http_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return FAIL(NO_MEMORY);
    }
    pthread_mutex_init(&client->mutex, NULL);
    client->inbox_last = &client->inbox;
    client->allow_plain_http = config->allow_plain_http;
    client->user_agent = strdup(config->user_agent == NULL ? "moiety" : config->user_agent);
    client->proxy = config->proxy == NULL ? NULL : strdup(config->proxy);
    client->multi = curl_multi_init();
    struct status status = FAIL(NO_MEMORY);
    if (client->multi != NULL && client->user_agent != NULL &&
        (config->proxy == NULL) == (client->proxy == NULL)) {
        const unsigned per_host = config->connections_per_host;
        const unsigned all = config->connections_max;
        curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                          (long)(per_host == 0 ? CONNECTIONS_PER_HOST : per_host));
        curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                          (long)(all == 0 ? CONNECTIONS_MAX : all));
        status = thread_start(&client->thread, "http-client", client_main, client);
        client->running = status_ok(status);
    }
    if (!status_ok(status)) {
        http_client_free(client);
        return status;
    }
    *out = client;
    return OK;
}

void http_client_stop(struct http_client *client) {
    pthread_mutex_lock(&client->mutex);
    client->stopping = true;
    pthread_mutex_unlock(&client->mutex);
    if (client->running) {
        curl_multi_wakeup(client->multi);
        pthread_join(client->thread, NULL);
        client->running = false;
    }
}

void http_client_free(struct http_client *client) {
    if (client == NULL) {
        return;
    }
    http_client_stop(client);
    curl_multi_cleanup(client->multi);
    pthread_mutex_destroy(&client->mutex);
    free(client->proxy);
    free(client->user_agent);
    free(client);
}
