/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/pair.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <unistd.h>

/* A process keeps what it works on, however long that takes; one that stood
 * still for too long finds that another has it, and writes nothing. */

enum { REPORTS = 7, LEASE_S = 1, TIMEOUT_MS = 40000 };

static struct pair pair;
static atomic_bool held;    /* the helper's first request is */
static atomic_bool let_go;

/* The first job's request waits at the relay, as at a slow helper. */
static struct relay_verdict hold_first(void *argument, const struct relay_request *request) {
    (void)argument;
    if (strstr(request->path, "aggregation_jobs") != NULL && !atomic_exchange(&held, true)) {
        while (!atomic_load(&let_go)) {
            usleep(1000);
        }
    }
    return (struct relay_verdict){.action = RELAY_FORWARD};
}

static void start(void) {
    const struct pair_options options = {
        .vdaf = "Prio3Count", .batch_mode = BATCH_MODE_TIME_INTERVAL, .lease_s = LEASE_S};
    pair_start(&pair, &options);
    pair.script = hold_first;
    pair_upload_many(&pair, "1", REPORTS, pair_time(&pair));
    for (int waited = 0; !atomic_load(&held); waited++) {
        cr_assert_lt(waited, TIMEOUT_MS);
        usleep(1000);
    }
}

/* Another process that looks for work, whose clock is `ahead_us` ahead. */
struct rival {
    struct arena arena;
    struct store_job job;
    int64_t ahead_us;
};

static struct status rival_claim(struct store_tx *tx, void *argument) {
    struct rival *rival = argument;
    int64_t now = clock_now_us(&clock_system) + rival->ahead_us;
    return store_job_claim(tx, &rival->arena, now, now + INT64_C(60000000), &rival->job);
}

static struct status rival_release(struct store_tx *tx, void *argument) {
    struct rival *rival = argument;
    return store_job_release(tx, &rival->job, NULL, rival->job.step, SPAN_EMPTY, 0);
}

static struct status rival_run(struct rival *rival, store_function *function) {
    return store_run(pair.leader.store, STORE_WRITE, function, rival);
}

Test(lease, is_renewed_while_the_work_goes_on, .timeout = 60) {
    start();
    struct rival rival = {.arena = ARENA_INIT};
    for (int64_t end = clock_monotonic_ns() + 3 * (int64_t)LEASE_S * 1000000000;
         clock_monotonic_ns() < end; usleep(20000)) {
        cr_assert_eq(rival_run(&rival, rival_claim).code, STATUS_NOT_FOUND);
    }
    atomic_store(&let_go, true);
    pair_expect_all(&pair, REPORTS, TIMEOUT_MS);
    arena_release(&rival.arena);
    pair_stop(&pair);
}

Test(lease, that_was_lost_guards_what_another_does, .timeout = 60) {
    start();
    struct rival rival = {.arena = ARENA_INIT, .ahead_us = INT64_C(3600) * 1000000};
    cr_assert(status_ok(rival_run(&rival, rival_claim)));
    atomic_store(&let_go, true);
    for (int waited = 0; pair_counter(&pair, &pair.helper, "aggregated") != REPORTS; waited++) {
        cr_assert_lt(waited, TIMEOUT_MS);
        usleep(1000);
    }
    /* The helper has counted; the leader, which has its answer, must not. */
    usleep(500000);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "aggregated"), 0);
    cr_assert(status_ok(rival_run(&rival, rival_release)));
    pair_expect_all(&pair, REPORTS, TIMEOUT_MS);
    arena_release(&rival.arena);
    pair_stop(&pair);
}
