/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/http_answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- An answer ---- */

/* Names and values come in as many pieces as their bytes do. */
static int on_field(http_parser *parser, const char *at, size_t len) {
    struct http_answer *answer = parser->data;
    answer->field_len = answer->in_value ? 0 : answer->field_len;
    answer->in_value = false;
    for (size_t i = 0; i < len && answer->field_len < sizeof answer->field; i++) {
        answer->field[answer->field_len++] = at[i];
    }
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len) {
    static const char name[8] = "Location";
    struct http_answer *answer = parser->data;
    size_t have = strlen(answer->location);
    if (!answer->in_value) {
        answer->in_value = true;
        answer->in_location = have == 0 && answer->field_len == sizeof name &&
                              strncasecmp(answer->field, name, sizeof name) == 0;
    }
    if (answer->in_location) {
        if (have + len >= sizeof answer->location || memchr(at, '\0', len) != NULL) {
            return 1;
        }
        memcpy(answer->location + have, at, len);
        answer->location[have + len] = '\0';
    }
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len) {
    struct http_answer *answer = parser->data;
    return answer->body.len + len > HTTP_BODY_MAX ||
           !status_ok(buffer_append(&answer->body, span_of(at, len)));
}

/* Fails, so that nothing is read of what follows the answer. */
static int on_complete(http_parser *parser) {
    struct http_answer *answer = parser->data;
    answer->complete = true;
    return 1;
}

void http_answer_init(struct http_answer *answer) {
    *answer = (struct http_answer){.complete = false};
    http_parser_init(&answer->parser, HTTP_RESPONSE);
    answer->parser.data = answer;
}

bool http_answer_feed(struct http_answer *answer, struct span bytes) {
    static const http_parser_settings settings = {
        .on_header_field = on_field, .on_header_value = on_value, .on_body = on_body,
        .on_message_complete = on_complete};
    size_t parsed = http_parser_execute(&answer->parser, &settings, (const char *)bytes.data,
                                        bytes.len);
    return answer->parser.http_errno == HPE_OK && parsed == bytes.len && bytes.len > 0 &&
           !answer->complete;
}

int http_answer_code(const struct http_answer *answer) {
    return (int)answer->parser.status_code;
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

/* Printable ASCII alone: whatever ends a line or a word would split the request. */
static bool is_plain(const char *location) {
    for (; *location != '\0'; location++) {
        if (*location <= ' ' || *location >= 0x7f) {
            return false;
        }
    }
    return true;
}

bool http_target_follow(struct http_target *target, const char *location, struct http_ports ports) {
    struct http_parser_url parts;
    char scheme[8];
    char query[HTTP_LOCATION_MAX];
    if (!is_plain(location)) {
        return false;
    }
    if (location[0] == '/' && location[1] != '/') {
        snprintf(target->path, sizeof target->path, "%s", location);
        target->path[strcspn(target->path, "#")] = '\0';
        return true;
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
                                        : ports.http;
    bool web = target->port == 80 || target->port == 443 ||
               target->port == ports.http ||
               target->port == ports.https;
    return target->host[0] != '\0' && web &&
           (target->secure || strcasecmp(scheme, "http") == 0);
}
