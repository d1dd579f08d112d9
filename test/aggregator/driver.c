/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/pair.h"
#include "aggregator/script.h"

#include <criterion/criterion.h>
#include <unistd.h>

/* What the leader makes of a helper that fails, lies or dawdles. */

enum { REPORTS = 5, TIMEOUT_MS = 20000 };

static const struct pair_options count = {.vdaf = "Prio3Count",
                                          .batch_mode = BATCH_MODE_TIME_INTERVAL};

static struct pair pair;
static struct script script;

static void begin_with(const struct pair_options *options, const char *kind,
                       script_step *const steps[]) {
    pair_start(&pair, options);
    script_init(&script, kind, steps);
    pair.script_argument = &script;
    pair.script = script_run;
    pair_upload_many(&pair, "1", REPORTS, pair_time(&pair));
}

static void begin(const char *kind, script_step *const steps[]) { begin_with(&count, kind, steps); }

static void finish(void) {
    pair_stop(&pair);
    script_release(&script);
}

/* In the end all reports are counted once. */
static void collect(uint64_t reports) {
    struct span query = pair_query(&pair, pair_time(&pair), 1);
    struct pair_result result;
    pair_result(&pair, pair_collect(&pair, query), query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, reports);
    cr_assert(result.values[0] == reports);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "aggregated"), reports);
    cr_assert_eq(pair_counter(&pair, &pair.helper, "aggregated"), reports);
}

static void collect_all(void) { collect(REPORTS); }

static void wait_for_requests(unsigned number) { pair_wait(&script.count, number); }

#define STEPS(...) ((script_step *const[]){__VA_ARGS__, NULL})

/* Whatever may or may not have reached the helper is sent again, the same. */
Test(driver, retries_identical_bytes) {
    begin("aggregation_jobs", STEPS(step_error_500, step_lose_answer, step_error_500));
    collect_all();
    cr_assert_eq(script_same_bodies(&script, "POST"), 4);
    finish();
}

Test(driver, retries_after_the_wrong_credentials_and_a_proxys_page) {
    begin("aggregation_jobs", STEPS(step_401, step_html));
    collect_all();
    cr_assert_eq(script_same_bodies(&script, "POST"), 3);
    finish();
}

Test(driver, follows_no_redirect) {
    begin("aggregation_jobs", STEPS(step_redirect));
    collect_all();
    cr_assert_eq(script_same_bodies(&script, "POST"), 2);
    cr_assert_eq(script.others, 0);
    finish();
}

/* Garbage may stand for an answer that was lost on its way. */
Test(driver, sends_the_same_again_after_garbage) {
    begin("aggregation_jobs", STEPS(step_garbage, step_lose_answer, step_garbage));
    collect_all();
    cr_assert_eq(script_same_bodies(&script, "POST"), 4);
    finish();
}

/* Nonsense ends the job; its reports go into another. */
static void abandons(script_step *nonsense) {
    begin("aggregation_jobs", STEPS(nonsense));
    collect_all();
    cr_assert_geq(script.count, 2);
    finish();
}
Test(driver, abandons_on_missing_reports) { abandons(step_missing); }
Test(driver, abandons_on_another_order) { abandons(step_reversed); }
Test(driver, abandons_on_finish_out_of_turn) { abandons(step_finish); }
Test(driver, abandons_when_refused_at_once) { abandons(step_refuse); }

Test(driver, sends_less_after_too_much) {
    begin("aggregation_jobs", STEPS(step_413));
    collect_all();
    /* Two at a time, or the rest at once after the first that went well. */
    cr_assert(script.count == 1 + (REPORTS + 1) / 2 || script.count == 3, "%u", script.count);
    finish();
}

/* The helper counted what it got first, whatever is said later: were those
 * reports mixed with others now, it would refuse them as replayed. */
Test(driver, keeps_what_may_have_arrived) {
    begin("aggregation_jobs", STEPS(step_lose_answer, step_refuse_repeated, step_refuse_repeated));
    wait_for_requests(1);
    pair_upload_many(&pair, "1", 1, pair_time(&pair));
    wait_for_requests(3);
    pair_upload_many(&pair, "1", 1, pair_time(&pair));
    collect(REPORTS + 2);
    finish();
}

/* Rebuilding a request asks neither the clock nor the limits of today. */
Test(driver, rebuilds_without_the_clock) {
    struct pair_options options = count;
    options.time_precision = 1;
    pair_start(&pair, &options);
    script_init(&script, "aggregation_jobs", STEPS(step_lose_answer, step_error_500));
    pair.script_argument = &script;
    pair.script = script_run;
    uint64_t early = pair_time(&pair) + 200;
    pair_upload_many(&pair, "1", REPORTS, early);
    wait_for_requests(1);
    pair.options.clock_skew_s = 1;
    pair_restart(&pair, &pair.leader);
    struct span query = pair_query(&pair, early, 1);
    struct pair_result result;
    pair_result(&pair, pair_collect(&pair, query), query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, REPORTS);
    cr_assert_eq(script_same_bodies(&script, "POST"), 3);
    finish();
}

