/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/links.h"

#include <string.h>
#include <strings.h>

/* What is left of a header's text. */
struct cursor {
    const char *at;
    const char *end;
};

static void skip(struct cursor *cursor, const char *characters) {
    while (cursor->at < cursor->end && strchr(characters, *cursor->at) != NULL) {
        cursor->at++;
    }
}

/* Up to one of `stops`, or the end. */
static struct span take_until(struct cursor *cursor, const char *stops) {
    const char *start = cursor->at;
    while (cursor->at < cursor->end && strchr(stops, *cursor->at) == NULL) {
        cursor->at++;
    }
    return span_of(start, (size_t)(cursor->at - start));
}

/* A parameter's value, with its quotes taken off. */
static struct span take_value(struct cursor *cursor) {
    if (cursor->at < cursor->end && *cursor->at == '"') {
        cursor->at++;
        struct span value = take_until(cursor, "\"");
        cursor->at += cursor->at < cursor->end;
        return value;
    }
    return take_until(cursor, ";, \t");
}

static bool is(struct span text, const char *word) {
    return text.len == strlen(word) && strncasecmp((const char *)text.data, word, text.len) == 0;
}

/* Whether a list of relations, parted by spaces, holds this one. */
static bool names_relation(struct span value, const char *relation) {
    struct cursor cursor = {(const char *)value.data, (const char *)value.data + value.len};
    while (cursor.at < cursor.end) {
        skip(&cursor, " ");
        if (is(take_until(&cursor, " "), relation)) {
            return true;
        }
    }
    return false;
}

/* The parameters of one link, to the comma after it. */
static bool has_relation(struct cursor *cursor, const char *relation) {
    bool found = false;
    while (cursor->at < cursor->end && *cursor->at != ',') {
        skip(cursor, "; \t");
        const struct span name = take_until(cursor, "=;, \t");
        if (cursor->at < cursor->end && *cursor->at == '=') {
            cursor->at++;
            found = (is(name, "rel") && names_relation(take_value(cursor), relation)) || found;
            if (!is(name, "rel")) {
                take_value(cursor);
            }
        }
        skip(cursor, " \t");
    }
    return found;
}

static bool is_absolute(struct span url) {
    const char *text = (const char *)url.data;
    for (size_t i = 0; i < url.len; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return (url.len > 8 && strncmp(text, "https://", 8) == 0) ||
           (url.len > 7 && strncmp(text, "http://", 7) == 0);
}

struct status links_add(struct links *links, struct span header, const char *relation,
                        struct arena *arena) {
    struct cursor cursor = {(const char *)header.data, (const char *)header.data + header.len};
    while (cursor.at < cursor.end && links->count < LINKS_MAX) {
        skip(&cursor, ", \t");
        if (cursor.at == cursor.end || *cursor.at != '<') {
            return OK; /* no link starts so */
        }
        cursor.at++;
        const struct span url = take_until(&cursor, ">");
        cursor.at += cursor.at < cursor.end;
        if (has_relation(&cursor, relation) && is_absolute(url)) {
            const char *copy = arena_printf(arena, "%.*s", (int)url.len, (const char *)url.data);
            if (copy == NULL) {
                return FAIL(NO_MEMORY);
            }
            links->urls[links->count++] = copy;
        }
    }
    return OK;
}
