/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/key.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>

enum { PEM_BYTES_MAX = 64 * 1024 };

struct status key_new(enum key_kind kind, EVP_PKEY **out) {
    if (kind != KEY_P256 && kind != KEY_P384) {
        return FAIL(INVALID_ARGUMENT);
    }
    EVP_PKEY *key = EVP_EC_gen(kind == KEY_P256 ? "P-256" : "P-384");
    if (key == NULL) {
        ERR_clear_error();
        return FAIL(CRYPTO);
    }
    *out = key;
    return OK;
}

enum key_kind key_kind(const EVP_PKEY *key) {
    char group[32] = "";
    if (EVP_PKEY_is_a(key, "RSA")) {
        return KEY_RSA;
    }
    if (EVP_PKEY_is_a(key, "ED25519")) {
        return KEY_ED25519;
    }
    if (!EVP_PKEY_is_a(key, "EC") ||
        EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                       NULL) != 1) {
        return KEY_OTHER;
    }
    return strcmp(group, "prime256v1") == 0  ? KEY_P256
           : strcmp(group, "secp384r1") == 0 ? KEY_P384
           : strcmp(group, "secp521r1") == 0 ? KEY_P521
                                             : KEY_OTHER;
}

/* A key of each curve, whose parameters others copy: to make them from the curve's
 * name takes OpenSSL three times as long. */
static EVP_PKEY *of_p256, *of_p384, *of_p521;
static pthread_once_t curves_once = PTHREAD_ONCE_INIT;

static void curves_make(void) {
    of_p256 = EVP_EC_gen("P-256");
    of_p384 = EVP_EC_gen("P-384");
    of_p521 = EVP_EC_gen("P-521");
}

struct status key_of_point(enum key_kind kind, struct span point, EVP_PKEY **out) {
    pthread_once(&curves_once, curves_make);
    const EVP_PKEY *curve = kind == KEY_P256   ? of_p256
                            : kind == KEY_P384 ? of_p384
                                               : of_p521;
    EVP_PKEY *key = EVP_PKEY_new();
    const bool made =
        key != NULL && curve != NULL && EVP_PKEY_copy_parameters(key, curve) == 1;
    const bool good =
        made && EVP_PKEY_set1_encoded_public_key(key, point.data, point.len) == 1;
    ERR_clear_error();
    if (!good) {
        EVP_PKEY_free(key);
        return made ? FAIL(INVALID_MESSAGE) : FAIL(NO_MEMORY);
    }
    *out = key;
    return OK;
}

struct status key_write(EVP_PKEY *key, struct secret *pem) {
    BIO *bio = BIO_new(BIO_s_secmem());
    struct status status = FAIL(CRYPTO);
    char *data;
    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        const long len = BIO_get_mem_data(bio, &data);
        status = secret_copy(pem, span_of(data, (size_t)len));
    }
    BIO_free(bio);
    ERR_clear_error();
    return status;
}

/* Asked for a passphrase, gives none, where OpenSSL would ask the terminal. */
static int no_passphrase(char *out, int size, int writing, void *argument) {
    (void)out;
    (void)size;
    (void)writing;
    (void)argument;
    return -1;
}

struct status key_read(struct span pem, EVP_PKEY **out) {
    if (pem.len == 0 || pem.len > PEM_BYTES_MAX) {
        return FAIL(INVALID_MESSAGE);
    }
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (key == NULL) {
        return FAIL(INVALID_MESSAGE);
    }
    *out = key;
    return OK;
}
