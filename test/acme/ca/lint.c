/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/lint.h"

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "fixture.h"

static struct ca_fixture f;
static const struct acme_identifier names[] = {{IDENTIFIER_DNS, "a.example"},
                                               {IDENTIFIER_DNS, "*.b.example"},
                                               {IDENTIFIER_IP, "10.1.2.3"}};
enum { NAMES = 3 };
static const struct ca_profile *const profile = &ca_profiles_default[CA_ROLE_AGGREGATOR];
static EVP_PKEY *key;

static void setup(void) {
    ca_fixture_init(&f);
    key = fixture_key();
}

static void teardown(void) {
    EVP_PKEY_free(key);
    ca_fixture_release(&f);
}

TestSuite(lint, .init = setup, .fini = teardown);

static struct ca_template template_make(void) {
    struct ca_template template = {.profile = profile, .issuer = &f.issuer,
                                   .key = fixture_key_info(&f, key),
                                   .identifiers = names, .identifier_count = NAMES,
                                   .not_before = fixture_now() - 60};
    cr_assert(status_ok(ca_serial_new(template.serial)));
    return template;
}

static X509 *build(void) {
    X509 *certificate;
    struct ca_template template = template_make();
    cr_assert(status_ok(ca_template_build(&template, f.throwaway, &certificate)));
    return certificate;
}

/* Signs what a test changed and lints it; the name of the lint that fails, or "". */
static const char *lint_as(X509 *certificate, const struct ca_lint_input *base) {
    static struct ca_finding finding;
    uint8_t *der = NULL;
    cr_assert_neq(X509_sign(certificate, f.throwaway, EVP_sha256()), 0);
    int len = i2d_X509(certificate, &der);
    cr_assert(len > 0);
    struct ca_lint_input input = *base;
    input.der = span_of(der, (size_t)len);
    struct status status = ca_lint(&input, &finding);
    OPENSSL_free(der);
    X509_free(certificate);
    return status_ok(status) ? "" : finding.lint;
}

static struct ca_lint_input input_make(void) {
    return (struct ca_lint_input){.profile = profile, .issuer = &f.issuer, .policy = &f.policy,
                                  .now = fixture_now(), .key = fixture_key_info(&f, key),
                                  .identifiers = names,
                                  .identifier_count = NAMES};
}

static const char *lint(X509 *certificate) {
    struct ca_lint_input input = input_make();
    return lint_as(certificate, &input);
}

Test(lint, good_one_passes) { cr_expect_str_eq(lint(build()), ""); }

Test(lint, every_default_profile_passes) {
    for (size_t i = 0; i < CA_ROLE_COUNT; i++) {
        X509 *certificate;
        struct ca_lint_input input = input_make();
        struct ca_template template = template_make();
        input.profile = template.profile = &ca_profiles_default[i];
        cr_assert(status_ok(ca_template_build(&template, f.throwaway, &certificate)));
        cr_expect_str_eq(lint_as(certificate, &input), "", "%s", template.profile->name);
    }
}

static const char *lint_stapled(bool built, bool asked, bool served) {
    X509 *certificate;
    struct ca_lint_input input = input_make();
    struct ca_template template = template_make();
    template.must_staple = built;
    cr_assert(status_ok(ca_template_build(&template, f.throwaway, &certificate)));
    f.issuer.ocsp = served;
    input.must_staple = asked;
    const char *found = lint_as(certificate, &input);
    f.issuer.ocsp = false;
    return found;
}

Test(lint, ocsp_is_where_it_is_served_and_stapled_where_it_was_asked_for) {
    cr_expect_str_eq(lint_stapled(false, false, true), "issuer_url", "OCSP's URL is not there");
    cr_expect_str_eq(lint_stapled(true, true, false), "must_staple", "nobody answers OCSP");
    f.issuer.ocsp = true;
    cr_expect_str_eq(lint(build()), "");
    f.issuer.ocsp = true;
    cr_expect_str_eq(lint_stapled(true, true, true), "");
    f.issuer.ocsp = true;
    cr_expect_str_eq(lint_stapled(true, false, true), "must_staple");
    f.issuer.ocsp = true;
    cr_expect_str_eq(lint_stapled(false, true, true), "must_staple");
    f.issuer.ocsp = true;
    cr_expect_str_eq(lint_stapled(false, false, false), "issuer_url", "OCSP's URL is there");
}

