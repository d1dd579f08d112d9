/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "net/http_exchange.h"

bool http_name_equal(struct span a, const char *b) {
    const size_t length = strlen(b);
    return a.len == length && (length == 0 || strncasecmp((const char *)a.data, b, length) == 0);
}

struct span http_header_find(const struct http_header *headers, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (http_name_equal(headers[i].name, name)) {
            return headers[i].value;
        }
    }
    return SPAN_EMPTY;
}

struct span http_request_header(const struct http_request *request, const char *name) {
    return http_header_find(request->headers, request->header_count, name);
}

size_t http_request_header_count(const struct http_request *request, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        count += http_name_equal(request->headers[i].name, name);
    }
    return count;
}

struct span http_request_parameter(const struct http_request *request, const char *name) {
    for (size_t i = 0; i < request->parameter_count; i++) {
        if (strcmp(request->parameters[i].name, name) == 0) {
            return request->parameters[i].value;
        }
    }
    return SPAN_EMPTY;
}

/* Takes what stands before `separator` off the front of `rest`. */
static struct span take_until(struct span *rest, char separator) {
    const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->data, separator, rest->len);
    const size_t length = at == NULL ? rest->len : (size_t)(at - rest->data);
    const struct span taken = span_of(rest->data, length);
    const size_t skip = at == NULL ? length : length + 1;
    *rest = rest->len == 0 ? *rest : span_of(rest->data + skip, rest->len - skip);
    return taken;
}

bool http_request_query(const struct http_request *request, const char *name, struct span *out) {
    struct span rest = request->query;
    while (rest.len > 0) {
        struct span value = take_until(&rest, '&');
        const struct span key = take_until(&value, '=');
        if (span_equal_vartime(key, span_of_string(name))) {
            *out = value;
            return true;
        }
    }
    return false;
}

bool http_request_is_media_type(const struct http_request *request, const char *media_type) {
    struct span value = http_request_header(request, "content-type");
    struct span type = take_until(&value, ';');
    while (type.len > 0 && (type.data[type.len - 1] == ' ' || type.data[type.len - 1] == '\t')) {
        type.len--;
    }
    return http_name_equal(type, media_type);
}

bool http_request_gone(const struct http_request *request) {
    return atomic_load(&http_exchange_of(request)->gone);
}

bool http_field_is_safe(struct span text) {
    for (size_t i = 0; i < text.len; i++) {
        if ((text.data[i] < 0x20 && text.data[i] != '\t') || text.data[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

struct status http_request_add_reply_header(struct http_request *request, const char *name,
                                            struct span value) {
    struct http_exchange *exchange = http_exchange_of(request);
    if (!http_field_is_safe(span_of_string(name)) || !http_field_is_safe(value)) {
        return FAIL(INVALID_ARGUMENT);
    }
    struct http_added_header *added = ARENA_NEW(&request->arena, struct http_added_header);
    if (added == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(arena_copy(&request->arena, span_of_string(name), &added->header.name));
    TRY(arena_copy(&request->arena, value, &added->header.value));
    added->next = exchange->added;
    exchange->added = added;
    return OK;
}

const char *http_reason(int status) {
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "";
}
