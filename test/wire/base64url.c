/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/base64url.h"

#include <criterion/criterion.h>

static const struct {
    struct span bytes;
    const char *text;
} known[] = {
    {{NULL, 0}, ""},
    {SPAN_OF_LITERAL("f"), "Zg"},
    {SPAN_OF_LITERAL("fo"), "Zm8"},
    {SPAN_OF_LITERAL("foo"), "Zm9v"},
    {SPAN_OF_LITERAL("foobar"), "Zm9vYmFy"},
    {SPAN_OF_LITERAL("\xfb\xff\xfe"), "-__-"},
    {SPAN_OF_LITERAL("\xff\xff"), "__8"},
};
enum { KNOWN = sizeof(known) / sizeof(known[0]) };

Test(base64url, known_answers) {
    struct arena arena = ARENA_INIT;
    for (size_t i = 0; i < KNOWN; i++) {
        cr_assert_eq(base64url_len(known[i].bytes.len), strlen(known[i].text));
        cr_assert_str_eq(base64url_string(&arena, known[i].bytes), known[i].text);
        struct span decoded = SPAN_EMPTY;
        cr_assert(status_ok(
            base64url_decode_any(&arena, span_of_string(known[i].text), &decoded)));
        cr_assert(span_equal_vartime(decoded, known[i].bytes));
    }
    arena_release(&arena);
}

/* Each byte string has one spelling: whatever decodes, encodes to itself. */
Test(base64url, one_spelling_each) {
    struct arena arena = ARENA_INIT;
    unsigned accepted = 0;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            const uint8_t text[2] = {(uint8_t)a, (uint8_t)b};
            uint8_t byte;
            if (status_ok(base64url_decode(&byte, 1, SPAN_OF_ARRAY(text)))) {
                char again[3];
                base64url_encode(again, span_of(&byte, 1));
                cr_assert_arr_eq(again, text, 2);
                accepted++;
            }
        }
    }
    cr_assert_eq(accepted, 256);
    arena_release(&arena);
}

Test(base64url, refusals) {
    static const char *const bad[] = {"Z",    "Zg==", "Zm9vY", "Zm+v", "Zm/v", "Zm 9",
                                      "Zm9\n", "Zh",   "Zm9",   "Zm9v=", "Zm9v\x80"};
    struct arena arena = ARENA_INIT;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct span out = SPAN_EMPTY;
        cr_assert_eq(base64url_decode_any(&arena, span_of_string(bad[i]), &out).code,
                     STATUS_INVALID_MESSAGE, "%s", bad[i]);
    }
    arena_release(&arena);
}

Test(base64url, the_length_must_be_exact) {
    uint8_t out[16];
    struct span text = SPAN_OF_LITERAL("Zm9vYmFy");
    for (size_t len = 0; len <= sizeof(out); len++) {
        cr_assert_eq(status_ok(base64url_decode(out, len, text)), len == 6);
    }
}
