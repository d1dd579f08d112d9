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

TestSuite(bucket, .init = setup, .fini = fixture_teardown);

static const uint8_t digest[STORE_DIGEST_SIZE] = "one parameter";
static const uint8_t other_digest[STORE_DIGEST_SIZE] = "another parameter";

/* Eight big-endian bytes, of numbers below 256 * 256. */
static struct span key_of(unsigned time) {
    static uint8_t keys[4][8];
    static unsigned next;
    uint8_t *key = keys[next++ % 4];
    key[6] = (uint8_t)(time >> 8);
    key[7] = (uint8_t)time;
    return span_of(key, 8);
}

static void put(struct store_tx *tx, uint8_t task, unsigned time, unsigned shard,
                const uint8_t *param) {
    struct store_bucket bucket = {.key = key_of(time),
                                  .agg_share = SPAN_OF_LITERAL("an aggregate share"),
                                  .report_count = time,
                                  .checksum = "checksum",
                                  .time_min = time,
                                  .time_max = time + 1};
    ASSERT_OK(store_bucket_put(tx, task_id(task), param, shard, &bucket));
}

Test(bucket, is_what_was_put_last) {
    struct store_bucket bucket;
    for (WRITE(tx)) {
        ASSERT_FAIL(NOT_FOUND, store_bucket_get(tx, &fixture_arena, task_id(1), key_of(5), digest,
                                                0, &bucket));
        put(tx, 1, 5, 0, digest);
        struct store_bucket second = {.key = key_of(5),
                                      .agg_share = SPAN_OF_LITERAL("second"),
                                      .report_count = 77,
                                      .checksum = "CHECKSUM",
                                      .time_min = 3,
                                      .time_max = 9};
        ASSERT_OK(store_bucket_put(tx, task_id(1), digest, 0, &second));
    }
    for (READ(tx)) {
        ASSERT_OK(
            store_bucket_get(tx, &fixture_arena, task_id(1), key_of(5), digest, 0, &bucket));
        struct store_bucket none;
        ASSERT_FAIL(NOT_FOUND,
                    store_bucket_get(tx, &fixture_arena, task_id(1), key_of(5), digest, 1, &none));
        ASSERT_FAIL(NOT_FOUND, store_bucket_get(tx, &fixture_arena, task_id(1), key_of(5),
                                                other_digest, 0, &none));
        ASSERT_FAIL(NOT_FOUND,
                    store_bucket_get(tx, &fixture_arena, task_id(2), key_of(5), digest, 0, &none));
    }
    cr_assert(span_equal_vartime(bucket.key, key_of(5)));
    cr_assert(span_equal_vartime(bucket.agg_share, SPAN_OF_LITERAL("second")));
    cr_assert_eq(bucket.report_count, 77);
    cr_assert_eq(memcmp(bucket.checksum, "CHECKSUM", 9), 0);
    cr_assert_eq(bucket.time_min, 3);
    cr_assert_eq(bucket.time_max, 9);
}

Test(bucket, range_has_every_shard_within_its_ends) {
    struct store_bucket *list;
    size_t count;
    for (WRITE(tx)) {
        put(tx, 1, 255, 0, digest);
        put(tx, 1, 256, 1, digest);
        put(tx, 1, 256, 0, digest);
        put(tx, 1, 300, 0, digest);
        put(tx, 1, 301, 0, digest);
        put(tx, 1, 300, 0, other_digest);
        put(tx, 2, 300, 0, digest);
        ASSERT_OK(store_bucket_range(tx, &fixture_arena, task_id(1), key_of(256), key_of(300),
                                     digest, &list, &count));
    }
    cr_assert_eq(count, 3);
    cr_assert_eq(list[0].report_count, 256);
    cr_assert_eq(list[1].report_count, 256);
    cr_assert_eq(list[2].report_count, 300);
    cr_assert(span_equal_vartime(list[2].agg_share, SPAN_OF_LITERAL("an aggregate share")));
}

Test(bucket, other_parameter_is_found) {
    bool found;
    for (WRITE(tx)) {
        put(tx, 1, 10, 0, digest);
        put(tx, 1, 20, 0, other_digest);
        ASSERT_OK(store_bucket_other_param(tx, task_id(1), key_of(10), key_of(19), digest, &found));
        cr_assert_not(found);
        ASSERT_OK(store_bucket_other_param(tx, task_id(1), key_of(10), key_of(20), digest, &found));
        cr_assert(found);
        ASSERT_OK(
            store_bucket_other_param(tx, task_id(1), key_of(0), key_of(5), other_digest, &found));
        cr_assert_not(found);
        ASSERT_OK(store_bucket_other_param(tx, task_id(2), key_of(0), key_of(50), digest, &found));
        cr_assert_not(found);
    }
}

