/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/reader.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const uint8_t message[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
                                  0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0xaa, 0xbb, 0x00, 0x02, 0xcc,
                                  0xdd, 0xee};

struct decoded {
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d;
    uint8_t e[2];
    struct span f;
    struct span rest;
};

static struct status decode(struct span input, struct decoded *out) {
    struct reader reader = reader_of(input);
    out->a = reader_u8(&reader);
    out->b = reader_u16(&reader);
    out->c = reader_u32(&reader);
    out->d = reader_u64(&reader);
    reader_copy(&reader, out->e, 2);
    out->f = reader_vector(&reader, 2, 1, 3);
    out->rest = reader_bytes(&reader, 1);
    return reader_finish(&reader);
}

Test(reader, reads_what_stands_there) {
    struct decoded got;
    cr_assert(status_ok(decode(SPAN_OF_ARRAY(message), &got)));
    cr_assert_eq(got.a, 0x01);
    cr_assert_eq(got.b, 0x0203);
    cr_assert_eq(got.c, 0x04050607);
    cr_assert_eq(got.d, UINT64_C(0x08090a0b0c0d0e0f));
    cr_assert(got.e[0] == 0xaa && got.e[1] == 0xbb);
    cr_assert(span_equal_vartime(got.f, SPAN_OF_LITERAL("\xcc\xdd")));
    cr_assert(span_equal_vartime(got.rest, SPAN_OF_LITERAL("\xee")));
}

/* On exact heap blocks, so that the sanitizer sees a byte too far. */
Test(reader, every_prefix_and_extension_is_refused) {
    for (size_t len = 0; len <= sizeof(message) + 1; len++) {
        uint8_t *copy = calloc(1, len > 0 ? len : 1);
        memcpy(copy, message, len < sizeof(message) ? len : sizeof(message));
        struct decoded got;
        enum status_code expected =
            len == sizeof(message) ? STATUS_OK : STATUS_INVALID_MESSAGE;
        cr_assert_eq(decode(span_of(len > 0 ? copy : NULL, len), &got).code, expected, "%zu", len);
        free(copy);
    }
}

Test(reader, failure_sticks) {
    struct reader reader = reader_of(span_of(message, 3));
    cr_assert_eq(reader_u32(&reader), 0);
    cr_assert_eq(reader_u8(&reader), 0, "nothing is read after a failure");
    cr_assert_eq(reader_left(&reader), 0);
    uint8_t copied[2] = {7, 7};
    reader_copy(&reader, copied, 2);
    cr_assert(copied[0] == 0 && copied[1] == 0);
    cr_assert_null(reader_bytes(&reader, 0).data);
    cr_assert_eq(reader_rest(&reader).len, 0);
    cr_assert_eq(reader_finish(&reader).code, STATUS_INVALID_MESSAGE);

    reader = reader_of(span_of(message, 1));
    cr_assert_eq(reader_u8(&reader), 1);
    reader_fail(&reader);
    cr_assert_eq(reader_finish(&reader).code, STATUS_INVALID_MESSAGE);
}

Test(reader, vectors_keep_their_bounds) {
    for (unsigned prefix = 1; prefix <= 4; prefix *= 2) {
        uint8_t input[4 + 5] = {0};
        input[prefix - 1] = 5;
        for (size_t bound = 0; bound < 10; bound++) {
            struct reader reader = reader_of(span_of(input, prefix + 5));
            cr_assert_eq(reader_vector(&reader, prefix, bound, 9).len, bound <= 5 ? 5 : 0);
            cr_assert_eq(status_ok(reader_finish(&reader)), bound <= 5);
            reader = reader_of(span_of(input, prefix + 5));
            cr_assert_eq(reader_vector(&reader, prefix, 0, bound).len, bound >= 5 ? 5 : 0);
            cr_assert_eq(status_ok(reader_finish(&reader)), bound >= 5);
        }
    }
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0x00};
    struct reader reader = reader_of(SPAN_OF_ARRAY(huge));
    cr_assert_eq(reader_vector(&reader, 4, 0, SIZE_MAX).len, 0);
    cr_assert(!status_ok(reader_finish(&reader)));
}

Test(reader, nothing_is_a_message_of_no_fields) {
    struct reader reader = reader_of(SPAN_EMPTY);
    cr_assert_eq(reader_rest(&reader).len, 0);
    cr_assert(status_ok(reader_finish(&reader)));
}
