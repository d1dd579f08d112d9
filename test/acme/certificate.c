/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/certificate.h"

#include <criterion/criterion.h>
#include <openssl/x509v3.h>

#include "acme/key.h"

struct issued {
    X509 *certificate;
    EVP_PKEY *key;
};

static void add(X509 *certificate, X509 *issuer, const char *name, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf(NULL, &context, name, value);
    cr_assert_not_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static struct issued issue(const char *common_name, const struct issued *issuer,
                           const char *serial) {
    struct issued made = {X509_new(), NULL};
    BIGNUM *number = NULL;
    cr_assert(status_ok(key_new(KEY_P256, &made.key)));
    X509_set_version(made.certificate, X509_VERSION_3);
    BN_hex2bn(&number, serial);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made.certificate));
    BN_free(number);
    ASN1_TIME_set_string(X509_getm_notBefore(made.certificate), "20260101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(made.certificate), "20260331235959Z");
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.certificate), "CN", MBSTRING_ASC,
                               (const uint8_t *)common_name, -1, -1, 0);
    X509 *parent = issuer == NULL ? made.certificate : issuer->certificate;
    X509_set_issuer_name(made.certificate, X509_get_subject_name(parent));
    X509_set_pubkey(made.certificate, made.key);
    if (issuer == NULL) {
        /* The key identifier of RFC 9773's example. */
        add(made.certificate, parent, "subjectKeyIdentifier",
            "69885B6B87464041E1B37B847BA0AE2CDE01C8D4");
        add(made.certificate, parent, "basicConstraints", "critical,CA:TRUE");
    } else {
        add(made.certificate, parent, "authorityKeyIdentifier", "keyid");
        add(made.certificate, parent, "subjectAltName", "DNS:a.example,IP:192.0.2.1");
    }
    X509_sign(made.certificate, issuer == NULL ? made.key : issuer->key, EVP_sha256());
    return made;
}

static void drop(struct issued *issued) {
    X509_free(issued->certificate);
    EVP_PKEY_free(issued->key);
}

Test(certificate, is_named_to_its_ca_as_rfc_9773_says) {
    struct arena arena = ARENA_INIT;
    const char *id = NULL;
    struct issued ca = issue("CA", NULL, "01");
    struct issued leaf = issue("leaf", &ca, "87654321");
    cr_assert(status_ok(certificate_ari_id(leaf.certificate, &arena, &id)));
    cr_assert_str_eq(id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
    cr_assert_eq(certificate_ari_id(ca.certificate, &arena, &id).code, STATUS_INVALID_MESSAGE);
    drop(&ca);
    drop(&leaf);
    arena_release(&arena);
}

Test(certificate, times_and_names_are_read) {
    struct arena arena = ARENA_INIT;
    struct certificate_times times;
    struct acme_identifier *names;
    size_t count;
    struct issued ca = issue("CA", NULL, "01");
    struct issued leaf = issue("leaf", &ca, "02");
    cr_assert(status_ok(certificate_times_of(leaf.certificate, &times)));
    cr_assert_eq(times.not_before, 1767225600);
    cr_assert_eq(times.not_after, 1767225600 + 90 * 86400 - 1);
    cr_assert(status_ok(certificate_identifiers(leaf.certificate, &arena, &names, &count)));
    cr_assert_eq(count, 2);
    cr_assert_str_eq(names[1].value, "192.0.2.1");
    drop(&ca);
    drop(&leaf);
    arena_release(&arena);
}

Test(certificate, chains_are_read_and_checked) {
    struct buffer pem = BUFFER_INIT;
    STACK_OF(X509) *chain = NULL;
    struct issued ca = issue("CA", NULL, "01");
    struct issued other = issue("Other", NULL, "01");
    struct issued leaf = issue("leaf", &ca, "02");
    cr_assert(status_ok(certificate_write(leaf.certificate, &pem)));
    cr_assert(status_ok(certificate_write(ca.certificate, &pem)));
    cr_assert(status_ok(certificates_read(buffer_span(&pem), &chain)));
    cr_assert_eq(sk_X509_num(chain), 2);
    cr_assert(certificates_linked(chain));
    cr_assert(certificates_issued_by(chain, "CA"));
    cr_assert_not(certificates_issued_by(chain, "Other"));
    sk_X509_push(chain, other.certificate);
    cr_assert_not(certificates_linked(chain));
    sk_X509_pop(chain);
    certificates_free(chain);
    buffer_release(&pem);
    drop(&ca);
    drop(&other);
    drop(&leaf);
}

Test(certificate, chains_hold_nothing_else) {
    struct buffer pem = BUFFER_INIT;
    struct secret key = SECRET_INIT;
    STACK_OF(X509) *chain = NULL;
    struct issued ca = issue("CA", NULL, "01");
    cr_assert_eq(certificates_read(SPAN_OF_LITERAL("no PEM"), &chain).code, STATUS_INVALID_MESSAGE);
    cr_assert_eq(certificates_read(
                     SPAN_OF_LITERAL("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                     &chain).code,
                 STATUS_INVALID_MESSAGE);
    for (int i = 0; i <= CHAIN_MAX; i++) {
        cr_assert(status_ok(certificate_write(ca.certificate, &pem)));
    }
    cr_assert_eq(certificates_read(buffer_span(&pem), &chain).code, STATUS_INVALID_MESSAGE);
    buffer_clear(&pem);
    cr_assert(status_ok(key_write(ca.key, &key)));
    cr_assert(status_ok(certificate_write(ca.certificate, &pem)));
    cr_assert(status_ok(buffer_append(&pem, secret_span(&key))));
    cr_assert_eq(certificates_read(buffer_span(&pem), &chain).code, STATUS_INVALID_MESSAGE);
    secret_release(&key);
    buffer_release(&pem);
    drop(&ca);
}

Test(certificate, keys_survive_their_files) {
    struct secret pem = SECRET_INIT;
    EVP_PKEY *key = NULL;
    EVP_PKEY *read = NULL;
    cr_assert(status_ok(key_new(KEY_P384, &key)));
    cr_assert(status_ok(key_write(key, &pem)));
    cr_assert(status_ok(key_read(secret_span(&pem), &read)));
    cr_assert_eq(EVP_PKEY_eq(key, read), 1);
    cr_assert_eq(key_kind(read), KEY_P384);
    cr_assert_eq(key_read(SPAN_OF_LITERAL("-----BEGIN PRIVATE KEY-----\n"), &read).code,
                 STATUS_INVALID_MESSAGE);
    secret_release(&pem);
    EVP_PKEY_free(key);
    EVP_PKEY_free(read);
}
