/* SPDX-License-Identifier: Apache-2.0
 *
 * ACME's fuzz targets under ctest: a good one of each, mutated some thousand times.
 */
#include <criterion/criterion.h>

#include "acme/certificate.h"
#include "acme/challenge.h"
#include "acme/csr.h"
#include "acme/jws.h"
#include "fuzz/acme_targets.h"
#include "fuzz/mutator.h"

enum { ROUNDS = 3000, MAX_SIZE = 4096 };

static const struct acme_identifier name = {IDENTIFIER_DNS, "a.example"};

static struct status seed_chain(struct buffer *out) {
    const uint8_t digest[32] = {0};
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    TRY(challenge_alpn_certificate(&name, digest, &certificate, &key));
    struct status status = certificate_write(certificate, out);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return status;
}

static struct status seed_key(EVP_PKEY *key, struct buffer *out) {
    struct secret pem = SECRET_INIT;
    TRY(key_write(key, &pem));
    struct status status = buffer_append(out, secret_span(&pem));
    secret_release(&pem);
    return status;
}

static struct status seed_jwk(EVP_PKEY *key, struct buffer *out) {
    json_t *jwk = jwk_json(key);
    struct status status = json_write(jwk, out);
    json_decref(jwk);
    return status;
}

static struct status seed_of(const char *target, EVP_PKEY *key, struct buffer *out) {
    static const struct {
        const char *target;
        const char *text;
    } texts[] = {
        {"problem", "{\"type\":\"urn:ietf:params:acme:error:compound\",\"detail\":\"x\",\"status\":400,"
                    "\"subproblems\":[{\"type\":\"urn:ietf:params:acme:error:caa\","
                    "\"identifier\":{\"type\":\"dns\",\"value\":\"a.example\"}}]}"},
        {"links", "<https://ca.example/dir>;rel=\"index\", <https://ca.example/c/1>;rel=\"alternate\""},
        {"name", "*.a-1.example"},
        {"time", "2026-01-01T00:00:00.25+01:30"},
    };
    const struct jws_header header = {.nonce = "bm9uY2U", .url = "https://ca.example/new-order"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(texts[i].target, target) == 0) {
            return buffer_append_string(out, texts[i].text);
        }
    }
    return strcmp(target, "jws") == 0   ? jws_sign(&header, SPAN_OF_LITERAL("{}"), key, out)
           : strcmp(target, "jwk") == 0 ? seed_jwk(key, out)
           : strcmp(target, "csr") == 0 ? csr_write(key, &name, 1, out)
           : strcmp(target, "key") == 0 ? seed_key(key, out)
                                        : seed_chain(out);
}

static void fuzz(const struct fuzz_target *target, EVP_PKEY *key) {
    struct buffer seed = BUFFER_INIT;
    size_t accepted = 0;
    cr_assert(status_ok(seed_of(target->name, key, &seed)), "%s", target->name);
    cr_assert(target->run(buffer_span(&seed)), "%s refuses what is good", target->name);
    for (int round = 0; round < ROUNDS; round++) {
        struct span mutant = mutant_of(buffer_span(&seed), MAX_SIZE);
        accepted += target->run(mutant);
        mutant_free(mutant);
    }
    cr_expect_lt(accepted, (size_t)ROUNDS, "%s accepts everything", target->name);
    buffer_release(&seed);
}

Test(fuzz, mutated_acme_is_harmless) {
    EVP_PKEY *key = NULL;
    cr_assert(status_ok(key_new(KEY_P256, &key)));
    for (const struct fuzz_target *target = fuzz_targets_acme; target->name != NULL; target++) {
        fuzz(target, key);
    }
    EVP_PKEY_free(key);
}
