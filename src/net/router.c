/* SPDX-License-Identifier: Apache-2.0 */
#include "net/router.h"

#include <stdlib.h>

enum { SEGMENTS_MAX = 16, ALLOW_MAX = 128 };

struct segment {
    const char *text; /* a parameter's name is terminated */
    size_t length;
    bool parameter;
};

struct mounted {
    struct mounted *next;
    const struct route *route;
    void *context;
    const char *path; /* base path and pattern */
    struct segment segments[SEGMENTS_MAX];
    size_t segment_count;
};

struct router {
    struct arena arena; /* of everything below */
    struct mounted *first;
    struct mounted **last;
};

/* What the routes at a path have in common. */
struct match {
    const struct mounted *method; /* that serves the request's method; NULL: none */
    const struct mounted *preflight; /* that serves the method a preflight asks for */
    bool path; /* some route has this path */
    char allow[ALLOW_MAX]; /* "GET, HEAD, OPTIONS" */
};

struct status router_new(struct router **out) {
    struct router *router = calloc(1, sizeof(*router));
    if (router == NULL) {
        return FAIL(NO_MEMORY);
    }
    router->last = &router->first;
    *out = router;
    return OK;
}

void router_free(struct router *router) {
    if (router != NULL) {
        arena_release(&router->arena);
        free(router);
    }
}

/* ---- patterns ---- */

static struct status parse_segment(struct arena *arena, const char *text, size_t length,
                                   struct segment *out) {
    *out = (struct segment){text, length, false};
    if (memchr(text, '{', length) == NULL && memchr(text, '}', length) == NULL) {
        return OK;
    }
    if (length < 3 || text[0] != '{' || strcspn(text, "}") != length - 1) {
        return FAIL(INVALID_ARGUMENT);
    }
    char *name = arena_printf(arena, "%.*s", (int)length - 2, text + 1);
    if (name == NULL) {
        return FAIL(NO_MEMORY);
    }
    *out = (struct segment){name, length - 2, true};
    return OK;
}

static struct status parse_pattern(struct arena *arena, struct mounted *mounted) {
    size_t parameters = 0;
    for (const char *at = mounted->path; *at != '\0';) {
        if (*at != '/' || mounted->segment_count == SEGMENTS_MAX) {
            return FAIL(INVALID_ARGUMENT);
        }
        const size_t length = strcspn(at + 1, "/");
        struct segment *segment = &mounted->segments[mounted->segment_count++];
        TRY(parse_segment(arena, at + 1, length, segment));
        parameters += segment->parameter;
        at += 1 + length;
    }
    return mounted->segment_count == 0 || parameters > HTTP_PARAMETERS_MAX ? FAIL(INVALID_ARGUMENT)
                                                                          : OK;
}

struct status router_mount(struct router *router, const char *base_path,
                           const struct route *routes, size_t count, void *context) {
    for (size_t i = 0; i < count; i++) {
        struct mounted *mounted = ARENA_NEW(&router->arena, struct mounted);
        if (mounted == NULL) {
            return FAIL(NO_MEMORY);
        }
        mounted->route = &routes[i];
        mounted->context = context;
        mounted->path = arena_printf(&router->arena, "%s%s", base_path, routes[i].pattern);
        if (mounted->path == NULL) {
            return FAIL(NO_MEMORY);
        }
        TRY(parse_pattern(&router->arena, mounted));
        *router->last = mounted;
        router->last = &mounted->next;
    }
    return OK;
}

/* ---- matching ---- */

static size_t split_path(struct span path, struct span out[SEGMENTS_MAX]) {
    size_t count = 0;
    for (size_t at = 0; at < path.len;) {
        if (count == SEGMENTS_MAX || path.data[at] != '/') {
            return 0;
        }
        size_t end = ++at;
        while (end < path.len && path.data[end] != '/') {
            end++;
        }
        out[count++] = span_of(path.data + at, end - at);
        at = end;
    }
    return count;
}

static bool path_matches(const struct mounted *mounted, const struct span *segments,
                         size_t count) {
    if (count != mounted->segment_count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct segment *wanted = &mounted->segments[i];
        if (wanted->parameter
                ? segments[i].len == 0
                : !span_equal_vartime(segments[i], span_of(wanted->text, wanted->length))) {
            return false;
        }
    }
    return true;
}

static void allow_method(struct match *match, const char *method) {
    const size_t used = strlen(match->allow);
    const size_t length = strlen(method);
    for (const char *at = match->allow; (at = strstr(at, method)) != NULL; at += length) {
        if (at[length] == ',' || at[length] == '\0') {
            return; /* stands there already; no method is another's ending */
        }
    }
    if (used + 2 + length < ALLOW_MAX) {
        memcpy(match->allow + used, ", ", used > 0 ? 2 : 0);
        memcpy(match->allow + used + (used > 0 ? 2 : 0), method, length + 1);
    }
}

