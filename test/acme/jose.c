/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "acme/jws.h"
#include "acme/problem.h"
#include "wire/base64url.h"

static json_t *object_of(const char *text) {
    json_t *object = NULL;
    cr_assert(status_ok(json_parse(span_of_string(text), &object)), "%s", text);
    return object;
}

static struct status read_jwk(const char *text, EVP_PKEY **out) {
    json_t *object = object_of(text);
    struct status status = jwk_read(object, out);
    json_decref(object);
    return status;
}

#define RFC7638_N                                                                          \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6t" \
    "Soc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-6" \
    "5YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLy" \
    "rdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJz" \
    "KnqDKgw"
#define RFC7515_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC7515_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define RFC7515_JWK "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_X "\",\"y\":\"" RFC7515_Y "\"}"
#define RFC8037_JWK \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"

Test(jose, thumbprints_are_those_of_the_standards) {
    static const struct {
        const char *jwk;
        const char *thumbprint;
    } cases[] = {
        {"{\"alg\":\"RS256\",\"kid\":\"2011-04-29\",\"n\":\"" RFC7638_N
         "\",\"kty\":\"RSA\",\"e\":\"AQAB\"}",
         "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
        {RFC8037_JWK, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char thumbprint[JWK_THUMBPRINT_LEN + 1];
        EVP_PKEY *key = NULL;
        cr_assert(status_ok(read_jwk(cases[i].jwk, &key)));
        cr_assert(status_ok(jwk_thumbprint(key, thumbprint)));
        cr_assert_str_eq(thumbprint, cases[i].thumbprint);
        EVP_PKEY_free(key);
    }
}

Test(jose, keys_that_are_no_good_are_refused) {
    static const struct {
        const char *jwk;
        enum status_code code;
    } cases[] = {
        {"{}", STATUS_INVALID_MESSAGE},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_X "\"}", STATUS_INVALID_MESSAGE},
        /* not on the curve */
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_X "\",\"y\":\"" RFC7515_X "\"}",
         STATUS_INVALID_MESSAGE},
        {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" RFC7515_X "\",\"y\":\"" RFC7515_Y "\"}",
         STATUS_INVALID_MESSAGE},
        {"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
         STATUS_UNSUPPORTED_ALGORITHM},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"AA\",\"x\":\"" RFC7515_X "\",\"y\":\"" RFC7515_Y
         "\"}",
         STATUS_INVALID_MESSAGE},
        {"{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"e\":\"AQ\"}", STATUS_UNSUPPORTED_ALGORITHM},
        {"{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"e\":\"AAEAAQ\"}", STATUS_INVALID_MESSAGE},
        {"{\"kty\":\"RSA\",\"n\":\"wQ\",\"e\":\"AQAB\"}", STATUS_UNSUPPORTED_ALGORITHM},
        {"{\"kty\":\"oct\",\"k\":\"AA\"}", STATUS_UNSUPPORTED_ALGORITHM},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        EVP_PKEY *key = NULL;
        cr_assert_eq(read_jwk(cases[i].jwk, &key).code, cases[i].code, "%s", cases[i].jwk);
    }
}

