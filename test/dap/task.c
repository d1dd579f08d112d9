/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/task.h"

#include <criterion/criterion.h>

#include "dap/golden.h"
#include "dap/task_fixture.h"

static struct arena arena;

static void release(void) { arena_release(&arena); }

static enum status_code make(const struct task_configuration *configuration, struct task *out) {
    struct task_id id = task_fixture_id();
    return task_make(&id, configuration, &arena, out).code;
}

static struct task_extension interval_extension(uint64_t start, uint64_t duration) {
    struct task_extension extension;
    cr_assert(status_ok(
        task_interval_extension(&(struct interval){start, duration}, &arena, &extension)));
    return extension;
}

Test(task, opens_the_agreed_bytes, .fini = release) {
    struct span golden = golden_bytes("task_configuration");
    struct task_id id = task_fixture_id();
    struct task task;
    cr_assert(status_ok(task_open(&id, golden, &arena, &task)));
    cr_expect(span_equal_vartime(task.encoded, golden));
    cr_expect_eq(task.aad_prefix.len, 32 + golden.len);
    cr_expect_eq(memcmp(task.aad_prefix.data, id.bytes, 32), 0);
    cr_expect(task.has_task_interval);
    cr_expect_eq(task.task_interval.start, 123456789);
    cr_expect_eq(task.task_interval.duration, 11);
    golden_free(golden);
    /* The bytes were copied: the task outlives what it was read from. */
    cr_expect_eq(task.configuration.task_info.data[0], 'i');
}

Test(task, refuses_malformed_configurations, .fini = release) {
    struct span golden = golden_bytes("task_configuration");
    struct task_id id = task_fixture_id();
    struct task task;
    cr_expect_eq(task_open(&id, span_of(golden.data, golden.len - 1), &arena, &task).code,
                 STATUS_INVALID_MESSAGE);
    cr_expect_eq(task_open(&id, SPAN_EMPTY, &arena, &task).code, STATUS_INVALID_MESSAGE);
    golden_free(golden);
}

Test(task, refuses_values_that_no_task_can_have, .fini = release) {
    struct task task;
    struct task_configuration c = task_fixture();
    cr_expect_eq(make(&c, &task), STATUS_OK);
    c.time_precision = 0;
    cr_expect_eq(make(&c, &task), STATUS_INVALID_CONFIG);
    c = task_fixture();
    c.min_batch_size = 0;
    cr_expect_eq(make(&c, &task), STATUS_INVALID_CONFIG);
    c = task_fixture();
    c.batch_config = SPAN_OF_LITERAL("x");
    cr_expect_eq(make(&c, &task), STATUS_INVALID_CONFIG);
    c = task_fixture();
    c.leader_aggregator_endpoint = SPAN_OF_LITERAL("ftp://leader.example/");
    cr_expect_eq(make(&c, &task), STATUS_INVALID_CONFIG);
    c = task_fixture();
    c.helper_aggregator_endpoint = SPAN_OF_LITERAL("helper.example");
    cr_expect_eq(make(&c, &task), STATUS_INVALID_CONFIG);
    c.helper_aggregator_endpoint = SPAN_OF_LITERAL("https://helper.example/?a");
    cr_expect_eq(make(&c, &task), STATUS_INVALID_CONFIG);
}

Test(task, refuses_unknown_task_extensions, .fini = release) {
    struct task task;
    struct task_configuration c = task_fixture();
    struct task_extension unknown = {(enum task_extension_type)2, SPAN_EMPTY};
    c.extensions = (struct task_extension_list){&unknown, 1};
    cr_expect_eq(make(&c, &task), STATUS_UNSUPPORTED_EXTENSION);
}

Test(task, refuses_task_extensions_out_of_order, .fini = release) {
    struct task task;
    struct task_configuration c = task_fixture();
    struct task_extension twice[] = {interval_extension(1, 2), interval_extension(1, 2)};
    c.extensions = (struct task_extension_list){twice, 2};
    cr_expect_eq(make(&c, &task), STATUS_INVALID_EXTENSION);
    twice[1].extension_type = TASK_EXTENSION_TYPE_RESERVED;
    cr_expect_eq(make(&c, &task), STATUS_INVALID_EXTENSION);
}

Test(task, refuses_malformed_task_intervals, .fini = release) {
    struct task task;
    struct task_configuration c = task_fixture();
    struct task_extension extension = interval_extension(UINT64_MAX, 1);
    c.extensions = (struct task_extension_list){&extension, 1};
    cr_expect_eq(make(&c, &task), STATUS_INVALID_EXTENSION);
    extension = interval_extension(5, 6);
    extension.extension_data.len--;
    cr_expect_eq(make(&c, &task), STATUS_INVALID_EXTENSION);
    extension.extension_data.len++;
    cr_expect_eq(make(&c, &task), STATUS_OK);
    cr_expect_eq(task.task_interval.duration, 6);
}

Test(task, vdaf_context_is_the_version_and_the_id) {
    struct task_id id = task_fixture_id();
    uint8_t context[TASK_VDAF_CONTEXT_SIZE];
    task_vdaf_context(&id, context);
    cr_expect_eq(memcmp(context, "dap-18\x01\x02\x03\0\0", 11), 0);
    cr_expect_eq(sizeof(context), 6 + 32);
}
