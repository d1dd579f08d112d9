/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scalar.h"

#include <ctype.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Digits, then one of the units. */
static bool scalar_with_unit(const char *text, const struct unit units[], uint64_t *out) {
    uint64_t value = 0;
    if (!isdigit((unsigned char)*text)) {
        return false;
    }
    for (; isdigit((unsigned char)*text); text++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) {
            return false;
        }
    }
    for (; units->name != NULL; units++) {
        if (strcmp(text, units->name) == 0) {
            return !__builtin_mul_overflow(value, units->factor, out);
        }
    }
    if (value == 0 && *text == '\0') {
        *out = 0;
        return true;
    }
    return false;
}

bool scalar_integer(const char *text, uint64_t *out) {
    static const struct unit units[] = {{"", 1}, {NULL, 0}};
    return scalar_with_unit(text, units, out);
}

bool scalar_duration(const char *text, uint64_t *out) {
    static const struct unit units[] = {
        {"us", 1},         {"ms", 1000},           {"s", 1000000}, {"m", 60000000},
        {"h", 3600000000}, {"d", 24 * 3600000000}, {NULL, 0},
    };
    return scalar_with_unit(text, units, out);
}

bool scalar_size(const char *text, uint64_t *out) {
    static const struct unit units[] = {
        {"", 1}, {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0},
    };
    return scalar_with_unit(text, units, out);
}

bool scalar_bool(const char *text, bool *out) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

enum { WORD_MAX = 63 };

/* Levenshtein's distance of two words of at most WORD_MAX characters. */
static size_t edit_distance(const char *a, const char *b) {
    size_t row[WORD_MAX + 1];
    size_t b_len = strlen(b);
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = substitute < best ? substitute : best;
        }
    }
    return row[b_len];
}

const char *scalar_nearest(const char *word, const void *words, size_t stride, size_t count) {
    const char *nearest = NULL;
    size_t len = strlen(word);
    size_t limit = len / 3 + 1; /* a third of the letters may be wrong */
    if (len > WORD_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const char *candidate = *(const char *const *)((const char *)words + i * stride);
        if (candidate == NULL || strlen(candidate) > WORD_MAX) {
            continue;
        }
        size_t distance = edit_distance(word, candidate);
        if (distance <= limit) {
            nearest = candidate;
            limit = distance == 0 ? 0 : distance - 1;
        }
    }
    return nearest;
}
