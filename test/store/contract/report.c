/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>

#include "store/fixture.h"

static void setup(void) {
    fixture_setup();
    for (WRITE(tx)) {
        make_task(tx, 1);
        make_task(tx, 2);
    }
}

TestSuite(report, .init = setup, .fini = fixture_teardown);

static enum store_outcome put_one(struct store_tx *tx, uint8_t task, struct store_report report) {
    enum store_outcome outcome;
    ASSERT_OK(store_reports_put(tx, task_id(task), &report, 1, &outcome));
    return outcome;
}

Test(report, is_stored_once_in_a_task) {
    for (WRITE(tx)) {
        cr_assert_eq(put_one(tx, 1, make_report(1, 1000)), STORE_NEW);
        cr_assert_eq(put_one(tx, 1, make_report(1, 1000)), STORE_REPLAYED);
        cr_assert_eq(put_one(tx, 1, make_report(1, 1001)), STORE_REPLAYED);
    }
    fixture_reopen();
    for (WRITE(tx)) {
        cr_assert_eq(put_one(tx, 1, make_report(1, 1000)), STORE_REPLAYED);
        cr_assert_eq(put_one(tx, 2, make_report(1, 1000)), STORE_NEW, "IDs belong to tasks");
    }
    cr_assert_eq(get_usage(1).reports, 1);
    cr_assert_eq(get_usage(2).reports, 1);
}

Test(report, is_recognised_in_every_other_epoch) {
    for (WRITE(tx)) {
        cr_assert_eq(put_one(tx, 1, make_report(1, EPOCH(5))), STORE_NEW);
        cr_assert_eq(put_one(tx, 1, make_report(2, EPOCH(6))), STORE_NEW);
        cr_assert_eq(put_one(tx, 1, make_report(3, EPOCH(9))), STORE_NEW);
    }
    for (WRITE(tx)) {
        for (uint64_t epoch = 0; epoch < 12; epoch++) {
            for (uint32_t number = 1; number <= 3; number++) {
                cr_assert_eq(put_one(tx, 1, make_report(number, EPOCH(epoch))), STORE_REPLAYED);
            }
        }
    }
    cr_assert_eq(get_usage(1).reports, 3);
}

Test(report, first_of_a_call_is_stored_and_its_copies_are_not) {
    struct store_report reports[] = {
        make_report(1, EPOCH(9)), make_report(2, EPOCH(3)), make_report(1, EPOCH(2)),
        make_report(1, EPOCH(9)), make_report(3, EPOCH(9)), make_report(2, EPOCH(4)),
    };
    enum store_outcome expected[] = {STORE_NEW,      STORE_NEW, STORE_REPLAYED,
                                     STORE_REPLAYED, STORE_NEW, STORE_REPLAYED};
    enum store_outcome outcomes[6];
    for (WRITE(tx)) {
        ASSERT_OK(store_reports_put(tx, task_id(1), reports, 6, outcomes));
    }
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(outcomes[i], expected[i], "report %d", i);
    }
    struct store_job job = create_job(10);
    struct store_member *members;
    size_t count;
    for (READ(tx)) {
        ASSERT_OK(store_job_members(tx, &fixture_arena, &job, &members, &count));
    }
    cr_assert_eq(count, 3);
    cr_assert_eq(job.time_min, EPOCH(3));
    cr_assert_eq(job.time_max, EPOCH(9));
}

Test(report, behind_the_watermark_is_expired) {
    struct store_report reports[] = {make_report(1, EPOCH(5) - 1), make_report(1, EPOCH(5)),
                                     make_report(2, EPOCH(6))};
    enum store_outcome outcomes[3];
    for (WRITE(tx)) {
        ASSERT_OK(store_watermark_advance(tx, task_id(1), 5));
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_reports_put(tx, task_id(1), reports, 3, outcomes));
    }
    cr_assert_eq(outcomes[0], STORE_EXPIRED);
    cr_assert_eq(outcomes[1], STORE_NEW, "an expired report isn't the first of its ID");
    cr_assert_eq(outcomes[2], STORE_NEW);
    cr_assert_eq(get_usage(1).reports, 2);
}

