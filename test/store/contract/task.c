/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

TestSuite(task, .init = fixture_setup, .fini = fixture_teardown);

static uint64_t version(struct store_tx *tx) {
    uint64_t value;
    ASSERT_OK(store_config_version(tx, &value));
    return value;
}

static void assert_span(struct span actual, const char *expected) {
    cr_assert(span_equal_vartime(actual, span_of_string(expected)), "%.*s is not %s",
              (int)actual.len, (const char *)actual.data, expected);
}

Test(task, peer_is_what_was_put) {
    struct store_peer peer = {"helper", "janus-2026-08", SPAN_OF_LITERAL("token"),
                              SPAN_OF_LITERAL("hash"), "helper.example"};
    struct store_peer got;
    for (WRITE(tx)) {
        ASSERT_FAIL(NOT_FOUND, store_peer_get(tx, &fixture_arena, "helper", &got));
        ASSERT_OK(store_peer_put(tx, &peer));
    }
    fixture_reopen();
    for (READ(tx)) {
        ASSERT_OK(store_peer_get(tx, &fixture_arena, "helper", &got));
    }
    cr_assert_str_eq(got.name, "helper");
    cr_assert_str_eq(got.dialect, "janus-2026-08");
    cr_assert_str_eq(got.certificate_name, "helper.example");
    assert_span(got.token, "token");
    assert_span(got.token_hash, "hash");
}

Test(task, peer_put_replaces_every_field) {
    struct store_peer first = {"helper", "janus-2026-08", SPAN_OF_LITERAL("token"),
                               SPAN_OF_LITERAL("hash"), "helper.example"};
    struct store_peer second = {.name = "helper", .dialect = "draft-18"};
    struct store_peer *list;
    size_t count;
    for (WRITE(tx)) {
        ASSERT_OK(store_peer_put(tx, &first));
        ASSERT_OK(store_peer_put(tx, &second));
        ASSERT_OK(store_peer_list(tx, &fixture_arena, &list, &count));
    }
    cr_assert_eq(count, 1);
    cr_assert_str_eq(list[0].dialect, "draft-18");
    cr_assert_null(list[0].certificate_name);
    cr_assert_eq(list[0].token.len, 0);
    cr_assert_eq(list[0].token_hash.len, 0);
}

Test(task, peer_needs_a_name_and_a_dialect) {
    struct store_peer nameless = {.name = "", .dialect = "draft-18"};
    struct store_peer mute = {.name = "helper"};
    for (WRITE(tx)) {
        ASSERT_FAIL(INVALID_ARGUMENT, store_peer_put(tx, &nameless));
        ASSERT_FAIL(INVALID_ARGUMENT, store_peer_put(tx, &mute));
    }
}

Test(task, peer_stays_while_a_task_refers_to_it) {
    for (WRITE(tx)) {
        make_task(tx, 1);
        ASSERT_FAIL(CONFLICT, store_peer_delete(tx, "helper"));
        ASSERT_FAIL(CONFLICT, store_peer_delete(tx, "collector"));
        ASSERT_FAIL(NOT_FOUND, store_peer_delete(tx, "nobody"));
        ASSERT_OK(store_task_delete(tx, task_id(1)));
        ASSERT_OK(store_peer_delete(tx, "helper"));
        ASSERT_FAIL(NOT_FOUND, store_peer_delete(tx, "helper"));
    }
}

Test(task, task_is_what_was_put) {
    struct store_task got;
    for (WRITE(tx)) {
        ASSERT_FAIL(UNRECOGNIZED_TASK, store_task_get(tx, &fixture_arena, task_id(1), &got));
        make_task(tx, 1);
    }
    fixture_reopen();
    for (READ(tx)) {
        ASSERT_OK(store_task_get(tx, &fixture_arena, task_id(1), &got));
    }
    cr_assert_eq(memcmp(got.id, task_id(1), sizeof got.id), 0);
    cr_assert_eq(got.role, 2);
    assert_span(got.config, "configuration");
    assert_span(got.collector_config, "collector's key");
    assert_span(got.verify_keys, "a very secret verification key");
    assert_span(got.settings, "{}");
    cr_assert_str_eq(got.aggregator_peer, "helper");
    cr_assert_str_eq(got.collector_peer, "collector");
    cr_assert_eq(got.created_at, fixture_now);
}

