/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/binding.h"

#include <criterion/criterion.h>

#include "dap/golden.h"

static struct arena arena;

static void release(void) { arena_release(&arena); }

static void expect_span(struct span actual, struct span wanted) {
    cr_assert_eq(actual.len, wanted.len);
    cr_expect_eq(memcmp(actual.data, wanted.data, wanted.len), 0);
}

Test(binding, infos_name_sender_and_receiver) {
    expect_span(input_share_info(ROLE_LEADER), SPAN_OF_LITERAL("dap-18 input share\x01\x02"));
    expect_span(input_share_info(ROLE_HELPER), SPAN_OF_LITERAL("dap-18 input share\x01\x03"));
    expect_span(aggregate_share_info(ROLE_LEADER),
                SPAN_OF_LITERAL("dap-18 aggregate share\x02\x00"));
    expect_span(aggregate_share_info(ROLE_HELPER),
                SPAN_OF_LITERAL("dap-18 aggregate share\x03\x00"));
}

/* The goldens of the AADs hold the goldens of what they are made of. */
static void open_golden_task(struct task *task) {
    struct span aad = golden_bytes("input_share_aad");
    struct span configuration = golden_bytes("task_configuration");
    struct task_id id;
    memcpy(id.bytes, aad.data, sizeof(id.bytes));
    cr_assert(status_ok(task_open(&id, configuration, &arena, task)));
    golden_free(configuration);
    golden_free(aad);
}

Test(binding, input_share_aad_is_the_drafts, .fini = release) {
    struct task task;
    struct report_metadata metadata;
    struct span aad;
    open_golden_task(&task);
    struct span encoded = golden_bytes("report_metadata");
    cr_assert(status_ok(report_metadata_decode(encoded, &arena, &metadata)));
    cr_assert(status_ok(
        input_share_aad_make(&task, &metadata, SPAN_OF_LITERAL("publi"), &arena, &aad)));
    struct span golden = golden_bytes("input_share_aad");
    expect_span(aad, golden);
    golden_free(golden);
    golden_free(encoded);
}

Test(binding, aggregate_share_aad_is_the_drafts, .fini = release) {
    struct task task;
    struct span aad;
    open_golden_task(&task);
    struct span request = golden_bytes("collection_job_req");
    struct span golden = golden_bytes("aggregate_share_aad");
    cr_assert(status_ok(aggregate_share_aad_make(&task, request, &arena, &aad)));
    expect_span(aad, golden);
    golden_free(golden);
    golden_free(request);
}

Test(binding, an_aad_that_fails_leaves_nothing_behind, .fini = release) {
    struct task task;
    struct buffer out = BUFFER_INIT;
    static const uint8_t data[65535];
    struct extension extension = {EXTENSION_TYPE_RESERVED, {data, sizeof(data)}};
    struct report_metadata metadata = {.public_extensions = {&extension, 1}};
    open_golden_task(&task);
    cr_assert(status_ok(buffer_append_u8(&out, 1)));
    cr_expect_eq(input_share_aad_append(&task, &metadata, SPAN_EMPTY, &out).code,
                 STATUS_INVALID_ARGUMENT);
    cr_expect_eq(out.len, 1);
    buffer_release(&out);
}