static void match_request(const struct router *router, const struct http_request *request,
                          const struct span *segments, size_t count, struct match *out) {
    const struct span asked = http_request_header(request, "access-control-request-method");
    const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
    *out = (struct match){0};
    for (const struct mounted *mounted = router->first; mounted != NULL; mounted = mounted->next) {
        if (!path_matches(mounted, segments, count)) {
            continue;
        }
        const char *served = mounted->route->method;
        out->path = true;
        allow_method(out, served);
        if (strcmp(served, "GET") == 0) {
            allow_method(out, "HEAD");
        }
        if (out->method == NULL && strcmp(served, method) == 0) {
            out->method = mounted;
        }
        if (out->preflight == NULL && span_equal_vartime(asked, span_of_string(served))) {
            out->preflight = mounted;
        }
    }
    allow_method(out, "OPTIONS");
}

static void take_parameters(const struct mounted *mounted, const struct span *segments,
                            struct http_request *request) {
    request->route = mounted->path;
    request->parameter_count = 0;
    for (size_t i = 0; i < mounted->segment_count; i++) {
        if (mounted->segments[i].parameter) {
            request->parameters[request->parameter_count++] =
                (struct http_parameter){mounted->segments[i].text, segments[i]};
        }
    }
}

/* ---- CORS ---- */

/* Tells the browser that the page may read the answer, if it may. Whether it
 * may depends on the Origin, and caches must know (`Vary`). */
static struct status allow_origin(const struct cors_policy *cors, struct http_request *request,
                                  bool *allowed) {
    const struct span origin = http_request_header(request, "origin");
    *allowed = false;
    if (cors->origin_count == 1 && strcmp(cors->origins[0], "*") == 0) {
        *allowed = origin.data != NULL;
        return http_request_add_reply_header(request, "Access-Control-Allow-Origin",
                                             SPAN_OF_LITERAL("*"));
    }
    TRY(http_request_add_reply_header(request, "Vary", SPAN_OF_LITERAL("Origin")));
    for (size_t i = 0; i < cors->origin_count && origin.data != NULL; i++) {
        if (span_equal_vartime(origin, span_of_string(cors->origins[i]))) {
            *allowed = true;
            return http_request_add_reply_header(request, "Access-Control-Allow-Origin", origin);
        }
    }
    return OK;
}

static struct status add_preflight_headers(const struct cors_policy *cors, const char *methods,
                                           struct http_request *request) {
    bool allowed = false;
    TRY(allow_origin(cors, request, &allowed));
    if (!allowed) {
        return OK;
    }
    TRY(http_request_add_reply_header(request, "Access-Control-Allow-Methods",
                                      span_of_string(methods)));
    if (cors->headers != NULL) {
        TRY(http_request_add_reply_header(request, "Access-Control-Allow-Headers",
                                          span_of_string(cors->headers)));
    }
    const char *age = arena_printf(&request->arena, "%u", cors->max_age_s);
    return age == NULL ? FAIL(NO_MEMORY)
                       : http_request_add_reply_header(request, "Access-Control-Max-Age",
                                                       span_of_string(age));
}

/* ---- answers ---- */

static void reply_status(struct http_request *request, struct status status) {
    http_reply_problem(request, status_http(status.code), status_text(status.code), 0);
}

static void reply_options(const struct match *match, struct http_request *request) {
    if (match->preflight != NULL && match->preflight->route->cors != NULL) {
        struct status status = add_preflight_headers(match->preflight->route->cors,
                                                     match->preflight->route->method, request);
        if (!status_ok(status)) {
            reply_status(request, status);
            return;
        }
    }
    const struct http_header allow = HTTP_HEADER("Allow", span_of_string(match->allow));
    http_reply(request,
               &(struct http_response){.status = 204, .headers = &allow, .header_count = 1});
}

static void reply_not_allowed(const struct match *match, struct http_request *request) {
    struct status status =
        http_request_add_reply_header(request, "Allow", span_of_string(match->allow));
    reply_status(request, status_ok(status) ? FAIL(METHOD_NOT_ALLOWED) : status);
}

static void admit_route(const struct mounted *mounted, const struct span *segments,
                        struct http_request *request, struct http_plan *plan) {
    const struct route *route = mounted->route;
    take_parameters(mounted, segments, request);
    bool allowed;
    struct status status = route->cors == NULL ? OK : allow_origin(route->cors, request, &allowed);
    if (!status_ok(status)) {
        reply_status(request, status);
        return;
    }
    plan->body_limit = route->body_limit;
    plan->handle = route->handle;
    plan->context = mounted->context;
    if (route->admit != NULL) {
        route->admit(mounted->context, request, plan);
    }
}

static void router_admit(void *context, struct http_request *request, struct http_plan *plan) {
    const struct router *router = context;
    struct span segments[SEGMENTS_MAX];
    const size_t count = split_path(request->path, segments);
    struct match match;
    match_request(router, request, segments, count, &match);
    if (match.method != NULL) {
        admit_route(match.method, segments, request, plan);
    } else if (!match.path) {
        reply_status(request, FAIL(NOT_FOUND));
    } else if (strcmp(request->method, "OPTIONS") == 0) {
        reply_options(&match, request);
    } else {
        reply_not_allowed(&match, request);
    }
}

struct http_service router_service(struct router *router) {
    return (struct http_service){router, router_admit};
}
