/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/tls.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "net/certificates.h"

/*
 * Handshakes in memory: a client and a server, each writing into the other's
 * BIO. (Serving over sockets is test/net/server_tls.c.)
 */
static struct certificate ca;
static struct certificate server_certificate;
static struct certificate challenge_certificate;
static struct tls_server *server;
static char asked[64];

static void start(void) {
    certificates_folder();
    ca = certificate_make("Test CA", NULL, NULL);
    server_certificate = certificate_make("server", "DNS:a.example", &ca);
    challenge_certificate = certificate_make("challenge", "DNS:b.example", NULL);
    certificate_write(&ca, "ca");
    certificate_write(&server_certificate, "server");
    cr_assert(status_ok(tls_server_new(&server, &(struct tls_server_config){
                                                    .certificate_file =
                                                        certificate_path("server.pem"),
                                                    .key_file = certificate_path("server.key"),
                                                    .client_ca_file = certificate_path("ca.pem"),
                                                    .client_auth = TLS_CLIENT_REQUIRED,
                                                })));
}

static void stop(void) {
    tls_server_free(server);
    certificate_release(&ca);
    certificate_release(&server_certificate);
    certificate_release(&challenge_certificate);
    certificates_clean();
}

TestSuite(tls, .init = start, .fini = stop, .timeout = 30);

struct pair {
    SSL_CTX *context;
    SSL *client;
    SSL *server;
};

/* `protocols` in the form of the extension; NULL: none. */
static struct pair connect_pair(const char *name, const char *protocols,
                                const struct certificate *identity) {
    struct pair pair = {SSL_CTX_new(TLS_client_method()), NULL, tls_server_accept(server)};
    BIO *a;
    BIO *b;
    cr_assert_eq(BIO_new_bio_pair(&a, 0, &b, 0), 1);
    if (identity != NULL) {
        SSL_CTX_use_certificate(pair.context, identity->x509);
        SSL_CTX_use_PrivateKey(pair.context, identity->key);
    }
    pair.client = SSL_new(pair.context);
    SSL_set_tlsext_host_name(pair.client, name);
    if (protocols != NULL) {
        SSL_set_alpn_protos(pair.client, (const unsigned char *)protocols,
                            (unsigned)strlen(protocols));
    }
    SSL_set_bio(pair.client, a, a);
    SSL_set_bio(pair.server, b, b);
    SSL_set_connect_state(pair.client);
    SSL_set_accept_state(pair.server);
    return pair;
}

static bool shake_hands(struct pair *pair) {
    for (int i = 0; i < 20; i++) {
        const int client = SSL_do_handshake(pair->client);
        const int accepted = SSL_do_handshake(pair->server);
        if (client == 1 && accepted == 1) {
            return true;
        }
        if ((client != 1 && SSL_get_error(pair->client, client) != SSL_ERROR_WANT_READ) ||
            (accepted != 1 && SSL_get_error(pair->server, accepted) != SSL_ERROR_WANT_READ)) {
            return false;
        }
    }
    return false;
}

static void close_pair(struct pair *pair) {
    SSL_free(pair->client);
    SSL_free(pair->server);
    SSL_CTX_free(pair->context);
    ERR_clear_error();
}

static void expect_protocol(const struct pair *pair, const char *protocol) {
    const unsigned char *selected = NULL;
    unsigned length = 0;
    SSL_get0_alpn_selected(pair->client, &selected, &length);
    cr_assert_eq(length, strlen(protocol), "%.*s", (int)length, (const char *)selected);
    cr_assert(length == 0 || memcmp(selected, protocol, length) == 0);
}

static bool shows(const struct pair *pair, const struct certificate *certificate) {
    X509 *shown = SSL_get1_peer_certificate(pair->client);
    const bool same = shown != NULL && X509_cmp(shown, certificate->x509) == 0;
    X509_free(shown);
    return same;
}

