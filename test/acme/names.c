/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "acme/csr.h"
#include "acme/identifier.h"

static struct arena arena;

static void start(void) { arena = ARENA_INIT; }
static void stop(void) { arena_release(&arena); }

TestSuite(names, .init = start, .fini = stop);

Test(names, are_made_canonical) {
    static const struct {
        const char *text;
        enum acme_identifier_type type;
        const char *value;
    } cases[] = {
        {"A.Example", IDENTIFIER_DNS, "a.example"},
        {"a.example.", IDENTIFIER_DNS, "a.example"},
        {"*.A.example", IDENTIFIER_DNS, "*.a.example"},
        {"localhost", IDENTIFIER_DNS, "localhost"},
        {"127.0.0.1", IDENTIFIER_IP, "127.0.0.1"},
        {"2001:DB8:0:0::1", IDENTIFIER_IP, "2001:db8::1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct acme_identifier made;
        cr_assert(status_ok(identifier_parse(cases[i].text, &arena, &made)), "%s", cases[i].text);
        cr_assert_eq(made.type, cases[i].type);
        cr_assert_str_eq(made.value, cases[i].value);
    }
}

Test(names, that_are_none_are_refused) {
    static const char *const bad[] = {
        "", ".", "a..example", ".example", "-a.example", "a-.example", "a_b.example", "a b",
        "*", "*.", "a.*.example", "**.example", "1.2.3.4.5", "1.2.3", "a.example..",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", "\xc3\xa4.example"};
    struct acme_identifier made;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(identifier_parse(bad[i], &arena, &made).code, STATUS_INVALID_ARGUMENT, "%s",
                     bad[i]);
    }
    char name[300];
    memset(name, 'a', sizeof(name));
    for (size_t i = 50; i < sizeof(name); i += 50) {
        name[i] = '.';
    }
    name[254] = '\0';
    cr_assert_eq(identifier_parse(name, &arena, &made).code, STATUS_INVALID_ARGUMENT);
    name[253] = '\0';
    cr_assert(status_ok(identifier_parse(name, &arena, &made)));
}

/* DER of a request, in the arena. */
static struct span request_for(EVP_PKEY *key, const struct acme_identifier *names, size_t count) {
    struct buffer der = BUFFER_INIT;
    struct span copy;
    cr_assert(status_ok(csr_write(key, names, count, &der)));
    cr_assert(status_ok(arena_copy(&arena, buffer_span(&der), &copy)));
    buffer_release(&der);
    return copy;
}

Test(names, survive_a_signing_request) {
    const struct acme_identifier asked[] = {
        {IDENTIFIER_DNS, "a.example"}, {IDENTIFIER_DNS, "*.b.example"},
        {IDENTIFIER_IP, "192.0.2.1"},  {IDENTIFIER_IP, "2001:db8::1"}};
    EVP_PKEY *key = NULL;
    struct csr csr;
    const char *reason = "";
    cr_assert(status_ok(key_new(KEY_P256, &key)));
    const struct span der = request_for(key, asked, 4);
    cr_assert(status_ok(csr_read(der, &arena, &csr, &reason)), "%s", reason);
    cr_assert(identifiers_equal(csr.identifiers, csr.identifier_count, asked, 4));
    cr_assert_not(identifiers_equal(csr.identifiers, csr.identifier_count, asked, 3));
    cr_assert_eq(EVP_PKEY_eq(csr.key, key), 1);
    cr_assert_not(csr.must_staple);
    csr_release(&csr);
    EVP_PKEY_free(key);
}

Test(names, of_a_broken_request_are_not_believed) {
    const struct acme_identifier asked = {IDENTIFIER_DNS, "a.example"};
    EVP_PKEY *key = NULL;
    struct csr csr;
    const char *reason = NULL;
    cr_assert(status_ok(key_new(KEY_P384, &key)));
    struct span der = request_for(key, &asked, 1);
    uint8_t *bytes = arena_alloc(&arena, der.len + 1, 1);
    memcpy(bytes, der.data, der.len);
    cr_assert_eq(csr_read(span_of(bytes, der.len + 1), &arena, &csr, &reason).code,
                 STATUS_INVALID_MESSAGE);
    bytes[der.len - 1] ^= 1; /* the signature */
    cr_assert_eq(csr_read(span_of(bytes, der.len), &arena, &csr, &reason).code,
                 STATUS_INVALID_MESSAGE);
    cr_assert_str_eq(reason, "it is not signed by its own key");
    der = request_for(key, NULL, 0);
    cr_assert_eq(csr_read(der, &arena, &csr, &reason).code, STATUS_INVALID_MESSAGE);
    cr_assert_str_eq(reason, "it names nothing");
    EVP_PKEY_free(key);
}

static struct status read_with_common_name(const char *name, struct csr *csr,
                                           const char **reason) {
    EVP_PKEY *key = NULL;
    cr_assert(status_ok(key_new(KEY_P256, &key)));
    X509_REQ *request = X509_REQ_new();
    X509_NAME *subject = X509_REQ_get_subject_name(request);
    cr_assert_eq(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1,
                                            -1, 0), 1);
    X509_REQ_set_pubkey(request, key);
    cr_assert_gt(X509_REQ_sign(request, key, EVP_sha256()), 0);
    uint8_t *der = NULL;
    const int len = i2d_X509_REQ(request, &der);
    struct status status = csr_read(span_of(der, (size_t)len), &arena, csr, reason);
    OPENSSL_free(der);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return status;
}

Test(names, in_the_subject_count_once) {
    struct csr csr;
    const char *reason = "";
    cr_assert(status_ok(read_with_common_name("A.example", &csr, &reason)), "%s", reason);
    cr_assert_eq(csr.identifier_count, 1);
    cr_assert_str_eq(csr.identifiers[0].value, "a.example");
    csr_release(&csr);
}

/* RFC 8738 section 3. */
Test(names, that_are_addresses_are_none_of_the_subjects) {
    struct csr csr;
    const char *reason = "";
    cr_assert_eq(read_with_common_name("192.0.2.1", &csr, &reason).code, STATUS_INVALID_MESSAGE);
    cr_assert_str_eq(reason, "CSR contains IP address in Common Name");
}