Test(task, task_id_belongs_to_one_task) {
    struct store_task task;
    for (WRITE(tx)) {
        make_task(tx, 1);
        ASSERT_OK(store_task_get(tx, &fixture_arena, task_id(1), &task));
        uint64_t before = version(tx);
        task.created_at++;
        ASSERT_OK(store_task_put(tx, &task));
        cr_assert_eq(version(tx), before, "putting the same task changes nothing");

        struct store_task other = task;
        other.role = 3;
        ASSERT_FAIL(CONFLICT, store_task_put(tx, &other));
        other = task;
        other.config = SPAN_OF_LITERAL("another configuration");
        ASSERT_FAIL(CONFLICT, store_task_put(tx, &other));
        other = task;
        other.collector_config = SPAN_OF_LITERAL("another key");
        ASSERT_FAIL(CONFLICT, store_task_put(tx, &other));
        other = task;
        other.verify_keys = SPAN_OF_LITERAL("a very secret verification KEY");
        ASSERT_FAIL(CONFLICT, store_task_put(tx, &other));
        other = task;
        other.aggregator_peer = "collector";
        ASSERT_FAIL(CONFLICT, store_task_put(tx, &other));
        other = task;
        other.collector_peer = NULL;
        ASSERT_FAIL(CONFLICT, store_task_put(tx, &other));
        other = task;
        other.settings = SPAN_OF_LITERAL("[]");
        ASSERT_FAIL(CONFLICT, store_task_put(tx, &other));
    }
}

Test(task, task_needs_its_peers) {
    struct store_peer peer = {.name = "here", .dialect = "draft-18"};
    for (WRITE(tx)) {
        struct store_task task = {.role = 3, .aggregator_peer = "nobody"};
        ASSERT_OK(store_peer_put(tx, &peer));
        ASSERT_FAIL(NOT_FOUND, store_task_put(tx, &task));
        task.aggregator_peer = "here";
        task.collector_peer = "nobody";
        ASSERT_FAIL(NOT_FOUND, store_task_put(tx, &task));
        task.aggregator_peer = NULL;
        task.collector_peer = NULL;
        ASSERT_FAIL(INVALID_ARGUMENT, store_task_put(tx, &task));
        task.aggregator_peer = "here";
        ASSERT_OK(store_task_put(tx, &task));
    }
}

Test(task, tasks_are_listed_and_settings_replaced) {
    struct store_task *list;
    size_t count;
    for (WRITE(tx)) {
        for (uint8_t i = 1; i <= 9; i++) {
            fixture_now++;
            make_task(tx, i);
        }
        ASSERT_OK(store_task_set_settings(tx, task_id(3), SPAN_OF_LITERAL("new")));
        ASSERT_FAIL(UNRECOGNIZED_TASK,
                    store_task_set_settings(tx, task_id(0), SPAN_OF_LITERAL("new")));
        ASSERT_OK(store_task_list(tx, &fixture_arena, &list, &count));
    }
    cr_assert_eq(count, 9);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(list[i].id[0], i + 1);
        assert_span(list[i].settings, i == 2 ? "new" : "{}");
    }
}

