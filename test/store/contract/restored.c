/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

static const uint8_t batch_id[STORE_BATCH_ID_SIZE] = "a batch";
static const uint8_t no_param[STORE_DIGEST_SIZE];
static const uint8_t time_key[8] = {0, 0, 0, 0, 0, 0, 0, 100};

enum { HORIZON = 3 * STORE_EPOCH_SECONDS + 1000 };

static void bucket_put(struct span key) {
    struct store_bucket bucket = {
        .key = key, .agg_share = SPAN_OF_LITERAL("share"), .report_count = 5};
    for (WRITE(tx)) {
        ASSERT_OK(store_bucket_put(tx, task_id(1), no_param, 0, &bucket));
    }
}

/* A task with something of everything: two reports in a job, three that wait, five
 * aggregated, a collection under way. */
static void setup(void) {
    struct store_resource resource = {.kind = STORE_COLLECTION_JOB};
    struct store_resource made;
    bool found;
    fixture_setup();
    memcpy(resource.task_id, task_id(1), sizeof resource.task_id);
    for (WRITE(tx)) {
        make_task(tx, 1);
        ASSERT_OK(store_resource_create(tx, &fixture_arena, &resource, 0, &made, &found));
    }
    put_reports(1, 5, 1000);
    create_job(2);
}

TestSuite(restored, .init = setup, .fini = fixture_teardown);

static struct store_restored restore(bool by_interval, uint64_t epoch) {
    struct store_restored restored;
    for (WRITE(tx)) {
        ASSERT_OK(
            store_task_restored(tx, task_id(1), by_interval, HORIZON, epoch, &restored));
    }
    return restored;
}

static enum store_outcome outcome_of(uint32_t number, uint64_t time) {
    struct store_report report = make_report(number, time);
    enum store_outcome outcome;
    for (WRITE(tx)) {
        ASSERT_OK(store_reports_put(tx, task_id(1), &report, 1, &outcome));
    }
    return outcome;
}

static bool overlaps(uint64_t start, uint64_t duration) {
    bool found;
    for (READ(tx)) {
        ASSERT_OK(store_collected_interval_overlaps(tx, task_id(1), start, duration, &found));
    }
    return found;
}

Test(restored, nothing_of_before_is_counted) {
    struct store_resource resource;
    struct store_job job;
    bucket_put(SPAN_OF_ARRAY(time_key));
    struct store_restored restored = restore(true, 3);
    cr_assert_eq(restored.reports, 5);
    cr_assert_eq(restored.jobs, 1);
    cr_assert_eq(restored.aggregated, 5);
    cr_assert_eq(get_usage(1).reports, 0);
    cr_assert_eq(get_usage(1).unassigned, 0);
    cr_assert_eq(get_usage(1).bytes, 0);
    cr_assert_eq(fixture_rows("segment") + fixture_rows("segment_body"), 0);
    cr_assert_eq(fixture_rows("job") + fixture_rows("job_body"), 0);
    fixture_now += 3600 * INT64_C(1000000);
    for (WRITE(tx)) {
        ASSERT_FAIL(NOT_FOUND, store_job_claim(tx, &fixture_arena, fixture_now, fixture_now, &job));
        ASSERT_FAIL(NOT_FOUND, store_resource_claim(tx, &fixture_arena, STORE_COLLECTION_JOB,
                                                    fixture_now, fixture_now, &resource));
        struct store_bucket bucket;
        ASSERT_OK(store_bucket_get(tx, &fixture_arena, task_id(1), SPAN_OF_ARRAY(time_key),
                                   no_param, 0, &bucket));
        cr_assert_eq(bucket.agg_share.len, 0);
    }
}

Test(restored, intervals_before_the_horizon_are_closed) {
    for (WRITE(tx)) {
        ASSERT_OK(store_collected_interval_put(tx, task_id(1), 50, 10));
    }
    restore(true, 3);
    cr_assert(overlaps(0, 1));
    cr_assert(overlaps(HORIZON - 1, 1));
    cr_assert_not(overlaps(HORIZON, 1000));
    cr_assert_eq(outcome_of(90, EPOCH(3) - 1), STORE_EXPIRED);
    cr_assert_eq(outcome_of(91, HORIZON), STORE_NEW, "new reports are welcome at once");
    cr_assert_eq(restore(true, 3).reports, 1);
    cr_assert_eq(fixture_rows("collected_interval"), 1);
}

Test(restored, collected_times_behind_the_horizon_stay_so) {
    for (WRITE(tx)) {
        ASSERT_OK(store_collected_interval_put(tx, task_id(1), HORIZON - 5, 10));
    }
    restore(true, 3);
    cr_assert(overlaps(HORIZON + 4, 1));
    cr_assert_not(overlaps(HORIZON + 5, 1));
}

Test(restored, batches_are_closed) {
    struct store_batch batch = {.state = STORE_BATCH_OPEN, .id = "an empty one"};
    bool collected;
    bucket_put(SPAN_OF_ARRAY(batch_id));
    for (WRITE(tx)) {
        ASSERT_OK(store_batch_put(tx, task_id(1), &batch));
    }
    restore(false, 4);
    for (WRITE(tx)) {
        ASSERT_OK(store_collected_batch_has(tx, task_id(1), batch_id, &collected));
        cr_assert(collected);
        ASSERT_OK(store_collected_batch_has(tx, task_id(1), batch.id, &collected));
        cr_assert(collected);
        ASSERT_OK(store_batch_get(tx, task_id(1), batch.id, &batch));
        cr_assert_eq(batch.state, STORE_BATCH_COLLECTED);
    }
    cr_assert_eq(outcome_of(90, EPOCH(4) - 1), STORE_EXPIRED);
    cr_assert_eq(outcome_of(91, EPOCH(4)), STORE_NEW);
    restore(false, 4);
}

Test(restored, horizon_must_be_a_time) {
    struct store_restored restored;
    for (WRITE(tx)) {
        ASSERT_FAIL(INVALID_ARGUMENT, store_task_restored(tx, task_id(1), true, 0, 0, &restored));
        ASSERT_FAIL(INVALID_ARGUMENT, store_task_restored(tx, task_id(1), true,
                                                          UINT64_C(1) << 63, 0, &restored));
        ASSERT_FAIL(UNRECOGNIZED_TASK, store_task_restored(tx, task_id(9), true, 1, 0, &restored));
    }
}