Test(report, unknown_task_and_impossible_time_change_nothing) {
    struct store_report reports[] = {make_report(1, 1000), make_report(2, UINT64_C(1) << 63)};
    enum store_outcome outcomes[2];
    for (WRITE(tx)) {
        ASSERT_FAIL(UNRECOGNIZED_TASK, store_reports_put(tx, task_id(9), reports, 1, outcomes));
        ASSERT_FAIL(INVALID_ARGUMENT, store_reports_put(tx, task_id(1), reports, 2, outcomes));
        ASSERT_OK(store_reports_put(tx, task_id(1), reports, 0, outcomes));
    }
    for (WRITE(tx)) {
        cr_assert_eq(put_one(tx, 1, reports[0]), STORE_NEW);
        reports[1].time--;
        cr_assert_eq(put_one(tx, 1, reports[1]), STORE_NEW);
    }
}

Test(report, comes_back_whole_and_in_order) {
    enum { COUNT = 3000 }; /* several segments */
    struct store_report *reports = calloc(COUNT, sizeof *reports);
    enum store_outcome *outcomes = calloc(COUNT, sizeof *outcomes);
    uint8_t *bodies = malloc(COUNT + 256);
    for (uint32_t i = 0; i < COUNT; i++) {
        reports[i] = make_report(i, EPOCH(4) + i % 7);
        reports[i].config_id = (uint8_t)(i % 11);
        reports[i].body = span_of(bodies + i, i % 200);
        bodies[i] = (uint8_t)(i * 31);
    }
    memset(bodies + COUNT, 0xee, 256);
    for (WRITE(tx)) {
        ASSERT_OK(store_reports_put(tx, task_id(1), reports, COUNT, outcomes));
    }
    uint32_t at = 0;
    while (at < COUNT) {
        struct store_job job = create_job(700);
        struct store_member *members;
        size_t count;
        for (READ(tx)) {
            ASSERT_OK(store_job_members(tx, &fixture_arena, &job, &members, &count));
        }
        cr_assert_eq(count, at + 700 <= COUNT ? 700 : COUNT - at);
        cr_assert_eq(job.member_count, count);
        for (size_t i = 0; i < count; i++, at++) {
            const struct store_report *got = &members[i].report;
            cr_assert_eq(memcmp(got->id, reports[at].id, STORE_ID_SIZE), 0, "report %u", at);
            cr_assert_eq(got->time, reports[at].time);
            cr_assert_eq(got->epoch, reports[at].epoch);
            cr_assert_eq(got->config_id, reports[at].config_id);
            cr_assert(span_equal_vartime(got->body, reports[at].body));
        }
    }
    free(bodies);
    free(outcomes);
    free(reports);
}

Test(report, bodies_may_be_large) {
    enum { BIG = 3 << 20 };
    uint8_t *big = calloc(1, BIG);
    struct store_report reports[] = {make_report(1, 5), make_report(2, 5), make_report(3, 5)};
    enum store_outcome outcomes[3];
    reports[1].body = span_of(big, BIG);
    for (WRITE(tx)) {
        ASSERT_OK(store_reports_put(tx, task_id(1), reports, 3, outcomes));
    }
    struct store_job job = create_job(3);
    struct store_member *members;
    size_t count;
    for (READ(tx)) {
        ASSERT_OK(store_job_members(tx, &fixture_arena, &job, &members, &count));
    }
    cr_assert_eq(count, 3);
    cr_assert_eq(members[1].report.body.len, BIG);
    free(big);
}

