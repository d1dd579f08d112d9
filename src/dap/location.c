/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "dap/url.h"

/*
 * Resolving what a peer names as Location. A bearer token follows, so this errs
 * on the side of refusing: whatever isn't plainly one thing of the expected
 * kind below the peer's own base URL is FORBIDDEN.
 */

static bool begins(struct span text, struct span prefix) {
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

/* The authority without the port that the scheme implies anyway. */
static struct span host_of(const struct url *url) {
    struct span port = url->scheme.len == 5 ? SPAN_OF_LITERAL(":443") : SPAN_OF_LITERAL(":80");
    struct span host = url->authority;
    if (host.len > port.len && memcmp(host.data + host.len - port.len, port.data, port.len) == 0) {
        host.len -= port.len;
    }
    return host;
}

static bool same_origin(const struct url *a, const struct url *b) {
    struct span host_a = host_of(a);
    struct span host_b = host_of(b);
    return a->scheme.len == b->scheme.len && host_a.len == host_b.len &&
           strncasecmp((const char *)host_a.data, (const char *)host_b.data, host_a.len) == 0;
}

/* Appends one segment to a path that is being built, as RFC 3986 section 5.2.4
 * has it: "." adds nothing, ".." takes the last one off. */
static size_t add_segment(char *path, size_t len, struct span segment, bool last) {
    bool dot = segment.len == 1 && segment.data[0] == '.';
    bool dots = segment.len == 2 && memcmp(segment.data, "..", 2) == 0;
    if (dots) {
        while (len > 0 && path[--len] != '/') {
        }
    }
    if (!dot && !dots) {
        path[len++] = '/';
        memcpy(path + len, segment.data, segment.len);
        return len + segment.len;
    }
    if (last) {
        path[len++] = '/';
    }
    return len;
}

/* `path` begins with '/', or is empty. */
static struct status remove_dots(struct span path, struct arena *arena, struct span *out) {
    char *clean = ARENA_ARRAY(arena, char, path.len + 2);
    if (clean == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t len = 0;
    for (size_t at = 0; at < path.len;) {
        size_t start = at + 1;
        const uint8_t *slash = memchr(path.data + start, '/', path.len - start);
        size_t end = slash != NULL ? (size_t)(slash - path.data) : path.len;
        len = add_segment(clean, len, span_of(path.data + start, end - start), slash == NULL);
        at = end;
    }
    *out = span_of(clean, len);
    return OK;
}

static struct status join(struct arena *arena, struct span a, struct span b, struct span *out) {
    char *text = arena_printf(arena, "%.*s%.*s", (int)a.len, (const char *)a.data, (int)b.len,
                              (const char *)b.data);
    if (text == NULL) {
        return FAIL(NO_MEMORY);
    }
    *out = span_of_string(text);
    return OK;
}

/* The absolute URL that `location` means when it answers a request for
 * `request` (RFC 3986, section 5.2.2), before its dots are removed. */
static struct status make_absolute(const struct url *base, const struct url *request,
                                   struct span location, struct arena *arena, struct span *out) {
    if (status_ok(url_parse(location, &(struct url){0}))) {
        *out = location;
        return OK;
    }
    struct span origin = span_of(base->scheme.data, (size_t)(base->path.data - base->scheme.data));
    if (begins(location, SPAN_OF_LITERAL("//"))) {
        struct span scheme = span_of(base->scheme.data, base->scheme.len + 1);
        return join(arena, scheme, location, out);
    }
    if (begins(location, SPAN_OF_LITERAL("/"))) {
        return join(arena, origin, location, out);
    }
    /* Relative to the last slash of the request's path. */
    size_t keep = request->path.len;
    while (keep > 0 && request->path.data[keep - 1] != '/') {
        keep--;
    }
    struct span folder = span_of(request->path.data, keep);
    struct span absolute;
    if (location.len > 0 && location.data[0] == '?') {
        folder = request->path;
    }
    TRY(join(arena, origin, folder, &absolute));
    return join(arena, absolute, location, out);
}

/* One path segment that needs no encoding. */
static bool plain_name(struct span name) {
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '\0' || strchr(allowed, name.data[i]) == NULL) {
            return false;
        }
    }
    return name.len > 0;
}

/* What `path` has after `folder` and a slash, if that is one plain name. */
static bool name_below(struct span path, struct span folder, struct span *name) {
    if (!begins(path, folder) || path.len <= folder.len || path.data[folder.len] != '/') {
        return false;
    }
    *name = span_of(path.data + folder.len + 1, path.len - folder.len - 1);
    return plain_name(*name);
}

struct status location_resolve(struct span base, enum resource resource,
                               const struct task_id *task, struct span request_url,
                               struct span location, struct arena *arena, char **out) {
    struct url base_parts, request, target;
    struct span absolute, path, name;
    TRY(url_parse(base, &base_parts));
    TRY(url_parse(request_url, &request));
    TRY(make_absolute(&base_parts, &request, location, arena, &absolute));
    if (location.len == 0 || !status_ok(url_parse(absolute, &target)) ||
        !same_origin(&base_parts, &target)) {
        return FAIL(FORBIDDEN);
    }
    TRY(remove_dots(target.path, arena, &path));
    char *folder = resource_url(base, resource, task, NULL, arena);
    char *bare = resource_url(span_of_string(""), resource, task, NULL, arena);
    if (folder == NULL || bare == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct url folder_parts;
    TRY(url_parse(span_of_string(folder), &folder_parts));
    if (!name_below(path, folder_parts.path, &name) &&
        !name_below(path, span_of_string(bare), &name)) {
        return FAIL(FORBIDDEN);
    }
    char *resolved = arena_printf(arena, "%s/%.*s%.*s", folder, (int)name.len,
                                  (const char *)name.data, (int)target.query.len,
                                  (const char *)target.query.data);
    if (resolved == NULL) {
        return FAIL(NO_MEMORY);
    }
    *out = resolved;
    return OK;
}
