/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include "pki/tls.h"

enum { NAMES_MAX = 32 };

/* "DNS:..", "URI:..", "email:.." for the kinds that are text; NULL for others
 * and for what holds a NUL, which would read as another name. */
static const char *text_name(struct arena *arena, const char *kind, const ASN1_STRING *text) {
    const unsigned char *data = ASN1_STRING_get0_data(text);
    const int length = ASN1_STRING_length(text);
    if (length <= 0 || memchr(data, '\0', (size_t)length) != NULL) {
        return NULL;
    }
    return arena_printf(arena, "%s:%.*s", kind, length, (const char *)data);
}

static const char *address_name(struct arena *arena, const ASN1_OCTET_STRING *bytes) {
    char text[INET6_ADDRSTRLEN];
    const int length = ASN1_STRING_length(bytes);
    const int family = length == 4 ? AF_INET : AF_INET6;
    if ((length != 4 && length != 16) ||
        inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof(text)) == NULL) {
        return NULL;
    }
    return arena_printf(arena, "IP:%s", text);
}

static const char *general_name(struct arena *arena, const GENERAL_NAME *name) {
    switch (name->type) {
    case GEN_DNS:
        return text_name(arena, "DNS", name->d.dNSName);
    case GEN_URI:
        return text_name(arena, "URI", name->d.uniformResourceIdentifier);
    case GEN_EMAIL:
        return text_name(arena, "email", name->d.rfc822Name);
    case GEN_IPADD:
        return address_name(arena, name->d.iPAddress);
    default:
        return NULL;
    }
}

static struct status alternative_names(const X509 *certificate, struct arena *arena,
                                       struct tls_identity *out) {
    const char **names = ARENA_ARRAY(arena, const char *, NAMES_MAX);
    if (names == NULL) {
        return FAIL(NO_MEMORY);
    }
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(all) && out->name_count < NAMES_MAX; i++) {
        names[out->name_count] = general_name(arena, sk_GENERAL_NAME_value(all, i));
        out->name_count += names[out->name_count] != NULL;
    }
    GENERAL_NAMES_free(all);
    out->names = names;
    return OK;
}

static struct status subject_text(const X509 *certificate, struct arena *arena, const char **out) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (bio != NULL &&
        X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        char *data;
        const long length = BIO_get_mem_data(bio, &data);
        text = arena_printf(arena, "%.*s", (int)length, length > 0 ? data : "");
    }
    BIO_free(bio);
    if (text == NULL) {
        return FAIL(NO_MEMORY);
    }
    *out = text;
    return OK;
}

static struct status identity_of(const X509 *certificate, struct arena *arena,
                                 struct tls_identity *out) {
    struct tls_identity identity = {0};
    unsigned int length = sizeof(identity.fingerprint);
    if (X509_digest(certificate, EVP_sha256(), identity.fingerprint, &length) != 1) {
        return FAIL(CRYPTO);
    }
    TRY(subject_text(certificate, arena, &identity.subject));
    TRY(alternative_names(certificate, arena, &identity));
    *out = identity;
    return OK;
}

struct status tls_peer_identity(const SSL *ssl, struct arena *arena, struct tls_identity *out,
                                bool *present) {
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    if (certificate == NULL || SSL_get_verify_result(ssl) != X509_V_OK) {
        X509_free(certificate);
        *present = false;
        return OK;
    }
    struct status status = identity_of(certificate, arena, out);
    X509_free(certificate);
    if (status_ok(status)) {
        *present = true;
    }
    return status;
}
