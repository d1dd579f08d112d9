/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "wire/base64url.h"

/* The next PEM block, appended if it is a certificate. `more` says if there was
 * one. */
static struct status read_next(BIO *bio, STACK_OF(X509) *chain, bool *more) {
    char *name = NULL;
    char *header = NULL;
    uint8_t *data = NULL;
    long len = 0;
    *more = PEM_read_bio(bio, &name, &header, &data, &len) == 1;
    if (!*more) {
        const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
        ERR_clear_error();
        return ended ? OK : FAIL(INVALID_MESSAGE);
    }
    const uint8_t *cursor = data;
    X509 *certificate = strcmp(name, PEM_STRING_X509) == 0 && header[0] == '\0'
                            ? d2i_X509(NULL, &cursor, len)
                            : NULL;
    const bool good = certificate != NULL && cursor == data + len &&
                      sk_X509_num(chain) < CHAIN_MAX && sk_X509_push(chain, certificate) > 0;
    if (!good) {
        X509_free(certificate);
        ERR_clear_error();
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    return good ? OK : FAIL(INVALID_MESSAGE);
}

struct status certificates_read(struct span pem, STACK_OF(X509) **out) {
    if (pem.len == 0 || pem.len > CHAIN_BYTES_MAX) {
        return FAIL(INVALID_MESSAGE);
    }
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    STACK_OF(X509) *chain = sk_X509_new_null();
    struct status status = bio == NULL || chain == NULL ? FAIL(NO_MEMORY) : OK;
    for (bool more = true; more && status_ok(status);) {
        status = read_next(bio, chain, &more);
    }
    if (status_ok(status) && sk_X509_num(chain) == 0) {
        status = FAIL(INVALID_MESSAGE);
    }
    BIO_free(bio);
    if (!status_ok(status)) {
        certificates_free(chain);
        return status;
    }
    *out = chain;
    return OK;
}

void certificates_free(STACK_OF(X509) *chain) { sk_X509_pop_free(chain, X509_free); }

struct status certificate_write(X509 *certificate, struct buffer *pem) {
    BIO *bio = BIO_new(BIO_s_mem());
    struct status status = FAIL(NO_MEMORY);
    char *data;
    if (bio != NULL && PEM_write_bio_X509(bio, certificate) == 1) {
        const long len = BIO_get_mem_data(bio, &data);
        status = buffer_append(pem, span_of(data, (size_t)len));
    }
    BIO_free(bio);
    return status;
}

bool certificates_linked(const STACK_OF(X509) *chain) {
    for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
        X509 *issuer = sk_X509_value(chain, i + 1);
        EVP_PKEY *key = X509_get0_pubkey(issuer);
        if (X509_check_issued(issuer, sk_X509_value(chain, i)) != X509_V_OK || key == NULL ||
            X509_verify(sk_X509_value(chain, i), key) != 1) {
            ERR_clear_error();
            return false;
        }
    }
    return true;
}

bool certificates_issued_by(const STACK_OF(X509) *chain, const char *common_name) {
    for (int i = 0; i < sk_X509_num(chain); i++) {
        char name[256] = "";
        const X509_NAME *issuer = X509_get_issuer_name(sk_X509_value(chain, i));
        if (X509_NAME_get_text_by_NID(issuer, NID_commonName, name, sizeof(name)) >= 0 &&
            strcmp(name, common_name) == 0) {
            return true;
        }
    }
    return false;
}

static bool seconds_of(const ASN1_TIME *time, int64_t *out) {
    struct tm broken;
    if (ASN1_TIME_to_tm(time, &broken) != 1) {
        ERR_clear_error();
        return false;
    }
    *out = timegm(&broken);
    return true;
}

struct status certificate_times_of(const X509 *certificate, struct certificate_times *out) {
    struct certificate_times times;
    if (!seconds_of(X509_get0_notBefore(certificate), &times.not_before) ||
        !seconds_of(X509_get0_notAfter(certificate), &times.not_after)) {
        return FAIL(INVALID_MESSAGE);
    }
    *out = times;
    return OK;
}

struct status certificate_identifiers(const X509 *certificate, struct arena *arena,
                                      struct acme_identifier **out, size_t *count) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    struct status status = identifiers_of_names(names, arena, out, count);
    GENERAL_NAMES_free(names);
    return status;
}

/* The serial's DER without tag and length: a leading zero byte stays. */
static struct status serial_bytes(const X509 *certificate, struct arena *arena,
                                  struct span *out) {
    uint8_t *der = NULL;
    const int len = i2d_ASN1_INTEGER((ASN1_INTEGER *)X509_get0_serialNumber(certificate), &der);
    /* Serials have at most 20 bytes; a length of two bytes would be no serial. */
    struct status status = len > 2 && der[1] < 0x80
                               ? arena_copy(arena, span_of(der + 2, (size_t)len - 2), out)
                               : FAIL(INVALID_MESSAGE);
    OPENSSL_free(der);
    return status;
}

struct status certificate_ari_id(const X509 *certificate, struct arena *arena, const char **out) {
    struct span serial;
    const ASN1_OCTET_STRING *authority = X509_get0_authority_key_id((X509 *)certificate);
    if (authority == NULL || ASN1_STRING_length(authority) == 0) {
        return FAIL(INVALID_MESSAGE);
    }
    TRY(serial_bytes(certificate, arena, &serial));
    const char *first = base64url_string(
        arena, span_of(ASN1_STRING_get0_data(authority), (size_t)ASN1_STRING_length(authority)));
    const char *second = base64url_string(arena, serial);
    const char *text = first == NULL || second == NULL
                           ? NULL
                           : arena_printf(arena, "%s.%s", first, second);
    if (text == NULL) {
        return FAIL(NO_MEMORY);
    }
    *out = text;
    return OK;
}
