/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/solo.h"
#include "aggregator/task.h"

/* What makes a stored task usable, and what is said about one that isn't. */

struct rows {
    struct arena arena;
    struct store_task task;
    struct store_peer aggregator, collector;
    bool with_collector;
};

static struct span taken(struct arena *arena, struct buffer *buffer) {
    struct span out;
    must(arena_copy(arena, buffer_span(buffer), &out));
    buffer_release(buffer);
    return out;
}

static struct span verify_keys(struct arena *arena, const struct task_verify_key keys[],
                               size_t count) {
    struct buffer bytes = BUFFER_INIT;
    must(task_verify_keys_encode(keys, count, &bytes));
    return taken(arena, &bytes);
}

static struct span task_config(struct arena *arena, struct task_configuration *configuration) {
    struct buffer bytes = BUFFER_INIT;
    must(task_configuration_encode(configuration, &bytes));
    return taken(arena, &bytes);
}

static struct span collector_config(struct arena *arena, uint16_t aead_id) {
    static const uint8_t public_key[32] = {9};
    const struct hpke_config config = {3, {0x20, 1, aead_id}, SPAN_OF_ARRAY(public_key)};
    struct buffer bytes = BUFFER_INIT;
    must(hpke_config_encode(&config, &bytes));
    return taken(arena, &bytes);
}

static const uint8_t key_bytes[32] = {1};

static struct task_configuration configuration(void) {
    return (struct task_configuration){
        .task_info = SPAN_OF_LITERAL("test"),
        .leader_aggregator_endpoint = SPAN_OF_LITERAL("https://leader.example/"),
        .helper_aggregator_endpoint = SPAN_OF_LITERAL("https://helper.example/"),
        .time_precision = 60,
        .min_batch_size = 10,
        .batch_mode = BATCH_MODE_TIME_INTERVAL,
        .vdaf_type = 1, /* Prio3Count */
    };
}

/* A good task of a leader. */
static struct rows good(void) {
    struct rows rows = {.arena = ARENA_INIT, .with_collector = true};
    struct task_configuration config = configuration();
    const struct task_verify_key keys[] = {{4, SPAN_OF_ARRAY(key_bytes)},
                                           {9, SPAN_OF_ARRAY(key_bytes)}};
    rows.task = (struct store_task){.id = {1},
                                    .role = ROLE_LEADER,
                                    .config = task_config(&rows.arena, &config),
                                    .collector_config = collector_config(&rows.arena, 1),
                                    .verify_keys = verify_keys(&rows.arena, keys, 2)};
    rows.aggregator = (struct store_peer){.name = "helper",
                                          .dialect = "draft-18",
                                          .token = SPAN_OF_LITERAL("token")};
    rows.collector = (struct store_peer){.name = "collector", .dialect = "janus-2026-08"};
    return rows;
}

static struct status load(const struct rows *rows, struct served_task **out, char *error) {
    return task_from_row(&rows->task, &rows->aggregator,
                         rows->with_collector ? &rows->collector : NULL, out, error);
}

/* Fails with this code and with words that hold `said`. */
static void refuse(struct rows *rows, enum status_code code, const char *said) {
    struct served_task *task = NULL;
    char error[TASK_SETTINGS_ERROR_MAX] = "";
    cr_assert_eq(load(rows, &task, error).code, code, "%s", error);
    cr_assert_not_null(strstr(error, said), "%s", error);
    cr_assert_null(task);
    cr_assert_eq(load(rows, &task, NULL).code, code);
    arena_release(&rows->arena);
}

Test(tasks, are_decoded_once) {
    struct rows rows = good();
    struct served_task *task;
    must(load(&rows, &task, NULL));
    arena_release(&rows.arena); /* it keeps copies */
    cr_assert_eq(task->role, ROLE_LEADER);
    cr_assert_eq(task->dap.configuration.min_batch_size, 10);
    cr_assert_eq(task->verify_key_count, 2);
    cr_assert_eq(task_verify_key(task, 9)->id, 9);
    cr_assert_null(task_verify_key(task, 5));
    cr_assert_eq(task->aggregator_peer.dialect, TASK_DIALECT_DRAFT_18);
    cr_assert_eq(task->collector_peer.dialect, TASK_DIALECT_JANUS);
    cr_assert_eq(task->settings.max_job_size, 1000);
    cr_assert_eq(strlen(task->id_text), 43);
    const struct served_task *held = task_hold(task);
    task_release(task);
    cr_assert_eq(held->collector_config.id, 3);
    task_release(held);
    task_release(NULL);
}

Test(tasks, need_a_role) {
    struct rows rows = good();
    rows.task.role = ROLE_CLIENT;
    refuse(&rows, STATUS_INVALID_CONFIG, "role");
}

Test(tasks, need_a_configuration_that_decodes) {
    struct rows rows = good();
    rows.task.config.len--;
    refuse(&rows, STATUS_INVALID_MESSAGE, "task configuration");
}

Test(tasks, have_no_extension_that_is_unknown) {
    struct rows rows = good();
    struct task_configuration config = configuration();
    const struct task_extension extension = {.extension_type = (enum task_extension_type)99};
    config.extensions = (struct task_extension_list){&extension, 1};
    rows.task.config = task_config(&rows.arena, &config);
    refuse(&rows, STATUS_UNSUPPORTED_EXTENSION, "extension");
}

Test(tasks, need_a_vdaf_that_is_known) {
    struct rows rows = good();
    struct task_configuration config = configuration();
    config.vdaf_type = 0xffff1234;
    rows.task.config = task_config(&rows.arena, &config);
    refuse(&rows, STATUS_UNSUPPORTED_ALGORITHM, "VDAF");
}

Test(tasks, need_verification_keys_of_the_right_size) {
    struct rows rows = good();
    rows.task.verify_keys = SPAN_EMPTY;
    refuse(&rows, STATUS_INVALID_CONFIG, "no verification key");
    rows = good();
    const struct task_verify_key brief = {1, span_of(key_bytes, 31)};
    rows.task.verify_keys = verify_keys(&rows.arena, &brief, 1);
    refuse(&rows, STATUS_INVALID_CONFIG, "size");
    rows = good();
    const struct task_verify_key twice[] = {{1, SPAN_OF_ARRAY(key_bytes)},
                                            {1, SPAN_OF_ARRAY(key_bytes)}};
    rows.task.verify_keys = verify_keys(&rows.arena, twice, 2);
    refuse(&rows, STATUS_INVALID_CONFIG, "same id");
}

Test(tasks, need_a_collector_configuration_that_can_be_used) {
    struct rows rows = good();
    rows.task.collector_config.len--;
    refuse(&rows, STATUS_INVALID_MESSAGE, "collector's HPKE");
    rows = good();
    rows.task.collector_config = collector_config(&rows.arena, 0x7777);
    refuse(&rows, STATUS_UNSUPPORTED_ALGORITHM, "suite");
}

Test(tasks, need_their_peers) {
    struct rows rows = good();
    rows.with_collector = false;
    refuse(&rows, STATUS_INVALID_CONFIG, "collector");
    rows = good();
    rows.aggregator.dialect = "draft-19";
    refuse(&rows, STATUS_INVALID_CONFIG, "dialect");
}

Test(tasks, need_settings_that_parse) {
    struct rows rows = good();
    rows.task.settings = SPAN_OF_LITERAL("{\"max_job_size\": 0}");
    refuse(&rows, STATUS_INVALID_CONFIG, "max_job_size");
}