/* A lifetime of n seconds ends n - 1 seconds after it began: exactly that, and
 * nothing near it. */
Test(lint, validity_is_inclusive) {
    static const int off[] = {-1, +1, +2, +3, +30, +60};
    for (size_t p = 0; p < CA_ROLE_COUNT; p++) {
        struct ca_lint_input input = input_make();
        struct ca_template template = template_make();
        input.profile = template.profile = &ca_profiles_default[p];
        for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
            X509 *certificate;
            cr_assert(status_ok(ca_template_build(&template, f.throwaway, &certificate)));
            ASN1_TIME_adj(X509_getm_notAfter(certificate),
                          template.not_before + template.profile->lifetime_s - 1 + off[i], 0, 0);
            cr_expect_str_eq(lint_as(certificate, &input), "validity_inclusive", "%+d s of %s",
                             off[i], template.profile->name);
        }
        X509 *certificate;
        cr_assert(status_ok(ca_template_build(&template, f.throwaway, &certificate)));
        ASN1_TIME_adj(X509_getm_notAfter(certificate),
                      template.not_before + template.profile->lifetime_s - 1, 0, 0);
        cr_expect_str_eq(lint_as(certificate, &input), "", "+0 s of %s", template.profile->name);
    }
}

Test(lint, validity_start_and_issuer) {
    struct ca_lint_input input = input_make();
    input.now += CA_DAY;
    cr_expect_str_eq(lint_as(build(), &input), "validity_start");
    input.now = fixture_now() - CA_DAY;
    cr_expect_str_eq(lint_as(build(), &input), "validity_start");
    struct ca_template template = template_make();
    X509 *certificate;
    input.now = template.not_before = fixture_now() + (int64_t)6 * 365 * CA_DAY;
    cr_assert(status_ok(ca_template_build(&template, f.throwaway, &certificate)));
    cr_expect_str_eq(lint_as(certificate, &input), "validity_issuer");
}

Test(lint, validity_form) {
    X509 *certificate = build();
    ASN1_TIME *time = X509_getm_notAfter(certificate);
    ASN1_TIME_to_generalizedtime(time, &time);
    ASN1_GENERALIZEDTIME *general = ASN1_TIME_to_generalizedtime(time, NULL);
    X509_set1_notAfter(certificate, general);
    ASN1_GENERALIZEDTIME_free(general);
    cr_expect_str_eq(lint(certificate), "validity_form");
}

Test(lint, serial) {
    X509 *certificate = build();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    cr_expect_str_eq(lint(certificate), "serial");
    certificate = build();
    uint8_t same[CA_SERIAL_SIZE];
    memset(same, 0x55, sizeof same);
    BIGNUM *number = BN_bin2bn(same, sizeof same, NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    cr_expect_str_eq(lint(certificate), "serial");
    certificate = build();
    BN_lshift(number, number, 8);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    cr_expect_str_eq(lint(certificate), "serial");
    BN_free(number);
}

Test(lint, names_and_subject) {
    X509 *certificate = build();
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const uint8_t *)"a.example", -1, -1, 0);
    cr_expect_str_eq(lint(certificate), "subject");
    certificate = build();
    X509_set_issuer_name(certificate, X509_get_subject_name(f.root));
    cr_expect_str_eq(lint(certificate), "issuer");
    certificate = build();
    X509_set_version(certificate, X509_VERSION_1);
    cr_expect_str_eq(lint(certificate), "version");

    struct ca_lint_input input = input_make();
    input.identifier_count = 2;
    cr_expect_str_eq(lint_as(build(), &input), "names_requested");
    static const char *const other[] = {"elsewhere"};
    struct ca_policy policy = {.domains = other, .domain_count = 1};
    input = input_make();
    input.policy = &policy;
    cr_expect_str_eq(lint_as(build(), &input), "names_allowed");
}

