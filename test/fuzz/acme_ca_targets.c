/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/acme_ca_targets.h"

#include <stdlib.h>
#include <string.h>

#include "acme/ca/http_answer.h"
#include "acme/ca/validation.h"

/* Read in two pieces; a redirect that is followed stays on the web. */
static bool fuzz_http_answer(struct span bytes) {
    struct http_answer answer;
    struct http_target target = {.port = 80};
    const struct http_ports ports = {8080, 8443};
    const size_t half = bytes.len / 2;
    http_answer_init(&answer);
    if (half == 0 || http_answer_feed(&answer, span_of(bytes.data, half))) {
        (void)http_answer_feed(&answer, span_of(bytes.data + half, bytes.len - half));
    }
    const bool complete = answer.complete;
    fuzz_require(answer.body.len <= HTTP_BODY_MAX, "http_answer", "the body is too long");
    if (http_target_follow(&target, answer.location, ports)) {
        fuzz_require(target.port == 80 || target.port == 443 || target.port == 8080 ||
                         target.port == 8443, "http_answer", "it leaves the web");
        fuzz_require(strpbrk(target.path, " \r\n") == NULL, "http_answer", "it splits a request");
    }
    buffer_release(&answer.body);
    return complete;
}

static bool fuzz_caa(struct span bytes) {
    struct arena arena = ARENA_INIT;
    struct caa_value value;
    char *text = strndup((const char *)bytes.data, bytes.len);
    fuzz_require(text != NULL, "caa", "out of memory");
    const bool read = status_ok(caa_value_read(text, &arena, &value));
    fuzz_require(!read || value.count <= CAA_PARAMETERS_MAX, "caa", "too many parameters");
    free(text);
    arena_release(&arena);
    return read;
}

const struct fuzz_target fuzz_targets_acme_ca[] = {
    {"http_answer", fuzz_http_answer},
    {"caa", fuzz_caa},
    {NULL, NULL},
};