Test(task, every_write_changes_the_config_version) {
    struct store_peer peer = {.name = "other", .dialect = "draft-18"};
    struct store_hpke_key key = {.id = 1, .public_key = SPAN_OF_LITERAL("p")};
    for (WRITE(tx)) {
        uint64_t before = version(tx);
#define CHANGES(expression)                                 \
    do {                                                    \
        ASSERT_OK(expression);                              \
        cr_assert_neq(version(tx), before, #expression);    \
        before = version(tx);                               \
    } while (0)
        CHANGES(store_peer_put(tx, &peer));
        CHANGES(store_peer_delete(tx, "other"));
        make_task(tx, 1);
        cr_assert_neq(version(tx), before);
        before = version(tx);
        CHANGES(store_task_set_settings(tx, task_id(1), SPAN_EMPTY));
        CHANGES(store_task_delete(tx, task_id(1)));
        CHANGES(store_hpke_key_put(tx, &key));
        CHANGES(store_hpke_key_set_state(tx, 1, STORE_KEY_ACCEPTED, 1));
        CHANGES(store_hpke_key_delete(tx, 1));
    }
}

Test(task, counters_add_up_by_name_and_task) {
    struct store_counter *list;
    size_t count;
    for (WRITE(tx)) {
        make_task(tx, 1);
        make_task(tx, 2);
        ASSERT_OK(store_counter_add(tx, task_id(1), "upload_accepted", 3));
        ASSERT_OK(store_counter_add(tx, task_id(1), "aggregated", 1));
        ASSERT_OK(store_counter_add(tx, task_id(2), "aggregated", 100));
        ASSERT_FAIL(UNRECOGNIZED_TASK, store_counter_add(tx, task_id(9), "aggregated", 1));
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_counter_add(tx, task_id(1), "upload_accepted", 4));
        ASSERT_OK(store_counter_list(tx, &fixture_arena, task_id(1), &list, &count));
    }
    cr_assert_eq(count, 2);
    cr_assert_str_eq(list[0].name, "aggregated");
    cr_assert_eq(list[0].value, 1);
    cr_assert_str_eq(list[1].name, "upload_accepted");
    cr_assert_eq(list[1].value, 7);
}

/* Fills every table for task 1, and counts what is left of it. */
Test(task, deleting_a_task_deletes_all_of_it_and_no_other) {
    static const char *const tables[] = {
        "report_id", "id_epoch", "noted_ids", "segment", "segment_body", "job", "job_body", "bucket",
        "collected_interval", "collected_batch", "batch", "resource", "resource_body",
        "counter", "task_usage", "task",
    };
    for (WRITE(tx)) {
        make_task(tx, 2);
        make_task(tx, 1);
    }
    put_reports(1, 20, 1000);
    create_job(5);
    for (WRITE(tx)) {
        struct store_report report = make_report(1, 1000);
        enum store_outcome outcome;
        ASSERT_OK(store_reports_put(tx, task_id(2), &report, 1, &outcome));
        cr_assert_eq(outcome, STORE_NEW);
        struct store_bucket bucket = {.key = SPAN_OF_LITERAL("key"),
                                      .agg_share = SPAN_OF_LITERAL("share")};
        uint8_t digest[STORE_DIGEST_SIZE] = {0};
        ASSERT_OK(store_bucket_put(tx, task_id(1), digest, 0, &bucket));
        ASSERT_OK(store_collected_interval_put(tx, task_id(1), 0, 10));
        ASSERT_OK(store_collected_batch_put(tx, task_id(1), digest));
        struct store_batch batch = {.state = STORE_BATCH_OPEN};
        ASSERT_OK(store_batch_put(tx, task_id(1), &batch));
        struct store_resource resource = {.kind = STORE_COLLECTION_JOB};
        memcpy(resource.task_id, task_id(1), sizeof resource.task_id);
        bool found;
        ASSERT_OK(store_resource_create(tx, &fixture_arena, &resource, 0, &resource, &found));
        ASSERT_OK(store_counter_add(tx, task_id(1), "aggregated", 1));
        ASSERT_OK(store_ids_note(tx, task_id(1), &(struct store_committed){{1}, 0}, 1, &outcome));
    }
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        cr_assert_gt(fixture_rows(tables[i]), 0, "%s", tables[i]);
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_task_delete(tx, task_id(1)));
        ASSERT_FAIL(UNRECOGNIZED_TASK, store_task_delete(tx, task_id(1)));
    }
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        bool of_other = strstr("report_id id_epoch segment segment_body task_usage task",
                               tables[i]) != NULL;
        /* A task's usage may be spread over several rows. */
        int64_t rows = strcmp(tables[i], "task_usage") == 0
                           ? fixture_backend()->query(
                                 fixture_url(), "SELECT COUNT(DISTINCT task) FROM task_usage")
                           : fixture_rows(tables[i]);
        cr_assert_eq(rows, of_other, "%s", tables[i]);
    }
    cr_assert_eq(get_usage(2).reports, 1);
}

/* ---- HPKE keys ------------------------------------------------------------------ */