/* ---- Marks ------------------------------------------------------------------------- */

static bool overlaps(struct store_tx *tx, uint8_t task, uint64_t start, uint64_t duration) {
    bool found;
    ASSERT_OK(store_collected_interval_overlaps(tx, task_id(task), start, duration, &found));
    return found;
}

Test(bucket, intervals_are_collected_once) {
    struct store_interval *list;
    size_t count;
    for (WRITE(tx)) {
        cr_assert_not(overlaps(tx, 1, 0, 1000));
        ASSERT_OK(store_collected_interval_put(tx, task_id(1), 100, 10));
        ASSERT_OK(store_collected_interval_put(tx, task_id(1), 120, 10));
        ASSERT_OK(store_collected_interval_put(tx, task_id(1), 110, 10));
    }
    fixture_reopen();
    for (WRITE(tx)) {
        const struct store_interval over[] = {{100, 10}, {99, 2},   {109, 1},  {0, 101},
                                              {0, 1000}, {105, 20}, {129, 50}, {115, 1}};
        for (size_t i = 0; i < sizeof over / sizeof over[0]; i++) {
            cr_assert(overlaps(tx, 1, over[i].start, over[i].duration));
            ASSERT_FAIL(CONFLICT, store_collected_interval_put(tx, task_id(1), over[i].start,
                                                               over[i].duration));
        }
        cr_assert_not(overlaps(tx, 1, 99, 1));
        cr_assert_not(overlaps(tx, 1, 130, 1));
        cr_assert_not(overlaps(tx, 2, 100, 10));
        ASSERT_OK(store_collected_interval_put(tx, task_id(1), 99, 1));
        ASSERT_FAIL(INVALID_ARGUMENT, store_collected_interval_put(tx, task_id(1), 5, 0));
        ASSERT_FAIL(INVALID_ARGUMENT,
                    store_collected_interval_put(tx, task_id(1), UINT64_MAX, 2));
        ASSERT_FAIL(INVALID_ARGUMENT,
                    store_collected_interval_put(tx, task_id(1), 5, UINT64_C(1) << 63));
        ASSERT_OK(store_collected_intervals(tx, &fixture_arena, task_id(1), &list, &count));
    }
    cr_assert_eq(count, 4);
    cr_assert_eq(list[0].start, 99);
    cr_assert_eq(list[0].duration, 1);
    cr_assert_eq(list[1].start, 100);
    cr_assert_eq(list[1].duration, 10);
}

Test(bucket, collecting_drops_the_shares_inside_and_keeps_the_counts) {
    struct store_bucket *list;
    size_t count;
    for (WRITE(tx)) {
        for (unsigned time = 100; time <= 140; time += 10) {
            put(tx, 1, time, 0, digest);
        }
        put(tx, 2, 120, 0, digest);
        ASSERT_OK(store_collected_interval_put(tx, task_id(1), 110, 20));
        ASSERT_OK(store_bucket_range(tx, &fixture_arena, task_id(1), key_of(0), key_of(999),
                                     digest, &list, &count));
    }
    cr_assert_eq(count, 5);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(list[i].report_count, 100 + 10 * i);
        cr_assert_eq(list[i].agg_share.len == 0, i == 1 || i == 2, "bucket %zu", i);
    }
    for (READ(tx)) {
        ASSERT_OK(store_bucket_range(tx, &fixture_arena, task_id(2), key_of(0), key_of(999),
                                     digest, &list, &count));
        cr_assert_neq(list[0].agg_share.len, 0);
    }
}

