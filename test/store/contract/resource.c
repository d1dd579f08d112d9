/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>

#include "store/fixture.h"

static void setup(void) {
    fixture_setup();
    for (WRITE(tx)) {
        make_task(tx, 1);
        make_task(tx, 2);
    }
}

TestSuite(resource, .init = setup, .fini = fixture_teardown);

enum { MINUTE = 60 * 1000000 };

static struct store_resource make(uint8_t id, const char *digest) {
    struct store_resource resource = {
        .id = {id},
        .kind = STORE_AGGREGATION_JOB,
        .request = SPAN_OF_LITERAL("request"),
        .note = SPAN_OF_LITERAL("note"),
        .created_at = fixture_now,
        .retry_at = fixture_now,
    };
    memcpy(resource.task_id, task_id(1), sizeof resource.task_id);
    snprintf((char *)resource.digest, sizeof resource.digest, "%s", digest);
    return resource;
}

static bool create(struct store_tx *tx, const struct store_resource *resource, int64_t lease_until,
                   struct store_resource *out) {
    bool found;
    ASSERT_OK(store_resource_create(tx, &fixture_arena, resource, lease_until, out, &found));
    return found;
}

static struct store_resource get(struct store_tx *tx, uint8_t id) {
    struct store_resource out;
    uint8_t bytes[STORE_ID_SIZE] = {id};
    ASSERT_OK(store_resource_get(tx, &fixture_arena, task_id(1), STORE_AGGREGATION_JOB, bytes,
                                 &out));
    return out;
}

static struct status claim(struct store_tx *tx, struct store_resource *out) {
    return store_resource_claim(tx, &fixture_arena, STORE_AGGREGATION_JOB, fixture_now,
                                fixture_now + MINUTE, out);
}

Test(resource, same_body_finds_the_live_one) {
    struct store_resource first = make(1, "body");
    struct store_resource second;
    struct store_resource out;
    for (WRITE(tx)) {
        cr_assert_not(create(tx, &first, 0, &out));
        cr_assert_eq(out.id[0], 1);
    }
    fixture_reopen();
    for (WRITE(tx)) {
        second = make(2, "body");
        second.request = SPAN_OF_LITERAL("unused");
        cr_assert(create(tx, &second, 0, &out));
        cr_assert_eq(out.id[0], 1);
        cr_assert(span_equal_vartime(out.request, first.request));
        cr_assert(span_equal_vartime(out.note, first.note));
        cr_assert_eq(memcmp(out.digest, first.digest, sizeof out.digest), 0);
        cr_assert_eq(out.created_at, fixture_now);
        struct store_resource none;
        ASSERT_FAIL(NOT_FOUND, store_resource_get(tx, &fixture_arena, task_id(1),
                                                  STORE_AGGREGATION_JOB, second.id, &none));
        /* Another kind, another task, another body. */
        second.kind = STORE_COLLECTION_JOB;
        cr_assert_not(create(tx, &second, 0, &out));
        second.kind = STORE_AGGREGATION_JOB;
        memcpy(second.task_id, task_id(2), sizeof second.task_id);
        cr_assert_not(create(tx, &second, 0, &out));
        struct store_resource third = make(3, "another body");
        cr_assert_not(create(tx, &third, 0, &out));
    }
}

Test(resource, id_that_is_taken_conflicts) {
    struct store_resource first = make(1, "body");
    struct store_resource out;
    bool found;
    for (WRITE(tx)) {
        struct store_resource second = make(1, "another body");
        cr_assert_not(create(tx, &first, 0, &out));
        ASSERT_FAIL(CONFLICT,
                    store_resource_create(tx, &fixture_arena, &second, 0, &out, &found));
        ASSERT_OK(store_resource_delete(tx, task_id(1), STORE_AGGREGATION_JOB, first.id));
        ASSERT_FAIL(CONFLICT, store_resource_create(tx, &fixture_arena, &first, 0, &out, &found));
        memcpy(second.task_id, task_id(2), sizeof second.task_id);
        cr_assert_not(create(tx, &second, 0, &out));
        memcpy(second.task_id, task_id(9), sizeof second.task_id);
        ASSERT_FAIL(UNRECOGNIZED_TASK,
                    store_resource_create(tx, &fixture_arena, &second, 0, &out, &found));
    }
}

