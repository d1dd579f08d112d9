/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http1.h"

#include <event2/buffer.h>

enum { CHUNK_LINE_MAX = 1024 };

static enum http1_event fail(struct http1_reader *reader, int status) {
    reader->failure = status;
    return HTTP1_ERROR;
}

/* RFC 9110 section 5.6.2. */
static bool is_token_byte(uint8_t byte) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || (byte != 0 && strchr(others, byte) != NULL);
}

static size_t token_length(struct span text) {
    size_t length = 0;
    while (length < text.len && is_token_byte(text.data[length])) {
        length++;
    }
    return length;
}

/* No control characters but the tab: with CR and LF gone from it, a value
 * can't end early for whoever reads it after us. */
static bool is_field_content(struct span text) {
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = text.data[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

/* `name: value`. No white space before the colon, and none before the name:
 * that would be a folded line. */
static bool is_header_line(struct span line) {
    const size_t name = token_length(line);
    return name > 0 && name < line.len && line.data[name] == ':' &&
           is_field_content(span_of(line.data + name, line.len - name));
}

/* `METHOD target HTTP/d.d`, single spaces, the target visible ASCII. */
static bool is_request_line(struct span line) {
    static const char version[] = " HTTP/1.1";
    const size_t tail = sizeof(version) - 1;
    const size_t method = token_length(line);
    if (method == 0 || line.len < method + 1 + 1 + tail || line.data[method] != ' ') {
        return false;
    }
    for (size_t i = method + 1; i < line.len - tail; i++) {
        if (line.data[i] <= ' ' || line.data[i] >= 0x7f || line.data[i] == '#') {
            return false;
        }
    }
    return memcmp(line.data + line.len - tail, version, 6) == 0; /* up to the slash */
}

/* What the parser calls, always with a whole element, since it gets heads
 * whole. */
static int on_url(http_parser *parser, const char *at, size_t length) {
    ((struct http1_reader *)parser->data)->target = span_of(at, length);
    return 0;
}

static int on_header_field(http_parser *parser, const char *at, size_t length) {
    struct http1_reader *reader = parser->data;
    if (reader->state != HTTP1_IN_HEAD) {
        return 0; /* trailers are read over */
    }
    if (reader->request->header_count == reader->limits.header_count) {
        reader->failure = 431;
        return -1;
    }
    reader->headers[reader->request->header_count++].name = span_of(at, length);
    return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t length) {
    struct http1_reader *reader = parser->data;
    if (reader->state != HTTP1_IN_HEAD) {
        return 0;
    }
    while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t')) {
        length--;
    }
    reader->headers[reader->request->header_count - 1].value = span_of(at, length);
    return 0;
}

static int on_headers_complete(http_parser *parser) {
    struct http1_reader *reader = parser->data;
    /* Persistence is HTTP/1.1's: the few HTTP/1.0 clients that ask for it do
     * without. */
    reader->keep_alive = parser->http_minor >= 1 && http_should_keep_alive(parser) != 0;
    reader->content_length = parser->content_length;
    reader->has_body = (parser->flags & F_CHUNKED) != 0 ||
                       (parser->content_length != UINT64_MAX && parser->content_length > 0);
    parser->upgrade = 0; /* an offer that we don't take up */
    return 0;
}

static int on_chunk_header(http_parser *parser) {
    ((struct http1_reader *)parser->data)->remaining = parser->content_length;
    return 0;
}

static int on_message_complete(http_parser *parser) {
    ((struct http1_reader *)parser->data)->complete = true;
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

static bool feed(struct http1_reader *reader, struct span bytes) {
    const size_t read =
        http_parser_execute(&reader->parser, &settings, (const char *)bytes.data, bytes.len);
    return read == bytes.len && HTTP_PARSER_ERRNO(&reader->parser) == HPE_OK;
}

void http1_reader_begin(struct http1_reader *reader, struct http_request *request,
                        struct http1_limits limits) {
    *reader = (struct http1_reader){.request = request, .limits = limits};
    http_parser_init(&reader->parser, HTTP_REQUEST);
    reader->parser.data = reader;
}

bool http1_head_has_begun(const struct http1_reader *reader) { return reader->scanned > 0; }

/* RFC 9112 section 3.2: "/path?query", a whole URL, or "*" for OPTIONS. */
static bool split_target(struct http_request *request, struct span target) {
    if (target.len == 1 && target.data[0] == '*') {
        request->path = target;
        return strcmp(request->method, "OPTIONS") == 0;
    }
    struct http_parser_url url;
    http_parser_url_init(&url);
    if (http_parser_parse_url((const char *)target.data, target.len, 0, &url) != 0) {
        return false;
    }
    const uint8_t *bytes = target.data;
    request->path = (url.field_set & 1 << UF_PATH) != 0
                        ? span_of(bytes + url.field_data[UF_PATH].off, url.field_data[UF_PATH].len)
                        : SPAN_OF_LITERAL("/");
    if ((url.field_set & 1 << UF_QUERY) != 0) {
        request->query =
            span_of(bytes + url.field_data[UF_QUERY].off, url.field_data[UF_QUERY].len);
    }
    return true;
}

/* 0, or the status of the error. */
static int check_transfer_coding(const struct http1_reader *reader) {
    const struct http_request *request = reader->request;
    const size_t count = http_request_header_count(request, "transfer-encoding");
    if (count == 0) {
        return 0;
    }
    if (reader->parser.http_minor == 0 || count > 1) {
        return 400;
    }
    return http_name_equal(http_request_header(request, "transfer-encoding"), "chunked") ? 0 : 501;
}

static int check_expectation(struct http1_reader *reader) {
    const struct span expect = http_request_header(reader->request, "expect");
    if (expect.data == NULL || reader->parser.http_minor == 0) {
        return 0;
    }
    reader->expects_continue = true;
    return http_name_equal(expect, "100-continue") ? 0 : 417;
}

static int check_head(struct http1_reader *reader) {
    struct http_request *request = reader->request;
    if (reader->parser.http_major != 1) {
        return 505;
    }
    const size_t hosts = http_request_header_count(request, "host");
    if (hosts > 1 || (hosts == 0 && reader->parser.http_minor >= 1)) {
        return 400;
    }
    request->method = http_method_str((enum http_method)reader->parser.method);
    if (reader->parser.method == HTTP_CONNECT) {
        return 501;
    }
    if (!split_target(request, reader->target)) {
        return 400;
    }
    const int coding = check_transfer_coding(reader);
    return coding != 0 ? coding : check_expectation(reader);
}

/* The length of the head, its empty line included; 0 if more must come, or if
 * `failure` was set. */
static size_t find_head(struct http1_reader *reader, struct evbuffer *input) {
    const size_t available = evbuffer_get_length(input);
    const size_t limit = reader->limits.head_bytes;
    const size_t visible = available < limit ? available : limit;
    const uint8_t *bytes = evbuffer_pullup(input, (ev_ssize_t)visible);
    while (reader->scanned < visible) {
        const uint8_t *newline =
            memchr(bytes + reader->scanned, '\n', visible - reader->scanned);
        if (newline == NULL) {
            reader->scanned = visible;
            break;
        }
        const size_t end = (size_t)(newline - bytes);
        reader->scanned = end + 1;
        if (end == 0 || bytes[end - 1] != '\r') {
            reader->failure = 400;
            return 0;
        }
        const bool empty = end - 1 == reader->line_start;
        reader->line_start = end + 1;
        if (empty) {
            return end + 1;
        }
    }
    if (available >= limit) {
        /* A first line that doesn't end is a URL too long. */
        reader->failure = reader->line_start == 0 ? 414 : 431;
    }
    return 0;
}

static bool check_lines(struct span head) {
    bool first = true;
    for (size_t at = 0; at + 2 < head.len;) {
        const uint8_t *newline = memchr(head.data + at, '\n', head.len - at);
        const size_t end = (size_t)(newline - head.data);
        const struct span line = span_of(head.data + at, end - 1 - at);
        if (!(first ? is_request_line(line) : is_header_line(line))) {
            return false;
        }
        first = false;
        at = end + 1;
    }
    return !first;
}

/* RFC 9112 section 2.2: an empty line before the request line is skipped. */
static void skip_empty_line(const struct http1_reader *reader, struct evbuffer *input) {
    char start[2];
    if (reader->scanned == 0 && evbuffer_copyout(input, start, 2) == 2 && start[0] == '\r' &&
        start[1] == '\n') {
        evbuffer_drain(input, 2);
    }
}

static struct status copy_head(struct http1_reader *reader, struct evbuffer *input, size_t length,
                               struct span *out) {
    struct arena *arena = &reader->request->arena;
    reader->headers = ARENA_ARRAY(arena, struct http_header, reader->limits.header_count);
    uint8_t *head = arena_alloc(arena, length, 1);
    if (head == NULL || reader->headers == NULL) {
        return FAIL(NO_MEMORY);
    }
    reader->request->headers = reader->headers;
    evbuffer_remove(input, head, length);
    *out = span_of(head, length);
    return OK;
}

static int head_failure(const struct http1_reader *reader) {
    if (reader->failure != 0) {
        return reader->failure;
    }
    return HTTP_PARSER_ERRNO(&reader->parser) == HPE_INVALID_METHOD ? 501 : 400;
}

static enum http1_event read_head(struct http1_reader *reader, struct evbuffer *input) {
    skip_empty_line(reader, input);
    const size_t length = find_head(reader, input);
    if (reader->failure != 0) {
        return HTTP1_ERROR;
    }
    if (length == 0) {
        return HTTP1_WAIT;
    }
    struct span head;
    if (!status_ok(copy_head(reader, input, length, &head))) {
        return fail(reader, 503);
    }
    if (!check_lines(head)) {
        return fail(reader, 400);
    }
    if (!feed(reader, head)) {
        return fail(reader, head_failure(reader));
    }
    const int failure = check_head(reader);
    if (failure != 0) {
        return fail(reader, failure);
    }
    reader->remaining = reader->content_length;
    reader->state = !reader->has_body                       ? HTTP1_DONE
                    : reader->content_length == UINT64_MAX ? HTTP1_IN_CHUNK_SIZE
                                                            : HTTP1_IN_LENGTH;
    return HTTP1_HEAD;
}

/* A line and its CRLF, contiguous; HTTP1_WAIT if it isn't complete. */
static enum http1_event next_line(struct http1_reader *reader, struct evbuffer *input,
                                  struct span *out) {
    const struct evbuffer_ptr end = evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF);
    if (end.pos > CHUNK_LINE_MAX ||
        (end.pos < 0 && evbuffer_get_length(input) > CHUNK_LINE_MAX)) {
        return fail(reader, 400);
    }
    if (end.pos < 0) {
        return HTTP1_WAIT;
    }
    const uint8_t *line = evbuffer_pullup(input, end.pos + 1);
    if (line == NULL || end.pos < 1 || line[end.pos - 1] != '\r') {
        return fail(reader, 400);
    }
    *out = span_of(line, (size_t)end.pos + 1);
    return HTTP1_BODY;
}

/* `size[;extension]`, without its CRLF. */
static bool is_chunk_line(struct span line) {
    size_t digits = 0;
    while (digits < line.len && strchr("0123456789abcdefABCDEF", line.data[digits]) != NULL &&
           line.data[digits] != 0) {
        digits++;
    }
    return digits > 0 && digits <= 16 && (digits == line.len || line.data[digits] == ';') &&
           is_field_content(line);
}

/* Reads a line that goes to the parser: a chunk's size, or a trailer. */
static enum http1_event read_line(struct http1_reader *reader, struct evbuffer *input,
                                  bool (*is_valid)(struct span line)) {
    struct span line;
    const enum http1_event event = next_line(reader, input, &line);
    if (event != HTTP1_BODY) {
        return event;
    }
    if (!is_valid(span_of(line.data, line.len - 2)) || !feed(reader, line)) {
        return fail(reader, 400);
    }
    evbuffer_drain(input, line.len);
    reader->trailer_bytes += reader->state == HTTP1_IN_TRAILER ? line.len : 0;
    return reader->trailer_bytes > reader->limits.head_bytes ? fail(reader, 431) : HTTP1_BODY;
}

static bool is_trailer_line(struct span line) { return line.len == 0 || is_header_line(line); }

/* A run of the body that lies in one piece of the input. */
static enum http1_event read_data(struct http1_reader *reader, struct evbuffer *input,
                                  struct span *piece) {
    struct evbuffer_iovec run;
    if (evbuffer_peek(input, -1, NULL, &run, 1) < 1 || run.iov_len == 0) {
        return HTTP1_WAIT;
    }
    *piece = span_of(run.iov_base,
                     run.iov_len < reader->remaining ? run.iov_len : (size_t)reader->remaining);
    if (!feed(reader, *piece)) {
        return fail(reader, 400);
    }
    reader->piece = piece->len;
    reader->remaining -= piece->len;
    return HTTP1_BODY;
}

static enum http1_event read_chunk_end(struct http1_reader *reader, struct evbuffer *input) {
    uint8_t end[2];
    if (evbuffer_copyout(input, end, 2) < 2) {
        return HTTP1_WAIT;
    }
    if (end[0] != '\r' || end[1] != '\n' || !feed(reader, SPAN_OF_ARRAY(end))) {
        return fail(reader, 400);
    }
    evbuffer_drain(input, 2);
    return HTTP1_BODY;
}

enum http1_event http1_read(struct http1_reader *reader, struct evbuffer *input,
                            struct span *piece) {
    evbuffer_drain(input, reader->piece);
    reader->piece = 0;
    for (;;) {
        enum http1_event event;
        switch (reader->state) {
        case HTTP1_IN_HEAD:
            return read_head(reader, input);
        case HTTP1_IN_LENGTH:
            event = read_data(reader, input, piece);
            reader->state = reader->remaining == 0 ? HTTP1_DONE : HTTP1_IN_LENGTH;
            return event;
        case HTTP1_IN_CHUNK_SIZE:
            event = read_line(reader, input, is_chunk_line);
            if (event == HTTP1_BODY) {
                reader->state = reader->remaining == 0 ? HTTP1_IN_TRAILER : HTTP1_IN_CHUNK;
            }
            break;
        case HTTP1_IN_CHUNK:
            event = read_data(reader, input, piece);
            reader->state = reader->remaining == 0 ? HTTP1_IN_CHUNK_END : HTTP1_IN_CHUNK;
            return event;
        case HTTP1_IN_CHUNK_END:
            event = read_chunk_end(reader, input);
            if (event == HTTP1_BODY) {
                reader->state = HTTP1_IN_CHUNK_SIZE;
            }
            break;
        case HTTP1_IN_TRAILER:
            event = read_line(reader, input, is_trailer_line);
            if (event == HTTP1_BODY && reader->complete) {
                reader->state = HTTP1_DONE;
            }
            break;
        case HTTP1_DONE:
        default:
            return HTTP1_END;
        }
        if (event != HTTP1_BODY) {
            return event;
        }
    }
}
