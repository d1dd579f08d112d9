/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/writer.h"

#include <criterion/criterion.h>

Test(writer, integers_are_big_endian) {
    struct buffer buffer = BUFFER_INIT;
    struct writer writer = writer_to(&buffer);
    writer_u8(&writer, 0x01);
    writer_u16(&writer, 0x0203);
    writer_u32(&writer, 0x04050607);
    writer_u64(&writer, UINT64_C(0x08090a0b0c0d0e0f));
    writer_bytes(&writer, SPAN_OF_LITERAL("\x10"));
    cr_assert(status_ok(writer_finish(&writer)));
    cr_assert_eq(buffer.len, 16);
    for (size_t i = 0; i < 16; i++) {
        cr_assert_eq(buffer.data[i], i + 1);
    }
    buffer_release(&buffer);
}

Test(writer, vectors_nest) {
    struct buffer buffer = BUFFER_INIT;
    struct writer writer = writer_to(&buffer);
    writer_u8(&writer, 0xff); /* marks are positions in the buffer, not zero */
    size_t outer = writer_begin(&writer, 4);
    writer_vector(&writer, 1, 0, 255, SPAN_OF_LITERAL("ab"));
    size_t inner = writer_begin(&writer, 2);
    writer_u8(&writer, 'c');
    writer_end(&writer, 2, 1, 1, inner);
    writer_end(&writer, 4, 0, 100, outer);
    cr_assert(status_ok(writer_finish(&writer)));
    cr_assert(span_equal_vartime(buffer_span(&buffer),
                                 SPAN_OF_LITERAL("\xff\0\0\0\x06\x02"
                                                 "ab\0\x01"
                                                 "c")));
    buffer_release(&buffer);
}

static enum status_code write_both_ways(unsigned prefix, size_t min, size_t max, size_t len) {
    static const uint8_t zeros[70000];
    struct buffer buffer = BUFFER_INIT;
    struct writer whole = writer_to(&buffer);
    writer_vector(&whole, prefix, min, max, span_of(zeros, len));
    struct writer parts = writer_to(&buffer);
    size_t mark = writer_begin(&parts, prefix);
    writer_bytes(&parts, span_of(zeros, len));
    writer_end(&parts, prefix, min, max, mark);
    cr_assert_eq(whole.failure, parts.failure);
    buffer_release(&buffer);
    return whole.failure;
}

Test(writer, vectors_keep_their_bounds) {
    cr_assert_eq(write_both_ways(1, 0, SIZE_MAX, 255), STATUS_OK);
    cr_assert_eq(write_both_ways(1, 0, SIZE_MAX, 256), STATUS_INVALID_ARGUMENT);
    cr_assert_eq(write_both_ways(2, 0, SIZE_MAX, 65535), STATUS_OK);
    cr_assert_eq(write_both_ways(2, 0, SIZE_MAX, 65536), STATUS_INVALID_ARGUMENT);
    cr_assert_eq(write_both_ways(4, 0, SIZE_MAX, 65536), STATUS_OK);
    cr_assert_eq(write_both_ways(2, 3, 5, 2), STATUS_INVALID_ARGUMENT);
    cr_assert_eq(write_both_ways(2, 3, 5, 3), STATUS_OK);
    cr_assert_eq(write_both_ways(2, 3, 5, 5), STATUS_OK);
    cr_assert_eq(write_both_ways(2, 3, 5, 6), STATUS_INVALID_ARGUMENT);
}

Test(writer, failure_sticks) {
    struct buffer buffer = BUFFER_INIT;
    struct writer writer = writer_to(&buffer);
    size_t mark = writer_begin(&writer, 2);
    writer_vector(&writer, 1, 2, 3, SPAN_OF_LITERAL("x"));
    size_t len = buffer.len;
    writer_u64(&writer, 1);
    writer_end(&writer, 2, 0, 100, mark);
    cr_assert_eq(buffer.len, len);
    cr_assert_eq(writer_finish(&writer).code, STATUS_INVALID_ARGUMENT);
    buffer_release(&buffer);
}
