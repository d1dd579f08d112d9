/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/batch.h"

#include <criterion/criterion.h>

#include "dap/golden.h"

static struct arena arena;

static void release(void) { arena_release(&arena); }

static struct query interval_query(uint64_t start, uint64_t duration) {
    struct batch batch = {.mode = BATCH_MODE_TIME_INTERVAL, .interval = {start, duration}};
    struct query query;
    cr_assert(status_ok(batch_to_query(&batch, &arena, &query)));
    return query;
}

static struct batch_selector interval_selector(uint64_t start, uint64_t duration) {
    struct batch batch = {.mode = BATCH_MODE_TIME_INTERVAL, .interval = {start, duration}};
    struct batch_selector selector;
    cr_assert(status_ok(batch_to_selector(&batch, &arena, &selector)));
    return selector;
}

static const struct batch selected = {.mode = BATCH_MODE_LEADER_SELECTED, .id = {{7, 8, 9}}};

Test(batch, queries_by_interval, .fini = release) {
    struct query query = interval_query(100, 3);
    struct batch batch;
    cr_assert(status_ok(batch_of_query(&query, BATCH_MODE_TIME_INTERVAL, &batch)));
    cr_expect_eq(batch.mode, BATCH_MODE_TIME_INTERVAL);
    cr_expect(batch.interval.start == 100 && batch.interval.duration == 3);
    cr_expect_eq(batch_of_query(&query, BATCH_MODE_LEADER_SELECTED, &batch).code,
                 STATUS_INVALID_MESSAGE);
    query.config.len--;
    cr_expect_eq(batch_of_query(&query, BATCH_MODE_TIME_INTERVAL, &batch).code,
                 STATUS_INVALID_MESSAGE);
}

/* Whatever the config would mean in the task's mode. */
Test(batch, queries_have_the_tasks_mode, .fini = release) {
    struct query query = interval_query(100, 3);
    struct batch batch;
    query.batch_mode = BATCH_MODE_LEADER_SELECTED;
    cr_expect_eq(batch_of_query(&query, BATCH_MODE_TIME_INTERVAL, &batch).code,
                 STATUS_INVALID_MESSAGE);
    query = (struct query){.batch_mode = BATCH_MODE_TIME_INTERVAL};
    cr_expect_eq(batch_of_query(&query, BATCH_MODE_LEADER_SELECTED, &batch).code,
                 STATUS_INVALID_MESSAGE);
}

Test(batch, queries_for_no_batch_are_invalid, .fini = release) {
    struct query empty = interval_query(100, 0);
    struct query wrapped = interval_query(UINT64_MAX, 1);
    struct batch batch;
    cr_expect_eq(batch_of_query(&empty, BATCH_MODE_TIME_INTERVAL, &batch).code,
                 STATUS_BATCH_INVALID);
    cr_expect_eq(batch_of_query(&wrapped, BATCH_MODE_TIME_INTERVAL, &batch).code,
                 STATUS_BATCH_INVALID);
}

Test(batch, queries_for_the_next_batch_are_empty, .fini = release) {
    struct query query;
    struct batch batch;
    cr_assert(status_ok(batch_to_query(&selected, &arena, &query)));
    cr_expect_eq(query.config.len, 0);
    cr_assert(status_ok(batch_of_query(&query, BATCH_MODE_LEADER_SELECTED, &batch)));
    query.config = SPAN_OF_LITERAL("x");
    cr_expect_eq(batch_of_query(&query, BATCH_MODE_LEADER_SELECTED, &batch).code,
                 STATUS_INVALID_MESSAGE);
}

Test(batch, selectors_stay_within_the_query, .fini = release) {
    static const struct {
        uint64_t start, duration;
        enum status_code code;
    } cases[] = {{100, 10, STATUS_OK},
                 {103, 2, STATUS_OK},
                 {109, 1, STATUS_OK},
                 {99, 5, STATUS_BATCH_INVALID},
                 {105, 6, STATUS_BATCH_INVALID},
                 {105, 0, STATUS_BATCH_INVALID},
                 {UINT64_MAX, 2, STATUS_BATCH_INVALID}};
    struct query query = interval_query(100, 10);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct batch_selector selector = interval_selector(cases[i].start, cases[i].duration);
        struct batch batch;
        cr_expect_eq(batch_of_selector(&selector, &query, BATCH_MODE_TIME_INTERVAL, &batch).code,
                     cases[i].code);
        if (cases[i].code == STATUS_OK) {
            cr_expect_eq(batch.interval.start, cases[i].start);
        }
    }
}

