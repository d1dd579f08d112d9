/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

/*
 * A thousand small tasks beside one that has far more work than all of them.
 */
enum { TASKS = 1000, BUSY = TASKS, BACKLOG = 300, MINUTE = 60000000 };

static struct span number_id(uint32_t number) {
    static uint8_t id[STORE_TASK_ID_SIZE];
    memcpy(id, &number, sizeof number);
    return SPAN_OF_ARRAY(id);
}

static uint32_t number_of(const uint8_t task_id[STORE_TASK_ID_SIZE]) {
    uint32_t number;
    memcpy(&number, task_id, sizeof number);
    return number;
}

static void setup(void) {
    fixture_setup();
    for (WRITE(tx)) {
        struct store_peer peer = {.name = "helper", .dialect = "draft-18"};
        ASSERT_OK(store_peer_put(tx, &peer));
        for (uint32_t i = 0; i <= TASKS; i++) { /* the busy one last */
            struct store_task task = {.role = 2, .aggregator_peer = "helper"};
            memcpy(task.id, number_id(i).data, sizeof task.id);
            ASSERT_OK(store_task_put(tx, &task));
        }
    }
}

TestSuite(fairness, .init = setup, .fini = fixture_teardown);

/* Stores `count` segments of one report each in a task. */
static void put_segments(struct store_tx *tx, uint32_t task, uint32_t count) {
    static uint32_t number;
    for (uint32_t i = 0; i < count; i++) {
        struct store_report report = make_report(number++, 1000);
        enum store_outcome outcome;
        ASSERT_OK(store_reports_put(tx, number_id(task).data, &report, 1, &outcome));
        cr_assert_eq(outcome, STORE_NEW);
    }
}

/* A job of one report, leased until then. */
static void make_job(struct store_tx *tx, uint32_t task, int64_t lease_until) {
    struct store_job job;
    ASSERT_OK(store_job_create(tx, &fixture_arena, number_id(task).data, NULL, SPAN_EMPTY, 0, 1,
                               fixture_now, lease_until, &job));
}

/* The task of the job that is claimed, which is then leased. */
static uint32_t claim_task(struct store_tx *tx) {
    struct store_job job;
    ASSERT_OK(store_job_claim(tx, &fixture_arena, fixture_now, fixture_now + MINUTE, &job));
    return number_of(job.task_id);
}

Test(fairness, backlog_of_one_task_keeps_no_other_from_its_turn) {
    bool claimed[TASKS + 1] = {false};
    for (WRITE(tx)) {
        put_segments(tx, BUSY, BACKLOG);
        for (int i = 0; i < BACKLOG; i++) {
            make_job(tx, BUSY, 0); /* due longer than all others */
        }
        fixture_now++;
        for (uint32_t i = 0; i < TASKS; i++) {
            put_segments(tx, i, 1);
            make_job(tx, i, fixture_now);
        }
    }
    uint32_t small = 0;
    for (WRITE(tx)) {
        for (int i = 0; i < TASKS + 2; i++) {
            uint32_t task = claim_task(tx);
            small += task != BUSY && !claimed[task];
            claimed[task] = true;
        }
    }
    cr_assert_eq(small, TASKS, "only %u small tasks had a turn", small);
    cr_assert(claimed[BUSY]);
}

/* All but two have nothing but jobs that are leased; the wheel must pass them. */
Test(fairness, rare_job_is_found_among_leased_ones) {
    enum { RARE = TASKS / 2, CLAIMS = TASKS / 64 + 2 };
    bool found = false;
    for (WRITE(tx)) {
        put_segments(tx, BUSY, BACKLOG);
        for (int i = 0; i < BACKLOG; i++) {
            make_job(tx, BUSY, 0);
        }
        for (uint32_t i = 0; i < TASKS; i++) {
            put_segments(tx, i, 1);
            make_job(tx, i, fixture_now + (i == RARE ? 0 : MINUTE));
        }
        for (int i = 0; i < CLAIMS && !found; i++) {
            found = claim_task(tx) == RARE;
        }
    }
    cr_assert(found);
}

Test(fairness, resources_take_turns_too) {
    struct store_resource resource = {.kind = STORE_AGGREGATION_JOB};
    struct store_resource claimed;
    bool found;
    for (WRITE(tx)) {
        for (uint32_t i = 0; i < 20; i++) {
            resource.id[0] = resource.digest[0] = (uint8_t)i;
            memcpy(resource.task_id, number_id(i < 19 ? 1 : 2).data, sizeof resource.task_id);
            resource.retry_at = fixture_now - 20 + i;
            ASSERT_OK(
                store_resource_create(tx, &fixture_arena, &resource, 0, &claimed, &found));
        }
        uint32_t turns[3] = {0};
        for (int i = 0; i < 3; i++) {
            ASSERT_OK(store_resource_claim(tx, &fixture_arena, STORE_AGGREGATION_JOB, fixture_now,
                                           fixture_now + MINUTE, &claimed));
            turns[number_of(claimed.task_id)]++;
        }
        cr_assert_eq(turns[2], 1);
        cr_assert_eq(turns[1], 2);
        cr_assert_eq(claimed.id[0], 1, "within a task the longest due comes first");
    }
}

/* Who makes jobs sees each task once a turn, in looks of bounded size. */
Test(fairness, waiting_tasks_take_turns) {
    enum { LOOK = 64 };
    bool seen[TASKS + 1] = {false};
    uint64_t next = 0;
    size_t looks = 0;
    for (WRITE(tx)) {
        put_segments(tx, BUSY, 2 * STORE_WAITING_SEGMENTS);
        for (uint32_t i = 0; i < TASKS; i++) {
            put_segments(tx, i, 1 + i % 2);
        }
    }
    for (READ(tx)) {
        do {
            struct store_waiting *list;
            size_t count;
            ASSERT_OK(store_waiting_list(tx, &fixture_arena, next, fixture_now, LOOK, &list, &count,
                                         &next));
            for (size_t i = 0; i < count; i++) {
                uint32_t task = number_of(list[i].task_id);
                cr_assert_not(seen[task], "%u came twice", task);
                seen[task] = true;
                cr_assert_eq(list[i].unassigned,
                             task == BUSY ? STORE_WAITING_SEGMENTS : 1 + task % 2);
            }
            looks++;
        } while (next != 0);
    }
    cr_assert_eq(looks, TASKS / LOOK + 1);
    for (uint32_t i = 0; i <= TASKS; i++) {
        cr_assert(seen[i], "%u", i);
    }
}