/* Replaces an extension by what OpenSSL makes of a text, or takes it away. */
static X509 *with_extension(int nid, const char *value) {
    X509 *certificate = build();
    X509V3_CTX context;
    X509_EXTENSION_free(X509_delete_ext(certificate, X509_get_ext_by_NID(certificate, nid, -1)));
    if (value != NULL) {
        X509V3_set_ctx(&context, f.issuing, certificate, NULL, NULL, 0);
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
        cr_assert_not_null(extension, "%s", value);
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    return certificate;
}

Test(lint, extensions) {
    static const struct {
        int nid;
        const char *value, *lint;
    } cases[] = {
        {NID_subject_alt_name, NULL, "extensions"},
        {NID_subject_alt_name, "DNS:a.example,DNS:*.b.example,IP:10.1.2.3", "extensions"},
        {NID_subject_alt_name, "critical,DNS:a.example,DNS:a.example", "names_form"},
        {NID_subject_alt_name, "critical,DNS:A.example", "names_form"},
        {NID_subject_alt_name, "critical,email:a@example", "names_form"},
        {NID_subject_alt_name, "critical,DNS:a.example", "names_requested"},
        {NID_key_usage, "digitalSignature", "extensions"},
        {NID_key_usage, "critical,digitalSignature,keyCertSign", "key_usage"},
        {NID_ext_key_usage, "critical,serverAuth,clientAuth", "extensions"},
        {NID_ext_key_usage, "serverAuth", "extended_key_usage"},
        {NID_ext_key_usage, "serverAuth,clientAuth,codeSigning", "extended_key_usage"},
        {NID_ext_key_usage, "serverAuth,clientAuth,1.2.3.4", "extended_key_usage"},
        {NID_basic_constraints, "CA:FALSE", "extensions"},
        {NID_basic_constraints, "critical,CA:TRUE", "basic_constraints"},
        {NID_info_access, "caIssuers;URI:http://elsewhere/x.der", "issuer_url"},
        {NID_crl_distribution_points, "URI:http://ca.example/crl/0/9.crl", "crl_point"},
        {NID_authority_key_identifier, "issuer:always", "authority_key"},
        {NID_subject_key_identifier, "hash", "extensions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_str_eq(lint(with_extension(cases[i].nid, cases[i].value)), cases[i].lint,
                         "%s %s", OBJ_nid2sn(cases[i].nid),
                         cases[i].value == NULL ? "-" : cases[i].value);
    }
}

Test(lint, keys) {
    X509 *certificate = build();
    X509_set_pubkey(certificate, f.issuing_private);
    cr_expect_str_eq(lint(certificate), "key_ours");
    EVP_PKEY *other = fixture_key();
    certificate = build();
    X509_set_pubkey(certificate, other);
    EVP_PKEY_free(other);
    cr_expect_str_eq(lint(certificate), "key_requested");
    static const char *const good[] = {"P-256", "P-384", "P-521"};
    char why[200];
    for (size_t i = 0; i < 3; i++) {
        other = EVP_EC_gen(good[i]);
        cr_expect(ca_key_good(other, why), "%s", good[i]);
        EVP_PKEY_free(other);
    }
    static const char *const kinds[] = {"P-224", "secp256k1"};
    for (size_t i = 0; i < 2; i++) {
        other = EVP_EC_gen(kinds[i]);
        certificate = build();
        X509_set_pubkey(certificate, other);
        EVP_PKEY_free(other);
        cr_expect_str_eq(lint(certificate), "key_quality", "%s", kinds[i]);
    }
}

Test(lint, key_is_encoded_in_one_way) {
    static const char *const forms[] = {"compressed", "hybrid"};
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY *other = fixture_key();
        X509 *certificate = build();
        cr_assert_eq(EVP_PKEY_set_utf8_string_param(
                         other, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, forms[i]), 1);
        X509_set_pubkey(certificate, other);
        EVP_PKEY_free(other);
        cr_expect_str_eq(lint(certificate), "key_encoding", "%s", forms[i]);
    }
}

static EVP_PKEY *rsa_of(const BIGNUM *n, unsigned long e) {
    EVP_PKEY *made = NULL;
    BIGNUM *exponent = BN_new();
    BN_set_word(exponent, e);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent);
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY_fromdata_init(context);
    EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, parameters);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_free(exponent);
    cr_assert_not_null(made);
    return made;
}

