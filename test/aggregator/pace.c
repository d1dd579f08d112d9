/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/leader_pace.h"

#include <criterion/criterion.h>
#include <unistd.h>

/* A task can't take more than its part of the leader. */

static struct pace pace;
static const uint8_t busy[32] = {1}, other[32] = {2};

static void begin(const uint8_t *task, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        cr_assert(status_ok(pace_begin(&pace, task)));
    }
}

Test(pace, leaves_room_for_other_tasks) {
    pace_init(&pace);
    begin(busy, PACE_JOBS_PER_TASK);
    cr_assert_not(pace_task_may_start(&pace, busy));
    cr_assert(pace_task_may_start(&pace, other));
    cr_assert(pace_has_room(&pace, false));
    pace_end(&pace, busy);
    cr_assert(pace_task_may_start(&pace, busy));
    pace_release(&pace);
}

Test(pace, bounds_all_jobs_and_retries_more) {
    pace_init(&pace);
    begin(busy, PACE_RETRIES_MAX);
    cr_assert_not(pace_has_room(&pace, true));
    cr_assert(pace_has_room(&pace, false));
    begin(other, PACE_JOBS_MAX - PACE_RETRIES_MAX);
    cr_assert_not(pace_has_room(&pace, false));
    pace_end(&pace, other);
    cr_assert(pace_has_room(&pace, false));
    pace_release(&pace);
}

Test(pace, rests_after_a_failure) {
    pace_init(&pace);
    begin(busy, 1);
    pace_failed(&pace, busy);
    cr_assert_not(pace_task_may_start(&pace, busy));
    cr_assert(pace_task_may_start(&pace, other));
    pace_release(&pace);
}

Test(pace, remembers_what_a_report_takes) {
    pace_init(&pace);
    cr_assert_eq(pace_report_bytes(&pace, busy), 0);
    begin(busy, 1);
    pace_set_report_bytes(&pace, busy, 321);
    cr_assert_eq(pace_report_bytes(&pace, busy), 321);
    cr_assert_eq(pace_report_bytes(&pace, other), 0);
    pace_release(&pace);
}

/* A helper that is busy gets fewer jobs at a time, and then again more. */
Test(pace, halves_for_a_busy_helper) {
    pace_init(&pace);
    begin(busy, PACE_JOBS_PER_TASK / 2);
    pace_busy(&pace, busy, -1);
    pace_busy(&pace, busy, -1); /* the same moment, told by another job */
    cr_assert_not(pace_task_may_start(&pace, busy)); /* it rests */
    usleep(1100000);
    cr_assert_not(pace_task_may_start(&pace, busy)); /* half of them run already */
    cr_assert(pace_task_may_start(&pace, other));
    pace_succeeded(&pace, busy, 10);
    cr_assert(pace_task_may_start(&pace, busy));
    begin(busy, 1);
    cr_assert_not(pace_task_may_start(&pace, busy));
    for (int i = 0; i < PACE_JOBS_PER_TASK; i++) {
        pace_succeeded(&pace, busy, 10);
    }
    begin(busy, PACE_JOBS_PER_TASK / 2 - 2);
    cr_assert(pace_task_may_start(&pace, busy));
    begin(busy, 1);
    cr_assert_not(pace_task_may_start(&pace, busy));
    pace_release(&pace);
}

Test(pace, rests_for_as_long_as_it_is_told) {
    pace_init(&pace);
    begin(busy, 1);
    pace_busy(&pace, busy, 2000);
    usleep(1500000);
    cr_assert_not(pace_task_may_start(&pace, busy));
    usleep(600000);
    cr_assert(pace_task_may_start(&pace, busy));
    pace_release(&pace);
}

/* Jobs shrink when they are too much, and grow again, but not as far. */
Test(pace, finds_the_size_that_goes_well) {
    pace_init(&pace);
    begin(busy, 1);
    cr_assert_eq(pace_max_reports(&pace, busy), SIZE_MAX);
    pace_too_much(&pace, busy, 1000);
    cr_assert_eq(pace_max_reports(&pace, busy), 500);
    pace_too_much(&pace, busy, 500);
    cr_assert_eq(pace_max_reports(&pace, busy), 250);
    pace_succeeded(&pace, busy, 100); /* not as large as it might have been */
    cr_assert_eq(pace_max_reports(&pace, busy), 250);
    pace_succeeded(&pace, busy, 250);
    cr_assert_eq(pace_max_reports(&pace, busy), 500 - 500 / 8);
    pace_succeeded(&pace, busy, 438);
    cr_assert_eq(pace_max_reports(&pace, busy), 500 - 500 / 8);
    pace_split(&pace, other, 8); /* unknown: nothing to do */
    cr_assert_eq(pace_max_reports(&pace, other), SIZE_MAX);
    pace_release(&pace);
}

/* A job that was split to find what the helper minds is soon as large as ever. */
Test(pace, forgets_a_split) {
    pace_init(&pace);
    begin(busy, 1);
    cr_assert_not(pace_has_succeeded(&pace, busy));
    pace_split(&pace, busy, 3);
    pace_split(&pace, busy, 1);
    cr_assert_eq(pace_max_reports(&pace, busy), 1);
    for (size_t size = 1; size <= 100000; size *= 2) {
        cr_assert_eq(pace_max_reports(&pace, busy), size);
        pace_succeeded(&pace, busy, size);
    }
    cr_assert_eq(pace_max_reports(&pace, busy), SIZE_MAX);
    cr_assert(pace_has_succeeded(&pace, busy));
    pace_release(&pace);
}
