/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/certificates.h"
#include "net/support.h"
#include "pki/tls.h"

static struct fixture fixture;
static struct certificate ca;
static struct certificate server;

static const char names[] = "DNS:localhost,IP:127.0.0.1";

static void start(enum http_client_certificate client_certificate) {
    certificates_folder();
    ca = certificate_make("Test CA", NULL, NULL);
    server = certificate_make("first", names, &ca);
    certificate_write(&ca, "ca");
    certificate_write(&server, "server");
    const struct http_tls_config tls = {
        .certificate_file = certificate_path("server.pem"),
        .key_file = certificate_path("server.key"),
        .client_ca_file = certificate_path("ca.pem"),
        .client_certificate = client_certificate,
    };
    fixture_start(&fixture, (struct http_server_config){.tls = &tls, .header_timeout_ms = 2000});
}

static void stop(void) {
    fixture_stop(&fixture);
    certificates_clean();
    certificate_release(&ca);
    certificate_release(&server);
}

TestSuite(server_tls, .timeout = 60);

/* A TLS client on a bare socket. */
struct session {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
};

static struct session open_session(const struct certificate *client, int max_version) {
    signal(SIGPIPE, SIG_IGN); /* SSL_write() has no MSG_NOSIGNAL */
    struct session session = {dial(&fixture), SSL_CTX_new(TLS_client_method()), NULL};
    SSL_CTX_set_max_proto_version(session.context, max_version);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(session.context), ca.x509);
    SSL_CTX_set_verify(session.context, SSL_VERIFY_PEER, NULL);
    if (client != NULL) {
        SSL_CTX_use_certificate(session.context, client->x509);
        SSL_CTX_use_PrivateKey(session.context, client->key);
    }
    session.ssl = SSL_new(session.context);
    SSL_set_fd(session.ssl, session.fd);
    SSL_set1_host(session.ssl, "localhost");
    return session;
}

static void close_session(struct session *session) {
    SSL_free(session->ssl);
    SSL_CTX_free(session->context);
    close(session->fd);
    ERR_clear_error();
}

/* One request on the session; what follows the head, or "" if the server ended
 * the connection. */
static const char *ask(struct session *session, const char *path) {
    static char answer[4096];
    char request[256];
    const int length =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    answer[0] = '\0';
    if (SSL_write(session->ssl, request, length) != length) {
        return "";
    }
    size_t at = 0;
    for (;;) {
        const int got = SSL_read(session->ssl, answer + at, (int)(sizeof(answer) - 1 - at));
        if (got <= 0) {
            return "";
        }
        at += (size_t)got;
        answer[at] = '\0';
        const char *head = strstr(answer, "\r\n\r\n");
        const char *declared = strstr(answer, "Content-Length: ");
        if (head != NULL && declared != NULL &&
            strlen(head + 4) == strtoul(declared + 16, NULL, 10)) {
            return head + 4;
        }
    }
}

static bool shows(const struct session *session, const char *common_name) {
    char subject[128];
    X509 *shown = SSL_get1_peer_certificate(session->ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, subject,
                              sizeof(subject));
    X509_free(shown);
    return strcmp(subject, common_name) == 0;
}

Test(server_tls, serves_both_versions) {
    start(HTTP_CLIENT_CERTIFICATE_NONE);
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct session session = open_session(NULL, versions[i]);
        cr_assert_eq(SSL_connect(session.ssl), 1);
        cr_assert_eq(SSL_version(session.ssl), versions[i]);
        cr_assert_str_eq(ask(&session, "/hello"), "hello");
        cr_assert_str_eq(ask(&session, "/slow"), "slow");
        cr_assert_str_eq(ask(&session, "/who"), "nobody");
        close_session(&session);
    }
    struct session old = open_session(NULL, TLS1_1_VERSION);
    SSL_CTX_set_min_proto_version(old.context, TLS1_VERSION);
    SSL_set_security_level(old.ssl, 0);
    cr_assert_neq(SSL_connect(old.ssl), 1);
    close_session(&old);
    stop();
}