Test(jose, signatures_of_the_standards_verify) {
    static const struct {
        const char *jwk;
        const char *input;
        const char *signature;
    } cases[] = {
        {RFC7515_JWK, /* RFC 7515 appendix A.3 */
         "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
         "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
         "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
        {RFC8037_JWK, /* RFC 8037 appendix A.4 */
         "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
         "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena = ARENA_INIT;
        struct span signature;
        EVP_PKEY *key = NULL;
        cr_assert(status_ok(read_jwk(cases[i].jwk, &key)));
        cr_assert(status_ok(
            base64url_decode_any(&arena, span_of_string(cases[i].signature), &signature)));
        cr_assert(jws_signature_good(key, span_of_string(cases[i].input), signature));
        ((uint8_t *)signature.data)[40] ^= 1;
        cr_assert_not(jws_signature_good(key, span_of_string(cases[i].input), signature));
        EVP_PKEY_free(key);
        arena_release(&arena);
    }
}

static EVP_PKEY *make_key(const char *kind) {
    return strcmp(kind, "RSA") == 0       ? EVP_RSA_gen(2048)
           : strcmp(kind, "ED25519") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                          : EVP_EC_gen(kind);
}

Test(jose, what_is_signed_is_read_back_and_verifies) {
    static const char *const kinds[] = {"P-256", "P-384", "P-521", "RSA", "ED25519"};
    const struct jws_header header = {.nonce = "bm9uY2U", .url = "https://ca.example/new-account"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct arena arena = ARENA_INIT;
        struct buffer body = BUFFER_INIT;
        struct acme_problem problem;
        struct jws jws;
        EVP_PKEY *key = make_key(kinds[i]);
        EVP_PKEY *other = make_key(kinds[i]);
        cr_assert(status_ok(jws_sign(&header, SPAN_OF_LITERAL("{\"a\":1}"), key, &body)));
        cr_assert(status_ok(jws_read(buffer_span(&body), &arena, &jws, &problem)));
        cr_assert_str_eq(jws.nonce, header.nonce);
        cr_assert_str_eq(jws.url, header.url);
        cr_assert(span_equal_vartime(jws.payload, SPAN_OF_LITERAL("{\"a\":1}")));
        cr_assert_eq(EVP_PKEY_eq(jws.key, key), 1);
        cr_assert(status_ok(jws_verify(&jws, jws.key)));
        cr_assert_eq(jws_verify(&jws, other).code, STATUS_VERIFY_FAILED);
        ((uint8_t *)jws.input.data)[jws.input.len - 1] ^= 1;
        cr_assert_eq(jws_verify(&jws, key).code, STATUS_VERIFY_FAILED);
        jws_release(&jws);
        EVP_PKEY_free(key);
        EVP_PKEY_free(other);
        buffer_release(&body);
        arena_release(&arena);
    }
}

Test(jose, a_mac_needs_its_key_and_post_as_get_is_empty) {
    const struct jws_header header = {.kid = "key-1", .url = "https://ca.example/new-account"};
    struct arena arena = ARENA_INIT;
    struct buffer body = BUFFER_INIT;
    struct acme_problem problem;
    struct jws jws;
    cr_assert(status_ok(jws_sign_mac(&header, SPAN_EMPTY, SPAN_OF_LITERAL("secret"), &body)));
    cr_assert(status_ok(jws_read(buffer_span(&body), &arena, &jws, &problem)));
    cr_assert_str_eq(jws.kid, "key-1");
    cr_assert_eq(jws.payload.len, 0);
    cr_assert_null(jws.key);
    cr_assert(status_ok(jws_verify_mac(&jws, SPAN_OF_LITERAL("secret"))));
    cr_assert_eq(jws_verify_mac(&jws, SPAN_OF_LITERAL("secrets")).code, STATUS_VERIFY_FAILED);
    buffer_release(&body);
    arena_release(&arena);
}

/* {"alg":"ES256","kid":"a"} */
#define KID_HEADER "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ"

/* However its JSON is written, it is the same JWS, and what is no JSON is none. */
Test(jose, an_envelope_is_any_json_with_the_three_strings) {
    static const struct {
        const char *body;
        bool good;
    } cases[] = {
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":\"e30\",\"signature\":\"AA\"}", true},
        {" {\n\t\"signature\" : \"AA\" ,\r\n\"payload\":\"e30\",\"protected\":\"" KID_HEADER "\"} ", true},
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":\"e3\\u0030\",\"signature\":\"AA\"}", true},
        {"{\"protected\":\"" KID_HEADER "\",\"p\\u0061yload\":\"e30\",\"signature\":\"AA\"}", true},
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":\"e30\",\"signature\":\"AA\",\"more\":[1]}", true},
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":\"e30\",\"signature\":\"AA\"", false},
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":\"e30\",\"signature\":\"AA\",}", false},
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":\"e30\",\"signature\":\"AA\"}}", false},
        {"{\"protected\":\"" KID_HEADER "\" \"payload\":\"e30\",\"signature\":\"AA\"}", false},
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":\"e30\",\"payload\":\"e30\"}", false},
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":\"e30\",\"signature\":\"AA\",\"payload\":\"\"}", false},
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":\"e3%\",\"signature\":\"AA\"}", false},
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":\"e30=\",\"signature\":\"AA\"}", false},
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":null,\"signature\":\"AA\"}", false},
        {"{\"protected\":\"" KID_HEADER "\",\"payload\":\"e30\"}", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena = ARENA_INIT;
        struct acme_problem problem = {0};
        struct jws jws;
        const bool good = status_ok(jws_read(span_of_string(cases[i].body), &arena, &jws, &problem));
        cr_assert_eq(good, cases[i].good, "%s", cases[i].body);
        if (good) {
            cr_assert(span_equal_vartime(jws.payload, SPAN_OF_LITERAL("{}")));
            cr_assert_eq(jws.input.len, strlen(KID_HEADER ".e30"));
            cr_assert_eq(jws.signature.len, 1);
        }
        arena_release(&arena);
    }
}

/* A flattened JWS with this protected header. */
static struct acme_problem problem_of(const char *header, const char *more) {
    struct arena arena = ARENA_INIT;
    struct buffer body = BUFFER_INIT;
    struct acme_problem problem = {0};
    struct jws jws;
    cr_assert(status_ok(buffer_printf(
        &body, "{\"protected\":\"%s\",\"payload\":\"\",\"signature\":\"AA\"%s}",
        base64url_string(&arena, span_of_string(header)), more)));
    cr_assert_eq(jws_read(buffer_span(&body), &arena, &jws, &problem).code, STATUS_INVALID_MESSAGE,
                 "%s", header);
    buffer_release(&body);
    arena_release(&arena);
    return problem;
}