Test(tls, agrees_on_http) {
    static const struct {
        const char *offered;
        const char *selected;
    } cases[] = {
        {"\x08http/1.1", "http/1.1"},
        {"\x02h2\x08http/1.1", "http/1.1"},
        {"\x02h2", ""},
        {NULL, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair = connect_pair("a.example", cases[i].offered, &server_certificate);
        cr_assert(shake_hands(&pair), "%zu", i);
        expect_protocol(&pair, cases[i].selected);
        cr_assert(shows(&pair, &server_certificate));
        close_pair(&pair);
    }
}

static bool find(void *context, const char *name, X509 **certificate, EVP_PKEY **key) {
    snprintf(asked, sizeof(asked), "%s", name);
    if (strcmp(name, context) != 0) {
        return false;
    }
    X509_up_ref(challenge_certificate.x509);
    EVP_PKEY_up_ref(challenge_certificate.key);
    *certificate = challenge_certificate.x509;
    *key = challenge_certificate.key;
    return true;
}

/* The CA that validates shows no certificate, though clients must. */
Test(tls, answers_challenges) {
    static const char acme[] = "\x0a" "acme-tls/1";
    struct pair pair = connect_pair("b.example", acme, NULL);
    cr_assert_not(shake_hands(&pair), "nobody answers yet");
    close_pair(&pair);

    tls_server_set_challenges(server, &(struct tls_challenges){find, (void *)"b.example"});
    pair = connect_pair("b.example", acme, NULL);
    cr_assert(shake_hands(&pair));
    expect_protocol(&pair, "acme-tls/1");
    cr_assert(shows(&pair, &challenge_certificate));
    close_pair(&pair);

    pair = connect_pair("c.example", acme, NULL);
    cr_assert_not(shake_hands(&pair));
    cr_assert_str_eq(asked, "c.example");
    close_pair(&pair);

    /* Who asks for HTTP never gets the challenge's certificate. */
    pair = connect_pair("b.example", "\x08http/1.1", &server_certificate);
    cr_assert(shake_hands(&pair));
    cr_assert(shows(&pair, &server_certificate));
    close_pair(&pair);

    tls_server_set_challenges(server, NULL);
    pair = connect_pair("b.example", acme, NULL);
    cr_assert_not(shake_hands(&pair));
    close_pair(&pair);
}

Test(tls, names_the_peer) {
    struct certificate peer = certificate_make(
        "leader", "DNS:x.example,email:a@b.example,URI:urn:x,IP:192.0.2.1,IP:2001:db8::1,RID:1.2.3",
        &ca);
    struct pair pair = connect_pair("a.example", NULL, &peer);
    cr_assert(shake_hands(&pair));
    struct arena arena = ARENA_INIT;
    struct tls_identity identity;
    bool present = false;
    cr_assert(status_ok(tls_peer_identity(pair.server, &arena, &identity, &present)));
    cr_assert(present);
    unsigned char digest[32];
    X509_digest(peer.x509, EVP_sha256(), digest, NULL);
    cr_assert_arr_eq(identity.fingerprint, digest, sizeof(digest));
    cr_assert_str_eq(identity.subject, "CN=leader");
    static const char *const names[] = {"DNS:x.example", "email:a@b.example", "URI:urn:x",
                                        "IP:192.0.2.1", "IP:2001:db8::1"};
    cr_assert_eq(identity.name_count, sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < identity.name_count; i++) {
        cr_assert_str_eq(identity.names[i], names[i]);
    }
    arena_release(&arena);
    close_pair(&pair);
    certificate_release(&peer);
}

Test(tls, names_nobody) {
    struct pair pair = connect_pair("a.example", NULL, NULL);
    cr_assert_not(shake_hands(&pair));
    struct arena arena = ARENA_INIT;
    struct tls_identity identity;
    bool present = true;
    cr_assert(status_ok(tls_peer_identity(pair.server, &arena, &identity, &present)));
    cr_assert_not(present);
    arena_release(&arena);
    close_pair(&pair);
}
