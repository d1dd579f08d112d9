/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "store/fixture.h"

static void setup(void) {
    fixture_setup();
    for (WRITE(tx)) {
        make_task(tx, 1);
        make_task(tx, 2);
    }
}

TestSuite(job, .init = setup, .fini = fixture_teardown);

enum { SECOND = 1000000, MINUTE = 60 * SECOND };

static const uint8_t digest[STORE_DIGEST_SIZE] = "the digest of a request's body";

static struct status create(struct store_tx *tx, size_t max, struct store_job *job) {
    return store_job_create(tx, &fixture_arena, task_id(1), NULL, SPAN_EMPTY, 0, max, fixture_now,
                            fixture_now + MINUTE, job);
}

static struct status claim(struct store_tx *tx, struct store_job *job) {
    return store_job_claim(tx, &fixture_arena, fixture_now, fixture_now + MINUTE, job);
}

static size_t members_of(const struct store_job *job, struct store_member **members) {
    size_t count;
    for (READ(tx)) {
        ASSERT_OK(store_job_members(tx, &fixture_arena, job, members, &count));
    }
    return count;
}

/* Whether member `i` is report `number`. */
static void assert_member(const struct store_member *members, size_t i, uint32_t number) {
    struct store_report report = make_report(number, 0);
    cr_assert_eq(memcmp(members[i].report.id, report.id, STORE_ID_SIZE), 0,
                 "member %zu is not report %u", i, number);
}

static void assert_none_waits(void) {
    struct store_job job;
    for (WRITE(tx)) {
        ASSERT_FAIL(NOT_FOUND, create(tx, 100, &job));
    }
}

/* ---- Creating ----------------------------------------------------------------- */

Test(job, takes_each_report_once_in_order_of_arrival) {
    put_reports(1, 10, 1000);
    put_reports(11, 10, 900);
    struct store_member *members;
    struct store_job first = create_job(7);
    struct store_job second = create_job(7);
    struct store_job third = create_job(7);
    cr_assert_eq(first.member_count, 7);
    cr_assert_eq(members_of(&first, &members), 7);
    assert_member(members, 0, 1);
    assert_member(members, 6, 7);
    cr_assert_eq(members_of(&second, &members), 7);
    assert_member(members, 0, 8);
    assert_member(members, 2, 10);
    assert_member(members, 3, 11);
    cr_assert_eq(second.time_min, 900);
    cr_assert_eq(second.time_max, 1000);
    cr_assert_eq(third.member_count, 6);
    cr_assert_eq(members_of(&third, &members), 6);
    assert_member(members, 5, 20);
    cr_assert_eq(third.time_min, 900);
    cr_assert_eq(third.time_max, 900);
    cr_assert_neq(memcmp(first.id, second.id, STORE_ID_SIZE), 0);
    assert_none_waits();
}

Test(job, says_what_it_was_given) {
    uint8_t batch_id[STORE_BATCH_ID_SIZE] = "a batch";
    struct store_job made;
    struct store_job claimed;
    put_reports(1, 3, 1000);
    for (WRITE(tx)) {
        ASSERT_OK(store_job_create(tx, &fixture_arena, task_id(1), batch_id,
                                   SPAN_OF_LITERAL("parameter"), 5, 10, fixture_now,
                                   fixture_now + MINUTE, &made));
        ASSERT_FAIL(UNRECOGNIZED_TASK,
                    store_job_create(tx, &fixture_arena, task_id(9), NULL, SPAN_EMPTY, 0, 1,
                                     fixture_now, fixture_now, &claimed));
    }
    cr_assert_eq(made.attempts, 1);
    fixture_now += MINUTE;
    for (WRITE(tx)) {
        ASSERT_OK(claim(tx, &claimed));
    }
    cr_assert_eq(memcmp(claimed.id, made.id, STORE_ID_SIZE), 0);
    cr_assert_eq(memcmp(claimed.task_id, task_id(1), STORE_TASK_ID_SIZE), 0);
    cr_assert(claimed.has_batch);
    cr_assert_eq(memcmp(claimed.batch_id, batch_id, sizeof batch_id), 0);
    cr_assert(span_equal_vartime(claimed.agg_param, SPAN_OF_LITERAL("parameter")));
    cr_assert_eq(claimed.verify_key_id, 5);
    cr_assert_not(claimed.fixed);
    cr_assert_eq(claimed.step, 0);
    cr_assert_null(claimed.location);
    cr_assert_eq(claimed.state.len, 0);
    cr_assert_eq(claimed.attempts, 2);
    cr_assert_eq(claimed.member_count, 3);
    cr_assert_eq(claimed.time_min, 1000);
    cr_assert_eq(claimed.time_max, 1000);
    cr_assert_gt(claimed.lease, made.lease);
}