Test(server_tls, sends_a_large_body) {
    start(HTTP_CLIENT_CERTIFICATE_NONE);
    struct session session = open_session(NULL, TLS1_3_VERSION);
    cr_assert_eq(SSL_connect(session.ssl), 1);
    static const char request[] = "GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    cr_assert_gt(SSL_write(session.ssl, request, sizeof(request) - 1), 0);
    static char block[65536];
    size_t total = 0;
    int got;
    while ((got = SSL_read(session.ssl, block, sizeof(block))) > 0) {
        total += (size_t)got;
    }
    /* An orderly end, not a truncation. */
    cr_assert_eq(SSL_get_error(session.ssl, got), SSL_ERROR_ZERO_RETURN);
    cr_assert_gt(total, BIG_BYTES);
    close_session(&session);
    stop();
}

Test(server_tls, survives_what_is_not_tls) {
    start(HTTP_CLIENT_CERTIFICATE_NONE);
    const int fd = dial(&fixture);
    say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    char byte[64];
    while (read(fd, byte, sizeof(byte)) > 0) { /* an alert */
    }
    const int silent = dial(&fixture);
    cr_assert(hangs_up(silent, 10000), "a handshake may take for ever");
    close(fd);
    close(silent);
    struct session session = open_session(NULL, TLS1_3_VERSION);
    cr_assert_eq(SSL_connect(session.ssl), 1);
    cr_assert_str_eq(ask(&session, "/hello"), "hello");
    close_session(&session);
    stop();
}

Test(server_tls, changes_its_certificate_and_keeps_connections) {
    start(HTTP_CLIENT_CERTIFICATE_NONE);
    struct session before = open_session(NULL, TLS1_3_VERSION);
    cr_assert_eq(SSL_connect(before.ssl), 1);
    cr_assert(shows(&before, "first"));
    cr_assert_str_eq(ask(&before, "/hello"), "hello");

    struct certificate next = certificate_make("second", names, &ca);
    certificate_write(&next, "server");
    cr_assert(status_ok(http_server_reload_tls(fixture.server)));
    struct session after = open_session(NULL, TLS1_3_VERSION);
    cr_assert_eq(SSL_connect(after.ssl), 1);
    cr_assert(shows(&after, "second"));
    cr_assert_str_eq(ask(&after, "/hello"), "hello");
    cr_assert_str_eq(ask(&before, "/hello"), "hello");

    /* What can't be used changes nothing: half a pair, then nothing at all. */
    struct certificate stranger = certificate_make("third", names, &ca);
    certificate_write(&stranger, "stranger");
    cr_assert_eq(rename(certificate_path("stranger.pem"), certificate_path("server.pem")), 0);
    cr_assert_eq(http_server_reload_tls(fixture.server).code, STATUS_INVALID_CONFIG);
    unlink(certificate_path("server.pem"));
    cr_assert_eq(http_server_reload_tls(fixture.server).code, STATUS_INVALID_CONFIG);
    struct session still = open_session(NULL, TLS1_3_VERSION);
    cr_assert_eq(SSL_connect(still.ssl), 1);
    cr_assert(shows(&still, "second"));
    cr_assert_str_eq(ask(&still, "/hello"), "hello");
    close_session(&before);
    close_session(&after);
    close_session(&still);
    certificate_release(&next);
    certificate_release(&stranger);
    stop();
}

static void expect_identity(const char *answer, const struct certificate *client,
                            const char *rest) {
    unsigned char digest[32];
    char expected[256];
    cr_assert_eq(X509_digest(client->x509, EVP_sha256(), digest, NULL), 1);
    for (size_t i = 0; i < sizeof(digest); i++) {
        snprintf(expected + 2 * i, 3, "%02x", digest[i]);
    }
    snprintf(expected + 64, sizeof(expected) - 64, " %s", rest);
    cr_assert_str_eq(answer, expected);
}

