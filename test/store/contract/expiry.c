/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

static void setup(void) {
    fixture_setup();
    for (WRITE(tx)) {
        make_task(tx, 1);
        make_task(tx, 2);
    }
}

TestSuite(expiry, .init = setup, .fini = fixture_teardown);

static uint64_t watermark(void) {
    uint64_t epoch;
    for (READ(tx)) {
        ASSERT_OK(store_watermark_get(tx, task_id(1), &epoch));
    }
    return epoch;
}

static void advance(uint64_t epoch) {
    for (WRITE(tx)) {
        ASSERT_OK(store_watermark_advance(tx, task_id(1), epoch));
    }
}

static size_t expire(size_t max) {
    size_t deleted;
    for (WRITE(tx)) {
        ASSERT_OK(store_expire(tx, task_id(1), fixture_now, max, &deleted));
    }
    return deleted;
}

Test(expiry, watermark_never_moves_back) {
    cr_assert_eq(watermark(), 0);
    advance(10);
    cr_assert_eq(watermark(), 10);
    advance(9);
    cr_assert_eq(watermark(), 10);
    fixture_reopen();
    cr_assert_eq(watermark(), 10);
    uint64_t other;
    for (READ(tx)) {
        ASSERT_OK(store_watermark_get(tx, task_id(2), &other));
        cr_assert_eq(other, 0);
        ASSERT_FAIL(UNRECOGNIZED_TASK, store_watermark_get(tx, task_id(9), &other));
    }
}

/* At no moment, whatever has been deleted, is an ID new again. */
Test(expiry, forgets_no_id_that_matters) {
    enum { EPOCHS = 4, EACH = 10 };
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        put_reports(epoch * EACH, EACH, EPOCH(epoch));
    }
    for (uint64_t mark = 0; mark <= EPOCHS; mark++) {
        advance(mark);
        size_t deleted;
        do {
            deleted = expire(3);
            for (WRITE(tx)) {
                for (uint32_t number = 0; number < EPOCHS * EACH; number++) {
                    struct store_report report = make_report(number, EPOCH(number / EACH));
                    enum store_outcome outcome;
                    ASSERT_OK(store_reports_put(tx, task_id(1), &report, 1, &outcome));
                    cr_assert_eq(outcome,
                                 number / EACH < mark ? STORE_EXPIRED : STORE_REPLAYED);
                }
            }
        } while (deleted > 0);
        cr_assert_eq(fixture_rows("report_id"), (int64_t)((EPOCHS - mark) * EACH));
        cr_assert_eq(fixture_rows("id_epoch"), (int64_t)(EPOCHS - mark));
    }
    cr_assert_eq(fixture_rows("segment"), 0);
    cr_assert_eq(fixture_rows("segment_body"), 0);
    cr_assert_eq(get_usage(1).reports, 0);
    cr_assert_eq(get_usage(1).unassigned, 0);
    cr_assert_eq(get_usage(1).bytes, 0);
}

Test(expiry, deletes_no_more_than_asked) {
    put_reports(1, 10, 0);
    advance(1);
    cr_assert_eq(expire(4), 4);
    cr_assert_eq(fixture_rows("report_id"), 6);
    cr_assert_eq(expire(100), 7, "six IDs and a segment");
    cr_assert_eq(expire(100), 0);
}

Test(expiry, of_one_task_leaves_the_others) {
    struct store_report report = make_report(1, 0);
    enum store_outcome outcome;
    put_reports(1, 1, 0);
    for (WRITE(tx)) {
        ASSERT_OK(store_reports_put(tx, task_id(2), &report, 1, &outcome));
    }
    advance(1);
    cr_assert_eq(expire(100), 2);
    cr_assert_eq(get_usage(2).reports, 1);
    cr_assert_eq(fixture_rows("report_id"), 1);
}

Test(expiry, assigns_no_expired_report) {
    struct store_job job;
    put_reports(1, 3, EPOCH(1));
    put_reports(4, 2, EPOCH(2));
    advance(2);
    for (WRITE(tx)) {
        ASSERT_OK(store_job_create(tx, &fixture_arena, task_id(1), NULL, SPAN_EMPTY, 0, 100,
                                   fixture_now, fixture_now + 1, &job));
    }
    cr_assert_eq(job.member_count, 2);
    cr_assert_eq(job.time_min, EPOCH(2));
}

/* The helper may have counted a job's reports: they must stay committable until
 * the job has ended. */
Test(expiry, watermark_waits_for_jobs) {
    enum store_outcome outcome;
    put_reports(1, 2, EPOCH(3));
    put_reports(3, 2, EPOCH(1));
    put_reports(5, 2, EPOCH(2));
    struct store_job job = create_job(4);
    advance(9);
    cr_assert_eq(watermark(), 1);
    for (WRITE(tx)) {
        struct store_committed id = {.epoch = 1};
        ASSERT_OK(store_ids_commit(tx, task_id(1), &id, 1, &outcome));
        cr_assert_eq(outcome, STORE_NEW);
    }
    const bool keep[] = {true, true, false, false};
    uint8_t digest[STORE_DIGEST_SIZE] = {0};
    for (WRITE(tx)) {
        ASSERT_OK(store_job_fix(tx, &job, keep, 4, digest));
    }
    advance(9);
    cr_assert_eq(watermark(), 3, "what is no longer a member doesn't count");
    while (expire(2) > 0) {
    }
    struct store_member *members;
    size_t count;
    for (READ(tx)) {
        ASSERT_OK(store_job_members(tx, &fixture_arena, &job, &members, &count));
    }
    cr_assert_eq(count, 2);
    cr_assert_eq(get_usage(1).reports, 2);
    for (WRITE(tx)) {
        ASSERT_OK(store_job_finish(tx, &job, NULL, 0));
    }
    advance(9);
    cr_assert_eq(watermark(), 9);
    while (expire(2) > 0) {
    }
    cr_assert_eq(get_usage(1).bytes, 0);
    cr_assert_eq(fixture_rows("report_id"), 0);
}

Test(expiry, keeps_marks_and_deletes_what_ended) {
    struct store_resource out;
    bool found;
    for (WRITE(tx)) {
        ASSERT_OK(store_collected_interval_put(tx, task_id(1), 0, 10));
        for (uint8_t i = 0; i < 4; i++) {
            struct store_resource resource = {.id = {i}, .digest = {i}};
            memcpy(resource.task_id, task_id(1), sizeof resource.task_id);
            ASSERT_OK(store_resource_create(tx, &fixture_arena, &resource, 0, &out, &found));
            if (i > 0) {
                out.state = (enum store_resource_state)i;
                ASSERT_OK(store_resource_update(tx, &out, 0));
            }
        }
    }
    cr_assert_eq(expire(100), 0, "they ended now, not before now");
    fixture_now++;
    advance(1000);
    cr_assert_eq(expire(2), 2);
    cr_assert_eq(expire(2), 1);
    cr_assert_eq(expire(2), 0);
    cr_assert_eq(fixture_rows("resource"), 1, "a pending one stays");
    cr_assert_eq(fixture_rows("resource_body"), 1);
    for (READ(tx)) {
        ASSERT_OK(store_collected_interval_overlaps(tx, task_id(1), 5, 1, &found));
        cr_assert(found);
    }
}