Test(jose, headers_that_promise_more_than_is_known_are_refused) {
    static const struct {
        const char *header;
        const char *more;
        enum acme_error error;
    } cases[] = {
        {"{\"alg\":\"ES256\"}", "", ACME_MALFORMED},
        {"{\"alg\":\"ES256\",\"kid\":\"a\",\"jwk\":" RFC7515_JWK "}", "", ACME_MALFORMED},
        {"{\"alg\":\"none\",\"kid\":\"a\"}", "", ACME_BAD_SIGNATURE_ALGORITHM},
        {"{\"kid\":\"a\"}", "", ACME_MALFORMED},
        {"{\"alg\":\"ES256\",\"kid\":\"a\",\"crit\":[\"x\"]}", "", ACME_MALFORMED},
        {"{\"alg\":\"ES256\",\"kid\":\"a\",\"b64\":false}", "", ACME_MALFORMED},
        {"{\"alg\":\"ES256\",\"kid\":\"a\",\"nonce\":1}", "", ACME_MALFORMED},
        {"{\"alg\":\"ES256\",\"alg\":\"ES256\",\"kid\":\"a\"}", "", ACME_MALFORMED},
        {"{\"alg\":\"ES256\",\"kid\":\"a\"}", ",\"header\":{}", ACME_MALFORMED},
        {"{\"alg\":\"ES256\",\"kid\":\"a\"}", ",\"signatures\":[]", ACME_MALFORMED},
        {"{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"oct\"}}", "", ACME_BAD_PUBLIC_KEY},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(problem_of(cases[i].header, cases[i].more).error, cases[i].error, "%s",
                     cases[i].header);
    }
}

Test(jose, a_signature_of_another_algorithm_does_not_verify) {
    struct arena arena = ARENA_INIT;
    struct buffer body = BUFFER_INIT;
    struct acme_problem problem;
    struct jws jws;
    EVP_PKEY *key = make_key("P-256");
    const struct jws_header header = {.kid = "a", .url = "https://ca.example/"};
    cr_assert(status_ok(jws_sign(&header, SPAN_EMPTY, key, &body)));
    cr_assert(status_ok(jws_read(buffer_span(&body), &arena, &jws, &problem)));
    jws.algorithm = JWS_RS256;
    cr_assert_eq(jws_verify(&jws, key).code, STATUS_VERIFY_FAILED);
    jws.algorithm = JWS_HS256;
    cr_assert_eq(jws_verify(&jws, key).code, STATUS_VERIFY_FAILED);
    EVP_PKEY_free(key);
    buffer_release(&body);
    arena_release(&arena);
}

Test(jose, json_is_one_bounded_object) {
    static const char *const bad[] = {"", "[]", "1", "{\"a\":1,\"a\":2}", "{} {}", "{\"a\":\"\\u0000\"}",
                                      "{\"a\":\"\xff\"}"};
    json_t *object = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(json_parse(span_of_string(bad[i]), &object).code, STATUS_INVALID_MESSAGE, "%s",
                     bad[i]);
    }
    char *long_text = malloc(JSON_BYTES_MAX + 16);
    cr_assert_not_null(long_text);
    memset(long_text, ' ', JSON_BYTES_MAX + 16);
    memcpy(long_text, "{}", 2);
    cr_assert_eq(json_parse(span_of(long_text, JSON_BYTES_MAX + 1), &object).code,
                 STATUS_INVALID_MESSAGE);
    cr_assert(status_ok(json_parse(span_of(long_text, JSON_BYTES_MAX), &object)));
    json_decref(object);
    free(long_text);
}

Test(jose, problems_are_read_as_they_were_written) {
    struct arena arena = ARENA_INIT;
    const struct acme_identifier name = {IDENTIFIER_DNS, "a.example"};
    const struct acme_problem sub = {.error = ACME_CAA, .identifier = &name};
    const struct acme_problem whole = {.error = ACME_COMPOUND,
                                       .detail = "two of them",
                                       .subproblems = &sub,
                                       .subproblem_count = 1};
    struct acme_problem read;
    json_t *object = acme_problem_json(&whole);
    cr_assert_not_null(object);
    cr_assert_str_eq(json_text(object, "type"), "urn:ietf:params:acme:error:compound");
    cr_assert(status_ok(acme_problem_read(object, &arena, &read)));
    cr_assert_eq(read.error, ACME_COMPOUND);
    cr_assert_str_eq(read.detail, "two of them");
    cr_assert_eq(read.subproblem_count, 1);
    cr_assert_eq(read.subproblems[0].error, ACME_CAA);
    cr_assert_eq(read.subproblems[0].http, 403);
    cr_assert(identifier_equal(read.subproblems[0].identifier, &name));
    json_decref(object);
    object = object_of("{\"type\":\"urn:ietf:params:acme:error:newKind\",\"subproblems\":[1,{}]}");
    cr_assert(status_ok(acme_problem_read(object, &arena, &read)));
    cr_assert_eq(read.error, ACME_NONE);
    cr_assert_eq(read.subproblem_count, 1);
    json_decref(object);
    /* RFC 8555 section 6.2: it says which algorithms would do. */
    object = acme_problem_json(&(struct acme_problem){.error = ACME_BAD_SIGNATURE_ALGORITHM});
    const json_t *algorithms = json_object_get(object, "algorithms");
    cr_assert_eq(json_array_size(algorithms), 5);
    cr_assert_str_eq(json_string_value(json_array_get(algorithms, 0)), "ES256");
    json_decref(object);
    arena_release(&arena);
}
