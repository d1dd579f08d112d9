/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct tls_server {
    pthread_mutex_t mutex; /* over `context` and `challenges` */
    SSL_CTX *context;
    struct tls_challenges challenges;

    struct tls_source source;
    char *certificate_file; /* NULL: there is a source */
    char *key_file;
    char *client_ca_file; /* NULL: none */
    enum tls_client_auth client_auth;
};

static const unsigned char acme_protocol[] = "\x0a" "acme-tls/1";
static const unsigned char http_protocol[] = "\x08" "http/1.1";

/* Says in the log what OpenSSL said first, which is the cause ("No such file"),
 * and forgets the rest. */
static struct status fail_config(const char *event, const char *file) {
    char reason[256];
    ERR_error_string_n(ERR_peek_error(), reason, sizeof(reason));
    ERR_clear_error();
    log_event(LOG_ERROR, event, LOG_STRING("file", file), LOG_STRING("reason", reason));
    return FAIL(INVALID_CONFIG);
}

/* Whether the list of protocols, each after its length, holds the one in
 * `wanted`, which has the same form. */
static bool offers(const unsigned char *list, size_t length, const unsigned char *wanted) {
    for (size_t at = 0; at < length; at += 1 + (size_t)list[at]) {
        const size_t size = 1 + (size_t)list[at];
        if (size <= length - at && list[at] == wanted[0] && memcmp(list + at, wanted, size) == 0) {
            return true;
        }
    }
    return false;
}

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                           const unsigned char *offered, unsigned int length, void *argument) {
    (void)ssl;
    (void)argument;
    const unsigned char *choices[] = {acme_protocol, http_protocol};
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        if (offers(offered, length, choices[i])) {
            *out = choices[i] + 1;
            *out_length = choices[i][0];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    /* Without a protocol in common the connection goes on as if none had been
     * offered: HTTP/1.1 is all that is spoken here. */
    return SSL_TLSEXT_ERR_NOACK;
}

/* Whether a ClientHello offers acme-tls/1: its ALPN extension is a list after
 * a length of two bytes. */
static bool hello_is_challenge(SSL *ssl) {
    const unsigned char *extension;
    size_t length;
    return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                     &extension, &length) == 1 &&
           length > 2 && offers(extension + 2, length - 2, acme_protocol);
}

/* The first name of a server_name extension (RFC 6066 section 3): list length,
 * type, name length, name. */
static bool hello_server_name(SSL *ssl, char out[static TLSEXT_MAXLEN_host_name + 1]) {
    const unsigned char *extension;
    size_t length;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension, &length) != 1 ||
        length < 5 || extension[2] != TLSEXT_NAMETYPE_host_name) {
        return false;
    }
    const size_t size = (size_t)extension[3] << 8 | extension[4];
    if (size == 0 || size > length - 5 || size > TLSEXT_MAXLEN_host_name ||
        memchr(extension + 5, '\0', size) != NULL) {
        return false;
    }
    memcpy(out, extension + 5, size);
    out[size] = '\0';
    return true;
}

bool tls_is_challenge(const SSL *ssl) {
    const unsigned char *protocol = NULL;
    unsigned int length = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &length);
    return length == acme_protocol[0] && memcmp(protocol, acme_protocol + 1, length) == 0;
}

static bool use_challenge(struct tls_server *server, SSL *ssl, const char *name) {
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    pthread_mutex_lock(&server->mutex);
    const struct tls_challenges *challenges = &server->challenges;
    bool found = challenges->find != NULL &&
                 challenges->find(challenges->context, name, &certificate, &key);
    pthread_mutex_unlock(&server->mutex);
    if (found) {
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
        found = SSL_use_certificate(ssl, certificate) == 1 && SSL_use_PrivateKey(ssl, key) == 1;
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return found;
}

static int on_client_hello(SSL *ssl, int *alert, void *argument) {
    char name[TLSEXT_MAXLEN_host_name + 1];
    if (!hello_is_challenge(ssl)) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    if (hello_server_name(ssl, name) && use_challenge(argument, ssl, name)) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_CLIENT_HELLO_ERROR;
}

static struct status require_client_ca(SSL_CTX *context, const struct tls_server *server) {
    if (server->client_auth == TLS_CLIENT_NONE) {
        return OK;
    }
    if (server->client_ca_file == NULL) {
        log_event(LOG_ERROR, "client certificates are asked for but no client CA is given");
        return FAIL(INVALID_CONFIG);
    }
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(server->client_ca_file);
    if (names == NULL || SSL_CTX_load_verify_file(context, server->client_ca_file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return fail_config("client CA can't be used", server->client_ca_file);
    }
    SSL_CTX_set_client_CA_list(context, names); /* takes the names */
    const int required =
        server->client_auth == TLS_CLIENT_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, NULL);
    return OK;
}

/* The certificates that follow the leaf. */
static bool use_chain(SSL_CTX *context, BIO *pem) {
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL) {
        if (SSL_CTX_add0_chain_cert(context, certificate) != 1) {
            X509_free(certificate);
            return false;
        }
    }
    const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (ended) {
        ERR_clear_error();
    }
    return ended;
}

