/* SPDX-License-Identifier: Apache-2.0 */
#include "vector.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct status read_file(const char *path, struct arena *arena, char **out) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return FAIL(IO);
    }
    struct status status = FAIL(IO);
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (size >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        char *text = arena_alloc(arena, (size_t)size + 1, 1);
        if (text == NULL) {
            status = FAIL(NO_MEMORY);
        } else if (fread(text, 1, (size_t)size, file) == (size_t)size) {
            *out = text;
            status = OK;
        }
    }
    fclose(file);
    return status;
}

static size_t count_lines(const char *text) {
    size_t count = 1;
    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

/* A column of an operation: a number below 2^31, or - for -1. */
static bool parse_index(const char *text, int *out) {
    if (strcmp(text, "-") == 0) {
        *out = -1;
        return true;
    }
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    *out = (int)number;
    return errno == 0 && end != text && *end == '\0' && number <= INT32_MAX;
}

/* "NAME REPORT AGGREGATOR ROUND pass|fail", cut apart in place. */
static struct status parse_op(char *text, struct vector_op *out) {
    char *save = NULL;
    char *column[5];
    for (int i = 0; i < 5; i++) {
        column[i] = strtok_r(i == 0 ? text : NULL, " ", &save);
        if (column[i] == NULL) {
            return FAIL(INVALID_MESSAGE);
        }
    }
    out->name = column[0];
    out->success = strcmp(column[4], "pass") == 0;
    return parse_index(column[1], &out->report) && parse_index(column[2], &out->aggregator) &&
                   parse_index(column[3], &out->round)
               ? OK
               : FAIL(INVALID_MESSAGE);
}

static int compare(const void *a, const void *b) {
    return strcmp(((const struct vector_line *)a)->key, ((const struct vector_line *)b)->key);
}

struct status vector_load(const char *path, struct vector *out) {
    *out = (struct vector){.arena = ARENA_INIT};
    char *text = NULL, *save = NULL;
    TRY(read_file(path, &out->arena, &text));
    const size_t lines = count_lines(text);
    out->lines = ARENA_ARRAY(&out->arena, struct vector_line, lines);
    out->ops = ARENA_ARRAY(&out->arena, struct vector_op, lines);
    if (out->lines == NULL || out->ops == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char *space = strchr(line, ' ');
        char *value = space != NULL ? space + 1 : line + strlen(line);
        if (line[0] == '#') {
            continue;
        }
        if (space != NULL) {
            *space = '\0';
        }
        if (strcmp(line, "op") == 0) {
            TRY(parse_op(value, &out->ops[out->op_count++]));
        } else {
            out->lines[out->line_count++] = (struct vector_line){line, value};
        }
    }
    qsort(out->lines, out->line_count, sizeof(out->lines[0]), compare);
    return OK;
}

void vector_release(struct vector *vector) { arena_release(&vector->arena); }

static const char *find(const struct vector *vector, const char *format, va_list arguments) {
    char key[128];
    vsnprintf(key, sizeof(key), format, arguments);
    const struct vector_line wanted = {key, NULL};
    const struct vector_line *line =
        bsearch(&wanted, vector->lines, vector->line_count, sizeof(wanted), compare);
    return line != NULL ? line->value : NULL;
}

const char *vector_text(const struct vector *vector, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *text = find(vector, format, arguments);
    va_end(arguments);
    return text;
}

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                        : c >= 'A' && c <= 'F'   ? c - 'A' + 10
                                                                 : -1;
}

bool vector_bytes(struct vector *vector, struct span *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *text = find(vector, format, arguments);
    va_end(arguments);
    if (text == NULL || strlen(text) % 2 != 0) {
        return false;
    }
    const size_t len = strlen(text) / 2;
    uint8_t *bytes = arena_alloc(&vector->arena, len, 1);
    for (size_t i = 0; i < len; i++) {
        const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (bytes == NULL || high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = span_of(bytes, len);
    return bytes != NULL;
}

int64_t vector_numbers(struct vector *vector, const char *text, uint64_t **out) {
    size_t count = 1;
    for (const char *at = text; *at != '\0'; at++) {
        count += *at == ',';
    }
    uint64_t *numbers = ARENA_ARRAY(&vector->arena, uint64_t, count);
    for (size_t i = 0; i < count; i++) {
        char *end;
        errno = 0;
        if (numbers == NULL || *text < '0' || *text > '9') {
            return -1;
        }
        numbers[i] = strtoull(text, &end, 10);
        if (errno != 0 || *end != (i + 1 < count ? ',' : '\0')) {
            return -1;
        }
        text = end + 1;
    }
    *out = numbers;
    return (int64_t)count;
}