Test(report, usage_follows_each_step) {
    cr_assert_eq(get_usage(1).reports, 0);
    cr_assert_eq(get_usage(1).oldest_at, 0);
    int64_t first_at = fixture_now;
    put_reports(1, 10, 1000);
    fixture_now += 1000;
    put_reports(11, 10, 1000);
    struct store_usage usage = get_usage(1);
    cr_assert_eq(usage.reports, 20);
    cr_assert_eq(usage.unassigned, 20);
    cr_assert_eq(usage.oldest_at, first_at);
    cr_assert_geq(usage.bytes, 20 * (STORE_ID_SIZE + sizeof "body of 1" - 1));

    struct store_job job = create_job(10);
    cr_assert_eq(get_usage(1).reports, 20);
    cr_assert_eq(get_usage(1).unassigned, 10);
    cr_assert_eq(get_usage(1).oldest_at, fixture_now);
    cr_assert_eq(get_usage(1).bytes, usage.bytes);
    for (WRITE(tx)) {
        ASSERT_OK(store_job_finish(tx, &job, NULL, 0));
    }
    cr_assert_eq(get_usage(1).reports, 10);
    cr_assert_eq(get_usage(1).unassigned, 10);
    cr_assert_lt(get_usage(1).bytes, usage.bytes);

    job = create_job(100);
    for (WRITE(tx)) {
        ASSERT_OK(store_job_finish(tx, &job, NULL, 0));
    }
    usage = get_usage(1);
    cr_assert_eq(usage.reports, 0);
    cr_assert_eq(usage.unassigned, 0);
    cr_assert_eq(usage.bytes, 0);
    cr_assert_eq(usage.oldest_at, 0);
    cr_assert_eq(fixture_rows("segment"), 0);
    cr_assert_eq(fixture_rows("segment_body"), 0);
}

Test(report, waiting_tasks_come_one_after_another) {
    struct store_waiting *list;
    struct store_waiting one;
    size_t count;
    uint64_t next;
    for (WRITE(tx)) {
        make_task(tx, 3);
        cr_assert_eq(put_one(tx, 2, make_report(1, 1000)), STORE_NEW);
        fixture_now++;
        cr_assert_eq(put_one(tx, 2, make_report(2, EPOCH(1))), STORE_NEW);
        cr_assert_eq(put_one(tx, 1, make_report(1, 1000)), STORE_NEW);
        ASSERT_OK(store_waiting_list(tx, &fixture_arena, 0, fixture_now, 10, &list, &count, &next));
    }
    cr_assert_eq(count, 2);
    cr_assert_eq(next, 0);
    cr_assert_eq(list[0].task_id[0], 1);
    cr_assert_eq(list[0].oldest_at, fixture_now);
    cr_assert_eq(list[1].task_id[0], 2);
    cr_assert_eq(list[1].unassigned, 2);
    cr_assert_eq(list[1].oldest_at, fixture_now - 1);
    for (READ(tx)) {
        ASSERT_OK(store_waiting_list(tx, &fixture_arena, 0, fixture_now, 1, &list, &count, &next));
        cr_assert_eq(count, 1);
        cr_assert_eq(list[0].task_id[0], 1);
        cr_assert_eq(next, list[0].position);
        ASSERT_OK(
            store_waiting_list(tx, &fixture_arena, next, fixture_now, 9, &list, &count, &next));
        cr_assert_eq(count, 1);
        cr_assert_eq(list[0].task_id[0], 2);
        cr_assert_eq(next, 0);
        ASSERT_FAIL(UNRECOGNIZED_TASK, store_waiting_get(tx, task_id(9), fixture_now, &one));
        ASSERT_FAIL(NOT_FOUND, store_waiting_get(tx, task_id(3), fixture_now, &one));
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_watermark_advance(tx, task_id(2), 1));
        ASSERT_OK(store_waiting_get(tx, task_id(2), fixture_now, &one));
        cr_assert_eq(one.unassigned, 1, "what is expired isn't waited for");
        cr_assert_eq(one.oldest_at, fixture_now);
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_watermark_advance(tx, task_id(2), 2));
        ASSERT_FAIL(NOT_FOUND, store_waiting_get(tx, task_id(2), fixture_now, &one));
        ASSERT_OK(store_waiting_list(tx, &fixture_arena, 0, fixture_now, 2, &list, &count, &next));
    }
    cr_assert_eq(count, 1);
    cr_assert_eq(list[0].task_id[0], 1);
    cr_assert_neq(next, 0, "there may be more");
}

/* ---- Committed IDs ----------------------------------------------------------------- */

static struct store_committed committed(uint32_t number, uint64_t epoch) {
    struct store_committed id = {.epoch = epoch};
    memcpy(id.id, &number, sizeof number);
    return id;
}

