/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/pair.h"
#include "aggregator/script.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

/* Servers that are dropped at awkward moments: nothing acknowledged is lost and
 * nothing counts twice. */

enum { TIMEOUT_MS = 40000 };

static struct pair pair;
static struct script script;

static void start(enum batch_mode mode, const char *leader_settings, const char *helper_settings) {
    struct pair_options options = {.vdaf = "Prio3Count",
                                   .batch_mode = mode,
                                   .leader_settings = leader_settings,
                                   .helper_settings = helper_settings,
                                   .lease_s = 5};
    pair_start(&pair, &options);
}

static void expect(uint64_t reports) {
    struct span query = pair_query(&pair, pair_time(&pair), 1);
    struct pair_result result;
    pair_result(&pair, pair_collect(&pair, query), query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, reports, "%llu reports",
                 (unsigned long long)result.report_count);
    cr_assert(result.values[0] == reports);
}

static void with_script(const char *kind, script_step *const steps[]) {
    script_init(&script, kind, steps);
    pair.script_argument = &script;
    pair.script = script_run;
}

#define STEPS(...) ((script_step *const[]){__VA_ARGS__, NULL})

static void wait_for_requests(unsigned number) { pair_wait(&script.count, number); }

/* The helper has committed, the leader doesn't know: the next process sends the
 * same bytes and gets the same answer. */
Test(recover, after_an_answer_that_was_lost) {
    start(BATCH_MODE_LEADER_SELECTED, NULL, NULL);
    with_script("aggregation_jobs", STEPS(step_lose_answer, step_lose_answer));
    pair_upload_many(&pair, "1", 20, pair_time(&pair));
    wait_for_requests(1);
    pair_restart(&pair, &pair.leader);
    expect(20);
    cr_assert_geq(script_same_bodies(&script, "POST"), 2);
    pair_stop(&pair);
    script_release(&script);
}

/* Frozen, but without the helper's share: reports that come meanwhile don't
 * join, and the result is that of the batch as it was. */
Test(recover, between_freezing_and_the_helpers_share) {
    start(BATCH_MODE_LEADER_SELECTED, NULL, NULL);
    with_script("aggregate_shares", STEPS(step_error_500, step_lose_answer, step_error_500));
    pair_upload_many(&pair, "1", 7, pair_time(&pair));
    struct span query = pair_query(&pair, 0, 0);
    const char *job = pair_collect(&pair, query);
    wait_for_requests(1);
    pair_restart(&pair, &pair.leader);
    pair_upload_many(&pair, "1", 3, pair_time(&pair));
    wait_for_requests(2);
    pair_restart(&pair, &pair.helper);
    pair_restart(&pair, &pair.leader);
    struct pair_result result;
    pair_result(&pair, job, query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, 7);
    cr_assert(result.values[0] == 7);
    cr_assert_geq(script_same_bodies(&script, "POST"), 4);
    pair_stop(&pair);
    script_release(&script);
}

/* Loses every third request and every third answer. */
static struct relay_verdict lossy(void *argument, const struct relay_request *request) {
    (void)argument;
    switch (request->number % 3) {
    case 0: return (struct relay_verdict){.action = RELAY_LOSE, .status = 500};
    case 1: return (struct relay_verdict){.action = RELAY_LOSE_ANSWER, .status = 500};
    default: return (struct relay_verdict){.action = RELAY_FORWARD};
    }
}

static void survives(enum batch_mode mode, const char *helper_settings) {
    enum { ROUNDS = 8, EACH = 12 };
    start(mode, "{\"job_linger_ms\": 0, \"max_job_size\": 5, \"allow_small_batches\": true}",
          helper_settings);
    pair.script = lossy;
    srand(1);
    for (int i = 0; i < ROUNDS; i++) {
        pair_upload_many(&pair, "1", EACH, pair_time(&pair));
        usleep((useconds_t)(rand() % 200) * 1000);
        pair_restart(&pair, i % 2 == 0 ? &pair.leader : &pair.helper);
    }
    pair.script = NULL;
    expect(ROUNDS * EACH);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "aggregated"), ROUNDS * EACH);
    cr_assert_eq(pair_counter(&pair, &pair.helper, "aggregated"), ROUNDS * EACH);
    pair_stop(&pair);
}

Test(recover, from_many_kills) { survives(BATCH_MODE_TIME_INTERVAL, NULL); }
Test(recover, from_many_kills_with_a_slow_helper) {
    survives(BATCH_MODE_LEADER_SELECTED, "{\"helper_async\": true, \"allow_small_batches\": true}");
}