Test(resource, failure_and_deletion_end_liveness_and_readiness_does_not) {
    struct store_resource out;
    struct store_resource again = make(9, "body");
    for (WRITE(tx)) {
        struct store_resource first = make(1, "body");
        cr_assert_not(create(tx, &first, 0, &out));
        out.state = STORE_RESOURCE_READY;
        ASSERT_OK(store_resource_update(tx, &out, 0));
        cr_assert(create(tx, &again, 0, &out));
        out.state = STORE_RESOURCE_FAILED;
        out.problem = STATUS_BATCH_MISMATCH;
        ASSERT_OK(store_resource_update(tx, &out, 0));
        ASSERT_FAIL(LEASE_LOST, store_resource_update(tx, &out, 0));
        cr_assert_eq(get(tx, 1).problem, STATUS_BATCH_MISMATCH, "its failure can be asked for");

        struct store_resource second = make(2, "body");
        cr_assert_not(create(tx, &second, 0, &out));
        ASSERT_OK(store_resource_delete(tx, task_id(1), STORE_AGGREGATION_JOB, second.id));
        struct store_resource deleted = get(tx, 2);
        cr_assert_eq(deleted.state, STORE_RESOURCE_DELETED);
        cr_assert_eq(deleted.request.len, 0);
        cr_assert_eq(deleted.response.len, 0);
        cr_assert_eq(deleted.note.len, 0);
        cr_assert_not(create(tx, &again, 0, &out));
        uint8_t nobody[STORE_ID_SIZE] = {77};
        ASSERT_FAIL(NOT_FOUND,
                    store_resource_delete(tx, task_id(1), STORE_AGGREGATION_JOB, nobody));
    }
}

Test(resource, is_found_by_its_body_while_it_lives) {
    struct store_resource resource = make(1, "body");
    struct store_resource other = make(2, "another body");
    struct store_resource out;
    for (WRITE(tx)) {
#define FIND(task, kind, body) \
    store_resource_find(tx, &fixture_arena, task_id(task), kind, (body).digest, &out)
        ASSERT_FAIL(NOT_FOUND, FIND(1, STORE_AGGREGATION_JOB, resource));
        cr_assert_not(create(tx, &resource, 0, &out));
        cr_assert_not(create(tx, &other, 0, &out));
        ASSERT_OK(FIND(1, STORE_AGGREGATION_JOB, resource));
        cr_assert_eq(out.id[0], 1);
        ASSERT_FAIL(NOT_FOUND, FIND(1, STORE_COLLECTION_JOB, resource));
        ASSERT_FAIL(NOT_FOUND, FIND(2, STORE_AGGREGATION_JOB, resource));
        ASSERT_FAIL(UNRECOGNIZED_TASK, FIND(9, STORE_AGGREGATION_JOB, resource));
        ASSERT_OK(store_resource_delete(tx, task_id(1), STORE_AGGREGATION_JOB, resource.id));
        ASSERT_FAIL(NOT_FOUND, FIND(1, STORE_AGGREGATION_JOB, resource));
    }
}

Test(resource, update_writes_what_it_says) {
    struct store_resource out;
    struct store_resource resource = make(1, "body");
    for (WRITE(tx)) {
        cr_assert_not(create(tx, &resource, 0, &out));
        out.state = STORE_RESOURCE_READY;
        out.request = SPAN_EMPTY;
        out.response = SPAN_OF_LITERAL("response");
        out.note = SPAN_OF_LITERAL("another note");
        out.config_ids = SPAN_OF_LITERAL("ids");
        out.step = 3;
        memset(out.step_digest, 7, sizeof out.step_digest);
        out.problem = STATUS_TIMEOUT;
        out.retry_at = 12345;
        ASSERT_OK(store_resource_update(tx, &out, 0));
    }
    struct store_resource got;
    for (READ(tx)) {
        got = get(tx, 1);
    }
    cr_assert_eq(got.state, STORE_RESOURCE_READY);
    cr_assert_eq(got.request.len, 0);
    cr_assert(span_equal_vartime(got.response, SPAN_OF_LITERAL("response")));
    cr_assert(span_equal_vartime(got.note, SPAN_OF_LITERAL("another note")));
    cr_assert(span_equal_vartime(got.config_ids, SPAN_OF_LITERAL("ids")));
    cr_assert_eq(got.step, 3);
    cr_assert_eq(memcmp(got.step_digest, out.step_digest, sizeof got.step_digest), 0);
    cr_assert_eq(got.problem, STATUS_TIMEOUT);
    cr_assert_eq(got.retry_at, 12345);
}

Test(resource, is_leased_to_one) {
    struct store_resource maker;
    struct store_resource worker;
    struct store_resource other;
    struct store_resource resource = make(1, "body");
    for (WRITE(tx)) {
        cr_assert_not(create(tx, &resource, fixture_now + MINUTE, &maker));
        cr_assert_eq(maker.attempts, 1);
        ASSERT_FAIL(NOT_FOUND, claim(tx, &other));
        fixture_now += MINUTE;
        ASSERT_OK(claim(tx, &worker));
        cr_assert_eq(worker.attempts, 2);
        cr_assert(span_equal_vartime(worker.note, resource.note));
        ASSERT_FAIL(NOT_FOUND, claim(tx, &other));
        ASSERT_FAIL(LEASE_LOST, store_resource_update(tx, &maker, 0));
        worker.retry_at = fixture_now + 10;
        ASSERT_OK(store_resource_update(tx, &worker, 0));
        ASSERT_FAIL(NOT_FOUND, claim(tx, &other));
        fixture_now += 10;
        ASSERT_OK(claim(tx, &worker));
        /* Kept. */
        ASSERT_OK(store_resource_update(tx, &worker, fixture_now + MINUTE));
        ASSERT_FAIL(NOT_FOUND, claim(tx, &other));
        /* The owner's DELETE wins over the worker. */
        ASSERT_OK(store_resource_delete(tx, task_id(1), STORE_AGGREGATION_JOB, worker.id));
        ASSERT_FAIL(LEASE_LOST, store_resource_update(tx, &worker, 0));
        fixture_now += 2 * MINUTE;
        ASSERT_FAIL(NOT_FOUND, claim(tx, &other));
    }
}

