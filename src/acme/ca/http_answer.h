/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_HTTP_ANSWER_H
#define MOIETY_ACME_CA_HTTP_ANSWER_H

#include <http_parser.h>

#include "base/bytes.h"
#include "base/status.h"

/* What http-01 makes of the bytes that a stranger's server sends: an answer, and
 * where it redirects to. Not thread-safe: one answer to a thread. */
enum { HTTP_BODY_MAX = 4096, HTTP_LOCATION_MAX = 2048, HTTP_HOST_MAX = 256 };

struct http_target {
    bool secure;
    char host[HTTP_HOST_MAX]; /* without brackets */
    uint16_t port;
    char path[HTTP_LOCATION_MAX];
};

struct http_answer {
    http_parser parser;
    struct buffer body;
    char location[HTTP_LOCATION_MAX]; /* of the first such field; "" if there is none */
    char field[9]; /* the start of a name */
    size_t field_len;
    bool in_value, in_location;
    bool complete;
};

/* It stays where it is; the body is the caller's to release. */
void http_answer_init(struct http_answer *answer);
/* Takes what comes next; nothing at the connection's end. False if no more is
 * wanted: it is complete, or malformed. */
bool http_answer_feed(struct http_answer *answer, struct span bytes);
int http_answer_code(const struct http_answer *answer);

/* The ports that a redirect may lead to besides those of the web. */
struct http_ports {
    uint16_t http, https;
};
/* Follows `location`, a URL or an absolute path. Only to ports of the web, so that
 * nobody has us knock elsewhere. False if it leads nowhere. */
bool http_target_follow(struct http_target *target, const char *location, struct http_ports ports);

#endif