Test(job, knows_the_times_of_its_members_alone) {
    struct store_report reports[6];
    enum store_outcome outcomes[6];
    const uint64_t times[] = {50, 10, 30, 20, 40, 60};
    for (uint32_t i = 0; i < 6; i++) {
        reports[i] = make_report(i, times[i]);
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_reports_put(tx, task_id(1), reports, 6, outcomes));
    }
    struct store_job job = create_job(2);
    cr_assert_eq(job.time_min, 10);
    cr_assert_eq(job.time_max, 50);
    job = create_job(2);
    cr_assert_eq(job.time_min, 20);
    cr_assert_eq(job.time_max, 30);
    const bool keep[] = {false, true};
    struct store_job claimed;
    for (WRITE(tx)) {
        ASSERT_OK(store_job_fix(tx, &job, keep, 2, digest));
        ASSERT_OK(store_job_release(tx, &job, NULL, 0, SPAN_EMPTY, fixture_now));
        ASSERT_OK(claim(tx, &claimed));
    }
    job = claimed;
    cr_assert_eq(job.time_min, 20);
    cr_assert_eq(job.time_max, 20);
}

Test(job, is_made_of_many_small_segments) {
    enum { SEGMENTS = 150, FIRST = 100 };
    struct store_member *members;
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        put_reports(waiting, 1 + i % 3, 1000);
        waiting += 1 + i % 3;
    }
    struct store_job first = create_job(FIRST);
    struct store_job second = create_job(1000);
    cr_assert_eq(members_of(&first, &members), FIRST);
    for (uint32_t i = 0; i < FIRST; i++) {
        assert_member(members, i, i);
    }
    cr_assert_eq(members_of(&second, &members), waiting - FIRST);
    for (uint32_t i = 0; i < waiting - FIRST; i++) {
        assert_member(members, i, FIRST + i);
    }
    cr_assert_eq(get_usage(1).unassigned, 0);
    assert_none_waits();
}

/* ---- Leases ------------------------------------------------------------------------ */

Test(job, is_claimed_by_one_at_a_time) {
    struct store_job made;
    struct store_job claimed;
    struct store_job other;
    put_reports(1, 3, 1000);
    made = create_job(3);
    for (WRITE(tx)) {
        ASSERT_FAIL(NOT_FOUND, claim(tx, &other));
    }
    fixture_now += MINUTE - 1;
    for (WRITE(tx)) {
        ASSERT_FAIL(NOT_FOUND, claim(tx, &other));
    }
    fixture_now += 1;
    for (WRITE(tx)) {
        ASSERT_OK(claim(tx, &claimed));
        ASSERT_FAIL(NOT_FOUND, claim(tx, &other));
    }
    /* The one who made it has lost it, whatever it tries. */
    const bool all[] = {true, true, true};
    for (WRITE(tx)) {
        ASSERT_FAIL(LEASE_LOST, store_job_fix(tx, &made, all, 3, digest));
        ASSERT_FAIL(LEASE_LOST, store_job_release(tx, &made, "x", 1, SPAN_EMPTY, 0));
        ASSERT_FAIL(LEASE_LOST, store_job_finish(tx, &made, NULL, 0));
        ASSERT_FAIL(LEASE_LOST, store_job_abandon(tx, &made));
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_job_finish(tx, &claimed, NULL, 0));
        ASSERT_FAIL(LEASE_LOST, store_job_finish(tx, &claimed, NULL, 0));
    }
    cr_assert_eq(get_usage(1).reports, 0);
}

