/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* 64 for a character that is not of the alphabet. */
static unsigned digit_of(uint8_t character) {
    if (character >= 'A' && character <= 'Z') {
        return character - 'A';
    }
    if (character >= 'a' && character <= 'z') {
        return character - 'a' + 26u;
    }
    if (character >= '0' && character <= '9') {
        return character - '0' + 52u;
    }
    return character == '-' ? 62 : character == '_' ? 63 : 64;
}

void base64url_encode(char *out, struct span bytes) {
    unsigned pending = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        pending = (pending << 8 | bytes.data[i]) & 0xffff;
        for (bits += 8; bits >= 6;) {
            bits -= 6;
            *out++ = alphabet[pending >> bits & 63];
        }
    }
    if (bits > 0) {
        *out++ = alphabet[pending << (6 - bits) & 63];
    }
    *out = '\0';
}

char *base64url_string(struct arena *arena, struct span bytes) {
    char *text = arena_alloc(arena, base64url_len(bytes.len) + 1, 1);
    if (text != NULL) {
        base64url_encode(text, bytes);
    }
    return text;
}

/* Whether all of `text` is digits and its last digit carries no stray bits.
 * The caller has ruled out lengths that no byte string encodes to. */
static bool well_spelt(struct span text) {
    for (size_t i = 0; i < text.len; i++) {
        if (digit_of(text.data[i]) > 63) {
            return false;
        }
    }
    static const uint8_t stray_bits[4] = {0, 0, 15, 3};
    return text.len == 0 ||
           (digit_of(text.data[text.len - 1]) & stray_bits[text.len % 4]) == 0;
}

struct status base64url_decode(void *out, size_t len, struct span text) {
    if (text.len / 4 * 3 > len || text.len != base64url_len(len) || !well_spelt(text)) {
        return FAIL(INVALID_MESSAGE);
    }
    uint8_t *to = out;
    unsigned pending = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        pending = (pending << 6 | digit_of(text.data[i])) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (uint8_t)(pending >> bits);
        }
    }
    return OK;
}

struct status base64url_decode_any(struct arena *arena, struct span text, struct span *out) {
    size_t len = text.len / 4 * 3 + text.len % 4 * 3 / 4;
    uint8_t *bytes = arena_alloc(arena, len > 0 ? len : 1, 1);
    if (bytes == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(base64url_decode(bytes, len, text));
    *out = span_of(bytes, len);
    return OK;
}