static struct store_hpke_key make_key(uint8_t id, int64_t created_at) {
    return (struct store_hpke_key){.id = id,
                                   .kem_id = 0x20,
                                   .kdf_id = 1,
                                   .aead_id = 2,
                                   .public_key = SPAN_OF_LITERAL("public"),
                                   .private_key = SPAN_OF_LITERAL("private"),
                                   .state = STORE_KEY_ADVERTISED,
                                   .created_at = created_at,
                                   .state_since = created_at};
}

Test(task, hpke_keys_are_listed_newest_first) {
    struct store_hpke_key old = make_key(200, 10);
    struct store_hpke_key new = make_key(3, 20);
    struct store_hpke_key *list;
    size_t count;
    for (WRITE(tx)) {
        ASSERT_OK(store_hpke_key_put(tx, &old));
        ASSERT_OK(store_hpke_key_put(tx, &new));
        ASSERT_FAIL(CONFLICT, store_hpke_key_put(tx, &new));
        ASSERT_OK(store_hpke_key_set_state(tx, 200, STORE_KEY_OPEN_ONLY, 30));
        ASSERT_FAIL(NOT_FOUND, store_hpke_key_set_state(tx, 5, STORE_KEY_OPEN_ONLY, 30));
    }
    for (READ(tx)) {
        ASSERT_OK(store_hpke_key_list(tx, &fixture_arena, &list, &count));
    }
    cr_assert_eq(count, 2);
    cr_assert_eq(list[0].id, 3);
    cr_assert_eq(list[0].state, STORE_KEY_ADVERTISED);
    cr_assert_eq(list[1].id, 200);
    cr_assert_eq(list[1].state, STORE_KEY_OPEN_ONLY);
    cr_assert_eq(list[1].state_since, 30);
    cr_assert_eq(list[1].created_at, 10);
    cr_assert_eq(list[1].kem_id, 0x20);
    cr_assert_eq(list[1].kdf_id, 1);
    cr_assert_eq(list[1].aead_id, 2);
    assert_span(list[1].public_key, "public");
    assert_span(list[1].private_key, "private");
}

Test(task, hpke_key_stays_while_a_report_names_it) {
    struct store_hpke_key key = make_key(7, 10); /* as make_report() names */
    struct store_hpke_key other = make_key(8, 10);
    for (WRITE(tx)) {
        make_task(tx, 1);
        ASSERT_OK(store_hpke_key_put(tx, &key));
        ASSERT_OK(store_hpke_key_put(tx, &other));
    }
    put_reports(1, 2, 1000);
    for (WRITE(tx)) {
        ASSERT_FAIL(CONFLICT, store_hpke_key_delete(tx, 7));
        ASSERT_OK(store_hpke_key_delete(tx, 8));
        ASSERT_FAIL(NOT_FOUND, store_hpke_key_delete(tx, 8));
    }
    struct store_job job = create_job(2);
    for (WRITE(tx)) {
        ASSERT_FAIL(CONFLICT, store_hpke_key_delete(tx, 7));
        ASSERT_OK(store_job_finish(tx, &job, NULL, 0));
        ASSERT_OK(store_hpke_key_delete(tx, 7));
        ASSERT_OK(store_hpke_key_put(tx, &key));
    }
}

Test(task, hpke_key_stays_while_a_pending_resource_needs_it) {
    struct store_hpke_key key = make_key(7, 10);
    struct store_resource resource = {.kind = STORE_AGGREGATION_JOB,
                                      .config_ids = SPAN_OF_LITERAL("\x01\x07")};
    memcpy(resource.task_id, task_id(1), sizeof resource.task_id);
    struct store_resource made;
    bool found;
    for (WRITE(tx)) {
        make_task(tx, 1);
        ASSERT_OK(store_hpke_key_put(tx, &key));
        ASSERT_OK(store_resource_create(tx, &fixture_arena, &resource, 0, &made, &found));
        cr_assert_eq(made.config_ids.len, 2);
        ASSERT_FAIL(CONFLICT, store_hpke_key_delete(tx, 7));
        made.state = STORE_RESOURCE_READY;
        ASSERT_OK(store_resource_update(tx, &made, 0));
        ASSERT_OK(store_hpke_key_delete(tx, 7));
    }
}
