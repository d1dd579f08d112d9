/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/pair.h"
#include "aggregator/script.h"

#include <criterion/criterion.h>

#include "dap/janus.h"
#include "dap/media_type.h"

/* The dialect janus-2026-08 on both sides of us. Against Janus itself it is run
 * by hand: see docs/interop.md. */

enum { TIMEOUT_MS = 20000, REPORTS = 6 };

static struct pair pair;
static struct script script;

static void start(enum batch_mode mode, const char *helper_settings, script_step *const steps[]) {
    struct pair_options options = {.vdaf = "Prio3Histogram",
                                   .params = {{"length", 4}, {"chunk_length", 2}},
                                   .param_count = 2,
                                   .batch_mode = mode,
                                   .helper_settings = helper_settings,
                                   .dialect = "janus-2026-08"};
    pair_start(&pair, &options);
    script_init(&script, "aggregation_jobs", steps);
    pair.script_argument = &script;
    pair.script = script_run;
}

static void stop(void) {
    pair_stop(&pair);
    script_release(&script);
}

static void expect(uint64_t reports) {
    struct span query = pair_query(&pair, pair_time(&pair), 1);
    struct pair_result result;
    pair_result(&pair, pair_collect(&pair, query), query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, reports);
    cr_assert(result.values[3] == reports && result.values[0] == 0);
}

#define STEPS(...) ((script_step *const[]){__VA_ARGS__, NULL})
static const char async[] = "{\"helper_async\": true, \"allow_small_batches\": true}";

/* The message is as Janus has it: PUT to an id, lengths before the reports. */
static struct relay_verdict step_check_init(struct script *seen,
                                            const struct relay_request *request) {
    struct janus_aggregation_job_init_req init;
    cr_assert_str_eq(request->method, "PUT");
    cr_assert(status_ok(janus_aggregation_job_init_req_decode(request->body, &seen->arena, &init)));
    cr_assert_eq(init.verify_inits.count, REPORTS);
    cr_assert_eq(init.partial_batch_selector.batch_mode, pair.options.batch_mode);
    cr_assert_eq(init.partial_batch_selector.config.len,
                 pair.options.batch_mode == BATCH_MODE_LEADER_SELECTED ? 32 : 0);
    return (struct relay_verdict){.action = RELAY_FORWARD};
}

static void counts(enum batch_mode mode, const char *helper_settings) {
    start(mode, helper_settings, STEPS(step_check_init));
    pair_upload_many(&pair, "3", REPORTS, pair_time(&pair));
    expect(REPORTS);
    stop();
}
Test(janus, counts_intervals) { counts(BATCH_MODE_TIME_INTERVAL, NULL); }
Test(janus, counts_intervals_asynchronously) { counts(BATCH_MODE_TIME_INTERVAL, async); }
Test(janus, counts_batches) { counts(BATCH_MODE_LEADER_SELECTED, NULL); }
Test(janus, counts_batches_asynchronously) { counts(BATCH_MODE_LEADER_SELECTED, async); }

Test(janus, retries_the_same_put) {
    start(BATCH_MODE_TIME_INTERVAL, NULL, STEPS(step_error_500, step_lose_answer, step_strip_body));
    pair_upload_many(&pair, "3", REPORTS, pair_time(&pair));
    expect(REPORTS);
    cr_assert_eq(script_same_bodies(&script, "PUT"), 3);
    cr_assert_eq(script_same_bodies(&script, "GET"), 1);
    cr_assert_str_eq(script.seen[0].path, script.seen[1].path);
    stop();
}

/* Another id asks for another batch, without a DELETE in between. */
Test(janus, gives_each_id_a_batch_of_its_own) {
    start(BATCH_MODE_LEADER_SELECTED, NULL, STEPS(step_forward));
    for (uint64_t reports = 2; reports < 5; reports++) {
        pair_upload_many(&pair, "3", reports, pair_time(&pair));
        expect(reports);
    }
    stop();
}

Test(janus, leaves_the_drafts_tasks_alone) {
    struct pair_options options = {.vdaf = "Prio3Count", .batch_mode = BATCH_MODE_TIME_INTERVAL};
    pair_start(&pair, &options);
    struct span query = pair_query(&pair, pair_time(&pair), 1);
    struct http_client_response *response =
        pair_call(&pair, "PUT", pair_leader_url(&pair, "collection_jobs/AAAAAAAAAAAAAAAAAAAAAA"),
                  "the-collector's-token", media_type_string(MEDIA_COLLECTION_JOB_REQ), query);
    cr_assert_eq(response->status, 405);
    http_client_response_free(response);
    pair_stop(&pair);
}
