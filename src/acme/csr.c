/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/csr.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "acme/key_info.h"

/* CertificationRequest (RFC 2986 section 4), its key left as it is. What is signed
 * are the bytes that came, which are kept. */
typedef struct request_info {
    ASN1_ENCODING enc;
    ASN1_INTEGER *version;
    X509_NAME *subject;
    KEY_INFO *key;
    STACK_OF(X509_ATTRIBUTE) *attributes;
} REQUEST_INFO;

typedef struct request {
    REQUEST_INFO *info;
    X509_ALGOR *algorithm;
    ASN1_BIT_STRING *signature;
} REQUEST;

ASN1_SEQUENCE_enc(REQUEST_INFO, enc, 0) = {
    ASN1_SIMPLE(REQUEST_INFO, version, ASN1_INTEGER),
    ASN1_SIMPLE(REQUEST_INFO, subject, X509_NAME),
    ASN1_SIMPLE(REQUEST_INFO, key, KEY_INFO),
    ASN1_IMP_SET_OF_OPT(REQUEST_INFO, attributes, X509_ATTRIBUTE, 0),
} static_ASN1_SEQUENCE_END_ref(REQUEST_INFO, REQUEST_INFO)

ASN1_SEQUENCE(REQUEST) = {
    ASN1_SIMPLE(REQUEST, info, REQUEST_INFO),
    ASN1_SIMPLE(REQUEST, algorithm, X509_ALGOR),
    ASN1_SIMPLE(REQUEST, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(REQUEST)

/* ---- Writing ---- */

static bool add_names(X509_REQ *request, const struct acme_identifier *identifiers, size_t count) {
    GENERAL_NAMES *names = identifiers_names(identifiers, count);
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    const bool good =
        names != NULL &&
        /* Critical, as the subject is empty (RFC 5280 section 4.2.1.6). */
        X509V3_add1_i2d(&extensions, NID_subject_alt_name, names, 1, X509V3_ADD_DEFAULT) == 1 &&
        X509_REQ_add_extensions(request, extensions) == 1;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    GENERAL_NAMES_free(names);
    return good;
}

static struct status append_der(X509_REQ *request, struct buffer *der) {
    uint8_t *bytes = NULL;
    const int len = i2d_X509_REQ(request, &bytes);
    struct status status =
        len > 0 ? buffer_append(der, span_of(bytes, (size_t)len)) : FAIL(NO_MEMORY);
    OPENSSL_free(bytes);
    return status;
}

struct status csr_write(EVP_PKEY *key, const struct acme_identifier *identifiers, size_t count,
                        struct buffer *der) {
    const EVP_MD *digest = key_kind(key) == KEY_ED25519 ? NULL
                           : key_kind(key) == KEY_P384  ? EVP_sha384()
                                                        : EVP_sha256();
    X509_REQ *request = X509_REQ_new();
    struct status status = FAIL(CRYPTO);
    if (request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
        X509_REQ_set_pubkey(request, key) == 1 && add_names(request, identifiers, count) &&
        X509_REQ_sign(request, key, digest) > 0) {
        status = append_der(request, der);
    }
    X509_REQ_free(request);
    ERR_clear_error();
    return status;
}

/* ---- Reading ---- */

static struct status refuse(const char **reason, const char *text) {
    *reason = text;
    return FAIL(INVALID_MESSAGE);
}

/* Adds common names, which old clients still set, as identifiers. */
static struct status add_common_names(const REQUEST *request, struct arena *arena,
                                      struct csr *csr, const char **reason) {
    const X509_NAME *subject = request->info->subject;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
        const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
        const size_t len = (size_t)ASN1_STRING_length(text);
        const char *data = (const char *)ASN1_STRING_get0_data(text);
        struct acme_identifier identifier;
        if (len > DNS_NAME_MAX || strnlen(data, len) != len ||
            csr->identifier_count == IDENTIFIERS_MAX) {
            return FAIL(INVALID_MESSAGE);
        }
        const char *copy = arena_printf(arena, "%.*s", (int)len, data);
        if (copy == NULL) {
            return FAIL(NO_MEMORY);
        }
        TRY(identifier_parse(copy, arena, &identifier));
        if (identifier.type == IDENTIFIER_IP) { /* RFC 8738 section 3: in the SAN alone */
            return refuse(reason, "CSR contains IP address in Common Name");
        }
        bool known = false;
        for (size_t i = 0; i < csr->identifier_count; i++) {
            known = known || identifier_equal(&csr->identifiers[i], &identifier);
        }
        if (!known) {
            csr->identifiers[csr->identifier_count++] = identifier;
        }
    }
    return OK;
}

static struct status read_names(const REQUEST *request, const STACK_OF(X509_EXTENSION) *extensions,
                                struct arena *arena, struct csr *csr, const char **reason) {
    GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    struct acme_identifier *found = NULL;
    size_t count = 0;
    const char *why = "a name in it is neither a DNS name nor an address";
    struct status status = identifiers_of_names(names, arena, &found, &count);
    GENERAL_NAMES_free(names);
    csr->identifiers = ARENA_ARRAY(arena, struct acme_identifier, IDENTIFIERS_MAX);
    if (csr->identifiers == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (status_ok(status)) {
        memcpy(csr->identifiers, found, count * sizeof(*found));
        csr->identifier_count = count;
        status = add_common_names(request, arena, csr, &why);
    }
    if (!status_ok(status)) {
        return status.code == STATUS_NO_MEMORY ? status : refuse(reason, why);
    }
    return csr->identifier_count > 0 ? OK : refuse(reason, "it names nothing");
}

static bool asks_for_staple(const STACK_OF(X509_EXTENSION) *extensions) {
    return X509v3_get_ext_by_NID(extensions, NID_tlsfeature, -1) >= 0;
}

/* Those of the first attribute that has some. NULL: there are none. */
static STACK_OF(X509_EXTENSION) *extensions_of(const REQUEST *request) {
    static const int nids[] = {NID_ext_req, NID_ms_ext_req};
    for (size_t i = 0; i < sizeof(nids) / sizeof(nids[0]); i++) {
        const int at = X509at_get_attr_by_NID(request->info->attributes, nids[i], -1);
        X509_ATTRIBUTE *attribute =
            at < 0 ? NULL : X509at_get_attr(request->info->attributes, at);
        const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attribute, 0);
        if (value != NULL && value->type == V_ASN1_SEQUENCE) {
            const uint8_t *cursor = value->value.sequence->data;
            return (STACK_OF(X509_EXTENSION) *)ASN1_item_d2i(
                NULL, &cursor, value->value.sequence->length, ASN1_ITEM_rptr(X509_EXTENSIONS));
        }
    }
    return NULL;
}

static struct status read_key(const REQUEST *request, struct arena *arena, struct csr *csr,
                              const char **reason) {
    TRY(key_info_write(request->info->key, arena, &csr->key_der));
    if (!status_ok(key_info_key(csr->key_der, &csr->key))) {
        return refuse(reason, "its public key can't be read");
    }
    return ASN1_item_verify(ASN1_ITEM_rptr(REQUEST_INFO), request->algorithm, request->signature,
                            request->info, csr->key) == 1
               ? OK
               : refuse(reason, "it is not signed by its own key");
}

struct status csr_read(struct span der, struct arena *arena, struct csr *out,
                       const char **reason) {
    enum { CSR_BYTES_MAX = 64 * 1024 };
    const uint8_t *cursor = der.data;
    REQUEST *request = NULL;
    struct csr csr = {0};
    struct status status = OK;
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    if (der.len > 0 && der.len <= CSR_BYTES_MAX) {
        request = (REQUEST *)ASN1_item_d2i(NULL, &cursor, (long)der.len, ASN1_ITEM_rptr(REQUEST));
    }
    if (request == NULL || cursor != der.data + der.len) {
        status = refuse(reason, "it is no DER of a PKCS#10 request");
        goto done;
    }
    extensions = extensions_of(request);
    TRY_GOTO(status, read_key(request, arena, &csr, reason), done);
    TRY_GOTO(status, read_names(request, extensions, arena, &csr, reason), done);
    csr.must_staple = asks_for_staple(extensions);
    *out = csr;
done:
    if (!status_ok(status)) {
        csr_release(&csr);
    }
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    ASN1_item_free((ASN1_VALUE *)request, ASN1_ITEM_rptr(REQUEST));
    ERR_clear_error();
    return status;
}

void csr_release(struct csr *csr) {
    EVP_PKEY_free(csr->key);
    csr->key = NULL;
}
