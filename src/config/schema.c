/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "config/scalar.h"

/* What the whole load shares. */
struct loader {
    yaml_document_t *document;
    const char *name;
    struct arena *arena;
    struct buffer *errors;
    size_t mistakes;
    bool no_memory;
};

/* The way from the root to a key, for messages. */
struct place {
    const struct place *parent;
    const char *name; /* NULL for an element of a list */
    size_t index;
};

static void load_fields(struct loader *loader, const struct place *place,
                        const struct schema_field fields[], yaml_node_t *node, void *out);

static void place_print(const struct place *place, struct buffer *out) {
    if (place == NULL) {
        return;
    }
    place_print(place->parent, out);
    struct status status =
        place->name == NULL ? buffer_printf(out, "[%zu]", place->index)
                            : buffer_printf(out, place->parent == NULL ? "%s" : ".%s", place->name);
    (void)status.code; /* a message that memory cuts short is still a message */
}

void schema_complain(struct buffer *errors, const char *name, size_t line, const char *format,
                     ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct status status = line == 0 ? buffer_printf(errors, "%s: %s\n", name, text)
                                     : buffer_printf(errors, "%s:%zu: %s\n", name, line, text);
    (void)status.code;
}

static size_t node_line(const yaml_node_t *node) {
    return node == NULL ? 0 : node->start_mark.line + 1;
}

/* Records a mistake at a node; `format` says what was expected or wrong. */
static void mistake(struct loader *loader, const struct place *place, const yaml_node_t *node,
                    const char *format, ...) {
    char text[384];
    struct buffer path = BUFFER_INIT;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    place_print(place, &path);
    schema_complain(loader->errors, loader->name, node_line(node), "%.*s%s%s", (int)path.len,
                    path.data == NULL ? "" : (const char *)path.data, path.len > 0 ? ": " : "",
                    text);
    buffer_release(&path);
    loader->mistakes++;
}

/* ---- Scalars ---- */

static const char *range_text(const struct schema_field *field, char text[96]) {
    static const struct {
        const char *word;
        const char *unit;
    } units[] = {
        [SCHEMA_INTEGER] = {"a whole number", ""},
        [SCHEMA_DURATION] = {"a duration such as 250ms, 30s, 5m, 12h or 30d", "us"},
        [SCHEMA_SIZE] = {"a size such as 512, 64KiB or 32MiB", ""},
    };
    if (field->max == 0) {
        return units[field->kind].word;
    }
    uint64_t divisor = 1;
    const char *unit = units[field->kind].unit;
    if (field->kind == SCHEMA_DURATION && field->min % 1000000 == 0 && field->max % 1000000 == 0) {
        divisor = 1000000;
        unit = "s";
    }
    snprintf(text, 96, "%s, from %llu%s to %llu%s", units[field->kind].word,
             (unsigned long long)(field->min / divisor), unit,
             (unsigned long long)(field->max / divisor), unit);
    return text;
}

static bool read_number(const struct schema_field *field, const char *text, uint64_t *out) {
    uint64_t value;
    bool read = field->kind == SCHEMA_INTEGER    ? scalar_integer(text, &value)
                : field->kind == SCHEMA_DURATION ? scalar_duration(text, &value)
                                                 : scalar_size(text, &value);
    if (!read || (field->max != 0 && (value < field->min || value > field->max))) {
        return false;
    }
    *out = value;
    return true;
}

