/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/report_check.h"

#include <criterion/criterion.h>

static struct task task_with_interval(void) {
    return (struct task){.configuration = {.time_precision = 100},
                         .has_task_interval = true,
                         .task_interval = {1000, 10}};
}

Test(report_check, outside_of_the_task_interval) {
    struct task task = task_with_interval();
    uint64_t now = 2000 * 100;
    cr_expect_eq(report_check_time(&task, 999, now, 0), REPORT_ERROR_TASK_NOT_STARTED);
    cr_expect_eq(report_check_time(&task, 1000, now, 0), REPORT_VALID);
    cr_expect_eq(report_check_time(&task, 1009, now, 0), REPORT_VALID);
    cr_expect_eq(report_check_time(&task, 1010, now, 0), REPORT_ERROR_TASK_EXPIRED);
    cr_expect_eq(report_check_time(&task, UINT64_MAX, now, 0), REPORT_ERROR_TASK_EXPIRED);
    cr_expect_eq(report_check_upload_time(&task, 999, now, 0), REPORT_ERROR_REPORT_DROPPED);
    cr_expect_eq(report_check_upload_time(&task, 1005, now, 0), REPORT_VALID);
    cr_expect_eq(report_check_upload_time(&task, 1010, now, 0), REPORT_ERROR_REPORT_DROPPED);
    task.has_task_interval = false;
    cr_expect_eq(report_check_time(&task, 999, now, 0), REPORT_VALID);
    cr_expect_eq(report_check_upload_time(&task, 1010, now, 0), REPORT_VALID);
}

Test(report_check, too_early_beyond_the_skew) {
    struct task task = {.configuration = {.time_precision = 100}};
    /* The unit 1000 begins at 100,000 seconds. */
    cr_expect_eq(report_check_time(&task, 1000, 100000, 0), REPORT_VALID);
    cr_expect_eq(report_check_time(&task, 1000, 99999, 0), REPORT_ERROR_REPORT_TOO_EARLY);
    cr_expect_eq(report_check_time(&task, 1000, 99700, 300), REPORT_VALID);
    cr_expect_eq(report_check_time(&task, 1000, 99699, 300), REPORT_ERROR_REPORT_TOO_EARLY);
    cr_expect_eq(report_check_time(&task, UINT64_MAX, 99699, 300),
                 REPORT_ERROR_REPORT_TOO_EARLY);
    cr_expect_eq(report_check_time(&task, UINT64_MAX / 100, UINT64_MAX, 300), REPORT_VALID);
    cr_expect_eq(report_check_upload_time(&task, 1000, 99699, 300),
                 REPORT_ERROR_REPORT_TOO_EARLY);
    cr_expect_eq(report_check_upload_time(&task, 1000, 99700, 300), REPORT_VALID);
    /* A report that can never be in its task's interval isn't retried. */
    task = task_with_interval();
    cr_expect_eq(report_check_upload_time(&task, 1010, 0, 0), REPORT_ERROR_REPORT_DROPPED);
}

#define EXTENSION(type) {(enum extension_type)(type), {NULL, 0}}

Test(report_check, any_extension_is_unknown) {
    struct extension one[] = {EXTENSION(23)};
    struct extension_list none = {NULL, 0}, some = {one, 1};
    cr_expect_eq(report_check_extensions(&none, &none), REPORT_VALID);
    cr_expect_eq(report_check_extensions(&some, &none), REPORT_ERROR_INVALID_MESSAGE);
    cr_expect_eq(report_check_extensions(&none, &some), REPORT_ERROR_INVALID_MESSAGE);
}

Test(report_check, unordered_or_repeated_extensions) {
    struct extension unordered[] = {EXTENSION(42), EXTENSION(23)};
    struct extension twice[] = {EXTENSION(42), EXTENSION(42)};
    struct extension_list none = {NULL, 0}, down = {unordered, 2}, same = {twice, 2};
    struct extension_list left = {unordered, 1}, right = {twice, 1};
    cr_expect(report_extensions_ordered(&left, &none));
    cr_expect(report_extensions_ordered(&none, &right));
    cr_expect_not(report_extensions_ordered(&down, &none));
    cr_expect_not(report_extensions_ordered(&none, &down));
    cr_expect_not(report_extensions_ordered(&same, &none));
    cr_expect_not(report_extensions_ordered(&none, &same));
    cr_expect_not(report_extensions_ordered(&left, &right));
    cr_expect_eq(report_check_extensions(&down, &none), REPORT_ERROR_INVALID_MESSAGE);
    cr_expect_eq(report_check_extensions(&none, &same), REPORT_ERROR_INVALID_MESSAGE);
    cr_expect_eq(report_check_extensions(&left, &right), REPORT_ERROR_INVALID_MESSAGE);
}

Test(report_check, the_same_type_on_both_sides) {
    struct extension low[] = {EXTENSION(1), EXTENSION(3), EXTENSION(5)};
    struct extension high[] = {EXTENSION(2), EXTENSION(4), EXTENSION(5)};
    struct extension_list a = {low, 3}, b = {high, 3};
    cr_expect_not(report_extensions_ordered(&a, &b));
    cr_expect_not(report_extensions_ordered(&b, &a));
    b.count = 2;
    cr_expect(report_extensions_ordered(&a, &b));
    cr_expect(report_extensions_ordered(&b, &a));
}

Test(report_check, unsupported_extensions_are_listed) {
    struct arena arena = ARENA_INIT;
    struct extension two[] = {EXTENSION(23), EXTENSION(42)};
    struct extension_list list = {two, 2}, none = {NULL, 0};
    const uint16_t *types;
    size_t count;
    cr_assert(status_ok(report_unsupported_extensions(&list, &arena, &types, &count)));
    cr_assert_eq(count, 2);
    cr_expect(types[0] == 23 && types[1] == 42);
    cr_assert(status_ok(report_unsupported_extensions(&none, &arena, &types, &count)));
    cr_expect_eq(count, 0);
    arena_release(&arena);
}
