/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/pair.h"
#include "aggregator/script.h"

#include <criterion/criterion.h>
#include <unistd.h>

/* Aggregation jobs that are continued, with a VDAF made for it: rounds_vdaf.c. */

enum { TIMEOUT_MS = 20000, ROUNDS_NOT_EAGER = 99 };

static struct pair pair;
static struct script script;

static void start(uint64_t rounds, enum batch_mode mode, script_step *const steps[]) {
    struct pair_options options = {.vdaf = "Rounds",
                                   .params = {{"rounds", rounds}},
                                   .param_count = 1,
                                   .batch_mode = mode,
                                   .leader_settings = "{\"job_linger_ms\": 300}"};
    pair_start(&pair, &options);
    script_init(&script, "aggregation_jobs", steps);
    pair.script_argument = &script;
    pair.script = script_run;
}

static void stop(void) {
    pair_stop(&pair);
    script_release(&script);
}

static void upload(void) {
    pair_upload_many(&pair, "1", 4, pair_time(&pair));
    pair_upload_many(&pair, "3", 1, pair_time(&pair)); /* the leader rejects it.. */
    pair_upload_many(&pair, "1", 2, pair_time(&pair));
    pair_upload_many(&pair, "2", 2, pair_time(&pair)); /* ..and the helper these */
    pair_upload_many(&pair, "0", 1, pair_time(&pair));
}

static void expect(void) {
    struct span query = pair_query(&pair, pair_time(&pair), 1);
    struct pair_result result;
    pair_result(&pair, pair_collect(&pair, query), query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, 7, "%llu reports", (unsigned long long)result.report_count);
    cr_assert(result.values[0] == 6);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "aggregated"), 7);
    cr_assert_eq(pair_counter(&pair, &pair.helper, "aggregated"), 7);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "report_rejected_vdaf_verify_error"), 3);
}

#define STEPS(...) ((script_step *const[]){__VA_ARGS__, NULL})

Test(rounds, two) {
    start(2, BATCH_MODE_TIME_INTERVAL, STEPS(step_forward));
    upload();
    expect();
    cr_assert_eq(script.count, 2);
    stop();
}

Test(rounds, three) {
    start(3, BATCH_MODE_LEADER_SELECTED, STEPS(step_forward));
    upload();
    expect();
    cr_assert_eq(script.count, 2);
    stop();
}

Test(rounds, four) {
    start(4, BATCH_MODE_LEADER_SELECTED, STEPS(step_forward));
    upload();
    expect();
    cr_assert_eq(script.count, 3);
    stop();
}

/* The helper has advanced, the leader doesn't know: the same request again,
 * rebuilt from what was stored before it was first sent. */
Test(rounds, recovers_from_step_skew) {
    start(2, BATCH_MODE_TIME_INTERVAL,
          STEPS(step_forward, step_lose_answer, step_lose_answer, step_error_500));
    upload();
    pair_wait(&script.count, 2);
    pair_restart(&pair, &pair.leader);
    pair_restart(&pair, &pair.helper);
    expect();
    cr_assert_geq(script.count, 5);
    for (unsigned i = 2; i < script.count; i++) {
        cr_assert_str_eq(script.seen[i].method, "POST");
        cr_assert_arr_eq(script.seen[i].digest, script.seen[1].digest, 32);
    }
    stop();
}

/* An asynchronous first step, then a poll that names it. */
Test(rounds, continues_after_a_poll) {
    start(2, BATCH_MODE_TIME_INTERVAL, STEPS(step_strip_body));
    upload();
    expect();
    cr_assert_eq(script.count, 3);
    cr_assert_str_eq(script.seen[1].method, "GET");
    cr_assert(strstr(script.seen[1].path, "?step=0") != NULL);
    cr_assert_str_eq(script.seen[2].method, "POST");
    cr_assert(strchr(script.seen[2].path, '?') == NULL, "%s", script.seen[2].path);
    stop();
}

Test(rounds, polls_for_a_continuation) {
    start(2, BATCH_MODE_TIME_INTERVAL, STEPS(step_forward, step_strip_body));
    upload();
    expect();
    cr_assert_eq(script.count, 3);
    cr_assert_str_eq(script.seen[2].method, "GET");
    cr_assert(strstr(script.seen[2].path, "?step=1") != NULL, "%s", script.seen[2].path);
    stop();
}

/* Nonsense in a later step ends the job, the helper is told, and the reports go
 * into another. */
static void abandons(uint64_t rounds, script_step *nonsense) {
    start(rounds, BATCH_MODE_LEADER_SELECTED, STEPS(step_forward, nonsense));
    pair_upload_many(&pair, "1", 3, pair_time(&pair));
    struct span query = pair_query(&pair, 0, 0);
    struct pair_result result;
    pair_result(&pair, pair_collect(&pair, query), query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, 3);
    cr_assert(result.values[0] == 3);
    cr_assert_str_eq(script.seen[2].method, "DELETE");
    cr_assert(strchr(script.seen[2].path, '?') == NULL, "%s", script.seen[2].path);
    stop();
}
Test(rounds, abandons_on_another_order) { abandons(2, step_continue_reversed); }
Test(rounds, abandons_on_a_response_out_of_turn) { abandons(2, step_continue_again); }

/* This one takes no empty aggregation parameter, so nothing can be aggregated
 * before a collector names one. */
Test(rounds, makes_no_job_before_the_parameter_is_known) {
    start(ROUNDS_NOT_EAGER, BATCH_MODE_LEADER_SELECTED, STEPS(step_forward));
    pair_upload_many(&pair, "1", 3, pair_time(&pair));
    usleep(800000);
    cr_assert_eq(script.count, 0);
    stop();
}