Test(driver, never_sends_a_rejected_report_again) {
    begin("aggregation_jobs", STEPS(step_reject_invalid));
    pair_settle(&pair, TIMEOUT_MS);
    usleep(300000);
    cr_assert_eq(script.count, 1);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "report_rejected_invalid_message"), REPORTS);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "aggregated"), 0);
    finish();
}

Test(driver, counts_a_rejection_without_a_reason) {
    begin("aggregation_jobs", STEPS(step_reject_reserved));
    pair_settle(&pair, TIMEOUT_MS);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "report_rejected_invalid_message"), REPORTS);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "aggregated"), 0);
    finish();
}

static struct status usage_run(struct store_tx *tx, void *argument) {
    return store_usage_get(tx, pair.dap.id.bytes, argument);
}

Test(driver, keeps_a_report_that_is_too_early) {
    begin("aggregation_jobs", STEPS(step_reject_early));
    wait_for_requests(1);
    struct store_usage usage = {0};
    for (int i = 0; i < 300 && usage.unassigned != REPORTS; i++) {
        usleep(10000);
        cr_assert(status_ok(store_run(pair.leader.store, STORE_READ, usage_run, &usage)));
    }
    cr_assert_eq(usage.unassigned, REPORTS);
    usleep(300000);
    cr_assert_eq(script.count, 1); /* not at once */
    finish();
}

/* ---- Asynchronous answers -------------------------------------------------- */

Test(driver, polls_until_ready) {
    begin("aggregation_jobs", STEPS(step_strip_body, step_strip_body, step_strip_body));
    collect_all();
    cr_assert_eq(script_same_bodies(&script, "POST"), 1);
    cr_assert_eq(script_same_bodies(&script, "GET"), 3);
    cr_assert(strstr(script.seen[1].path, "?step=0") != NULL, "%s", script.seen[1].path);
    finish();
}

Test(driver, asks_for_no_location_elsewhere) {
    begin("aggregation_jobs", STEPS(step_foreign_location));
    collect_all();
    cr_assert_eq(script_same_bodies(&script, "POST"), 2);
    cr_assert_eq(script_same_bodies(&script, "GET"), 0);
    finish();
}

Test(driver, posts_again_what_the_helper_forgot) {
    begin("aggregation_jobs", STEPS(step_strip_body, step_poll_404));
    collect_all();
    cr_assert_eq(script_same_bodies(&script, "POST"), 2);
    finish();
}

Test(driver, honours_a_date) {
    begin("aggregation_jobs", STEPS(step_retry_date));
    wait_for_requests(2);
    int64_t waited_ms = (script.seen[1].at_ns - script.seen[0].at_ns) / 1000000;
    cr_assert(waited_ms >= 900 && waited_ms < 5000, "%lld", (long long)waited_ms);
    finish();
}

struct due {
    int64_t at;
    struct arena arena;
};
static struct status due_run(struct store_tx *tx, void *argument) {
    struct due *due = argument;
    struct store_job job;
    TRY(store_job_claim(tx, &due->arena, due->at, due->at, &job));
    due->at = job.retry_at;
    return OK;
}

/* A wait longer than the cap is cut to it. With a lease this short the job goes
 * back to the store meanwhile. */
Test(driver, caps_a_huge_wait) {
    struct pair_options options = count;
    options.lease_s = 1;
    begin_with(&options, "aggregation_jobs", STEPS(step_retry_huge));
    wait_for_requests(1);
    int64_t now = clock_now_us(&clock_system);
    usleep(500000);
    cr_assert_eq(script.count, 1);
    struct due due = {.at = now + INT64_C(3600) * 1000000, .arena = ARENA_INIT};
    cr_assert(status_ok(store_run(pair.leader.store, STORE_WRITE, due_run, &due)));
    cr_assert(due.at > now + INT64_C(290) * 1000000 && due.at <= now + INT64_C(310) * 1000000);
    arena_release(&due.arena);
    finish();
}

/* ---- Aggregate shares ------------------------------------------------------ */

Test(driver, retries_the_share_with_identical_bytes) {
    begin("aggregate_shares", STEPS(step_error_500, step_lose_answer, step_html));
    collect_all();
    cr_assert_eq(script_same_bodies(&script, "POST"), 4);
    finish();
}

Test(driver, polls_for_the_share) {
    begin("aggregate_shares", STEPS(step_strip_body, step_strip_body));
    collect_all();
    cr_assert_eq(script_same_bodies(&script, "POST"), 1);
    cr_assert_eq(script_same_bodies(&script, "GET"), 2);
    finish();
}

Test(driver, hands_on_the_helpers_refusal) {
    begin("aggregate_shares", STEPS(step_batch_mismatch));
    const char *job = pair_collect(&pair, pair_query(&pair, pair_time(&pair), 1));
    struct span body;
    int status = 0;
    for (int i = 0; i < 500 && status == 0; i++) {
        usleep(20000);
        status = pair_poll(&pair, job, &body);
    }
    cr_assert_eq(status, 400);
    cr_assert(memmem(body.data, body.len, "batchMismatch", 13) != NULL, "%.*s", (int)body.len,
              (const char *)body.data);
    cr_assert_eq(script.count, 1);
    finish();
}
