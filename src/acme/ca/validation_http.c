/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/ca/ca.h"
#include "acme/ca/http_answer.h"
#include "acme/ca/probe.h"
#include "acme/ca/validation.h"
#include "acme/challenge.h"

/* http-01 (RFC 8555 section 8.3): fetches a file over plain HTTP, where redirects
 * may lead to another host or to HTTPS, whose certificate doesn't matter. */
enum { REDIRECTS_MAX = 10 };

/* ---- One request ---- */

static struct status send_request(struct probe *probe, const struct http_target *target) {
    struct buffer request = BUFFER_INIT;
    char port[8] = "";
    bool literal = strchr(target->host, ':') != NULL;
    if (target->port != (target->secure ? 443 : 80)) {
        snprintf(port, sizeof port, ":%u", (unsigned)target->port);
    }
    struct status status = buffer_printf(&request,
                                         "GET %s HTTP/1.1\r\nHost: %s%s%s%s\r\n"
                                         "User-Agent: moiety-ca\r\nAccept: */*\r\n"
                                         "Connection: close\r\n\r\n",
                                         target->path, literal ? "[" : "", target->host,
                                         literal ? "]" : "", port);
    if (status_ok(status)) {
        status = probe_write(probe, buffer_span(&request));
    }
    buffer_release(&request);
    return status;
}

static struct status read_answer(struct probe *probe, struct http_answer *answer) {
    enum { TOTAL_MAX = 64 * 1024 };
    char piece[2048];
    size_t total = 0;
    bool more = true;
    while (more && total < TOTAL_MAX) {
        size_t len;
        TRY(probe_read(probe, piece, sizeof piece, &len));
        more = http_answer_feed(answer, span_of(piece, len));
        total += len;
    }
    return answer->complete ? OK : FAIL(PEER_FAILED);
}

static struct status fetch(struct validation *v, const struct http_target *target,
                           struct http_answer *answer) {
    struct probe probe;
    TRY(validation_connect(v, target->host, target->port, &probe));
    struct status status = OK;
    if (target->secure && !status_ok(probe_tls(&probe, target->host, NULL))) {
        status = validation_fail(v, ACME_TLS, "the TLS handshake with %s failed", target->host);
    }
    if (status_ok(status)) {
        status = send_request(&probe, target);
        if (status_ok(status)) {
            status = read_answer(&probe, answer);
        }
        if (!status_ok(status)) {
            status = validation_fail(v, ACME_CONNECTION, "%s gave no whole answer that is HTTP",
                                     target->host);
        }
    }
    probe_close(&probe);
    return status;
}

/* ---- Its meaning ---- */

/* White space at the end is the editor's that wrote the file. */
static bool body_is(const struct buffer *body, const char *wanted) {
    size_t len = body->len;
    while (len > 0 && strchr(" \t\r\n", body->data[len - 1]) != NULL) {
        len--;
    }
    return span_equal_vartime(span_of(body->data, len), span_of_string(wanted));
}

static struct status judge(struct validation *v, const struct http_target *target,
                           const struct http_answer *answer, int code) {
    if (code != 200) {
        return validation_fail(v, ACME_UNAUTHORIZED, "http://%s%s answers with status %d",
                               target->host, target->path, code);
    }
    return body_is(&answer->body, v->authorization)
               ? OK
               : validation_fail(v, ACME_UNAUTHORIZED,
                                 "http://%s%s is not the key authorization but \"%.64s\"",
                                 target->host, target->path,
                                 answer->body.len == 0 ? "" : (const char *)answer->body.data);
}

static struct status step(struct validation *v, struct http_target *target, bool *again) {
    struct http_answer *answer = calloc(1, sizeof *answer);
    if (answer == NULL) {
        return FAIL(NO_MEMORY);
    }
    http_answer_init(answer);
    struct status status = fetch(v, target, answer);
    int code = http_answer_code(answer);
    *again = false;
    if (status_ok(status) && (code == 301 || code == 302 || code == 303 || code == 307 ||
                              code == 308)) {
        *again = http_target_follow(target, answer->location,
                                    (struct http_ports){v->options->validation.http_port,
                                                        v->options->validation.tls_port});
        status = *again ? OK
                        : validation_fail(v, ACME_CONNECTION,
                                          "%s redirects to where no validation goes",
                                          target->host);
    } else if (status_ok(status)) {
        status = buffer_append_u8(&answer->body, 0); /* it is quoted as a string */
        answer->body.len -= status_ok(status);
        status = status_ok(status) ? judge(v, target, answer, code) : status;
    }
    buffer_release(&answer->body);
    free(answer);
    return status;
}

struct status validation_http(struct validation *v) {
    struct http_target target = {.port = v->options->validation.http_port};
    snprintf(target.host, sizeof target.host, "%s", v->identifier.value);
    snprintf(target.path, sizeof target.path, CHALLENGE_HTTP_PATH "%s", v->token);
    bool again = true;
    for (unsigned i = 0; again; i++) {
        if (i > REDIRECTS_MAX) {
            return validation_fail(v, ACME_CONNECTION, "there are too many redirects");
        }
        TRY(step(v, &target, &again));
    }
    return OK;
}