Test(job, release_keeps_it_back_until_retry_at) {
    struct store_job job;
    put_reports(1, 3, 1000);
    job = create_job(3);
    for (WRITE(tx)) {
        ASSERT_OK(store_job_release(tx, &job, "/jobs/1", 2, SPAN_OF_LITERAL("verify states"),
                                    fixture_now + 5 * SECOND));
        ASSERT_FAIL(NOT_FOUND, claim(tx, &job));
    }
    fixture_now += 5 * SECOND;
    for (WRITE(tx)) {
        ASSERT_OK(claim(tx, &job));
        cr_assert_str_eq(job.location, "/jobs/1");
        cr_assert_eq(job.step, 2);
        cr_assert(span_equal_vartime(job.state, SPAN_OF_LITERAL("verify states")));
        /* What isn't given stays. */
        ASSERT_OK(store_job_release(tx, &job, NULL, 3, SPAN_EMPTY, fixture_now));
        ASSERT_OK(claim(tx, &job));
        cr_assert_str_eq(job.location, "/jobs/1");
        cr_assert_eq(job.step, 3);
        cr_assert(span_equal_vartime(job.state, SPAN_OF_LITERAL("verify states")));
        ASSERT_OK(store_job_release(tx, &job, "/jobs/2", 3, SPAN_OF_LITERAL("new"), fixture_now));
        ASSERT_OK(claim(tx, &job));
        cr_assert_str_eq(job.location, "/jobs/2");
        cr_assert(span_equal_vartime(job.state, SPAN_OF_LITERAL("new")));
    }
}

Test(job, lease_can_be_extended) {
    struct store_job job;
    struct store_job other;
    put_reports(1, 3, 1000);
    job = create_job(3);
    fixture_now += MINUTE - 1;
    for (WRITE(tx)) {
        ASSERT_OK(store_job_extend(tx, &job, fixture_now + MINUTE));
    }
    fixture_now += MINUTE - 1;
    for (WRITE(tx)) {
        ASSERT_FAIL(NOT_FOUND, claim(tx, &other));
    }
    fixture_now += 1;
    for (WRITE(tx)) { /* late, but nobody has taken it yet */
        ASSERT_OK(store_job_extend(tx, &job, fixture_now + MINUTE));
        ASSERT_FAIL(NOT_FOUND, claim(tx, &other));
    }
    fixture_now += MINUTE;
    for (WRITE(tx)) {
        ASSERT_OK(claim(tx, &other));
        ASSERT_FAIL(LEASE_LOST, store_job_extend(tx, &job, fixture_now + MINUTE));
        ASSERT_OK(store_job_release(tx, &other, NULL, 0, SPAN_EMPTY, fixture_now));
        ASSERT_FAIL(LEASE_LOST, store_job_extend(tx, &other, fixture_now + MINUTE));
        ASSERT_OK(claim(tx, &other)); /* at once: the extension changed nothing */
        ASSERT_OK(store_job_finish(tx, &other, NULL, 0));
        ASSERT_FAIL(LEASE_LOST, store_job_extend(tx, &other, fixture_now + MINUTE));
    }
}

Test(job, that_is_due_longest_is_claimed_first) {
    struct store_job job;
    struct store_job early;
    struct store_job late;
    put_reports(1, 2, 1000);
    late = create_job(1);
    early = create_job(1);
    for (WRITE(tx)) {
        ASSERT_OK(store_job_release(tx, &late, NULL, 0, SPAN_EMPTY, fixture_now + 2));
        ASSERT_OK(store_job_release(tx, &early, NULL, 0, SPAN_EMPTY, fixture_now + 1));
    }
    fixture_now += 3;
    for (WRITE(tx)) {
        ASSERT_OK(claim(tx, &job));
        cr_assert_eq(memcmp(job.id, early.id, STORE_ID_SIZE), 0);
        ASSERT_OK(claim(tx, &job));
        cr_assert_eq(memcmp(job.id, late.id, STORE_ID_SIZE), 0);
    }
}

/* ---- Members --------------------------------------------------------------------------- */

