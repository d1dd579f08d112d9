/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli.h"
#include "config/schema.h"

struct status result_labels_read(const char *path, struct arena *arena, struct result_labels *out) {
    enum { LABELS_MAX = 64 << 20 };
    struct span text;
    size_t lines = 0;
    TRY(file_read(path, LABELS_MAX, arena, &text));
    for (size_t i = 0; i < text.len; i++) {
        lines += text.data[i] == '\n';
    }
    struct result_labels labels = {ARENA_ARRAY(arena, const char *, lines + 1), 0};
    if (labels.items == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t at = 0; at < text.len;) {
        const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
        size_t len = end == NULL ? text.len - at : (size_t)(end - (text.data + at));
        char *label = arena_printf(arena, "%.*s", (int)len, (const char *)text.data + at);
        if (label == NULL) {
            return FAIL(NO_MEMORY);
        }
        labels.items[labels.count++] = label;
        at += len + 1;
    }
    *out = labels;
    return OK;
}

static const char *label_of(const struct result_labels *labels, size_t i) {
    return i < labels->count ? labels->items[i] : "";
}

/* ---- Text ---- */

static struct status print_bar(uint64_t value, uint64_t largest, unsigned width,
                               struct buffer *out) {
    unsigned length = largest == 0 ? 0 : (unsigned)((unsigned __int128)value * width / largest);
    for (unsigned i = 0; i < length; i++) {
        TRY(buffer_append_u8(out, '#'));
    }
    return OK;
}

static struct status print_text(const struct moiety_aggregate *aggregate, uint64_t batch,
                                const struct result_labels *labels, unsigned columns,
                                struct buffer *out) {
    char count[CLI_COUNT_MAX], from[CLI_TIME_MAX], to[CLI_TIME_MAX];
    size_t len = moiety_aggregate_len(aggregate), label_width = 0, value_width = 5;
    uint64_t largest = 0, start = moiety_aggregate_start_s(aggregate);
    for (size_t i = 0; i < len; i++) {
        const struct moiety_value *value = moiety_aggregate_value(aggregate, i);
        size_t label_len = strlen(label_of(labels, i));
        largest = value->number > largest ? value->number : largest;
        label_width = label_len > label_width ? label_len : label_width;
        value_width = strlen(value->decimal) > value_width ? strlen(value->decimal) : value_width;
    }
    TRY(buffer_printf(out, "batch %llu: %s reports, from %s to %s\n", (unsigned long long)batch,
                      cli_format_count(moiety_aggregate_report_count(aggregate), count),
                      cli_format_time(start, from),
                      cli_format_time(start + moiety_aggregate_duration_s(aggregate), to)));
    if (len == 1) {
        return buffer_printf(out, "%s%s%s\n", label_of(labels, 0), labels->count > 0 ? " " : "",
                             moiety_aggregate_value(aggregate, 0)->decimal);
    }
    unsigned used = (unsigned)(6 + 2 + label_width + 2 + value_width + 2);
    unsigned width = columns > used + 10 ? columns - used : 10;
    for (size_t i = 0; i < len; i++) {
        const struct moiety_value *value = moiety_aggregate_value(aggregate, i);
        TRY(buffer_printf(out, "%6zu  %-*s  %*s  ", i, (int)label_width, label_of(labels, i),
                          (int)value_width, value->decimal));
        TRY(print_bar(value->number, largest, width, out));
        TRY(buffer_append_u8(out, '\n'));
    }
    return OK;
}

/* ---- CSV ---- */

/* RFC 4180: quoted if it must be. */
static struct status print_csv_field(const char *text, struct buffer *out) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        return buffer_append_string(out, text);
    }
    TRY(buffer_append_u8(out, '"'));
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            TRY(buffer_append_u8(out, '"'));
        }
        TRY(buffer_append_u8(out, (uint8_t)*text));
    }
    return buffer_append_u8(out, '"');
}

static struct status print_csv(const struct moiety_aggregate *aggregate, uint64_t batch,
                               const struct result_labels *labels, struct buffer *out) {
    if (batch == 1) {
        TRY(buffer_append_string(out, "batch,index,label,value\n"));
    }
    for (size_t i = 0; i < moiety_aggregate_len(aggregate); i++) {
        TRY(buffer_printf(out, "%llu,%zu,", (unsigned long long)batch, i));
        TRY(print_csv_field(label_of(labels, i), out));
        TRY(buffer_printf(out, ",%s\n", moiety_aggregate_value(aggregate, i)->decimal));
    }
    return OK;
}

/* ---- JSON ---- */

/* Values are strings: they may need more than what a JSON number surely holds. */
static json_t *result_json(const struct moiety_aggregate *aggregate, uint64_t batch,
                           const struct result_labels *labels, const char *job_url) {
    json_t *root = json_pack("{s:I, s:I, s:I, s:I}", "batch", (json_int_t)batch, "report_count",
                             (json_int_t)moiety_aggregate_report_count(aggregate), "start_s",
                             (json_int_t)moiety_aggregate_start_s(aggregate), "duration_s",
                             (json_int_t)moiety_aggregate_duration_s(aggregate));
    json_t *values = json_array(), *names = json_array();
    for (size_t i = 0; i < moiety_aggregate_len(aggregate); i++) {
        json_array_append_new(values, json_string(moiety_aggregate_value(aggregate, i)->decimal));
        json_array_append_new(names, json_string(label_of(labels, i)));
    }
    json_object_set_new(root, "values", values);
    if (labels->count > 0) {
        json_object_set(root, "labels", names);
    }
    json_decref(names);
    if (job_url != NULL) {
        json_object_set_new(root, "job", json_string(job_url));
    }
    return root;
}

static struct status print_json(const struct moiety_aggregate *aggregate, uint64_t batch,
                                const struct result_labels *labels, const char *job_url,
                                struct buffer *out) {
    json_t *root = result_json(aggregate, batch, labels, job_url);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    struct status status = text == NULL ? FAIL(NO_MEMORY) : buffer_printf(out, "%s\n", text);
    free(text);
    json_decref(root);
    return status;
}

struct status result_print(const struct moiety_aggregate *aggregate, uint64_t batch,
                           const struct result_labels *labels, enum result_format format,
                           unsigned columns, const char *job_url, struct buffer *out) {
    switch (format) {
    case RESULT_TEXT: return print_text(aggregate, batch, labels, columns, out);
    case RESULT_CSV: return print_csv(aggregate, batch, labels, out);
    case RESULT_JSON: return print_json(aggregate, batch, labels, job_url, out);
    }
    return FAIL(INVALID_ARGUMENT);
}
