/* SPDX-License-Identifier: Apache-2.0
 *
 * What others send the CA, mutated: certificates, answers of the servers that it
 * validates. test/fuzz has the targets that need nothing of a CA.
 */
#include <criterion/criterion.h>
#include <openssl/crypto.h>

#include "acme/ca/http_answer.h"
#include "fixture.h"
#include "fuzz/mutator.h"

enum { ROUNDS = 2000, MAX_SIZE = 2048 };

static void each_mutant(struct span seed, int rounds, void (*check)(struct span mutant)) {
    for (int round = 0; round < rounds; round++) {
        struct span mutant = mutant_of(seed, MAX_SIZE);
        check(mutant);
        mutant_free(mutant);
    }
}

/* ---- Certificates ---- */

static struct ca_fixture f;
static struct span original;
static const struct acme_identifier names[] = {{IDENTIFIER_DNS, "a.example"},
                                               {IDENTIFIER_IP, "10.1.2.3"}};

/* No mutant of the part that is signed passes but one: serial number, key and
 * moment are all that may differ between two good certificates, and the key is
 * pinned here. */
static void check_certificate(struct span mutant) {
    struct ca_finding finding;
    struct span before;
    struct span after;
    const struct ca_lint_input input = {
        .der = mutant, .profile = &ca_profiles_default[CA_ROLE_WEB], .issuer = &f.issuer,
        .policy = &f.policy, .now = fixture_now(), .identifiers = names, .identifier_count = 2};
    struct status same = ca_lint_same(original, mutant, &f.issuer, &finding);
    cr_expect(!status_ok(same), "no mutant has the issuer's signature");
    if (status_ok(ca_lint(&input, &finding))) {
        cr_assert(status_ok(ca_tbs_of(original, &before)) && status_ok(ca_tbs_of(mutant, &after)));
        cr_expect_eq(before.len, after.len);
    }
}

Test(fuzz, certificates) {
    X509 *certificate;
    uint8_t *der = NULL;
    ca_fixture_init(&f);
    EVP_PKEY *key = fixture_key();
    struct ca_template template = {.profile = &ca_profiles_default[CA_ROLE_WEB],
                                   .issuer = &f.issuer,
                                   .key = fixture_key_info(&f, key), .identifiers = names,
                                   .identifier_count = 2, .not_before = fixture_now()};
    cr_assert(status_ok(ca_serial_new(template.serial)));
    cr_assert(status_ok(ca_template_build(&template, f.throwaway, &certificate)));
    int len = i2d_X509(certificate, &der);
    original = span_of(der, (size_t)len);
    each_mutant(original, ROUNDS, check_certificate);
    OPENSSL_free(der);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ca_fixture_release(&f);
}

/* ---- What a validated server sends ---- */

/* However its bytes are cut, the same comes out; a redirect stays on the web. */
static void check_answer(struct span mutant) {
    struct http_answer whole;
    struct http_answer pieces;
    struct http_target target = {.port = 80};
    const struct http_ports ports = {8080, 8443};
    http_answer_init(&whole);
    http_answer_init(&pieces);
    bool more = http_answer_feed(&whole, mutant) && http_answer_feed(&whole, SPAN_EMPTY);
    for (size_t i = 0; i < mutant.len && http_answer_feed(&pieces, span_of(mutant.data + i, 1));
         i++) {
    }
    (void)(!pieces.complete && http_answer_feed(&pieces, SPAN_EMPTY));
    cr_expect(!more);
    cr_expect(whole.body.len <= HTTP_BODY_MAX);
    if (whole.complete && pieces.complete) {
        cr_expect_str_eq(whole.location, pieces.location);
        cr_expect_eq(http_answer_code(&whole), http_answer_code(&pieces));
    }
    if (http_target_follow(&target, whole.location, ports)) {
        cr_expect(target.port == 80 || target.port == 443 || target.port == 8080 ||
                  target.port == 8443);
        cr_expect_eq(strcspn(target.path, " \r\n"), strlen(target.path));
    }
    buffer_release(&whole.body);
    buffer_release(&pieces.body);
}

Test(fuzz, http_answers) {
    each_mutant(SPAN_OF_LITERAL("HTTP/1.1 302 Found\r\nContent-Length: 3\r\n"
                                "Location: http://b.example:8080/x?y#z\r\n\r\nabc"),
                ROUNDS, check_answer);
    each_mutant(SPAN_OF_LITERAL("HTTP/1.1 307 Elsewhere\r\nTransfer-Encoding: chunked\r\n"
                                "Location: /elsewhere\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
                ROUNDS, check_answer);
}

/* Found by libFuzzer: a path with a line's end in it. */
Test(fuzz, redirects_split_no_request) {
    static const char *const bad[] = {"/\r", "/a\nb", "/a b", "/\xc3\xa9", "http://b.example/\t",
                                      "http://b.example\r/"};
    struct http_target target = {.port = 80};
    const struct http_ports ports = {8080, 8443};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect(!http_target_follow(&target, bad[i], ports), "%zu", i);
    }
    cr_expect(http_target_follow(&target, "/a?b", ports));
    cr_expect_str_eq(target.path, "/a?b");
}