Test(job, fixed_members_are_final) {
    struct store_job job;
    struct store_member *members;
    put_reports(1, 4, 1000);
    put_reports(5, 4, 1000);
    job = create_job(8);
    const bool keep[] = {true, false, true, true, true, false, false, true};
    const bool none[8] = {false};
    for (WRITE(tx)) {
        ASSERT_FAIL(INVALID_ARGUMENT, store_job_fix(tx, &job, keep, 7, digest));
        ASSERT_FAIL(INVALID_ARGUMENT, store_job_fix(tx, &job, none, 8, digest));
        ASSERT_OK(store_job_fix(tx, &job, keep, 8, digest));
        ASSERT_FAIL(CONFLICT, store_job_fix(tx, &job, keep, 5, digest));
    }
    cr_assert_eq(get_usage(1).reports, 5, "what isn't kept is terminal");
    fixture_now += MINUTE;
    for (WRITE(tx)) {
        ASSERT_OK(claim(tx, &job));
    }
    cr_assert(job.fixed);
    cr_assert_eq(memcmp(job.digest, digest, sizeof digest), 0);
    cr_assert_eq(job.member_count, 5);
    cr_assert_eq(members_of(&job, &members), 5);
    const uint32_t expected[] = {1, 3, 4, 5, 8};
    for (size_t i = 0; i < 5; i++) {
        assert_member(members, i, expected[i]);
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_job_finish(tx, &job, NULL, 0));
        size_t count;
        ASSERT_FAIL(NOT_FOUND, store_job_members(tx, &fixture_arena, &job, &members, &count));
    }
    cr_assert_eq(get_usage(1).reports, 0);
    cr_assert_eq(get_usage(1).bytes, 0);
    assert_none_waits();
}

Test(job, too_early_reports_wait_a_minute) {
    struct store_job job;
    struct store_member *members;
    struct store_waiting waiting;
    put_reports(1, 5, 1000);
    job = create_job(5);
    const bool later[] = {false, true, false, false, true};
    for (WRITE(tx)) {
        ASSERT_FAIL(INVALID_ARGUMENT, store_job_finish(tx, &job, later, 4));
        ASSERT_OK(store_job_finish(tx, &job, later, 5));
    }
    cr_assert_eq(get_usage(1).reports, 2);
    cr_assert_eq(get_usage(1).unassigned, 2);
    cr_assert_eq(get_pending(1000, 1).unassigned, 2, "they may still come into a batch");
    assert_none_waits();
    for (READ(tx)) {
        ASSERT_FAIL(NOT_FOUND, store_waiting_get(tx, task_id(1), fixture_now, &waiting));
    }
    fixture_now += MINUTE - 1;
    assert_none_waits();
    fixture_now += 1;
    job = create_job(5);
    cr_assert_eq(members_of(&job, &members), 2);
    assert_member(members, 0, 2);
    assert_member(members, 1, 5);
    cr_assert_eq(members[1].report.time, 1000);
    cr_assert_eq(members[1].report.config_id, 7);
    for (WRITE(tx)) {
        struct store_report again = make_report(2, 1000);
        enum store_outcome outcome;
        ASSERT_OK(store_reports_put(tx, task_id(1), &again, 1, &outcome));
        cr_assert_eq(outcome, STORE_REPLAYED);
        ASSERT_OK(store_job_finish(tx, &job, NULL, 0));
    }
    cr_assert_eq(get_usage(1).bytes, 0);
}

