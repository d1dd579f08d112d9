/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/pair.h"

#include <criterion/criterion.h>

/* A helper that refuses every job with a certain report in it: that report is
 * found and rejected, and the others count. */

enum { REPORTS = 21, TIMEOUT_MS = 40000 };

static struct pair pair;
static uint8_t minded[16]; /* the report's ID */
static bool chosen;
static bool minds_all;
static unsigned refusals;

static const char problem[] =
    "{\"type\":\"urn:ietf:params:ppm:dap:error:invalidMessage\",\"status\":400}";

static bool is_in(struct span body, const uint8_t id[16]) {
    return memmem(body.data, body.len, id, 16) != NULL;
}

/* Minds the third report of the first job that it sees. */
static struct relay_verdict picky(void *argument, const struct relay_request *request) {
    (void)argument;
    if (strcmp(request->method, "POST") != 0 ||
        strstr(request->path, "aggregation_jobs") == NULL) {
        return (struct relay_verdict){.action = RELAY_FORWARD};
    }
    if (!chosen) {
        struct aggregation_job_init_req init;
        struct arena arena = ARENA_INIT;
        cr_assert(status_ok(aggregation_job_init_req_decode(request->body, &arena, &init)));
        cr_assert_gt(init.verify_inits.count, 2);
        memcpy(minded, init.verify_inits.items[2].report_share.report_metadata.report_id.bytes,
               sizeof minded);
        arena_release(&arena);
        chosen = true;
    }
    if (!minds_all && !is_in(request->body, minded)) {
        return (struct relay_verdict){.action = RELAY_FORWARD};
    }
    refusals++;
    return (struct relay_verdict){.action = RELAY_LOSE,
                                  .status = 400,
                                  .content_type = "application/problem+json",
                                  .body = SPAN_OF_LITERAL(problem)};
}

static void start(void) {
    const struct pair_options options = {.vdaf = "Prio3Count",
                                         .batch_mode = BATCH_MODE_TIME_INTERVAL};
    pair_start(&pair, &options);
    pair.script = picky;
    pair_upload_many(&pair, "1", REPORTS, pair_time(&pair));
}

static void expect(uint64_t reports) {
    struct span query = pair_query(&pair, pair_time(&pair), 1);
    struct pair_result result;
    pair_result(&pair, pair_collect(&pair, query), query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, reports, "%llu", (unsigned long long)result.report_count);
    cr_assert(result.values[0] == reports);
    cr_assert_eq(pair_counter(&pair, &pair.helper, "aggregated"), reports);
}

Test(isolate, finds_the_report_that_the_helper_minds, .timeout = 60) {
    start();
    expect(REPORTS - 1);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "report_rejected_invalid_message"), 1);
    cr_assert_lt(refusals, 12, "%u refusals", refusals); /* by halves, not one by one */
    pair_stop(&pair);
}

/* One that refuses whatever it gets has another reason: no report is given up,
 * and all count when it has recovered. */
Test(isolate, keeps_all_reports_of_a_helper_that_takes_none, .timeout = 60) {
    minds_all = true;
    start();
    pair_wait(&refusals, 7);
    minds_all = false;
    memset(minded, 0xff, sizeof minded);
    expect(REPORTS);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "report_rejected_invalid_message"), 0);
    pair_stop(&pair);
}
