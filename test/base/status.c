/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <criterion/criterion.h>
#include <string.h>

Test(status, every_row_is_complete_and_named_once) {
    for (int i = 0; i < STATUS_COUNT; i++) {
        const char *name = status_name((enum status_code)i);
        cr_assert_not_null(name);
        cr_assert_gt(strlen(status_text((enum status_code)i)), 0);
        int http = status_http((enum status_code)i);
        cr_assert(http == 200 ? i == STATUS_OK : http >= 400 && http < 600, "%s", name);
        for (int j = 0; j < i; j++) {
            cr_assert_str_neq(name, status_name((enum status_code)j));
        }
    }
    cr_assert_str_eq(status_name(STATUS_OK), "OK");
}

/* The problem types that DAP registers, each of which one row carries. */
Test(status, every_problem_type_of_dap_has_a_row) {
    static const char *const registered[] = {
        "invalidMessage",      "unrecognizedTask",      "unrecognizedAggregationJob",
        "batchInvalid",        "invalidBatchSize",      "invalidAggregationParameter",
        "batchMismatch",       "stepMismatch",          "batchOverlap",
        "unsupportedExtension",
    };
    for (size_t i = 0; i < sizeof(registered) / sizeof(registered[0]); i++) {
        int found = 0;
        for (int code = 0; code < STATUS_COUNT; code++) {
            const char *problem = status_problem((enum status_code)code);
            found += problem != NULL && strcmp(problem, registered[i]) == 0;
        }
        cr_assert_eq(found, 1, "%s", registered[i]);
    }
}

static struct status fail_with_busy(void) { return FAIL(BUSY); }

static struct status try_twice(int *reached) {
    TRY(OK);
    *reached = 1;
    TRY(fail_with_busy());
    *reached = 2;
    return OK;
}

static struct status release_once(int *released) {
    struct status status;
    TRY_GOTO(status, fail_with_busy(), done);
    *released = 2;
done:
    (*released)++;
    return status;
}

Test(status, try_stops_at_the_first_failure) {
    int reached = 0;
    cr_assert_eq(try_twice(&reached).code, STATUS_BUSY);
    cr_assert_eq(reached, 1);
    int released = 0;
    cr_assert_eq(release_once(&released).code, STATUS_BUSY);
    cr_assert_eq(released, 1);
}