Test(job, abandoned_members_wait_again) {
    struct store_job job;
    struct store_member *members;
    put_reports(1, 3, 1000);
    put_reports(4, 3, EPOCH(2));
    job = create_job(5);
    struct store_usage before = get_usage(1);
    const bool keep[] = {true, false, true, true, true};
    for (WRITE(tx)) {
        ASSERT_OK(store_job_fix(tx, &job, keep, 5, digest));
        ASSERT_OK(store_job_abandon(tx, &job));
        ASSERT_FAIL(LEASE_LOST, store_job_abandon(tx, &job));
        ASSERT_FAIL(NOT_FOUND, claim(tx, &job));
    }
    cr_assert_eq(get_usage(1).reports, 5);
    cr_assert_eq(get_usage(1).unassigned, 5);
    job = create_job(10);
    cr_assert_eq(members_of(&job, &members), 5);
    bool seen[7] = {false};
    for (size_t i = 0; i < 5; i++) {
        uint32_t number;
        memcpy(&number, members[i].report.id + 8, sizeof number);
        assert_member(members, i, number);
        cr_assert_eq(members[i].report.epoch, number < 4 ? 0 : 2);
        seen[number] = true;
    }
    cr_assert(seen[1] && !seen[2] && seen[3] && seen[4] && seen[5] && seen[6]);
    for (WRITE(tx)) {
        ASSERT_OK(store_job_finish(tx, &job, NULL, 0));
    }
    cr_assert_eq(get_usage(1).bytes, 0);
    cr_assert_gt(before.bytes, 0);
}

Test(job, abandoned_members_keep_their_place) {
    struct store_member *members;
    int64_t first_at = fixture_now;
    put_reports(1, 2, 1000);
    struct store_job job = create_job(2);
    fixture_now += SECOND;
    put_reports(3, 2, 1000);
    for (WRITE(tx)) {
        ASSERT_OK(store_job_abandon(tx, &job));
    }
    cr_assert_eq(get_usage(1).oldest_at, first_at);
    job = create_job(2);
    cr_assert_eq(members_of(&job, &members), 2);
    assert_member(members, 0, 1);
    assert_member(members, 1, 2);
}

/* ---- What is pending --------------------------------------------------------------------- */

static void put_times(const uint64_t times[], size_t count) {
    static uint32_t number = 1000;
    struct store_report reports[16];
    enum store_outcome outcomes[16];
    for (size_t i = 0; i < count; i++) {
        reports[i] = make_report(number++, times[i]);
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_reports_put(tx, task_id(1), reports, count, outcomes));
    }
}

Test(job, pending_interval_is_exact) {
    const uint64_t times[] = {10, 20, 30, 40, 50, 60};
    const bool keep[] = {true, false, true};
    put_times(times, 6);
    cr_assert_eq(get_pending(10, 51).unassigned, 6);
    cr_assert_eq(get_pending(0, UINT64_MAX).unassigned, 6);
    cr_assert_eq(get_pending(20, 20).unassigned, 2, "the end is exclusive");
    cr_assert_eq(get_pending(21, 9).unassigned, 0);
    cr_assert_eq(get_pending(21, 10).unassigned, 1);
    cr_assert_eq(get_pending(61, 1000).unassigned, 0);
    cr_assert_eq(get_pending(10, 0).unassigned, 0);
    cr_assert_eq(get_pending(UINT64_MAX, 5).unassigned, 0);

    struct store_job job = create_job(3); /* 10, 20, 30 */
    cr_assert_eq(get_pending(10, 25).unassigned, 0, "a job's reports are assigned");
    cr_assert_eq(get_pending(35, 10).unassigned, 1);
    cr_assert_eq(get_pending(35, 10).jobs, 0);
    cr_assert_eq(get_pending(10, 1).jobs, 1);
    cr_assert_eq(get_pending(30, 1).jobs, 1);
    cr_assert_eq(get_pending(31, 5).jobs, 0);
    cr_assert_eq(get_pending(0, 10).jobs, 0);
    cr_assert_eq(get_pending(15, 10).jobs, 1, "only its middle lies inside");
    cr_assert_eq(get_pending(21, 9).jobs, 0, "it only reaches around");
    for (WRITE(tx)) {
        ASSERT_OK(store_job_fix(tx, &job, keep, 3, digest));
    }
    cr_assert_eq(get_pending(15, 10).jobs, 0, "what was dropped is not pending");
    cr_assert_eq(get_pending(0, 100).jobs, 1);
    for (WRITE(tx)) {
        ASSERT_OK(store_job_finish(tx, &job, NULL, 0));
    }
    cr_assert_eq(get_pending(0, 100).jobs, 0);
    cr_assert_eq(get_pending(0, 100).unassigned, 3);
}

