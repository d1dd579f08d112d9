/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/interval.h"

#include <criterion/criterion.h>

Test(interval, times_of_the_drafts_example) {
    uint64_t seconds = 0;
    cr_assert(status_ok(time_to_seconds(123456789, 10, &seconds)));
    cr_expect_eq(seconds, 1234567890);
    cr_assert(status_ok(time_to_seconds(11, 10, &seconds)));
    cr_expect_eq(seconds, 110);
    cr_expect_eq(time_of_seconds(1234567890, 10), 123456789);
    cr_expect_eq(time_of_seconds(1234567899, 10), 123456789);
    cr_expect_eq(time_of_seconds(1729629081, 1000), 1729629);
    cr_expect_eq(time_to_seconds(UINT64_MAX / 10 + 1, 10, &seconds).code,
                 STATUS_INVALID_ARGUMENT);
}

Test(interval, is_half_open) {
    struct interval interval = {10, 5};
    cr_expect_not(interval_contains(&interval, 9));
    cr_expect(interval_contains(&interval, 10));
    cr_expect(interval_contains(&interval, 14));
    cr_expect_not(interval_contains(&interval, 15));
    cr_expect(interval_overlaps(&interval, &(struct interval){14, 1}));
    cr_expect_not(interval_overlaps(&interval, &(struct interval){15, 1}));
    cr_expect_not(interval_overlaps(&interval, &(struct interval){5, 5}));
    cr_expect_not(interval_overlaps(&interval, &(struct interval){12, 0}));
    cr_expect_not(interval_overlaps(&(struct interval){12, 0}, &interval));
}

Test(interval, must_not_overflow) {
    cr_expect(interval_valid(&(struct interval){UINT64_MAX, 0}));
    cr_expect(interval_valid(&(struct interval){UINT64_MAX - 1, 1}));
    cr_expect_not(interval_valid(&(struct interval){UINT64_MAX, 1}));
    cr_expect_not(interval_valid(&(struct interval){2, UINT64_MAX - 1}));
}

Test(interval, within_allows_equal_ends) {
    struct interval outer = {10, 5};
    cr_expect(interval_within(&outer, &outer));
    cr_expect(interval_within(&(struct interval){11, 4}, &outer));
    cr_expect_not(interval_within(&(struct interval){9, 2}, &outer));
    cr_expect_not(interval_within(&(struct interval){11, 5}, &outer));
}

Test(interval, include_gives_the_smallest) {
    struct interval interval = {0, 0};
    cr_assert(status_ok(interval_include(&interval, 100)));
    cr_expect(interval.start == 100 && interval.duration == 1);
    cr_assert(status_ok(interval_include(&interval, 97)));
    cr_expect(interval.start == 97 && interval.duration == 4);
    cr_assert(status_ok(interval_include(&interval, 103)));
    cr_expect(interval.start == 97 && interval.duration == 7);
    cr_assert(status_ok(interval_include(&interval, 99)));
    cr_expect(interval.start == 97 && interval.duration == 7);
    cr_expect_eq(interval_include(&interval, UINT64_MAX).code, STATUS_INVALID_ARGUMENT);
}
