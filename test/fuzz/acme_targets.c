/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/acme_targets.h"

#include <stdlib.h>
#include <string.h>

#include "acme/certificate.h"
#include "acme/challenge.h"
#include "acme/client/ari.h"
#include "acme/client/links.h"
#include "acme/csr.h"
#include "acme/jws.h"
#include "acme/problem.h"

/* A terminated copy, for what takes strings; cut at a NUL. */
static char *text_of(struct span bytes) {
    char *text = strndup((const char *)bytes.data, bytes.len);
    fuzz_require(text != NULL, "text", "out of memory");
    return text;
}

/* A refused one says which problem it is, and one that is read can be verified. */
static bool fuzz_jws(struct span bytes) {
    struct arena arena = ARENA_INIT;
    struct acme_problem problem = {0};
    struct jws jws;
    const bool read = status_ok(jws_read(bytes, &arena, &jws, &problem));
    fuzz_require(read || problem.error != ACME_NONE, "jws", "refused without a problem");
    fuzz_require(!read || (jws.key == NULL) == (jws.kid != NULL), "jws", "not one of jwk and kid");
    if (read && jws.key != NULL) {
        (void)jws_verify(&jws, jws.key).code;
    }
    if (read) {
        (void)jws_verify_mac(&jws, SPAN_OF_LITERAL("key")).code;
        jws_release(&jws);
    }
    arena_release(&arena);
    return read;
}

/* A key that is read is written back as the same key. */
static bool fuzz_jwk(struct span bytes) {
    json_t *object = NULL;
    EVP_PKEY *key = NULL;
    EVP_PKEY *again = NULL;
    if (!status_ok(json_parse(bytes, &object))) {
        return false;
    }
    const bool read = status_ok(jwk_read(object, &key));
    json_decref(object);
    if (read) {
        object = jwk_json(key);
        fuzz_require(object != NULL && status_ok(jwk_read(object, &again)), "jwk",
                     "what is written can't be read");
        fuzz_require(EVP_PKEY_eq(key, again) == 1, "jwk", "the key changed");
        json_decref(object);
    }
    EVP_PKEY_free(key);
    EVP_PKEY_free(again);
    return read;
}

static bool fuzz_problem(struct span bytes) {
    struct arena arena = ARENA_INIT;
    struct acme_problem problem;
    json_t *object = NULL;
    bool read = status_ok(json_parse(bytes, &object));
    if (read) {
        read = status_ok(acme_problem_read(object, &arena, &problem));
        json_decref(object);
    }
    if (read) {
        object = acme_problem_json(&problem);
        fuzz_require(object != NULL, "problem", "what is read can't be written");
        json_decref(object);
    }
    arena_release(&arena);
    return read;
}

static bool fuzz_csr(struct span bytes) {
    struct arena arena = ARENA_INIT;
    const char *reason = NULL;
    struct csr csr;
    const bool read = status_ok(csr_read(bytes, &arena, &csr, &reason));
    fuzz_require(read || reason != NULL, "csr", "refused without a reason");
    fuzz_require(!read || csr.identifier_count > 0, "csr", "names nothing");
    if (read) {
        csr_release(&csr);
    }
    arena_release(&arena);
    return read;
}

static bool fuzz_chain(struct span bytes) {
    struct arena arena = ARENA_INIT;
    struct acme_identifier *names;
    struct certificate_times times;
    STACK_OF(X509) *chain;
    size_t count;
    const char *id;
    const uint8_t digest[32] = {0};
    const struct acme_identifier name = {IDENTIFIER_DNS, "a.example"};
    const bool read = status_ok(certificates_read(bytes, &chain));
    if (read) {
        X509 *leaf = sk_X509_value(chain, 0);
        (void)certificates_linked(chain);
        (void)certificate_times_of(leaf, &times).code;
        (void)certificate_identifiers(leaf, &arena, &names, &count).code;
        (void)certificate_ari_id(leaf, &arena, &id).code;
        (void)challenge_alpn_matches(leaf, &name, digest);
        certificates_free(chain);
    }
    arena_release(&arena);
    return read;
}

static bool fuzz_key(struct span bytes) {
    EVP_PKEY *key = NULL;
    const bool read = status_ok(key_read(bytes, &key));
    EVP_PKEY_free(key);
    return read;
}

static bool fuzz_links(struct span bytes) {
    struct arena arena = ARENA_INIT;
    struct links links = {0};
    fuzz_require(status_ok(links_add(&links, bytes, "alternate", &arena)), "links", "failed");
    for (size_t i = 0; i < links.count; i++) {
        fuzz_require(strncmp(links.urls[i], "http", 4) == 0, "links", "not absolute");
    }
    arena_release(&arena);
    return links.count > 0;
}

/* Names are canonical: read again they are the same. */
static bool fuzz_name(struct span bytes) {
    struct arena arena = ARENA_INIT;
    struct acme_identifier name, again;
    char *text = text_of(bytes);
    const bool read = status_ok(identifier_parse(text, &arena, &name));
    fuzz_require(!read || (status_ok(identifier_parse(name.value, &arena, &again)) &&
                           identifier_equal(&name, &again)),
                 "name", "not canonical");
    free(text);
    arena_release(&arena);
    return read;
}

static bool fuzz_time(struct span bytes) {
    int64_t seconds;
    char *text = text_of(bytes);
    const bool read = status_ok(rfc3339_parse(text, &seconds));
    free(text);
    return read;
}

const struct fuzz_target fuzz_targets_acme[] = {
    {"jws", fuzz_jws},     {"jwk", fuzz_jwk}, {"problem", fuzz_problem}, {"csr", fuzz_csr},
    {"chain", fuzz_chain}, {"key", fuzz_key}, {"links", fuzz_links},     {"name", fuzz_name},
    {"time", fuzz_time},   {NULL, NULL},
};
