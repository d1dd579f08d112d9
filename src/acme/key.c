/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/key.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/pem.h>

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

struct status key_of_point(enum key_kind kind, struct span point, EVP_PKEY **out) {
    char *group = (char *)(kind == KEY_P256   ? "prime256v1"
                           : kind == KEY_P384 ? "secp384r1"
                                              : "secp521r1"); /* is only read */
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (uint8_t *)point.data,
                                          point.len),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    const bool good = context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
                      EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    if (!good) {
        return FAIL(INVALID_MESSAGE);
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
