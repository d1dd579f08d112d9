/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/context.h"
#include "aggregator/helper_poller.h"
#include "aggregator/pair.h"
#include "aggregator/script.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

/* A helper that answers jobs later and has more of them than it can do soon: it
 * takes no more for now and says so, the leader slows down, and nothing is lost. */

enum { REPORTS = 60, OLD_JOBS = 800, TIMEOUT_MS = 60000 };

static struct pair pair;
static struct script script;

static void start(void) {
    struct pair_options options = {
        .vdaf = "Prio3Count",
        .batch_mode = BATCH_MODE_TIME_INTERVAL,
        .leader_settings =
            "{\"max_job_size\": 4, \"job_linger_ms\": 20, \"allow_small_batches\": true}",
        .helper_settings = "{\"helper_async\": true, \"allow_small_batches\": true}"};
    pair_start(&pair, &options);
    script_init(&script, "aggregation_jobs", (script_step *const[]){NULL});
    pair.script_argument = &script;
    pair.script = script_run;
}

static void stop(void) {
    pair_stop(&pair);
    script_release(&script);
}

/* Jobs that have waited for longer than any should, and take the helper a while,
 * though they come to nothing. */
static struct status put_old_jobs(struct store_tx *tx, void *argument) {
    struct arena arena = ARENA_INIT;
    struct status status = OK;
    (void)argument;
    for (uint32_t i = 0; i < OLD_JOBS && status_ok(status); i++) {
        struct store_resource row, job = {.kind = STORE_AGGREGATION_JOB,
                                          .state = STORE_RESOURCE_PENDING,
                                          .request = SPAN_OF_LITERAL("nonsense"),
                                          .created_at = (int64_t)(pair.now_s - 3600) * 1000000};
        bool found;
        memcpy(job.task_id, pair.dap.id.bytes, sizeof job.task_id);
        memcpy(job.id, &i, sizeof i);
        memcpy(job.digest, &i, sizeof i);
        status = store_resource_create(tx, &arena, &job, 0, &row, &found);
    }
    arena_release(&arena);
    return status;
}

static void make_backlog(void) {
    cr_assert(status_ok(store_run(pair.helper.store, STORE_WRITE, put_old_jobs, NULL)));
    for (int i = 0; helper_poller_wait_s(pair.helper.aggregator->helper) == 0; i++) {
        cr_assert_lt(i, 5000, "nothing is done about the jobs that wait");
        usleep(1000);
    }
}

static bool same_post(unsigned i, unsigned j) {
    return strcmp(script.seen[i].method, "POST") == 0 &&
           strcmp(script.seen[j].method, "POST") == 0 &&
           memcmp(script.seen[i].digest, script.seen[j].digest, sizeof script.seen[i].digest) == 0;
}

/* How many jobs were sent again, all of them as long after as Retry-After says. */
static unsigned sent_again(void) {
    const int64_t retry_after_ns = INT64_C(2000000000);
    unsigned again = 0;
    for (unsigned j = 1; j < script.count && j < SCRIPT_SEEN_MAX; j++) {
        for (unsigned i = j; i-- > 0;) {
            if (same_post(i, j)) {
                cr_assert_geq(script.seen[j].at_ns - script.seen[i].at_ns,
                              retry_after_ns - retry_after_ns / 10);
                again++;
                break;
            }
        }
    }
    return again;
}

Test(backlog, is_told_and_loses_nothing) {
    start();
    make_backlog();
    pair_upload_many(&pair, "1", REPORTS, pair_time(&pair));
    pair_expect_all(&pair, REPORTS, TIMEOUT_MS);
    unsigned busy = atomic_load(&pair.busy_answers);
    cr_assert_gt(busy, 0);
    cr_assert_eq(sent_again(), busy);
    stop();
}

/* The same without a backlog: each job is sent once. */
Test(backlog, is_nothing_to_tell_of_while_it_is_short) {
    start();
    pair_upload_many(&pair, "1", REPORTS, pair_time(&pair));
    pair_expect_all(&pair, REPORTS, TIMEOUT_MS);
    cr_assert_eq(atomic_load(&pair.busy_answers), 0);
    cr_assert_eq(sent_again(), 0);
    stop();
}
