/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/internal.h"

/* A cursor over text that people wrote; text, unlike what becomes of it, is
 * read in variable time. */
struct text {
    const uint8_t *at, *end;
};

static void skip_space(struct text *text) {
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\t' || *text->at == '\n' ||
                                    *text->at == '\r')) {
        text->at++;
    }
}

/* Skips one character if it comes next, with the space around it. */
static bool skip(struct text *text, char character) {
    skip_space(text);
    if (text->at == text->end || *text->at != (uint8_t)character) {
        return false;
    }
    text->at++;
    skip_space(text);
    return true;
}

static bool parse_number(struct text *text, uint64_t *out) {
    const uint8_t *start = text->at;
    uint64_t number = 0;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text->at - '0'), &number)) {
            return false;
        }
    }
    *out = number;
    return text->at > start;
}

struct status vdaf_parse_measurement(const struct vdaf *vdaf, struct span text,
                                     uint64_t values[]) {
    struct text cursor = {text.data, text.len > 0 ? text.data + text.len : text.data};
    const size_t count = vdaf_measurement_len(vdaf);
    const bool bracket = skip(&cursor, '[');
    for (size_t i = 0; i < count; i++) {
        skip_space(&cursor);
        if ((i > 0 && !skip(&cursor, ',')) || !parse_number(&cursor, &values[i])) {
            return FAIL(INVALID_ARGUMENT);
        }
    }
    skip_space(&cursor);
    if ((bracket && !skip(&cursor, ']')) || cursor.at != cursor.end) {
        return FAIL(INVALID_ARGUMENT);
    }
    return vdaf_check_measurement(vdaf, values, count);
}

struct status vdaf_check_measurement(const struct vdaf *vdaf, const uint64_t values[],
                                     size_t count) {
    return count == vdaf_measurement_len(vdaf) &&
                   vdaf->type->check(&vdaf->flp.circuit, vdaf->values, values)
               ? OK
               : FAIL(INVALID_ARGUMENT);
}

struct status vdaf_print_value(vdaf_value value, struct buffer *out) {
    char digits[40];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value != 0);
    return buffer_append(out, span_of(digits + at, sizeof(digits) - at));
}
