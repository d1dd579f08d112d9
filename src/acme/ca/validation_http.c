/* SPDX-License-Identifier: Apache-2.0 */
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "acme/ca/ca.h"
#include "acme/ca/probe.h"
#include "acme/ca/validation.h"
#include "acme/challenge.h"

/* http-01 (RFC 8555 section 8.3): fetches a file over plain HTTP, where redirects
 * may lead to another host or to HTTPS, whose certificate doesn't matter. */
enum { REDIRECTS_MAX = 10, BODY_MAX = 4096, LOCATION_MAX = 2048, HOST_MAX = 256 };

struct target {
    bool secure;
    char host[HOST_MAX]; /* without brackets */
    uint16_t port;
    char path[LOCATION_MAX];
};

struct answer {
    struct buffer body;
    char location[LOCATION_MAX];
    bool in_location;
    char field[16];
    bool complete;
};

/* ---- The parser's callbacks ---- */

static int on_field(http_parser *parser, const char *at, size_t len) {
    struct answer *answer = parser->data;
    bool location = len == 8 && strncasecmp(at, "Location", 8) == 0;
    answer->in_location = location && answer->location[0] == '\0';
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len) {
    struct answer *answer = parser->data;
    size_t have = strlen(answer->location);
    if (answer->in_location) {
        if (have + len >= sizeof answer->location) {
            return 1;
        }
        memcpy(answer->location + have, at, len);
        answer->location[have + len] = '\0';
    }
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len) {
    struct answer *answer = parser->data;
    return answer->body.len + len > BODY_MAX ||
           !status_ok(buffer_append(&answer->body, span_of(at, len)));
}

static int on_complete(http_parser *parser) {
    struct answer *answer = parser->data;
    answer->complete = true;
    return 0;
}

/* ---- One request ---- */

static struct status send_request(struct probe *probe, const struct target *target) {
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

static struct status read_answer(struct probe *probe, struct answer *answer, int *code) {
    enum { TOTAL_MAX = 64 * 1024 };
    static const http_parser_settings settings = {
        .on_header_field = on_field, .on_header_value = on_value, .on_body = on_body,
        .on_message_complete = on_complete};
    http_parser parser;
    char piece[2048];
    size_t total = 0;
    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = answer;
    while (!answer->complete && total < TOTAL_MAX) {
        size_t len;
        TRY(probe_read(probe, piece, sizeof piece, &len));
        size_t parsed = http_parser_execute(&parser, &settings, piece, len);
        total += len;
        if (parser.http_errno != HPE_OK || parsed != len || (len == 0 && !answer->complete)) {
            break;
        }
    }
    *code = (int)parser.status_code;
    return answer->complete ? OK : FAIL(PEER_FAILED);
}

static struct status fetch(struct validation *v, const struct target *target,
                           struct answer *answer, int *code) {
    struct probe probe;
    TRY(validation_connect(v, target->host, target->port, &probe));
    struct status status = OK;
    if (target->secure && !status_ok(probe_tls(&probe, target->host, NULL))) {
        status = validation_fail(v, ACME_TLS, "the TLS handshake with %s failed", target->host);
    }
    if (status_ok(status)) {
        status = send_request(&probe, target);
        if (status_ok(status)) {
            status = read_answer(&probe, answer, code);
        }
        if (!status_ok(status)) {
            status = validation_fail(v, ACME_CONNECTION, "%s gave no whole answer that is HTTP",
                                     target->host);
        }
    }
    probe_close(&probe);
    return status;
}

/* ---- Redirects ---- */

static bool copy_part(char *out, size_t max, const char *url, const struct http_parser_url *parts,
                      int part) {
    size_t len = parts->field_data[part].len;
    if (len >= max) {
        return false;
    }
    memcpy(out, url + parts->field_data[part].off, len);
    out[len] = '\0';
    return true;
}

/* A URL or an absolute path. Only the ports of the web, so that nobody has us knock
 * elsewhere. */
static bool follow(const struct ca_options *options, const char *location, struct target *target) {
    struct http_parser_url parts;
    char scheme[8];
    char query[LOCATION_MAX];
    if (location[0] == '/' && location[1] != '/') {
        snprintf(target->path, sizeof target->path, "%s", location);
        target->path[strcspn(target->path, "#")] = '\0';
        return strpbrk(target->path, " \t") == NULL;
    }
    http_parser_url_init(&parts);
    if (http_parser_parse_url(location, strlen(location), 0, &parts) != 0 ||
        !copy_part(scheme, sizeof scheme, location, &parts, UF_SCHEMA) ||
        !copy_part(target->host, sizeof target->host, location, &parts, UF_HOST) ||
        !copy_part(target->path, sizeof target->path, location, &parts, UF_PATH) ||
        !copy_part(query, sizeof query, location, &parts, UF_QUERY)) {
        return false;
    }
    size_t len = strlen(target->path);
    if (len == 0) {
        snprintf(target->path, sizeof target->path, "/");
        len = 1;
    }
    if (query[0] != '\0') {
        if (len + strlen(query) + 2 > sizeof target->path) {
            return false;
        }
        target->path[len] = '?';
        memcpy(target->path + len + 1, query, strlen(query) + 1);
    }
    target->secure = strcasecmp(scheme, "https") == 0;
    target->port = parts.port != 0      ? parts.port
                   : target->secure     ? 443
                                        : options->validation.http_port;
    bool web = target->port == 80 || target->port == 443 ||
               target->port == options->validation.http_port ||
               target->port == options->validation.tls_port;
    return target->host[0] != '\0' && web &&
           (target->secure || strcasecmp(scheme, "http") == 0);
}

/* White space at the end is the editor's that wrote the file. */
static bool body_is(const struct buffer *body, const char *wanted) {
    size_t len = body->len;
    while (len > 0 && strchr(" \t\r\n", body->data[len - 1]) != NULL) {
        len--;
    }
    return span_equal_vartime(span_of(body->data, len), span_of_string(wanted));
}

static struct status judge(struct validation *v, const struct target *target,
                           const struct answer *answer, int code) {
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

static struct status step(struct validation *v, struct target *target, bool *again) {
    struct answer *answer = calloc(1, sizeof *answer);
    int code = 0;
    if (answer == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = fetch(v, target, answer, &code);
    *again = false;
    if (status_ok(status) && (code == 301 || code == 302 || code == 303 || code == 307 ||
                              code == 308)) {
        *again = follow(v->options, answer->location, target);
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
    struct target target = {.port = v->options->validation.http_port};
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