static bool rsa_good(const BIGNUM *n, unsigned long e) {
    char why[200];
    EVP_PKEY *rsa = rsa_of(n, e);
    bool good = ca_key_good(rsa, why);
    EVP_PKEY_free(rsa);
    return good;
}

Test(lint, rsa_keys) {
    BN_CTX *context = BN_CTX_new();
    BIGNUM *p = BN_new();
    BIGNUM *q = BN_new();
    BIGNUM *n = BN_new();
    BN_generate_prime_ex(p, 1024, 0, NULL, NULL, NULL);
    BN_generate_prime_ex(q, 1024, 0, NULL, NULL, NULL);
    BN_mul(n, p, q, context);
    if (BN_num_bits(n) == 2048) {
        cr_expect(rsa_good(n, 65537));
        cr_expect(!rsa_good(n, 3), "a small exponent");
        cr_expect(!rsa_good(n, 65538), "an even exponent");
    }
    BN_lshift(n, n, 8);
    BN_add_word(n, 1);
    while (BN_mod_word(n, 751) != 0) {
        BN_add_word(n, 2);
    }
    cr_expect(!rsa_good(n, 65537), "a small factor");
    /* The next prime after p, or one near. */
    BN_copy(q, p);
    do {
        BN_add_word(q, 2);
    } while (BN_check_prime(q, context, NULL) != 1);
    BN_mul(n, p, q, context);
    cr_expect(!rsa_good(n, 65537), "two close factors");
    /* A power of 65537 is one modulo every prime: what ROCA's keys look like. */
    BN_one(n);
    for (int i = 0; i < 128; i++) {
        BN_mul_word(n, 65537);
    }
    char why[200];
    EVP_PKEY *power = rsa_of(n, 65537);
    cr_expect(!ca_key_good(power, why));
    EVP_PKEY_free(power);
    BN_free(p);
    BN_free(q);
    BN_free(n);
    BN_CTX_free(context);
}

Test(lint, rsa_sizes) {
    char why[200];
    EVP_PKEY *small = EVP_RSA_gen(1024);
    cr_expect(!ca_key_good(small, why));
    EVP_PKEY_free(small);
}

Test(lint, the_delivered_one_is_the_linted_one) {
    struct ca_finding finding;
    X509 *certificate = build();
    uint8_t *drafted = NULL;
    uint8_t *final = NULL;
    int drafted_len = i2d_X509(certificate, &drafted);
    X509_sign(certificate, f.issuing_private, EVP_sha256());
    int len = i2d_X509(certificate, &final);
    struct span before = span_of(drafted, (size_t)drafted_len);
    cr_expect(status_ok(
        ca_lint_same(before, span_of(final, (size_t)len), &f.issuer, &finding)));
    cr_expect(!status_ok(ca_lint_same(before, before, &f.issuer, &finding)));
    cr_expect_str_eq(finding.lint, "signature");
    OPENSSL_free(final);
    final = NULL;
    ASN1_TIME_adj(X509_getm_notAfter(certificate), fixture_now(), 0, 0);
    X509_sign(certificate, f.issuing_private, EVP_sha256());
    len = i2d_X509(certificate, &final);
    cr_expect(!status_ok(
        ca_lint_same(before, span_of(final, (size_t)len), &f.issuer, &finding)));
    cr_expect_str_eq(finding.lint, "same");
    OPENSSL_free(drafted);
    OPENSSL_free(final);
    X509_free(certificate);
}

Test(lint, what_is_no_certificate) {
    struct ca_lint_input input = input_make();
    struct ca_finding finding;
    uint8_t *der = NULL;
    X509 *certificate = build();
    int len = i2d_X509(certificate, &der);
    uint8_t *longer = malloc((size_t)len + 1);
    memcpy(longer, der, (size_t)len);
    longer[len] = 0;
    input.der = span_of(longer, (size_t)len + 1);
    cr_expect(!status_ok(ca_lint(&input, &finding)), "bytes after it");
    cr_expect_str_eq(finding.lint, "der");
    input.der = span_of(longer, (size_t)len - 1);
    cr_expect(!status_ok(ca_lint(&input, &finding)), "cut");
    free(longer);
    OPENSSL_free(der);
    X509_free(certificate);
}
