/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/acme_ca_targets.h"

#include <stdlib.h>
#include <string.h>

#include "acme/ca/http_answer.h"
#include "acme/ca/log.h"
#include "acme/ca/policy.h"
#include "acme/ca/resolver.h"
#include "acme/ca/validation.h"

/* A terminated copy of exactly its size, cut at a NUL. */
static char *text_of(struct span bytes) {
    char *text = strndup((const char *)bytes.data, bytes.len);
    fuzz_require(text != NULL, "text", "out of memory");
    return text;
}

static void check_redirect(const char *location, const char *name) {
    struct http_target target = {.port = 80};
    const struct http_ports ports = {8080, 8443};
    if (http_target_follow(&target, location, ports)) {
        fuzz_require(target.port == 80 || target.port == 443 || target.port == 8080 ||
                         target.port == 8443, name, "it leaves the web");
        fuzz_require(target.path[0] == '/', name, "the path is none");
        fuzz_require(strpbrk(target.path, " \r\n") == NULL, name, "it splits a request");
        fuzz_require(strpbrk(target.host, " \r\n/") == NULL, name, "the host is none");
    }
}

/* Read in two pieces; a redirect that is followed stays on the web. */
static bool fuzz_http_answer(struct span bytes) {
    struct http_answer answer;
    const size_t half = bytes.len / 2;
    http_answer_init(&answer);
    if (half == 0 || http_answer_feed(&answer, span_of(bytes.data, half))) {
        (void)http_answer_feed(&answer, span_of(bytes.data + half, bytes.len - half));
    }
    const bool complete = answer.complete;
    fuzz_require(answer.body.len <= HTTP_BODY_MAX, "http_answer", "the body is too long");
    check_redirect(answer.location, "http_answer");
    buffer_release(&answer.body);
    return complete;
}

static bool fuzz_redirect(struct span bytes) {
    struct http_target target = {.port = 80};
    char *text = text_of(bytes);
    check_redirect(text, "redirect");
    const bool followed = http_target_follow(&target, text, (struct http_ports){8080, 8443});
    free(text);
    return followed;
}

static bool fuzz_dns_txt(struct span bytes) {
    struct arena arena = ARENA_INIT;
    const char **texts;
    size_t count = 0;
    const bool read = status_ok(resolver_txt_read(bytes, &arena, &texts, &count));
    fuzz_require(count <= RESOLVER_RECORDS_MAX, "dns_txt", "too many records");
    for (size_t i = 0; read && i < count; i++) {
        fuzz_require(strlen(texts[i]) <= bytes.len, "dns_txt", "longer than the answer");
    }
    arena_release(&arena);
    return read;
}

static bool fuzz_dns_caa(struct span bytes) {
    struct arena arena = ARENA_INIT;
    struct resolver_caa *records;
    size_t count = 0;
    const bool read = status_ok(resolver_caa_read(bytes, &arena, &records, &count));
    fuzz_require(count <= RESOLVER_RECORDS_MAX, "dns_caa", "too many records");
    for (size_t i = 0; read && i < count; i++) {
        fuzz_require(strlen(records[i].property) + strlen(records[i].value) <= bytes.len,
                     "dns_caa", "longer than the answer");
    }
    arena_release(&arena);
    return read;
}

static bool fuzz_network(struct span bytes) {
    struct ca_network network;
    char *text = text_of(bytes);
    const bool read = status_ok(ca_network_parse(text, &network));
    fuzz_require(!read || network.bits <= network.size * 8, "network", "too many bits");
    free(text);
    return read;
}

EVP_PKEY *fuzz_log_key(void) {
    static const uint8_t secret[32] = {1, 2, 3};
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
    fuzz_require(key != NULL, "checkpoint", "no key");
    return key;
}

/* What is read is written back the same. */
static bool fuzz_verifier(struct span bytes) {
    struct arena arena = ARENA_INIT;
    const char *origin;
    uint8_t key[CA_LOG_KEY_SIZE];
    char *text = text_of(bytes);
    const bool read = status_ok(ca_log_verifier_read(text, &arena, &origin, key));
    fuzz_require(!read || strcmp(ca_log_verifier(origin, key, &arena), text) == 0, "verifier",
                 "it is written differently");
    free(text);
    arena_release(&arena);
    return read;
}

static bool fuzz_checkpoint(struct span bytes) {
    static uint8_t key[CA_LOG_KEY_SIZE];
    static bool known;
    struct ca_checkpoint checkpoint;
    if (!known) {
        EVP_PKEY *pair = fuzz_log_key();
        size_t len = sizeof(key);
        known = EVP_PKEY_get_raw_public_key(pair, key, &len) == 1;
        EVP_PKEY_free(pair);
    }
    const bool signed_ = status_ok(ca_checkpoint_verify(bytes, FUZZ_LOG, key, &checkpoint));
    fuzz_require(!signed_ || checkpoint.size == FUZZ_LOG_SIZE, "checkpoint", "it was forged");
    return signed_;
}

static bool fuzz_caa(struct span bytes) {
    struct arena arena = ARENA_INIT;
    struct caa_value value;
    char *text = text_of(bytes);
    const bool read = status_ok(caa_value_read(text, &arena, &value));
    fuzz_require(!read || (value.issuer != NULL && value.count <= CAA_PARAMETERS_MAX), "caa",
                 "no issuer, or too many parameters");
    for (size_t i = 0; read && i < value.count; i++) {
        fuzz_require(value.parameters[i].name[0] != '\0', "caa", "a parameter without a name");
    }
    free(text);
    arena_release(&arena);
    return read;
}

const struct fuzz_target fuzz_targets_acme_ca[] = {
    {"http_answer", fuzz_http_answer}, {"redirect", fuzz_redirect},
    {"dns_txt", fuzz_dns_txt},         {"dns_caa", fuzz_dns_caa},
    {"caa", fuzz_caa},                 {"network", fuzz_network},
    {"verifier", fuzz_verifier},       {"checkpoint", fuzz_checkpoint},
    {NULL, NULL},
};
