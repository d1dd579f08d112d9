/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/pair.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "acme/certificate.h"

static const char chain_start[] = "-----BEGIN CERTIFICATE-----";

static struct status parse(struct span text, struct pair *out) {
    struct pair pair = {NULL, NULL};
    const uint8_t *chain = memmem(text.data, text.len, chain_start, sizeof(chain_start) - 1);
    const size_t key_len = chain == NULL ? 0 : (size_t)(chain - text.data);
    const bool good =
        key_len > 0 && status_ok(key_read(span_of(text.data, key_len), &pair.key)) &&
        status_ok(certificates_read(span_of(chain, text.len - key_len), &pair.chain)) &&
        X509_check_private_key(pair_leaf(&pair), pair.key) == 1;
    ERR_clear_error();
    if (!good) {
        pair_release(&pair);
        return FAIL(INVALID_CONFIG);
    }
    *out = pair;
    return OK;
}

struct status pair_load(struct vault *vault, const char *name, struct pair *out,
                        struct secret *pem) {
    struct arena arena = ARENA_INIT;
    struct pair pair;
    struct span text;
    struct status status = vault_load(vault, name, &arena, &text);
    if (status_ok(status)) {
        status = parse(text, &pair);
    }
    if (status_ok(status) && pem != NULL) {
        status = secret_copy(pem, text);
        if (!status_ok(status)) {
            pair_release(&pair);
        }
    }
    arena_release(&arena);
    TRY(status);
    *out = pair;
    return OK;
}

void pair_release(struct pair *pair) {
    EVP_PKEY_free(pair->key);
    certificates_free(pair->chain);
    *pair = (struct pair){NULL, NULL};
}

struct status pair_write(EVP_PKEY *key, struct span chain, struct secret *pem) {
    struct secret head = SECRET_INIT;
    TRY(key_write(key, &head));
    struct status status = secret_new(pem, head.len + chain.len);
    if (status_ok(status)) {
        memcpy(pem->data, head.data, head.len);
        memcpy(pem->data + head.len, chain.data, chain.len);
    }
    secret_release(&head);
    return status;
}

void pair_fingerprint(const struct pair *pair, uint8_t out[static 32]) {
    unsigned int len = 32;
    if (X509_digest(pair_leaf(pair), EVP_sha256(), out, &len) != 1) {
        memset(out, 0, 32);
    }
}

/* ---- Placeholders ---- */

static bool fill(X509 *certificate, EVP_PKEY *key, const struct acme_identifier *identifiers,
                 size_t count) {
    enum { HOUR_S = 3600 };
    X509_NAME *name = X509_get_subject_name(certificate);
    GENERAL_NAMES *names = identifiers_names(identifiers, count);
    const bool good =
        names != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), HOUR_S - 1) != NULL &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   (const uint8_t *)"waiting for a certificate", -1, -1, 0) == 1 &&
        X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
        X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1 &&
        X509_sign(certificate, key, EVP_sha256()) > 0;
    GENERAL_NAMES_free(names);
    return good;
}

struct status pair_placeholder(const struct acme_identifier *identifiers, size_t count,
                               struct secret *pem) {
    struct buffer chain = BUFFER_INIT;
    EVP_PKEY *key = NULL;
    TRY(key_new(KEY_P256, &key));
    X509 *certificate = X509_new();
    struct status status = FAIL(CRYPTO);
    if (certificate != NULL && fill(certificate, key, identifiers, count)) {
        status = certificate_write(certificate, &chain);
    }
    if (status_ok(status)) {
        status = pair_write(key, buffer_span(&chain), pem);
    }
    ERR_clear_error();
    buffer_release(&chain);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return status;
}

bool pair_is_placeholder(const struct pair *pair) {
    X509 *leaf = pair_leaf(pair);
    return X509_NAME_cmp(X509_get_subject_name(leaf), X509_get_issuer_name(leaf)) == 0;
}