static bool read_choice(const struct schema_field *field, const char *text, uint64_t *out) {
    for (uint64_t i = 0; field->choices[i] != NULL; i++) {
        if (strcmp(field->choices[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static void choices_text(const struct schema_field *field, char text[256]) {
    size_t len = (size_t)snprintf(text, 256, "one of");
    for (size_t i = 0; field->choices[i] != NULL && len < 256; i++) {
        len +=
            (size_t)snprintf(text + len, 256 - len, "%s %s", i == 0 ? "" : ",", field->choices[i]);
    }
}

/* A path as the file means it: from the file's own folder, or, as
 * "credential:NAME", from where systemd puts a service's credentials. */
static char *resolve_path(struct loader *loader, const char *text) {
    static const char scheme[] = "credential:";
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    const char *slash = strrchr(loader->name, '/');
    if (strncmp(text, scheme, strlen(scheme)) == 0) {
        return credentials == NULL
                   ? arena_printf(loader->arena, "%s", text)
                   : arena_printf(loader->arena, "%s/%s", credentials, text + strlen(scheme));
    }
    return text[0] == '/' || slash == NULL
               ? arena_printf(loader->arena, "%s", text)
               : arena_printf(loader->arena, "%.*s/%s", (int)(slash - loader->name), loader->name,
                              text);
}

static const char *copy_string(struct loader *loader, enum schema_kind kind, const char *text) {
    char *copy =
        kind == SCHEMA_PATH ? resolve_path(loader, text) : arena_printf(loader->arena, "%s", text);
    loader->no_memory |= copy == NULL;
    return copy;
}

/* Stores a scalar, or says in `expected` what it should have been. */
static bool store_scalar(struct loader *loader, const struct schema_field *field, const char *text,
                         void *slot, char expected[256]) {
    char range[96];
    switch (field->kind) {
    case SCHEMA_STRING:
    case SCHEMA_PATH:
        snprintf(expected, 256, "%s", field->kind == SCHEMA_PATH ? "a path" : "a string");
        if (text[0] == '\0') {
            return false;
        }
        *(const char **)slot = copy_string(loader, field->kind, text);
        return true;
    case SCHEMA_BOOL: snprintf(expected, 256, "true or false"); return scalar_bool(text, slot);
    case SCHEMA_INTEGER:
    case SCHEMA_DURATION:
    case SCHEMA_SIZE:
        snprintf(expected, 256, "%s", range_text(field, range));
        return read_number(field, text, slot);
    case SCHEMA_CHOICE: choices_text(field, expected); return read_choice(field, text, slot);
    default: return false;
    }
}

/* ---- Nodes ---- */

static const char *found_text(const yaml_node_t *node, char text[128]) {
    if (node->type == YAML_MAPPING_NODE) {
        return "a section";
    }
    if (node->type == YAML_SEQUENCE_NODE) {
        return "a list";
    }
    const char *value = (const char *)node->data.scalar.value;
    if (value[0] == '\0') {
        return "nothing";
    }
    snprintf(text, 128, "\"%.100s\"", value);
    return text;
}

static void load_scalar(struct loader *loader, const struct place *place,
                        const struct schema_field *field, const yaml_node_t *node, void *slot) {
    char expected[256] = "";
    char found[128];
    bool scalar = node->type == YAML_SCALAR_NODE;
    const char *text = scalar ? (const char *)node->data.scalar.value : "";
    if (!store_scalar(loader, field, text, slot, expected) || !scalar) {
        mistake(loader, place, node, "expected %s, found %s", expected, found_text(node, found));
    }
}

static void load_strings(struct loader *loader, const struct place *place,
                         const struct schema_field *field, yaml_node_t *node,
                         struct schema_strings *slot) {
    char found[128];
    if (node->type != YAML_SEQUENCE_NODE) {
        mistake(loader, place, node, "expected a list of strings, found %s",
                found_text(node, found));
        return;
    }
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    slot->items = ARENA_ARRAY(loader->arena, const char *, count + 1);
    if (slot->items == NULL) {
        loader->no_memory = true;
        return;
    }
    slot->count = count;
    struct schema_field element = *field;
    element.kind = field->kind == SCHEMA_PATHS ? SCHEMA_PATH : SCHEMA_STRING;
    for (size_t i = 0; i < count; i++) {
        struct place at = {place, NULL, i};
        load_scalar(loader, &at, &element,
                    yaml_document_get_node(loader->document, node->data.sequence.items.start[i]),
                    &slot->items[i]);
    }
}

static void load_sections(struct loader *loader, const struct place *place,
                          const struct schema_field *field, yaml_node_t *node,
                          struct schema_sections *slot) {
    char found[128];
    if (node->type != YAML_SEQUENCE_NODE) {
        mistake(loader, place, node, "expected a list of sections, found %s",
                found_text(node, found));
        return;
    }
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    slot->items = arena_alloc(loader->arena, count + 1, field->size);
    if (slot->items == NULL) {
        loader->no_memory = true;
        return;
    }
    slot->count = count;
    for (size_t i = 0; i < count; i++) {
        struct place at = {place, NULL, i};
        load_fields(loader, &at, field->fields,
                    yaml_document_get_node(loader->document, node->data.sequence.items.start[i]),
                    (char *)slot->items + i * field->size);
    }
}

static void load_field(struct loader *loader, const struct place *place,
                       const struct schema_field *field, yaml_node_t *node, void *slot) {
    switch (field->kind) {
    case SCHEMA_SECTION: load_fields(loader, place, field->fields, node, slot); break;
    case SCHEMA_SECTIONS: load_sections(loader, place, field, node, slot); break;
    case SCHEMA_STRINGS:
    case SCHEMA_PATHS: load_strings(loader, place, field, node, slot); break;
    default: load_scalar(loader, place, field, node, slot); break;
    }
}

/* Sets what the table says of keys that the file leaves out. */
static void load_defaults(struct loader *loader, const struct schema_field fields[], void *out) {
    char expected[256];
    for (const struct schema_field *field = fields; field->name != NULL; field++) {
        void *slot = (char *)out + field->offset;
        if (field->kind == SCHEMA_SECTION) {
            load_defaults(loader, field->fields, slot);
        } else if (field->initial != NULL &&
                   !store_scalar(loader, field, field->initial, slot, expected)) {
            mistake(loader, NULL, NULL, "the default of %s is wrong: expected %s", field->name,
                    expected);
        }
    }
}

static yaml_node_t *mapping_find(struct loader *loader, const yaml_node_t *node, const char *name) {
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(loader->document, pair->key);
        if (key->type == YAML_SCALAR_NODE &&
            strcmp((const char *)key->data.scalar.value, name) == 0) {
            return yaml_document_get_node(loader->document, pair->value);
        }
    }
    return NULL;
}

static size_t field_count(const struct schema_field fields[]) {
    size_t count = 0;
    while (fields[count].name != NULL) {
        count++;
    }
    return count;
}

/* Keys that the table doesn't know, and keys given twice. */
static void check_keys(struct loader *loader, const struct place *place,
                       const struct schema_field fields[], const yaml_node_t *node) {
    size_t count = field_count(fields);
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(loader->document, pair->key);
        const char *name =
            key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : "";
        struct place at = {place, name, 0};
        size_t i = 0;
        while (i < count && (fields[i].kind == SCHEMA_LINE || strcmp(fields[i].name, name) != 0)) {
            i++;
        }
        if (i == count) {
            const char *meant = scalar_nearest(name, fields, sizeof(fields[0]), count);
            mistake(loader, &at, key,
                    meant == NULL ? "unknown key%s%s" : "unknown key; did you mean %s%s",
                    meant == NULL ? "" : meant, meant == NULL ? "" : "?");
        } else if (mapping_find(loader, node, name) !=
                   yaml_document_get_node(loader->document, pair->value)) {
            mistake(loader, &at, key, "given twice");
        }
    }
}

/* Whether a section is one word that a key of it stands for, which is then set. */
static bool load_word(const struct schema_field fields[], const yaml_node_t *node, void *out) {
    bool known = false;
    for (const struct schema_field *field = fields; field->name != NULL; field++) {
        if (node->type == YAML_SCALAR_NODE && field->word &&
            strcmp((const char *)node->data.scalar.value, field->name) == 0) {
            *(bool *)((char *)out + field->offset) = known = true;
        }
    }
    for (const struct schema_field *field = fields; known && field->name != NULL; field++) {
        if (field->kind == SCHEMA_LINE) {
            *(size_t *)((char *)out + field->offset) = node_line(node);
        }
    }
    return known;
}

static void load_fields(struct loader *loader, const struct place *place,
                        const struct schema_field fields[], yaml_node_t *node, void *out) {
    char found[128];
    load_defaults(loader, fields, out);
    if (load_word(fields, node, out)) {
        return;
    }
    if (node->type != YAML_MAPPING_NODE) {
        mistake(loader, place, node, "expected a section of keys, found %s",
                found_text(node, found));
        return;
    }
    check_keys(loader, place, fields, node);
    for (const struct schema_field *field = fields; field->name != NULL; field++) {
        void *slot = (char *)out + field->offset;
        struct place at = {place, field->name, 0};
        if (field->kind == SCHEMA_LINE) {
            *(size_t *)slot = node_line(node);
            continue;
        }
        yaml_node_t *value = mapping_find(loader, node, field->name);
        if (value != NULL) {
            load_field(loader, &at, field, value, slot);
        } else if (field->required) {
            mistake(loader, &at, node, "required, and missing here");
        }
    }
}

/* ---- Files ---- */

static struct status load_document(struct loader *loader, const struct schema_field fields[],
                                   void *out) {
    yaml_node_t *root = yaml_document_get_root_node(loader->document);
    if (root == NULL) {
        mistake(loader, NULL, NULL, "the file is empty");
    } else {
        load_fields(loader, NULL, fields, root, out);
    }
    if (loader->no_memory) {
        return FAIL(NO_MEMORY);
    }
    return loader->mistakes == 0 ? OK : FAIL(INVALID_CONFIG);
}

struct status schema_parse(const struct schema_field fields[], struct span text, const char *name,
                           struct arena *arena, void *out, struct buffer *errors) {
    yaml_parser_t parser;
    yaml_document_t document;
    struct loader loader = {&document, name, arena, errors, 0, false};
    if (!yaml_parser_initialize(&parser)) {
        return FAIL(NO_MEMORY);
    }
    yaml_parser_set_input_string(&parser, text.data, text.len);
    struct status status;
    if (yaml_parser_load(&parser, &document)) {
        status = load_document(&loader, fields, out);
        yaml_document_delete(&document);
    } else {
        schema_complain(errors, name, parser.problem_mark.line + 1, "not valid YAML: %s",
                        parser.problem == NULL ? "unreadable" : parser.problem);
        status = FAIL(INVALID_CONFIG);
    }
    yaml_parser_delete(&parser);
    return status;
}

struct status schema_load(const struct schema_field fields[], const char *path, struct arena *arena,
                          void *out, struct buffer *errors) {
    enum { CONFIG_MAX = 1 << 20 };
    struct span text;
    struct status status = file_read(path, CONFIG_MAX, arena, &text);
    if (status.code == STATUS_NO_MEMORY) {
        return status;
    }
    if (!status_ok(status)) {
        schema_complain(errors, path, 0, "can't be read: %s",
                        status.code == STATUS_NOT_FOUND ? "no such file"
                                                        : status_text(status.code));
        return FAIL(INVALID_CONFIG);
    }
    return schema_parse(fields, text, path, arena, out, errors);
}

struct status schema_resolve_database(const char *config, struct arena *arena,
                                      const char **database) {
    static const char scheme[] = "sqlite:";
    const char *slash = strrchr(config, '/');
    bool prefixed = strncmp(*database, scheme, strlen(scheme)) == 0;
    const char *file = *database + (prefixed ? strlen(scheme) : 0);
    if (file[0] == '/' || slash == NULL || strstr(*database, "://") != NULL) {
        return OK;
    }
    char *resolved = arena_printf(arena, "sqlite:%.*s/%s", (int)(slash - config), config, file);
    if (resolved == NULL) {
        return FAIL(NO_MEMORY);
    }
    *database = resolved;
    return OK;
}
