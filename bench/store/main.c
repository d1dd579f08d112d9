/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "store/store.h"

/*
 * bench-store URL [REPORTS [BODY [COMMIT]]]: what the database costs a report.
 *
 * Stores REPORTS reports with bodies of BODY random bytes, COMMIT to a
 * transaction, into an empty database, then takes them out again in jobs of 500
 * whose IDs are noted; prints both for each tenth of REPORTS that was reached
 * first: 10^4, 10^5 and so on. One thread works, so the rate is what commits one
 * after another give, and the CPU is what several at once would cost too.
 */
enum { JOB = 500, FIRST = 10000, EPOCH = 5 };

static const uint8_t task_id[STORE_TASK_ID_SIZE] = "a task";

struct work {
    struct store *store;
    const char *url;
    size_t body, commit;
    uint8_t *bytes;
    struct store_report *reports;
    struct arena arena;
    struct store_job job;
    size_t done;
};

static void check(struct status status) {
    if (!status_ok(status)) {
        fprintf(stderr, "bench-store: %s\n", status_text(status.code));
        exit(EXIT_FAILURE);
    }
}

static struct status task_run(struct store_tx *tx, void *argument) {
    (void)argument;
    struct store_peer peer = {.name = "helper", .dialect = "draft-18"};
    struct store_task task = {.role = 2, .aggregator_peer = "helper"};
    memcpy(task.id, task_id, sizeof task.id);
    TRY(store_peer_put(tx, &peer));
    return store_task_put(tx, &task);
}

static struct status put_run(struct store_tx *tx, void *argument) {
    struct work *work = argument;
    enum store_outcome *outcomes = ARENA_ARRAY(&work->arena, enum store_outcome, work->commit);
    return store_reports_put(tx, task_id, work->reports, work->commit, outcomes);
}

static struct status take_run(struct store_tx *tx, void *argument) {
    struct work *work = argument;
    int64_t now = clock_now_us(&clock_system);
    return store_job_create(tx, &work->arena, task_id, NULL, SPAN_EMPTY, 0, JOB, now,
                            now + 60000000, &work->job);
}

static struct status end_run(struct store_tx *tx, void *argument) {
    struct work *work = argument;
    struct store_member *members;
    size_t count;
    TRY(store_job_members(tx, &work->arena, &work->job, &members, &count));
    struct store_committed *ids = ARENA_ARRAY(&work->arena, struct store_committed, count);
    enum store_outcome *outcomes = ARENA_ARRAY(&work->arena, enum store_outcome, count);
    for (size_t i = 0; i < count; i++) {
        memcpy(ids[i].id, members[i].report.id, STORE_ID_SIZE);
        ids[i].epoch = members[i].report.epoch;
    }
    TRY(store_ids_note(tx, task_id, ids, count, outcomes));
    work->done += count;
    return store_job_finish(tx, &work->job, NULL, 0);
}

static size_t put(struct work *work) {
    randombytes_buf(work->bytes, work->body * work->commit);
    for (size_t i = 0; i < work->commit; i++) {
        work->reports[i] = (struct store_report){
            .time = 1000, .epoch = EPOCH, .body = span_of(work->bytes + i * work->body, work->body)};
        randombytes_buf(work->reports[i].id, STORE_ID_SIZE);
    }
    check(store_run(work->store, STORE_WRITE, put_run, work));
    return work->commit;
}

static size_t aggregate(struct work *work) {
    work->done = 0;
    check(store_run(work->store, STORE_WRITE, take_run, work));
    check(store_run(work->store, STORE_WRITE, end_run, work));
    return work->done;
}

/* Does a step until `count` more reports are through, and prints what each cost. */
static void measure(struct work *work, const char *name, size_t (*step)(struct work *work),
                    size_t before, size_t count) {
    struct probe from = probe_take(work->url);
    int64_t started = clock_monotonic_ns();
    size_t commits = 0;
    for (size_t done = 0; done < count; commits++) {
        done += step(work);
        arena_release(&work->arena);
    }
    double seconds = (double)(clock_monotonic_ns() - started) / 1e9;
    struct probe to = probe_take(work->url);
    double reports = (double)count;
    printf("%-10s %9zu %9.0f %9.4f %8.0f %8.0f %8.1f %9.5f %9.5f\n", name, before + count,
           reports / seconds, (to.cpu_s - from.cpu_s) * 1e3 / reports,
           (double)(to.log_bytes - from.log_bytes) / reports,
           (double)to.bytes / (double)(before + count),
           (double)to.id_bytes / (double)(before + count), (double)to.segments / reports,
           (double)commits / reports);
    fflush(stdout);
}

static size_t number(int argc, char **argv, int at, size_t initial) {
    return argc > at ? strtoull(argv[at], NULL, 10) : initial;
}

int main(int argc, char **argv) {
    static const struct store_wrapping_key key = {"a wrapping key of a benchmark 01"};
    struct store_options options = {.wrapping_keys = &key, .wrapping_key_count = 1,
                                    .clock = &clock_system, .create = true};
    size_t reports = number(argc, argv, 2, 100000);
    struct work work = {.url = argc > 1 ? argv[1] : "", .body = number(argc, argv, 3, 150),
                        .commit = number(argc, argv, 4, 1000), .arena = ARENA_INIT};
    if (argc < 2 || work.commit == 0) {
        fprintf(stderr, "usage: bench-store sqlite:PATH|postgresql://... [REPORTS [BODY [COMMIT]]]\n");
        return 2;
    }
    work.bytes = malloc(work.body * work.commit + 1);
    work.reports = calloc(work.commit, sizeof *work.reports);
    check(store_open(work.url, &options, &work.store));
    check(store_run(work.store, STORE_WRITE, task_run, NULL));
    printf("%-10s %9s %9s %9s %8s %8s %8s %9s %9s\n", "", "reports", "a second", "CPU ms", "log B",
           "B", "ID B", "rows", "commits");
    for (size_t before = 0, until = FIRST; before < reports; before = until, until *= 10) {
        until = until < reports ? until : reports;
        measure(&work, "upload", put, before, until - before);
        measure(&work, "aggregate", aggregate, before, until - before);
    }
    store_close(work.store);
    free(work.reports);
    free(work.bytes);
    return EXIT_SUCCESS;
}
