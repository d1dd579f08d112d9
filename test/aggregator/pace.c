/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/leader_pace.h"

#include <criterion/criterion.h>

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
