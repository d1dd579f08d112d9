/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "acme/challenge.h"

static struct arena arena;

static void start(void) { arena = ARENA_INIT; }
static void stop(void) { arena_release(&arena); }

TestSuite(challenge, .init = start, .fini = stop);

Test(challenge, names_go_both_ways) {
    for (int type = CHALLENGE_HTTP_01; type < CHALLENGE_TYPE_COUNT; type++) {
        cr_assert_eq(challenge_of_name(challenge_name((enum challenge_type)type)), type);
    }
    cr_assert_eq(challenge_of_name(""), CHALLENGE_NONE);
    cr_assert_eq(challenge_of_name("onion-csr-01"), CHALLENGE_NONE);
}

Test(challenge, tokens_become_parts_of_paths) {
    cr_assert(challenge_token_good("abc-DEF_0"));
    cr_assert_not(challenge_token_good(""));
    cr_assert_not(challenge_token_good("../a"));
    cr_assert_not(challenge_token_good("a.b"));
}

Test(challenge, records_stand_where_the_drafts_say) {
    const struct acme_identifier name = {IDENTIFIER_DNS, "*.example.org"};
    cr_assert_str_eq(challenge_record_name(CHALLENGE_DNS_01, &name, NULL, &arena),
                     "_acme-challenge.example.org");
    cr_assert_str_eq(challenge_record_name(CHALLENGE_DNS_PERSIST_01, &name, NULL, &arena),
                     "_validation-persist.example.org");
    /* The example of draft-ietf-acme-dns-account-label. */
    cr_assert_str_eq(challenge_record_name(CHALLENGE_DNS_ACCOUNT_01, &name,
                                           "https://example.com/acme/acct/ExampleAccount", &arena),
                     "_ujmmovf2vn55tgye._acme-challenge.example.org");
    cr_assert_str_eq(challenge_persist_txt("ca.example", "https://ca.example/acct/1", true, &arena),
                     "ca.example; accounturi=https://ca.example/acct/1; policy=wildcard");
}

Test(challenge, addresses_are_asked_for_by_their_reverse_name) {
    const struct acme_identifier v4 = {IDENTIFIER_IP, "192.0.2.1"};
    const struct acme_identifier v6 = {IDENTIFIER_IP, "2001:db8::1"};
    cr_assert_str_eq(challenge_alpn_name(&v4, &arena), "1.2.0.192.in-addr.arpa");
    cr_assert_str_eq(challenge_alpn_name(&v6, &arena),
                     "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

Test(challenge, an_alpn_certificate_is_for_one_name_and_one_digest) {
    const struct acme_identifier names[] = {{IDENTIFIER_DNS, "a.example"},
                                            {IDENTIFIER_IP, "2001:db8::1"}};
    const struct acme_identifier other = {IDENTIFIER_DNS, "b.example"};
    for (size_t i = 0; i < 2; i++) {
        uint8_t digest[32];
        X509 *certificate = NULL;
        EVP_PKEY *key = NULL;
        challenge_digest("token.thumbprint", digest);
        cr_assert(status_ok(challenge_alpn_certificate(&names[i], digest, &certificate, &key)));
        cr_assert_eq(X509_check_private_key(certificate, key), 1);
        cr_assert(challenge_alpn_matches(certificate, &names[i], digest));
        cr_assert_not(challenge_alpn_matches(certificate, &other, digest));
        digest[31] ^= 1;
        cr_assert_not(challenge_alpn_matches(certificate, &names[i], digest));
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
}

Test(challenge, a_key_authorisation_joins_token_and_thumbprint) {
    EVP_PKEY *key = NULL;
    const char *text = NULL;
    char thumbprint[JWK_THUMBPRINT_LEN + 1];
    cr_assert(status_ok(key_new(KEY_P256, &key)));
    cr_assert(status_ok(challenge_authorization("token", key, &arena, &text)));
    cr_assert(status_ok(jwk_thumbprint(key, thumbprint)));
    cr_assert_eq(strncmp(text, "token.", 6), 0);
    cr_assert_str_eq(text + 6, thumbprint);
    /* SHA-256 of nothing, in base64url. */
    cr_assert_str_eq(challenge_txt("", &arena), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    EVP_PKEY_free(key);
}
