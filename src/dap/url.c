/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/url.h"

#include <strings.h>

#include "wire/base64url.h"

static const char *const resource_names[] = {
    [RESOURCE_HPKE_CONFIG] = "hpke_config",
    [RESOURCE_REPORTS] = "reports",
    [RESOURCE_AGGREGATION_JOBS] = "aggregation_jobs",
    [RESOURCE_AGGREGATE_SHARES] = "aggregate_shares",
    [RESOURCE_COLLECTION_JOBS] = "collection_jobs",
};

static bool begins(struct span text, struct span prefix) {
    return text.len >= prefix.len && memcmp(text.data, prefix.data, prefix.len) == 0;
}

static bool equal_fold(struct span a, struct span b) {
    return a.len == b.len && strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0;
}

static struct span from(struct span text, size_t at) {
    return span_of(text.data + at, text.len - at);
}

/* Where the first of `marks` stands, or the end. */
static size_t find_any(struct span text, const char *marks) {
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(marks, text.data[i]) != NULL) {
            return i;
        }
    }
    return text.len;
}

/* RFC 3986's characters, '%' included, and none of what only some parsers
 * accept: control characters, spaces, backslashes, non-ASCII. */
static bool clean(struct span text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c) != NULL) {
            return false;
        }
    }
    return true;
}

struct status url_parse(struct span text, struct url *out) {
    struct url url = {.scheme = span_of(text.data, find_any(text, ":"))};
    struct span mark = SPAN_OF_LITERAL("://");
    if (!clean(text) || find_any(text, "#") != text.len ||
        (!equal_fold(url.scheme, SPAN_OF_LITERAL("https")) &&
         !equal_fold(url.scheme, SPAN_OF_LITERAL("http"))) ||
        !begins(from(text, url.scheme.len), mark)) {
        return FAIL(INVALID_ARGUMENT);
    }
    struct span rest = from(text, url.scheme.len + mark.len);
    url.authority = span_of(rest.data, find_any(rest, "/?"));
    rest = from(rest, url.authority.len);
    url.path = span_of(rest.data, find_any(rest, "?"));
    url.query = from(rest, url.path.len);
    if (url.authority.len == 0 || url.authority.data[0] == ':' ||
        find_any(url.authority, "@") != url.authority.len) {
        return FAIL(INVALID_ARGUMENT);
    }
    *out = url;
    return OK;
}

static struct span without_slash(struct span base) {
    return base.len > 0 && base.data[base.len - 1] == '/' ? span_of(base.data, base.len - 1)
                                                          : base;
}

char *resource_url(struct span base, enum resource resource, const struct task_id *task,
                   const struct job_id *id, struct arena *arena) {
    char task_text[64];
    char id_text[32] = "";
    int base_len = (int)without_slash(base).len;
    const char *base_text = (const char *)base.data;
    if (resource == RESOURCE_HPKE_CONFIG) {
        return arena_printf(arena, "%.*s/%s", base_len, base_text, resource_names[resource]);
    }
    base64url_encode(task_text, task_id_span(task));
    if (id != NULL) {
        base64url_encode(id_text, job_id_span(id));
    }
    return arena_printf(arena, "%.*s/tasks/%s/%s%s%s", base_len, base_text, task_text,
                        resource_names[resource], id != NULL ? "/" : "", id_text);
}

struct status resource_location(struct span base, enum resource resource,
                                const struct task_id *task, const struct job_id *id, int step,
                                struct arena *arena, char **out) {
    struct url url;
    TRY(url_parse(base, &url));
    char *path = resource_url(url.path, resource, task, id, arena);
    if (path != NULL && step >= 0) {
        path = arena_printf(arena, "%s?step=%d", path, step);
    }
    if (path == NULL) {
        return FAIL(NO_MEMORY);
    }
    *out = path;
    return OK;
}