Test(job, pending_interval_leaves_out_what_expired) {
    const uint64_t times[] = {EPOCH(1), EPOCH(2), EPOCH(3)};
    put_times(times, 3);
    for (WRITE(tx)) {
        ASSERT_OK(store_watermark_advance(tx, task_id(1), 2));
    }
    cr_assert_eq(get_pending(0, EPOCH(9)).unassigned, 2);
}

Test(job, pending_batch_counts_its_jobs) {
    uint8_t ids[2][STORE_BATCH_ID_SIZE] = {"one", "two"};
    struct store_job jobs[3];
    struct store_pending pending;
    put_reports(1, 4, 1000);
    for (WRITE(tx)) {
        for (int i = 0; i < 3; i++) {
            ASSERT_OK(store_job_create(tx, &fixture_arena, task_id(1), ids[i == 0], SPAN_EMPTY, 0, 1,
                                       fixture_now, fixture_now + MINUTE, &jobs[i]));
        }
        ASSERT_OK(store_pending_batch(tx, task_id(1), ids[0], &pending));
        cr_assert_eq(pending.jobs, 2);
        cr_assert_eq(pending.unassigned, 0);
        ASSERT_OK(store_job_finish(tx, &jobs[1], NULL, 0));
        ASSERT_OK(store_pending_batch(tx, task_id(1), ids[0], &pending));
        cr_assert_eq(pending.jobs, 1);
        ASSERT_OK(store_pending_batch(tx, task_id(1), ids[1], &pending));
        cr_assert_eq(pending.jobs, 1);
        ASSERT_OK(store_pending_batch(tx, task_id(2), ids[1], &pending));
        cr_assert_eq(pending.jobs, 0);
    }
}

/* ---- Many workers -------------------------------------------------------------------------- */

enum { WORKERS = 6, REPORTS = 600 };

/* A worker makes or claims jobs and finishes them; every other one it keeps
 * until its lease is gone and then tries to finish it anyway. */
struct worker {
    pthread_t thread;
    struct arena arena;
    struct store_job job;
    size_t finished;
    bool late;
};

static struct status worker_take(struct store_tx *tx, void *argument) {
    struct worker *worker = argument;
    int64_t lease_until = fixture_now + (worker->late ? 0 : MINUTE); /* 0: over at once */
    struct status status = store_job_claim(tx, &worker->arena, fixture_now, lease_until, &worker->job);
    if (status.code == STATUS_NOT_FOUND) {
        status = store_job_create(tx, &worker->arena, task_id(1), NULL, SPAN_EMPTY, 0, 7,
                                  fixture_now, lease_until, &worker->job);
    }
    return status;
}

static struct status worker_finish(struct store_tx *tx, void *argument) {
    struct worker *worker = argument;
    TRY(store_counter_add(tx, task_id(1), "finished", worker->job.member_count));
    return store_job_finish(tx, &worker->job, NULL, 0);
}

static void *worker_main(void *argument) {
    struct worker *worker = argument;
    for (unsigned turn = 0;; turn++) {
        worker->late = turn % 3 == 0;
        struct status status = store_run(fixture_store, STORE_WRITE, worker_take, worker);
        if (!status_ok(status)) {
            return NULL;
        }
        status = store_run(fixture_store, STORE_WRITE, worker_finish, worker);
        if (status_ok(status)) {
            worker->finished += worker->job.member_count;
        }
    }
}

Test(job, each_report_is_finished_once_by_many_workers) {
    struct worker workers[WORKERS] = {0};
    size_t finished = 0;
    struct store_counter *counters;
    size_t count;
    put_reports(1, REPORTS, 1000);
    for (int i = 0; i < WORKERS; i++) {
        workers[i].arena = ARENA_INIT;
        cr_assert_eq(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        finished += workers[i].finished;
        arena_release(&workers[i].arena);
    }
    cr_assert_eq(finished, REPORTS);
    cr_assert_eq(get_usage(1).reports, 0);
    for (READ(tx)) {
        ASSERT_OK(store_counter_list(tx, &fixture_arena, task_id(1), &counters, &count));
    }
    cr_assert_eq(count, 1);
    cr_assert_eq(counters[0].value, REPORTS, "a write-back that lost its lease counted");
}