Test(report, ids_are_committed_once) {
    struct store_committed ids[] = {committed(9, 3), committed(2, 3), committed(9, 4),
                                    committed(1, 1), committed(2, 3)};
    enum store_outcome outcomes[5];
    for (WRITE(tx)) {
        cr_assert_eq(put_one(tx, 1, make_report(1, EPOCH(3))), STORE_NEW);
        ASSERT_OK(store_watermark_advance(tx, task_id(1), 2));
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_ids_commit(tx, task_id(1), ids, 5, outcomes));
    }
    enum store_outcome expected[] = {STORE_NEW, STORE_NEW, STORE_REPLAYED, STORE_EXPIRED,
                                     STORE_REPLAYED};
    cr_assert_eq(memcmp(outcomes, expected, sizeof expected), 0);
    struct store_committed again[] = {committed(9, 7), committed(2, 3), committed(3, 3)};
    for (WRITE(tx)) {
        ASSERT_OK(store_ids_commit(tx, task_id(1), again, 3, outcomes));
        cr_assert_eq(outcomes[0], STORE_REPLAYED);
        cr_assert_eq(outcomes[1], STORE_REPLAYED);
        cr_assert_eq(outcomes[2], STORE_NEW);
        ASSERT_OK(store_ids_commit(tx, task_id(2), again, 1, outcomes));
        cr_assert_eq(outcomes[0], STORE_NEW);
    }
}

Test(report, uploading_commits_nothing_and_committing_uploads_nothing) {
    struct store_report report = make_report(1, EPOCH(3));
    struct store_committed id = {.epoch = 3};
    enum store_outcome outcome;
    memcpy(id.id, report.id, sizeof id.id);
    for (WRITE(tx)) {
        cr_assert_eq(put_one(tx, 1, report), STORE_NEW);
        ASSERT_OK(store_ids_commit(tx, task_id(1), &id, 1, &outcome));
        cr_assert_eq(outcome, STORE_NEW);
        ASSERT_OK(store_ids_commit(tx, task_id(2), &id, 1, &outcome));
        cr_assert_eq(outcome, STORE_NEW);
        cr_assert_eq(put_one(tx, 2, report), STORE_NEW);
    }
}

/* ---- Looking at them ------------------------------------------------------------------ */

Test(report, committed_ids_are_listed_page_by_page) {
    struct store_committed ids[5];
    enum store_outcome outcomes[5];
    for (uint32_t i = 0; i < 5; i++) {
        struct store_report report = make_report(i, 0);
        ids[i].epoch = i / 2;
        memcpy(ids[i].id, report.id, sizeof ids[i].id);
    }
    put_reports(10, 3, 0); /* uploaded, and not committed */
    for (WRITE(tx)) {
        for (size_t i = 0; i < 5; i++) {
            ASSERT_OK(store_ids_commit(tx, task_id(1), &ids[i], 1, &outcomes[i]));
        }
    }
    size_t seen = 0;
    for (READ(tx)) {
        struct store_committed last;
        struct store_committed *page;
        size_t count;
        for (seen = 0;; seen += count, last = page[count - 1]) {
            ASSERT_OK(store_ids_list(tx, &fixture_arena, task_id(1), seen == 0 ? NULL : &last, 2,
                                     &page, &count));
            if (count == 0) {
                break;
            }
            cr_assert_eq(count, seen == 4 ? 1 : 2);
            cr_assert(seen == 0 || page[0].epoch > last.epoch ||
                          memcmp(page[0].id, last.id, sizeof last.id) > 0,
                      "in order");
        }
        ASSERT_OK(store_ids_list(tx, &fixture_arena, task_id(2), NULL, 2, &page, &count));
        cr_assert_eq(count, 0);
    }
    cr_assert_eq(seen, 5);
}

