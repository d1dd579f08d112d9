/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/json.h"

#include <stdlib.h>

struct status json_parse(struct span text, json_t **out) {
    if (text.len == 0 || text.len > JSON_BYTES_MAX) {
        return FAIL(INVALID_MESSAGE);
    }
    json_error_t error;
    json_t *object = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object)) {
        json_decref(object);
        return FAIL(INVALID_MESSAGE);
    }
    *out = object;
    return OK;
}

const char *json_text(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

struct status json_text_copy(const json_t *object, const char *name, struct arena *arena,
                        const char **out) {
    const char *text = json_text(object, name);
    const char *copy = NULL;
    if (text != NULL) {
        copy = arena_printf(arena, "%s", text);
        if (copy == NULL) {
            return FAIL(NO_MEMORY);
        }
    }
    *out = copy;
    return OK;
}

void json_drop_nulls(json_t *object) {
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, name, value) {
        if (json_is_null(value)) {
            json_object_del(object, name);
        }
    }
}

bool json_put(json_t *object, const char *name, json_t *value) {
    return json_object_set_new(object, name, value) == 0;
}

struct status json_write(const json_t *value, struct buffer *out) {
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = buffer_append_string(out, text);
    free(text);
    return status;
}
