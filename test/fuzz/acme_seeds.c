/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/acme_seeds.h"

#include <string.h>

#include "acme/ca/log.h"
#include "acme/certificate.h"
#include "acme/challenge.h"
#include "acme/csr.h"
#include "acme/jws.h"
#include "fuzz/acme_ca_targets.h"

static const struct acme_identifier name = {IDENTIFIER_DNS, "a.example"};

/* ---- Texts ---- */

#define TEXT(target, text) {target, {(const uint8_t *)(text), sizeof(text) - 1}}
/* One question for a.example, and one answer that points back to its name. */
#define DNS(type, record)                                                              \
    "\x12\x34\x81\x80\0\1\0\1\0\0\0\0\1a\7example\0\0" type "\0\1\xc0\x0c\0" type      \
    "\0\1\0\0\0\x3c" record

static const struct {
    const char *target;
    struct span bytes;
} texts[] = {
    TEXT("problem", "{\"type\":\"urn:ietf:params:acme:error:compound\",\"detail\":\"x\","
                    "\"status\":400,\"subproblems\":[{\"type\":"
                    "\"urn:ietf:params:acme:error:caa\","
                    "\"identifier\":{\"type\":\"dns\",\"value\":\"a.example\"}}]}"),
    TEXT("links",
         "<https://ca.example/dir>;rel=\"index\", <https://ca.example/c/1>;rel=\"alternate\""),
    TEXT("name", "*.a-1.example"),
    TEXT("time", "2026-01-01T00:00:00.25+01:30"),
    TEXT("http_answer", "HTTP/1.1 302 Found\r\nContent-Length: 3\r\n"
                        "Location: http://b.example:8080/x?y#z\r\n\r\nabc"),
    TEXT("redirect", "https://b.example:8443/x/y?z#w"),
    TEXT("dns_txt", DNS("\x10", "\0\x0a\4abcd\4efgh")),
    {"dns_caa",
     {(const uint8_t *)"\x12\x34\x81\x80\0\1\0\1\0\0\0\0\1a\7example\0\1\1\0\1\xc0\x0c\1\1"
                       "\0\1\0\0\0\x3c\0\x11\x80\5issueca.example",
      12 + 15 + 12 + 17}},
    TEXT("caa", "ca.example; accounturi=https://ca.example/acme/account/1; "
                "validationmethods=dns-01,http-01"),
    TEXT("network", "fd00:1234::/33"),
};

/* ---- What has a key in it ---- */

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

static struct status seed_with_key(const char *target, struct buffer *out) {
    const struct jws_header header = {.nonce = "bm9uY2U", .url = "https://ca.example/new-order"};
    EVP_PKEY *key = NULL;
    TRY(key_new(KEY_P256, &key));
    struct status status =
        strcmp(target, "jws") == 0   ? jws_sign(&header, SPAN_OF_LITERAL("{}"), key, out)
        : strcmp(target, "jwk") == 0 ? seed_jwk(key, out)
        : strcmp(target, "csr") == 0 ? csr_write(key, &name, 1, out)
        : strcmp(target, "key") == 0 ? seed_key(key, out)
                                     : FAIL(INVALID_ARGUMENT);
    EVP_PKEY_free(key);
    return status;
}

/* ---- The log ---- */

static const char *verifier(EVP_PKEY *key, struct arena *arena) {
    uint8_t bytes[CA_LOG_KEY_SIZE];
    size_t len = sizeof(bytes);
    return EVP_PKEY_get_raw_public_key(key, bytes, &len) == 1
               ? ca_log_verifier(FUZZ_LOG, bytes, arena)
               : NULL;
}

static struct status seed_verifier(struct buffer *out) {
    struct arena arena = ARENA_INIT;
    EVP_PKEY *key = fuzz_log_key();
    const char *text = verifier(key, &arena);
    struct status status = text == NULL ? FAIL(NO_MEMORY) : buffer_append_string(out, text);
    EVP_PKEY_free(key);
    arena_release(&arena);
    return status;
}

/* The number of the key in a note is in its verifier: origin+hash+key. */
static struct status sign_note(EVP_PKEY *key, const char *body, const char *hash,
                               struct buffer *out) {
    unsigned number;
    uint8_t signature[4 + CA_LOG_SIGNATURE_SIZE];
    char text[128];
    size_t len = CA_LOG_SIGNATURE_SIZE;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool made = context != NULL && sscanf(hash, "+%8x", &number) == 1 &&
                EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(context, signature + 4, &len, (const uint8_t *)body,
                               strlen(body)) == 1;
    EVP_MD_CTX_free(context);
    if (!made) {
        return FAIL(CRYPTO);
    }
    for (int i = 0; i < 4; i++) {
        signature[i] = (uint8_t)(number >> (24 - 8 * i));
    }
    EVP_EncodeBlock((uint8_t *)text, signature, sizeof(signature));
    return buffer_printf(out, "%s\n\xe2\x80\x94 " FUZZ_LOG " %s\n", body, text);
}

static struct status seed_checkpoint(struct buffer *out) {
    struct arena arena = ARENA_INIT;
    EVP_PKEY *key = fuzz_log_key();
    const char *text = verifier(key, &arena);
    const char *body = arena_printf(&arena, FUZZ_LOG "\n%d\n%s\n", FUZZ_LOG_SIZE,
                                    "iYJQ+EADqm5unnSRD7yOKjdrk7F4eiD6N+nnu4SpvIA=");
    struct status status =
        text == NULL || body == NULL
            ? FAIL(NO_MEMORY)
            : sign_note(key, body, text + sizeof(FUZZ_LOG) - 1, out);
    EVP_PKEY_free(key);
    arena_release(&arena);
    return status;
}

struct status fuzz_acme_seed(const char *target, struct buffer *out) {
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(texts[i].target, target) == 0) {
            return buffer_append(out, texts[i].bytes);
        }
    }
    return strcmp(target, "chain") == 0        ? seed_chain(out)
           : strcmp(target, "verifier") == 0   ? seed_verifier(out)
           : strcmp(target, "checkpoint") == 0 ? seed_checkpoint(out)
                                               : seed_with_key(target, out);
}