Test(batch, selectors_have_the_tasks_mode, .fini = release) {
    struct query query = interval_query(100, 10);
    struct batch_selector selector;
    struct batch batch;
    cr_assert(status_ok(batch_to_selector(&selected, &arena, &selector)));
    cr_expect_eq(batch_of_selector(&selector, &query, BATCH_MODE_TIME_INTERVAL, &batch).code,
                 STATUS_INVALID_MESSAGE);
    cr_assert(status_ok(batch_to_query(&selected, &arena, &query)));
    cr_assert(status_ok(batch_of_selector(&selector, &query, BATCH_MODE_LEADER_SELECTED, &batch)));
    cr_expect_eq(memcmp(batch.id.bytes, selected.id.bytes, 32), 0);
    selector.batch_mode = BATCH_MODE_TIME_INTERVAL; /* with the config of the other */
    cr_expect_eq(batch_of_selector(&selector, &query, BATCH_MODE_LEADER_SELECTED, &batch).code,
                 STATUS_INVALID_MESSAGE);
    selector.batch_mode = BATCH_MODE_LEADER_SELECTED;
    selector.config.len--;
    cr_expect_eq(batch_of_selector(&selector, &query, BATCH_MODE_LEADER_SELECTED, &batch).code,
                 STATUS_INVALID_MESSAGE);
}

static enum status_code job_code(const struct aggregation_job_extension items[], size_t count,
                                 enum batch_mode mode, struct batch_id *out) {
    struct aggregation_job_extension_list list = {items, count};
    return batch_of_extensions(&list, mode, out).code;
}

Test(batch, aggregation_jobs_carry_the_batch_id, .fini = release) {
    struct aggregation_job_extension_list list;
    struct batch_id id = {{0}};
    cr_assert(status_ok(batch_to_extensions(&selected, &arena, &list)));
    cr_assert_eq(list.count, 1);
    cr_assert(status_ok(batch_of_extensions(&list, BATCH_MODE_LEADER_SELECTED, &id)));
    cr_expect_eq(memcmp(id.bytes, selected.id.bytes, 32), 0);
    struct batch interval = {.mode = BATCH_MODE_TIME_INTERVAL, .interval = {1, 1}};
    cr_assert(status_ok(batch_to_extensions(&interval, &arena, &list)));
    cr_expect_eq(list.count, 0);
    cr_expect(status_ok(batch_of_extensions(&list, BATCH_MODE_TIME_INTERVAL, &id)));
}

Test(batch, aggregation_jobs_without_a_good_batch_id_are_invalid, .fini = release) {
    struct aggregation_job_extension_list list;
    struct batch_id id;
    cr_assert(status_ok(batch_to_extensions(&selected, &arena, &list)));
    struct aggregation_job_extension items[] = {list.items[0], list.items[0]};
    cr_expect_eq(job_code(NULL, 0, BATCH_MODE_LEADER_SELECTED, &id), STATUS_INVALID_MESSAGE);
    cr_expect_eq(job_code(items, 2, BATCH_MODE_LEADER_SELECTED, &id), STATUS_INVALID_MESSAGE);
    cr_expect_eq(job_code(items, 1, BATCH_MODE_TIME_INTERVAL, &id), STATUS_INVALID_MESSAGE);
    items[0].extension_data.len--;
    cr_expect_eq(job_code(items, 1, BATCH_MODE_LEADER_SELECTED, &id), STATUS_INVALID_MESSAGE);
}

Test(batch, unknown_aggregation_job_extensions_are_unsupported, .fini = release) {
    struct aggregation_job_extension unknown = {(enum aggregation_job_extension_type)2, SPAN_EMPTY};
    struct batch_id id;
    cr_expect_eq(job_code(&unknown, 1, BATCH_MODE_TIME_INTERVAL, &id),
                 STATUS_UNSUPPORTED_EXTENSION);
    cr_expect_eq(job_code(&unknown, 1, BATCH_MODE_LEADER_SELECTED, &id),
                 STATUS_UNSUPPORTED_EXTENSION);
}

Test(batch, collection_job_extensions_are_checked) {
    struct collection_job_extension items[] = {
        {(enum collection_job_extension_type)3, SPAN_EMPTY},
        {(enum collection_job_extension_type)3, SPAN_EMPTY},
    };
    struct collection_job_extension_list list = {items, 0};
    cr_expect(status_ok(collection_job_check_extensions(&list)));
    list.count = 1;
    cr_expect_eq(collection_job_check_extensions(&list).code, STATUS_UNSUPPORTED_EXTENSION);
    list.count = 2;
    cr_expect_eq(collection_job_check_extensions(&list).code, STATUS_INVALID_EXTENSION);
    items[1].extension_type = (enum collection_job_extension_type)2;
    cr_expect_eq(collection_job_check_extensions(&list).code, STATUS_INVALID_EXTENSION);
    items[1].extension_type = (enum collection_job_extension_type)4;
    cr_expect_eq(collection_job_check_extensions(&list).code, STATUS_UNSUPPORTED_EXTENSION);
}