static bool use_pem(SSL_CTX *context, BIO *pem) {
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, NULL, (void *)"");
    X509 *leaf = PEM_read_bio_X509(pem, NULL, NULL, NULL);
    const bool used = key != NULL && leaf != NULL && SSL_CTX_use_certificate(context, leaf) == 1 &&
                      SSL_CTX_use_PrivateKey(context, key) == 1;
    X509_free(leaf);
    EVP_PKEY_free(key);
    return used && use_chain(context, pem);
}

static struct status use_source(SSL_CTX *context, const struct tls_source *source) {
    struct secret pem = SECRET_INIT;
    TRY(source->read(source->context, &pem));
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    const bool used = bio != NULL && use_pem(context, bio);
    BIO_free(bio);
    secret_release(&pem);
    return used ? OK : fail_config("key and certificate can't be used", "in memory");
}

static struct status use_files(SSL_CTX *context, const struct tls_server *server) {
    if (SSL_CTX_use_certificate_chain_file(context, server->certificate_file) != 1) {
        return fail_config("certificate can't be used", server->certificate_file);
    }
    if (SSL_CTX_use_PrivateKey_file(context, server->key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return fail_config("key can't be used", server->key_file);
    }
    return OK;
}

static struct status fill_context(SSL_CTX *context, struct tls_server *server) {
    static const unsigned char session_context[] = "moiety";
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_id_context(context, session_context, sizeof(session_context) - 1);
    SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
    SSL_CTX_set_client_hello_cb(context, on_client_hello, server);
    /* Forward secrecy only, for TLS 1.2 as well. */
    if (SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
        return FAIL(CRYPTO);
    }
    TRY(server->source.read != NULL ? use_source(context, &server->source)
                                    : use_files(context, server));
    return require_client_ca(context, server);
}

struct status tls_server_reload(struct tls_server *server) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = fill_context(context, server);
    if (status_ok(status)) {
        pthread_mutex_lock(&server->mutex);
        SSL_CTX *old = server->context;
        server->context = context;
        pthread_mutex_unlock(&server->mutex);
        context = old; /* connections that use it hold references */
    }
    SSL_CTX_free(context);
    return status;
}

/* NULL stays NULL. */
static bool copy_string(char **out, const char *string) {
    *out = string == NULL ? NULL : strdup(string);
    return string == NULL || *out != NULL;
}

struct status tls_server_new(struct tls_server **out, const struct tls_server_config *config) {
    if (config->source.read == NULL &&
        (config->certificate_file == NULL || config->key_file == NULL)) {
        log_event(LOG_ERROR, "TLS needs a certificate file and a key file");
        return FAIL(INVALID_CONFIG);
    }
    struct tls_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return FAIL(NO_MEMORY);
    }
    pthread_mutex_init(&server->mutex, NULL);
    server->client_auth = config->client_auth;
    server->source = config->source;
    struct status status = FAIL(NO_MEMORY);
    if (copy_string(&server->certificate_file, config->certificate_file) &&
        copy_string(&server->key_file, config->key_file) &&
        copy_string(&server->client_ca_file, config->client_ca_file)) {
        status = tls_server_reload(server);
    }
    if (!status_ok(status)) {
        tls_server_free(server);
        return status;
    }
    *out = server;
    return OK;
}

void tls_server_free(struct tls_server *server) {
    if (server == NULL) {
        return;
    }
    SSL_CTX_free(server->context);
    pthread_mutex_destroy(&server->mutex);
    free(server->certificate_file);
    free(server->key_file);
    free(server->client_ca_file);
    free(server);
}

SSL *tls_server_accept(struct tls_server *server) {
    pthread_mutex_lock(&server->mutex);
    SSL *ssl = SSL_new(server->context);
    pthread_mutex_unlock(&server->mutex);
    return ssl;
}

void tls_server_set_challenges(struct tls_server *server, const struct tls_challenges *challenges) {
    pthread_mutex_lock(&server->mutex);
    server->challenges = challenges == NULL ? (struct tls_challenges){NULL, NULL} : *challenges;
    pthread_mutex_unlock(&server->mutex);
}
