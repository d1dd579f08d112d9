/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/vectors.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct vectors vectors_open(const char *path) {
    char full[512];
    snprintf(full, sizeof(full), "%s/%s", MOIETY_TEST_VECTORS, path);
    FILE *file = fopen(full, "r");
    cr_assert_not_null(file, "cannot open %s", full);
    return (struct vectors){.file = file};
}

static void forget_bytes(struct vectors *vectors) {
    for (size_t i = 0; i < VECTOR_FIELDS_MAX; i++) {
        free(vectors->bytes[i]);
        vectors->bytes[i] = NULL;
    }
}

bool vectors_next(struct vectors *vectors) {
    forget_bytes(vectors);
    do {
        if (getline(&vectors->line, &vectors->capacity, vectors->file) < 0) {
            return false;
        }
    } while (vectors->line[0] == '#');
    vectors->field_count = 0;
    char *rest = vectors->line;
    for (char *word; (word = strtok_r(rest, " \n", &rest)) != NULL;) {
        cr_assert_lt(vectors->field_count, VECTOR_FIELDS_MAX);
        vectors->fields[vectors->field_count++] = word;
    }
    vectors->case_count++;
    return true;
}

void vectors_close(struct vectors *vectors) {
    cr_assert_gt(vectors->case_count, 0);
    forget_bytes(vectors);
    free(vectors->line);
    fclose(vectors->file);
}

unsigned vectors_number(const struct vectors *vectors, size_t field) {
    cr_assert_lt(field, vectors->field_count);
    char *end;
    unsigned long number = strtoul(vectors->fields[field], &end, 10);
    cr_assert_eq(*end, '\0');
    return (unsigned)number;
}

static uint8_t nibble(char c) {
    const char *digits = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    cr_assert_not_null(found, "not hexadecimal");
    return (uint8_t)(found - digits);
}

struct span vectors_bytes(struct vectors *vectors, size_t field) {
    cr_assert_lt(field, vectors->field_count);
    const char *text = vectors->fields[field];
    size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;
    cr_assert(len == 0 || strlen(text) == 2 * len);
    free(vectors->bytes[field]);
    vectors->bytes[field] = malloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        vectors->bytes[field][i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    }
    return span_of(vectors->bytes[field], len);
}