Test(bucket, batches_are_collected_once) {
    uint8_t one[STORE_BATCH_ID_SIZE] = "one";
    uint8_t two[STORE_BATCH_ID_SIZE] = "two";
    struct store_bucket bucket = {.agg_share = SPAN_OF_LITERAL("share")};
    bool found;
    for (WRITE(tx)) {
        bucket.key = SPAN_OF_ARRAY(one);
        ASSERT_OK(store_bucket_put(tx, task_id(1), digest, 0, &bucket));
        bucket.key = SPAN_OF_ARRAY(two);
        ASSERT_OK(store_bucket_put(tx, task_id(1), digest, 0, &bucket));
        ASSERT_OK(store_collected_batch_put(tx, task_id(1), one));
    }
    fixture_reopen();
    for (WRITE(tx)) {
        ASSERT_FAIL(CONFLICT, store_collected_batch_put(tx, task_id(1), one));
        ASSERT_OK(store_collected_batch_has(tx, task_id(1), one, &found));
        cr_assert(found);
        ASSERT_OK(store_collected_batch_has(tx, task_id(1), two, &found));
        cr_assert_not(found);
        ASSERT_OK(store_collected_batch_has(tx, task_id(2), one, &found));
        cr_assert_not(found);
        ASSERT_OK(store_bucket_get(tx, &fixture_arena, task_id(1), SPAN_OF_ARRAY(one), digest, 0,
                                   &bucket));
        cr_assert_eq(bucket.agg_share.len, 0);
        ASSERT_OK(store_bucket_get(tx, &fixture_arena, task_id(1), SPAN_OF_ARRAY(two), digest, 0,
                                   &bucket));
        cr_assert_eq(bucket.agg_share.len, 5);
    }
}

/* ---- Batches of the leader ----------------------------------------------------------- */

Test(bucket, batches_are_listed_by_state_oldest_first) {
    struct store_batch *list;
    struct store_batch batch;
    size_t count;
    for (WRITE(tx)) {
        for (uint8_t i = 0; i < 4; i++) {
            batch = (struct store_batch){.id = {i}, .assigned = i, .opened_at = 100 - i};
            ASSERT_OK(store_batch_put(tx, task_id(1), &batch));
        }
        batch.id[0] = 2;
        batch.state = STORE_BATCH_COLLECTING;
        batch.assigned = 50;
        batch.opened_at = 98;
        ASSERT_OK(store_batch_put(tx, task_id(1), &batch));
        ASSERT_OK(store_batch_list(tx, &fixture_arena, task_id(1), STORE_BATCH_OPEN, &list,
                                   &count));
        cr_assert_eq(count, 3);
        cr_assert_eq(list[0].id[0], 3);
        cr_assert_eq(list[1].id[0], 1);
        cr_assert_eq(list[2].id[0], 0);
        cr_assert_eq(list[0].assigned, 3);
        struct store_batch got;
        ASSERT_OK(store_batch_get(tx, task_id(1), batch.id, &got));
        cr_assert_eq(got.state, STORE_BATCH_COLLECTING);
        cr_assert_eq(got.assigned, 50);
        cr_assert_eq(got.opened_at, 98);
        ASSERT_FAIL(NOT_FOUND, store_batch_get(tx, task_id(2), batch.id, &got));
    }
}

/* ---- Many at once ------------------------------------------------------------------------ */

enum { THREADS = 8, TURNS = 50 };

/* Reads, adds one, writes back: lost if transactions weren't serialisable. */
static struct status bucket_increment(struct store_tx *tx, void *argument) {
    struct arena *arena = argument;
    static const uint8_t key[8] = {1};
    struct store_bucket bucket = {.key = SPAN_OF_ARRAY(key), .agg_share = SPAN_OF_LITERAL("share")};
    struct status status =
        store_bucket_get(tx, arena, task_id(1), bucket.key, digest, 0, &bucket);
    if (!status_ok(status) && status.code != STATUS_NOT_FOUND) {
        return status;
    }
    bucket.report_count++;
    return store_bucket_put(tx, task_id(1), digest, 0, &bucket);
}

static void *incrementer_main(void *argument) {
    struct arena arena = ARENA_INIT;
    for (int i = 0; i < TURNS; i++) {
        struct status status = store_run(argument, STORE_WRITE, bucket_increment, &arena);
        arena_release(&arena);
        if (!status_ok(status)) {
            return NULL; /* the count tells */
        }
    }
    return NULL;
}

Test(bucket, concurrent_increments_all_count) {
    pthread_t threads[THREADS];
    struct store *second; /* as another process would open it */
    struct store_options options = fixture_options();
    struct store_bucket *list;
    size_t count;
    ASSERT_OK(store_open(fixture_url(), &options, &second));
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, incrementer_main,
                                    i % 2 == 0 ? fixture_store : second),
                     0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    store_close(second);
    uint8_t last[8] = {2};
    for (READ(tx)) {
        ASSERT_OK(store_bucket_range(tx, &fixture_arena, task_id(1), key_of(0),
                                     SPAN_OF_ARRAY(last), digest, &list, &count));
    }
    cr_assert_eq(count, 1);
    cr_assert_eq(list[0].report_count, THREADS * TURNS);
}