Test(server_tls, knows_its_clients) {
    start(HTTP_CLIENT_CERTIFICATE_REQUIRED);
    struct certificate client =
        certificate_make("leader", "DNS:leader.example,URI:spiffe://x/y,IP:10.0.0.1", &ca);
    struct session session = open_session(&client, TLS1_3_VERSION);
    cr_assert_eq(SSL_connect(session.ssl), 1);
    for (int i = 0; i < 2; i++) {
        expect_identity(ask(&session, "/who"), &client,
                        "CN=leader DNS:leader.example URI:spiffe://x/y IP:10.0.0.1");
    }
    close_session(&session);

    /* In TLS 1.3 the client learns of the refusal when it reads. */
    struct session nobody = open_session(NULL, TLS1_3_VERSION);
    cr_assert(SSL_connect(nobody.ssl) != 1 || strcmp(ask(&nobody, "/who"), "") == 0);
    close_session(&nobody);
    struct certificate other_ca = certificate_make("Other CA", NULL, NULL);
    struct certificate stranger = certificate_make("leader", NULL, &other_ca);
    struct session strange = open_session(&stranger, TLS1_3_VERSION);
    cr_assert(SSL_connect(strange.ssl) != 1 || strcmp(ask(&strange, "/who"), "") == 0);
    close_session(&strange);
    certificate_release(&client);
    certificate_release(&other_ca);
    certificate_release(&stranger);
    stop();
}

Test(server_tls, may_know_its_clients) {
    start(HTTP_CLIENT_CERTIFICATE_OPTIONAL);
    struct session nobody = open_session(NULL, TLS1_2_VERSION);
    cr_assert_eq(SSL_connect(nobody.ssl), 1);
    cr_assert_str_eq(ask(&nobody, "/who"), "nobody");
    close_session(&nobody);
    struct certificate client = certificate_make("leader", NULL, &ca);
    struct session session = open_session(&client, TLS1_2_VERSION);
    cr_assert_eq(SSL_connect(session.ssl), 1);
    expect_identity(ask(&session, "/who"), &client, "CN=leader");
    close_session(&session);
    certificate_release(&client);
    stop();
}

static bool find_challenge(void *context, const char *name, X509 **certificate, EVP_PKEY **key) {
    (void)context;
    (void)name;
    X509_up_ref(server.x509);
    EVP_PKEY_up_ref(server.key);
    *certificate = server.x509;
    *key = server.key;
    return true;
}

/* A challenge's handshake asks for no client certificate, so it must not
 * become a way around one. */
Test(server_tls, serves_nothing_to_challenges) {
    start(HTTP_CLIENT_CERTIFICATE_REQUIRED);
    tls_server_set_challenges(http_server_tls(fixture.server),
                              &(struct tls_challenges){find_challenge, NULL});
    struct session session = open_session(NULL, TLS1_3_VERSION);
    SSL_set_tlsext_host_name(session.ssl, "localhost");
    SSL_set_alpn_protos(session.ssl, (const unsigned char *)"\x0a" "acme-tls/1", 11);
    cr_assert_eq(SSL_connect(session.ssl), 1);
    cr_assert_str_eq(ask(&session, "/hello"), "");
    close_session(&session);
    stop();
}

Test(server_tls, refuses_files_that_do_not_fit) {
    start(HTTP_CLIENT_CERTIFICATE_NONE);
    certificate_write(&ca, "other");
    struct http_server *second = NULL;
    struct http_server_config config = {.loops = fixture.loops,
                                        .service = router_service(fixture.router)};
    cr_assert(status_ok(address_parse(&config.listen, "127.0.0.1:0")));
    const struct http_tls_config cases[] = {
        {.certificate_file = certificate_path("server.pem"), .key_file = NULL},
        {.certificate_file = certificate_path("server.pem"),
         .key_file = certificate_path("other.key")},
        {.certificate_file = certificate_path("none.pem"),
         .key_file = certificate_path("server.key")},
        {.certificate_file = certificate_path("server.pem"),
         .key_file = certificate_path("server.key"),
         .client_certificate = HTTP_CLIENT_CERTIFICATE_REQUIRED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        config.tls = &cases[i];
        cr_assert_eq(http_server_new(&second, &config).code, STATUS_INVALID_CONFIG, "%zu", i);
    }
    stop();
}
