/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <criterion/criterion.h>

Test(bytes, spans_compare_by_content) {
    cr_assert(span_equal_vartime(SPAN_EMPTY, span_of("", 0)));
    cr_assert(span_equal_vartime(span_of_string("abc"), SPAN_OF_LITERAL("abc")));
    cr_assert(!span_equal_vartime(span_of_string("abc"), span_of_string("abd")));
    cr_assert(!span_equal_vartime(span_of_string("abc"), span_of_string("ab")));
}

Test(bytes, a_buffer_holds_what_was_appended) {
    struct buffer buffer = BUFFER_INIT;
    cr_assert(status_ok(buffer_append(&buffer, SPAN_EMPTY)));
    cr_assert_null(buffer.data);
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert(status_ok(buffer_append_u8(&buffer, (uint8_t)i)));
        cr_assert_leq(buffer.len, buffer.capacity);
    }
    cr_assert_eq(buffer.len, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert_eq(buffer.data[i], (uint8_t)i);
    }
    buffer_clear(&buffer);
    cr_assert(status_ok(buffer_append_string(&buffer, "report ")));
    cr_assert(status_ok(buffer_printf(&buffer, "%d of %s", 3, "many")));
    cr_assert(span_equal_vartime(buffer_span(&buffer), SPAN_OF_LITERAL("report 3 of many")));
    buffer_release(&buffer);
    cr_assert_null(buffer.data);
}

Test(bytes, a_failed_reservation_leaves_the_buffer_unchanged) {
    struct buffer buffer = BUFFER_INIT;
    cr_assert(status_ok(buffer_append_string(&buffer, "kept")));
    struct buffer before = buffer;
    cr_assert_eq(buffer_reserve(&buffer, SIZE_MAX).code, STATUS_NO_MEMORY);
    cr_assert_eq(buffer.data, before.data);
    cr_assert_eq(buffer.len, before.len);
    cr_assert_eq(buffer.capacity, before.capacity);
    cr_assert(span_equal_vartime(buffer_span(&buffer), SPAN_OF_LITERAL("kept")));
    buffer_release(&buffer);
}
