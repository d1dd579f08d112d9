/* SPDX-License-Identifier: Apache-2.0 */
/* The client over libcurl, towards a server that wants to see a certificate. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "client/fixture.h"
#include "moiety/client_curl.h"
#include "net/certificates.h"

static struct certificate ca;
static struct fixture fixture;
static struct moiety_task description;
static char url[64];

/* One connection at a time: shakes hands, and answers 404 to whoever could. */
static struct {
    int listener;
    SSL_CTX *context;
    pthread_t thread;
    unsigned seen; /* requests behind a certificate of the CA's */
} server;

static void serve(SSL *ssl) {
    static const char answer[] =
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    char request[4096];
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof request) > 0) {
        server.seen++;
        SSL_write(ssl, answer, sizeof answer - 1);
        SSL_shutdown(ssl);
    }
    ERR_clear_error();
}

static void *serve_all(void *unused) {
    for (int connection; (connection = accept(server.listener, NULL, NULL)) >= 0;) {
        SSL *ssl = SSL_new(server.context);
        SSL_set_fd(ssl, connection);
        serve(ssl);
        SSL_free(ssl);
        close(connection);
    }
    return unused;
}

static void make_certificates(void) {
    struct certificate one = certificate_make("server", "IP:127.0.0.1", &ca);
    certificate_write(&one, "server");
    certificate_release(&one);
    one = certificate_make("app", "DNS:app.example", &ca);
    certificate_write(&one, "app");
    certificate_release(&one);
}

static void setup(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    signal(SIGPIPE, SIG_IGN);
    certificates_folder();
    ca = certificate_make("Test CA", NULL, NULL);
    certificate_write(&ca, "ca");
    make_certificates();
    server.context = SSL_CTX_new(TLS_server_method());
    cr_assert_eq(SSL_CTX_use_certificate_file(server.context, certificate_path("server.pem"),
                                              SSL_FILETYPE_PEM), 1);
    cr_assert_eq(SSL_CTX_use_PrivateKey_file(server.context, certificate_path("server.key"),
                                             SSL_FILETYPE_PEM), 1);
    cr_assert_eq(SSL_CTX_load_verify_file(server.context, certificate_path("ca.pem")), 1);
    SSL_CTX_set_verify(server.context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(server.listener, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(server.listener, 8), 0);
    cr_assert_eq(getsockname(server.listener, (struct sockaddr *)&address, &len), 0);
    cr_assert_eq(pthread_create(&server.thread, NULL, serve_all, NULL), 0);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", ntohs(address.sin_port));
    description = fixture_description(url, MOIETY_TIME_INTERVAL);
    description.helper_url = url;
    fixture_setup(&fixture, &description);
}

static void teardown(void) {
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    SSL_CTX_free(server.context);
    fixture_release(&fixture);
    certificate_release(&ca);
    certificates_clean();
}

TestSuite(curl_tls, .init = setup, .fini = teardown, .timeout = 60);

static enum moiety_result report(const char *certificate, const char *key) {
    static const uint64_t bucket = 2;
    struct moiety_client_curl *client;
    const struct moiety_client_curl_options options = {
        .size = sizeof(options),
        .ca_file = certificate_path("ca.pem"),
        .timeout_ms = 5000,
        .certificate_file = certificate,
        .key_file = key,
    };
    enum moiety_result result = moiety_client_curl_new(&description, &options, &client);
    if (result == MOIETY_OK) {
        result = moiety_client_curl_report(client, &bucket, 1, NULL);
        moiety_client_curl_free(client);
    }
    return result;
}

Test(curl_tls, a_certificate_opens_the_door) {
    cr_assert_eq(report(NULL, NULL), MOIETY_NETWORK);
    cr_assert_eq(server.seen, 0);
    cr_assert_neq(report(certificate_path("app.pem"), certificate_path("app.key")),
                  MOIETY_NETWORK);
    cr_assert_eq(server.seen, 1);
}

Test(curl_tls, a_certificate_needs_its_key) {
    cr_assert_eq(report(certificate_path("app.pem"), NULL), MOIETY_INVALID_ARGUMENT);
    cr_assert_eq(report(NULL, certificate_path("app.key")), MOIETY_INVALID_ARGUMENT);
    cr_assert_neq(report(certificate_path("app.pem"), certificate_path("server.key")), MOIETY_OK);
    cr_assert_eq(server.seen, 0);
}
