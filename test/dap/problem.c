/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/problem.h"

#include <criterion/criterion.h>

static struct arena arena;

static void release(void) { arena_release(&arena); }

static void expect_json(const struct problem *problem, const char *wanted) {
    struct buffer out = BUFFER_INIT;
    cr_assert(status_ok(problem_encode(problem, &out)));
    cr_assert(status_ok(buffer_append_u8(&out, 0)));
    cr_expect_str_eq((const char *)out.data, wanted);
    buffer_release(&out);
}

Test(problem, has_the_drafts_type_and_the_task_id) {
    struct task_id id = {{0xf0, 0x16, 0x34}};
    expect_json(&(struct problem){.code = STATUS_BATCH_OVERLAP, .task_id = &id, .detail = "d\"q"},
                "{\"type\":\"urn:ietf:params:ppm:dap:error:batchOverlap\","
                "\"title\":\"the query includes reports that were collected before\","
                "\"status\":400,\"detail\":\"d\\\"q\","
                "\"taskid\":\"8BY0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}");
}

Test(problem, lists_unsupported_extensions) {
    static const uint16_t types[] = {23, 42};
    expect_json(&(struct problem){.code = STATUS_UNSUPPORTED_EXTENSION,
                                  .unsupported_extensions = types,
                                  .unsupported_extension_count = 2},
                "{\"type\":\"urn:ietf:params:ppm:dap:error:unsupportedExtension\","
                "\"title\":\"an extension is not supported\",\"status\":400,"
                "\"detail\":\"an extension is not supported\","
                "\"unsupported_extensions\":[23,42]}");
}

Test(problem, without_a_type_of_daps_is_about_blank) {
    expect_json(&(struct problem){.code = STATUS_BUSY},
                "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
                "\"detail\":\"the server is busy; try again later\"}");
    expect_json(&(struct problem){.code = STATUS_STORE, .detail = "", .status = 507},
                "{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":507,"
                "\"detail\":\"\"}");
}

/* The registry of draft 18, section 3.6. */
Test(problem, every_type_of_the_draft_survives_the_way, .fini = release) {
    static const struct {
        enum status_code code;
        const char *type;
    } types[] = {
        {STATUS_INVALID_MESSAGE, "invalidMessage"},
        {STATUS_UNRECOGNIZED_TASK, "unrecognizedTask"},
        {STATUS_UNRECOGNIZED_AGGREGATION_JOB, "unrecognizedAggregationJob"},
        {STATUS_BATCH_INVALID, "batchInvalid"},
        {STATUS_INVALID_BATCH_SIZE, "invalidBatchSize"},
        {STATUS_INVALID_AGGREGATION_PARAMETER, "invalidAggregationParameter"},
        {STATUS_BATCH_MISMATCH, "batchMismatch"},
        {STATUS_STEP_MISMATCH, "stepMismatch"},
        {STATUS_BATCH_OVERLAP, "batchOverlap"},
        {STATUS_UNSUPPORTED_EXTENSION, "unsupportedExtension"},
        {STATUS_INVALID_EXTENSION, "invalidExtension"},
    };
    size_t registered = 0;
    for (int code = 0; code < STATUS_COUNT; code++) {
        registered += status_problem((enum status_code)code) != NULL;
    }
    cr_expect_eq(registered, sizeof(types) / sizeof(types[0]));
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct task_id id = {{1, 2}};
        struct problem sent = {.code = types[i].code, .task_id = &id}, received;
        struct buffer out = BUFFER_INIT;
        cr_expect_str_eq(status_problem(types[i].code), types[i].type);
        int http = status_http(types[i].code);
        cr_expect(http >= 400 && http < 600);
        cr_assert(status_ok(problem_encode(&sent, &out)));
        cr_assert(status_ok(problem_decode(buffer_span(&out), &arena, &received)));
        cr_expect_eq(received.code, types[i].code);
        cr_expect_eq(received.status, http);
        cr_expect_str_eq(received.detail, status_text(types[i].code));
        cr_assert_not_null(received.task_id);
        cr_expect_eq(memcmp(received.task_id->bytes, id.bytes, sizeof(id.bytes)), 0);
        buffer_release(&out);
    }
}

static struct problem decoded(const char *json) {
    struct problem problem;
    cr_assert(status_ok(problem_decode(span_of_string(json), &arena, &problem)), "%s", json);
    return problem;
}

Test(problem, members_of_the_wrong_kind_are_left_out, .fini = release) {
    struct problem problem = decoded("{\"type\":1,\"title\":[],\"status\":\"x\",\"detail\":null,"
                                     "\"taskid\":\"short\",\"unsupported_extensions\":{},\"z\":0}");
    cr_expect_eq(problem.code, STATUS_BAD_REQUEST);
    cr_expect_eq(problem.status, 0);
    cr_expect_null(problem.type);
    cr_expect_null(problem.title);
    cr_expect_null(problem.detail);
    cr_expect_null(problem.task_id);
    cr_expect_eq(problem.unsupported_extension_count, 0);
    problem = decoded("{\"unsupported_extensions\":[23,-1,65536,\"a\",1.5,65535]}");
    cr_assert_eq(problem.unsupported_extension_count, 2);
    cr_expect_eq(problem.unsupported_extensions[0], 23);
    cr_expect_eq(problem.unsupported_extensions[1], 65535);
}

Test(problem, types_of_others_say_whose_fault_it_is, .fini = release) {
    cr_expect_eq(decoded("{\"type\":\"about:blank\",\"status\":503}").code, STATUS_PEER_FAILED);
    cr_expect_eq(decoded("{\"type\":\"about:blank\",\"status\":404}").code, STATUS_BAD_REQUEST);
    cr_expect_eq(decoded("{\"type\":\"urn:ietf:params:ppm:dap:error:new\"}").code,
                 STATUS_BAD_REQUEST);
    cr_expect_eq(decoded("{\"status\":99999999999}").status, 0);
}

Test(problem, what_is_no_json_object_is_refused, .fini = release) {
    static const char *const bad[] = {"", "null", "[]", "\"a\"", "{", "{}x", "{\"a\":}", "\xff"};
    struct problem problem;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(problem_decode(span_of_string(bad[i]), &arena, &problem).code,
                     STATUS_INVALID_MESSAGE, "%s", bad[i]);
    }
    /* Deeply nested. */
    static char deep[100000];
    memset(deep, '[', sizeof(deep));
    cr_expect_eq(problem_decode(span_of(deep, sizeof(deep)), &arena, &problem).code,
                 STATUS_INVALID_MESSAGE);
}

Test(problem, details_must_be_text) {
    struct buffer out = BUFFER_INIT;
    struct problem problem = {.code = STATUS_BUSY, .detail = "\xff"};
    cr_expect_eq(problem_encode(&problem, &out).code, STATUS_INVALID_ARGUMENT);
    cr_expect_eq(out.len, 0);
    buffer_release(&out);
}
