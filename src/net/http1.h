/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_NET_HTTP1_H
#define MOIETY_NET_HTTP1_H

#include <http_parser.h>

#include "net/http.h"

/*
 * HTTP/1.1 off a connection's input: http_parser, and the checks that keep a
 * request from having a second reading (RFC 9112 sections 2 to 7 and 11.2).
 *
 * Debian builds http_parser without its strict mode, in which it takes spaces
 * in header names and any two bytes after a chunk. So what reaches it here was
 * cut into lines first: a whole head, a whole chunk-size line, a chunk's data,
 * its CRLF; and each line was checked.
 */
struct evbuffer;

struct http1_limits {
    size_t head_bytes; /* request line and headers; trailers once more */
    unsigned header_count;
};

struct http1_reader {
    /* Of the request whose head was read. */
    bool keep_alive;
    bool expects_continue;
    bool has_body;
    uint64_t content_length; /* UINT64_MAX: not declared */
    int failure;             /* after HTTP1_ERROR: the HTTP status that says why */

    /* The rest is the reader's own. */
    http_parser parser;
    struct http1_limits limits;
    struct http_request *request;
    struct http_header *headers;
    struct span target;
    enum http1_state {
        HTTP1_IN_HEAD,
        HTTP1_IN_LENGTH,
        HTTP1_IN_CHUNK_SIZE,
        HTTP1_IN_CHUNK,
        HTTP1_IN_CHUNK_END,
        HTTP1_IN_TRAILER,
        HTTP1_DONE,
    } state;
    size_t scanned;      /* of the head: how much was searched for its end */
    size_t line_start;   /* of the head's line that isn't complete */
    uint64_t remaining;  /* of the body or the chunk */
    size_t piece;        /* bytes to take off the input before reading on */
    size_t trailer_bytes;
    bool complete;
};

enum http1_event {
    HTTP1_WAIT,  /* for more input */
    HTTP1_HEAD,  /* `request` is filled in but for its body */
    HTTP1_BODY,  /* a piece of the body, which borrows the input */
    HTTP1_END,   /* of the request */
    HTTP1_ERROR, /* see `failure`; the reader is spent */
};

/* Gets ready for a request, whose arena will hold its head. */
void http1_reader_begin(struct http1_reader *reader, struct http_request *request,
                        struct http1_limits limits);
/* Reads on. `piece` is set with HTTP1_BODY, and valid until the next call or
 * until `input` changes. */
enum http1_event http1_read(struct http1_reader *reader, struct evbuffer *input,
                            struct span *piece);
/* Whether part of a head has come. */
bool http1_head_has_begun(const struct http1_reader *reader);

#endif