Test(report, a_leader_notes_ids_and_looks_at_them_until_they_expire) {
    struct store_committed ids[] = {committed(9, 3), committed(2, 4), committed(1, 1)};
    struct store_committed later = committed(7, 5);
    enum store_outcome outcomes[3];
    for (WRITE(tx)) {
        cr_assert_eq(put_one(tx, 1, make_report(1, EPOCH(3))), STORE_NEW);
        ASSERT_OK(store_watermark_advance(tx, task_id(1), 2));
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_ids_note(tx, task_id(1), ids, 3, outcomes));
        cr_assert_eq(outcomes[0], STORE_NEW);
        cr_assert_eq(outcomes[1], STORE_NEW);
        cr_assert_eq(outcomes[2], STORE_EXPIRED);
        ASSERT_OK(store_ids_note(tx, task_id(1), &ids[2], 1, outcomes)); /* none is left */
        ASSERT_OK(store_ids_note(tx, task_id(1), &later, 1, outcomes));
    }
    for (READ(tx)) {
        struct store_note place = {0};
        struct store_committed *page;
        size_t count;
        ASSERT_OK(store_notes_next(tx, &fixture_arena, task_id(1), &place, &page, &count));
        cr_assert_eq(count, 2);
        cr_assert_eq(memcmp(page[0].id, ids[1].id, sizeof ids[1].id), 0);
        cr_assert_eq(memcmp(page[1].id, ids[0].id, sizeof ids[0].id), 0);
        ASSERT_OK(store_notes_next(tx, &fixture_arena, task_id(1), &place, &page, &count));
        cr_assert_eq(count, 1);
        cr_assert_eq(memcmp(page[0].id, later.id, sizeof later.id), 0);
        ASSERT_OK(store_notes_next(tx, &fixture_arena, task_id(1), &place, &page, &count));
        cr_assert_eq(count, 0);
        place = (struct store_note){0};
        ASSERT_OK(store_notes_next(tx, &fixture_arena, task_id(2), &place, &page, &count));
        cr_assert_eq(count, 0);
    }
    for (WRITE(tx)) {
        size_t deleted;
        ASSERT_OK(store_watermark_advance(tx, task_id(1), 5));
        ASSERT_OK(store_expire(tx, task_id(1), 0, 100, &deleted));
    }
    cr_assert_eq(fixture_rows("noted_ids"), 1);
}

/* ---- Many at once --------------------------------------------------------------------- */

enum { THREADS = 8, CALLS = 20, PER_CALL = 10 };

struct uploader {
    uint32_t number;
    size_t stored;
};

struct upload {
    struct store_report reports[PER_CALL];
    enum store_outcome outcomes[PER_CALL];
};

static struct status upload_run(struct store_tx *tx, void *argument) {
    struct upload *upload = argument;
    return store_reports_put(tx, task_id(1), upload->reports, PER_CALL, upload->outcomes);
}

/* Half of each thread's reports are sent by its neighbour too, some of them with
 * a time in another epoch. */
static void *uploader_main(void *argument) {
    struct uploader *uploader = argument;
    for (uint32_t call = 0; call < CALLS; call++) {
        struct upload upload;
        for (uint32_t i = 0; i < PER_CALL; i++) {
            uint32_t number = (uploader->number * CALLS / 2 + call) * PER_CALL + i;
            upload.reports[i] = make_report(number, EPOCH(1 + (number + uploader->number) % 3));
            upload.reports[i].body = SPAN_OF_LITERAL("body");
        }
        struct status status = store_run(fixture_store, STORE_WRITE, upload_run, &upload);
        for (uint32_t i = 0; status_ok(status) && i < PER_CALL; i++) {
            uploader->stored += upload.outcomes[i] == STORE_NEW;
        }
    }
    return NULL;
}

Test(report, concurrent_uploads_store_each_once) {
    pthread_t threads[THREADS];
    struct uploader uploaders[THREADS];
    size_t stored = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        uploaders[i] = (struct uploader){i, 0};
        cr_assert_eq(pthread_create(&threads[i], NULL, uploader_main, &uploaders[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        stored += uploaders[i].stored;
    }
    size_t distinct = (THREADS * CALLS / 2 + CALLS / 2) * PER_CALL;
    cr_assert_eq(stored, distinct);
    cr_assert_eq(get_usage(1).reports, distinct);
    struct store_job job = create_job(2 * distinct);
    cr_assert_eq(job.member_count, distinct);
}
