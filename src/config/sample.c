/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#include <string.h>

/* How a line of the sample starts: commented out or not, and how deep. */
struct margin {
    bool commented;
    unsigned depth;
    bool dash; /* the next key opens an element of a list */
};

static struct status print_margin(struct buffer *out, struct margin *margin) {
    TRY(buffer_printf(out, "%s%*s%s", margin->commented ? "#" : "",
                      (int)(margin->depth * 2 - (margin->dash ? 2 : 0)), "",
                      margin->dash ? "- " : ""));
    margin->dash = false;
    return OK;
}

static struct status print_doc(struct buffer *out, const struct schema_field *field,
                               unsigned depth) {
    const char *line = field->doc;
    while (line != NULL && *line != '\0') {
        const char *end = strchr(line, '\n');
        size_t len = end == NULL ? strlen(line) : (size_t)(end - line);
        TRY(buffer_printf(out, "%*s# %.*s\n", (int)depth * 2, "", (int)len, line));
        line = end == NULL ? NULL : end + 1;
    }
    if (field->kind == SCHEMA_CHOICE) {
        TRY(buffer_printf(out, "%*s# One of:", (int)depth * 2, ""));
        for (size_t i = 0; field->choices[i] != NULL; i++) {
            TRY(buffer_printf(out, "%s %s", i == 0 ? "" : ",", field->choices[i]));
        }
        TRY(buffer_append_string(out, ".\n"));
    }
    return OK;
}

static struct status print_value(struct buffer *out, const struct schema_field *field) {
    const char *value = field->initial != NULL ? field->initial : field->example;
    if (field->kind == SCHEMA_STRINGS || field->kind == SCHEMA_PATHS) {
        return buffer_printf(out, "%s: [%s]\n", field->name, value == NULL ? "" : value);
    }
    return buffer_printf(out, "%s: %s\n", field->name, value == NULL ? "" : value);
}

static struct status print_fields(struct buffer *out, const struct schema_field fields[],
                                  struct margin margin) {
    for (const struct schema_field *field = fields; field->name != NULL; field++) {
        if (field->kind == SCHEMA_LINE) {
            continue;
        }
        struct margin own = margin;
        own.commented = margin.commented || !field->required;
        TRY(print_doc(out, field, margin.depth));
        TRY(print_margin(out, &own));
        margin.dash = false;
        if (field->kind == SCHEMA_SECTION || field->kind == SCHEMA_SECTIONS) {
            TRY(buffer_printf(out, "%s:\n", field->name));
            own.dash = field->kind == SCHEMA_SECTIONS;
            own.depth += own.dash ? 2 : 1;
            TRY(print_fields(out, field->fields, own));
        } else {
            TRY(print_value(out, field));
        }
        if (margin.depth == 0) {
            TRY(buffer_append_string(out, "\n"));
        }
    }
    return OK;
}

struct status schema_print_sample(const struct schema_field fields[], struct buffer *out) {
    return print_fields(out, fields, (struct margin){false, 0, false});
}