Test(resource, without_lease_is_claimed_when_due_by_kind) {
    struct store_resource out;
    struct store_resource later = make(1, "later");
    struct store_resource sooner = make(2, "sooner");
    struct store_resource other = make(3, "other");
    later.retry_at = fixture_now + 2;
    sooner.retry_at = fixture_now + 1;
    other.kind = STORE_COLLECTION_JOB;
    for (WRITE(tx)) {
        cr_assert_not(create(tx, &later, 0, &out));
        cr_assert_not(create(tx, &sooner, 0, &out));
        cr_assert_not(create(tx, &other, 0, &out));
        cr_assert_eq(out.attempts, 0);
        ASSERT_FAIL(NOT_FOUND, claim(tx, &out));
    }
    fixture_now += 5;
    for (WRITE(tx)) {
        ASSERT_OK(claim(tx, &out));
        cr_assert_eq(out.id[0], 2);
        out.state = STORE_RESOURCE_READY;
        ASSERT_OK(store_resource_update(tx, &out, 0));
        ASSERT_OK(claim(tx, &out));
        cr_assert_eq(out.id[0], 1);
        ASSERT_FAIL(NOT_FOUND, claim(tx, &out));
        ASSERT_OK(store_resource_claim(tx, &fixture_arena, STORE_COLLECTION_JOB, fixture_now,
                                       fixture_now + 1, &out));
        cr_assert_eq(out.id[0], 3);
    }
}

Test(resource, are_listed_by_state) {
    struct store_resource *list;
    struct store_resource out;
    size_t count;
    for (WRITE(tx)) {
        for (uint8_t i = 1; i <= 5; i++) {
            char digest[2] = {(char)('a' + i), 0};
            struct store_resource resource = make(i, digest);
            cr_assert_not(create(tx, &resource, 0, &out));
            if (i % 2 == 0) {
                out.state = STORE_RESOURCE_READY;
                ASSERT_OK(store_resource_update(tx, &out, 0));
            }
        }
        ASSERT_OK(store_resource_list(tx, &fixture_arena, task_id(1), STORE_AGGREGATION_JOB,
                                      STORE_RESOURCE_PENDING, &list, &count));
        cr_assert_eq(count, 3);
        cr_assert_eq(list[0].id[0], 1);
        cr_assert_eq(list[1].id[0], 3);
        cr_assert_eq(list[2].id[0], 5);
        ASSERT_OK(store_resource_list(tx, &fixture_arena, task_id(1), STORE_COLLECTION_JOB,
                                      STORE_RESOURCE_PENDING, &list, &count));
        cr_assert_eq(count, 0);
    }
}

/* ---- Many at once --------------------------------------------------------------------- */

enum { THREADS = 8, BODIES = 20 };

struct creator {
    pthread_t thread;
    uint8_t number, body;
    struct arena arena;
    size_t made;
    bool found;
};

static struct status creator_run(struct store_tx *tx, void *argument) {
    struct creator *creator = argument;
    char digest[3] = {(char)('a' + creator->body), 0, 0};
    struct store_resource resource = make((uint8_t)(creator->number * BODIES + creator->body), digest);
    return store_resource_create(tx, &creator->arena, &resource, 0, &resource, &creator->found);
}

static void *creator_main(void *argument) {
    struct creator *creator = argument;
    for (creator->body = 0; creator->body < BODIES; creator->body++) {
        struct status status = store_run(fixture_store, STORE_WRITE, creator_run, creator);
        creator->made += status_ok(status) && !creator->found;
    }
    arena_release(&creator->arena);
    return NULL;
}

Test(resource, concurrent_creation_makes_one_for_each_body) {
    struct creator creators[THREADS] = {0};
    size_t made = 0;
    for (uint8_t i = 0; i < THREADS; i++) {
        creators[i].number = i;
        creators[i].arena = ARENA_INIT;
        pthread_create(&creators[i].thread, NULL, creator_main, &creators[i]);
    }
    for (uint8_t i = 0; i < THREADS; i++) {
        pthread_join(creators[i].thread, NULL);
        made += creators[i].made;
    }
    cr_assert_eq(made, BODIES);
    cr_assert_eq(fixture_rows("resource"), BODIES);
}
