/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/gc.h"

#include <criterion/criterion.h>

#include "aggregator/pair.h"

/* What is forgotten, and what never is. */

enum { WEEK_S = 7 * 24 * 3600, TIMEOUT_MS = 20000 };

static struct pair pair;

static void start(void) {
    struct pair_options options = {
        .vdaf = "Prio3Count",
        .batch_mode = BATCH_MODE_TIME_INTERVAL,
        .leader_settings = "{\"job_linger_ms\": 20, \"report_expiry_s\": 1209600}",
    };
    pair_start(&pair, &options);
}

struct look {
    uint64_t watermark;
    bool collected;
    uint64_t time;
};

static struct status look_run(struct store_tx *tx, void *argument) {
    struct look *look = argument;
    TRY(store_watermark_get(tx, pair.dap.id.bytes, &look->watermark));
    return store_collected_interval_overlaps(tx, pair.dap.id.bytes, look->time, 1,
                                             &look->collected);
}

static struct look look_at(uint64_t time) {
    struct look look = {.time = time};
    cr_assert(status_ok(store_run(pair.leader.store, STORE_READ, look_run, &look)));
    return look;
}

/* Behind the watermark reports are refused, so forgetting their IDs opens no
 * way to replay them; that their batch was collected stays known. */
Test(gc, forgets_behind_a_watermark) {
    start();
    uint64_t old = pair_time(&pair) - 6 * WEEK_S / 3600;
    pair_upload_many(&pair, "1", 3, old);
    struct span query = pair_query(&pair, old, 1);
    const char *job = pair_collect(&pair, query);
    struct pair_result result;
    pair_result(&pair, job, query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, 3);

    cr_assert_eq(look_at(old).watermark, 0);
    cr_assert(status_ok(gc_pass(pair.leader.aggregator)));
    struct look look = look_at(old);
    cr_assert_eq(look.watermark, (pair.now_s - 2 * WEEK_S) / WEEK_S);
    cr_assert(look.collected);
    struct span body;
    cr_assert_eq(pair_poll(&pair, job, &body), 200); /* for two weeks yet */

    cr_assert_eq(pair_upload_error(&pair, "1", old + 1), REPORT_ERROR_REPORT_DROPPED);
    cr_assert_eq(pair_upload_error(&pair, "1", pair_time(&pair)), REPORT_ERROR_RESERVED);
    pair_stop(&pair);
}

/* The watermark waits for jobs: their members may be at the helper already. */
static struct relay_verdict lose(void *argument, const struct relay_request *request) {
    (void)request;
    __atomic_fetch_add((unsigned *)argument, 1, __ATOMIC_RELEASE);
    return (struct relay_verdict){.action = RELAY_LOSE_ANSWER, .status = 500};
}

Test(gc, waits_for_unfinished_jobs) {
    start();
    unsigned requests = 0;
    pair.script_argument = &requests;
    pair.script = lose;
    uint64_t old = pair_time(&pair) - 6 * WEEK_S / 3600;
    pair_upload_many(&pair, "1", 3, old);
    pair_wait(&requests, 1);
    cr_assert(status_ok(gc_pass(pair.leader.aggregator)));
    cr_assert_leq(look_at(old).watermark, store_epoch(old, 3600));
    pair.script = NULL;
    struct span query = pair_query(&pair, old, 1);
    struct pair_result result;
    pair_result(&pair, pair_collect(&pair, query), query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, 3);
    pair_stop(&pair);
}
