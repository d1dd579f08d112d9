/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CLIENT_CURL_H
#define MOIETY_CLIENT_CURL_H

#include <moiety/client.h>
#include <moiety/provider_openssl.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * libmoiety-client-curl: libmoiety-client with libcurl for transport and
 * OpenSSL for cryptography. Its calls wait for the network; give them a thread
 * of their own if the app must not wait.
 *
 *     struct moiety_client_curl *client;
 *     moiety_client_curl_new(&task, NULL, &client);
 *     uint64_t bucket = 3;
 *     enum moiety_result result = moiety_client_curl_report(client, &bucket, 1, NULL);
 *     if (result != MOIETY_OK) {
 *         fprintf(stderr, "%s: %s\n", moiety_result_text(result),
 *                 moiety_client_curl_error(client));
 *     }
 *     moiety_client_curl_free(client);
 *
 * Certificates are checked; plain HTTP is taken only to this machine itself
 * (127.0.0.0/8, ::1, localhost). Redirects are not followed. A handle belongs
 * to one thread at a time.
 */
struct moiety_client_curl;

/* Set `size` to sizeof(struct moiety_client_curl_options) and zero the rest.
 * All is copied, but for the provider. */
struct moiety_client_curl_options {
    size_t size;
    const char *ca_file;       /* certificates to trust; NULL for the system's */
    const char *authorization; /* an Authorization header's value, for the leader alone */
    uint32_t timeout_ms;       /* of each request; 0 for 30 seconds */
    const struct moiety_provider *provider; /* NULL for OpenSSL */
    /* PEM files with a certificate (and its chain) and its key, for servers that ask
     * for one; both or neither. One file may be both. */
    const char *certificate_file;
    const char *key_file;
};

/* Errors as for moiety_client_new(); INSECURE. `options` may be NULL. */
MOIETY_API enum moiety_result
moiety_client_curl_new(const struct moiety_task *task,
                       const struct moiety_client_curl_options *options,
                       struct moiety_client_curl **out);
MOIETY_API void moiety_client_curl_free(struct moiety_client_curl *client);

/* The client inside, to parse measurements or make reports with. Borrowed. */
MOIETY_API struct moiety_client *moiety_client_curl_client(struct moiety_client_curl *client);

/*
 * Reports one measurement taken now. Fetches the aggregators' configurations
 * when there are none or when Cache-Control says that they are too old, and
 * makes the report anew once if the leader says that they were.
 *
 * If it could not be delivered for now (NETWORK, RETRY_LATER) and `unsent` is
 * not NULL, the sealed report is put there, to be kept and sent later with
 * moiety_client_curl_upload(); otherwise *unsent is NULL. REFUSED if the
 * leader doesn't take the report; other errors as for moiety_client_report().
 */
MOIETY_API enum moiety_result moiety_client_curl_report(struct moiety_client_curl *client,
                                                        const uint64_t values[], size_t count,
                                                        struct moiety_report **unsent);

/* Fetches what configurations are missing or too old, or both if `again` is
 * not 0. */
MOIETY_API enum moiety_result moiety_client_curl_configure(struct moiety_client_curl *client,
                                                           int again);

/* Sends reports in one request. Results and outcomes as for
 * moiety_upload_answer(); NETWORK (no answer came) sets outcomes too. */
MOIETY_API enum moiety_result moiety_client_curl_upload(struct moiety_client_curl *client,
                                                        struct moiety_report *const reports[],
                                                        size_t count,
                                                        struct moiety_outcome outcomes[]);

/* How many seconds the server asked to wait in the last answer, or 0. */
MOIETY_API uint64_t moiety_client_curl_retry_after(const struct moiety_client_curl *client);

/* What went wrong in the last request, for people. Lives until the next call. */
MOIETY_API const char *moiety_client_curl_error(const struct moiety_client_curl *client);

#ifdef __cplusplus
}
#endif

#endif
