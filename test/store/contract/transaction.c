/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/fixture.h"

TestSuite(transaction, .init = fixture_setup, .fini = fixture_teardown);

static const struct store_peer some_peer = {.name = "peer", .dialect = "draft-18"};

static struct status peer_get(struct store_tx *tx) {
    struct store_peer peer;
    return store_peer_get(tx, &fixture_arena, "peer", &peer);
}

Test(transaction, that_fails_leaves_nothing) {
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    put_reports(1, 5, 1000);
    struct store_job job = create_job(2);
    struct store_usage before = get_usage(1);
    static const char *const tables[] = {"peer",   "task",    "report_id", "id_epoch", "segment",
                                         "job",    "bucket",  "batch",     "resource", "counter",
                                         "segment_body", "job_body", "collected_interval",
                                         "noted_ids"};
    int64_t counts[sizeof tables / sizeof tables[0]];
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        counts[i] = fixture_rows(tables[i]);
    }

    struct store_tx *tx = tx_begin(STORE_WRITE);
    struct store_report report = make_report(50, EPOCH(7));
    enum store_outcome outcome;
    struct store_job other;
    struct store_bucket bucket = {.key = SPAN_OF_LITERAL("key")};
    uint8_t digest[STORE_DIGEST_SIZE] = {0};
    struct store_batch batch = {.state = STORE_BATCH_OPEN};
    ASSERT_OK(store_peer_put(tx, &some_peer));
    make_task(tx, 2);
    ASSERT_OK(store_reports_put(tx, task_id(1), &report, 1, &outcome));
    ASSERT_OK(store_job_finish(tx, &job, NULL, 0));
    ASSERT_OK(store_job_create(tx, &fixture_arena, task_id(1), NULL, SPAN_EMPTY, 0, 9, fixture_now,
                               fixture_now, &other));
    ASSERT_OK(store_bucket_put(tx, task_id(1), digest, 0, &bucket));
    ASSERT_OK(store_batch_put(tx, task_id(1), &batch));
    ASSERT_OK(store_collected_interval_put(tx, task_id(1), 0, 10));
    ASSERT_OK(store_counter_add(tx, task_id(1), "aggregated", 1));
    ASSERT_OK(store_watermark_advance(tx, task_id(1), 5));
    ASSERT_FAIL(CANCELLED, tx_end(FAIL(CANCELLED)));

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        cr_assert_eq(fixture_rows(tables[i]), counts[i], "%s", tables[i]);
    }
    struct store_usage after = get_usage(1);
    cr_assert_eq(after.reports, before.reports);
    cr_assert_eq(after.bytes, before.bytes);
    cr_assert_eq(after.unassigned, before.unassigned);
    for (WRITE(again)) {
        uint64_t epoch;
        ASSERT_OK(store_watermark_get(again, task_id(1), &epoch));
        cr_assert_eq(epoch, 0);
        ASSERT_OK(store_job_finish(again, &job, NULL, 0));
    }
}

static struct status peer_get_run(struct store_tx *tx, void *argument) {
    (void)argument;
    return peer_get(tx);
}

/* What it does not wait for is the backend's own tests' matter. */
Test(transaction, relaxed_writes_are_seen_and_rolled_back_like_others) {
    struct store_tx *tx = tx_begin(STORE_WRITE_RELAXED);
    ASSERT_OK(store_peer_put(tx, &some_peer));
    ASSERT_FAIL(CANCELLED, tx_end(FAIL(CANCELLED)));
    tx = tx_begin(STORE_READ);
    ASSERT_FAIL(NOT_FOUND, peer_get(tx));
    ASSERT_OK(tx_end(OK));
    tx = tx_begin(STORE_WRITE_RELAXED);
    ASSERT_OK(store_peer_put(tx, &some_peer));
    ASSERT_OK(tx_end(OK));
    tx = tx_begin(STORE_READ);
    ASSERT_OK(peer_get(tx));
    ASSERT_OK(tx_end(OK));
}

Test(transaction, reader_sees_whole_commits) {
    struct store *second;
    struct store_options options = fixture_options();
    ASSERT_OK(store_open(fixture_url(), &options, &second));
    struct store_tx *tx = tx_begin(STORE_WRITE);
    ASSERT_OK(store_peer_put(tx, &some_peer));
    ASSERT_FAIL(NOT_FOUND, store_run(fixture_store, STORE_READ, peer_get_run, NULL));
    ASSERT_FAIL(NOT_FOUND, store_run(second, STORE_READ, peer_get_run, NULL));
    ASSERT_OK(tx_end(OK));
    ASSERT_OK(store_run(fixture_store, STORE_READ, peer_get_run, NULL));
    ASSERT_OK(store_run(second, STORE_READ, peer_get_run, NULL));
    store_close(second);
}

static struct status peer_put_run(struct store_tx *tx, void *argument) {
    (void)argument;
    return store_peer_put(tx, &some_peer);
}

Test(transaction, reader_keeps_its_view) {
    struct store_tx *tx = tx_begin(STORE_READ);
    ASSERT_FAIL(NOT_FOUND, peer_get(tx));
    ASSERT_OK(store_run(fixture_store, STORE_WRITE, peer_put_run, NULL));
    ASSERT_FAIL(NOT_FOUND, peer_get(tx));
    ASSERT_OK(tx_end(OK));
    for (READ(again)) {
        ASSERT_OK(peer_get(again));
    }
}

/* Loses twice, and must find nothing of what it wrote when run again. */
static struct status loser_run(struct store_tx *tx, void *argument) {
    int *runs = argument;
    struct status status = peer_get(tx);
    if (status.code != STATUS_NOT_FOUND) {
        return FAIL(INTERNAL);
    }
    TRY(store_peer_put(tx, &some_peer));
    return ++*runs < 3 ? FAIL(STORE_BUSY) : OK;
}

Test(transaction, that_lost_is_run_again_from_the_start) {
    int runs = 0;
    ASSERT_OK(store_run(fixture_store, STORE_WRITE, loser_run, &runs));
    cr_assert_eq(runs, 3);
    for (READ(tx)) {
        ASSERT_OK(peer_get(tx));
    }
}

/* A write where only reading is allowed fails in the database; that the
 * function ignores it must not matter. */
static struct status careless_run(struct store_tx *tx, void *argument) {
    bool *failed = argument;
    struct status status = store_peer_put(tx, &some_peer);
    *failed = !status_ok(status);
    return OK;
}

Test(transaction, failure_of_the_database_sticks) {
    bool failed = false;
    ASSERT_FAIL(STORE, store_run(fixture_store, STORE_READ, careless_run, &failed));
    cr_assert(failed);
    for (READ(tx)) {
        ASSERT_FAIL(NOT_FOUND, peer_get(tx));
    }
}

Test(transaction, other_failures_leave_it_usable) {
    for (WRITE(tx)) {
        ASSERT_FAIL(NOT_FOUND, peer_get(tx));
        ASSERT_FAIL(NOT_FOUND, store_peer_delete(tx, "peer"));
        ASSERT_OK(store_peer_put(tx, &some_peer));
    }
    for (READ(tx)) {
        ASSERT_OK(peer_get(tx));
    }
}

Test(transaction, read_only_store_writes_nothing) {
    struct store_options options = fixture_options();
    struct store *reader;
    options.read_only = true;
    for (WRITE(tx)) {
        ASSERT_OK(store_peer_put(tx, &some_peer));
    }
    ASSERT_OK(store_open(fixture_url(), &options, &reader));
    ASSERT_OK(store_run(reader, STORE_READ, peer_get_run, NULL));
    ASSERT_FAIL(PERMISSION_DENIED, store_run(reader, STORE_WRITE, peer_put_run, NULL));
    store_close(reader);
}

/* ---- Opening -------------------------------------------------------------------------- */

Test(transaction, url_must_name_a_known_database) {
    struct store_options options = fixture_options();
    struct store *store;
    ASSERT_FAIL(INVALID_ARGUMENT, store_open("mongodb://localhost/x", &options, &store));
    ASSERT_FAIL(INVALID_ARGUMENT, store_open("", &options, &store));
}

Test(transaction, migration_of_a_current_schema_changes_nothing) {
    struct store_options options = fixture_options();
    struct store_migration done;
    for (WRITE(tx)) {
        ASSERT_OK(store_peer_put(tx, &some_peer));
    }
    ASSERT_OK(store_migrate(fixture_url(), &options, &done));
    cr_assert_eq(done.from, done.to);
    cr_assert_geq(done.to, 1);
    for (READ(tx)) {
        ASSERT_OK(peer_get(tx));
    }
}

/* ---- A kill at any instant ------------------------------------------------------------- */

enum { CRASHES = 12 };

/* Uploads report after report from `first` on, and says on the pipe which one
 * has been acknowledged; until it is killed. */
static _Noreturn void uploader_main(int fd, uint32_t first) {
    struct store_options options = fixture_options();
    struct store *store;
    if (!status_ok(store_open(fixture_url(), &options, &store))) {
        _exit(1);
    }
    fixture_store = store;
    for (uint32_t number = first;; number++) {
        put_reports(number, 1, 1000);
        if (number % 5 == 0) {
            struct store_job job = create_job(3); /* keeps other rows in motion */
            (void)job;
        }
        if (write(fd, &number, sizeof number) != sizeof number) {
            _exit(1);
        }
    }
}

/* Gives the number after the last one acknowledged. */
static uint32_t upload_until_killed(uint32_t first, useconds_t delay) {
    int fds[2];
    uint32_t acknowledged = first;
    uint32_t number;
    cr_assert_eq(pipe(fds), 0);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        close(fds[0]);
        uploader_main(fds[1], first);
    }
    close(fds[1]);
    cr_assert_eq(read(fds[0], &number, sizeof number), sizeof number);
    acknowledged = number + 1;
    usleep(delay);
    kill(child, SIGKILL);
    while (read(fds[0], &number, sizeof number) == sizeof number) {
        acknowledged = number + 1;
    }
    close(fds[0]);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status), "the uploader failed by itself");
    fixture_backend()->settle(fixture_url());
    return acknowledged;
}

Test(transaction, kill_loses_nothing_acknowledged) {
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    store_close(fixture_store);
    uint32_t next = 1;
    for (useconds_t crash = 0; crash < CRASHES; crash++) {
        /* The one in flight when it was killed may be stored or not: skip it. */
        uint32_t acknowledged = upload_until_killed(next, 1000 + crash * 7001);
        struct store_options options = fixture_options();
        ASSERT_OK(store_open(fixture_url(), &options, &fixture_store));
        for (WRITE(tx)) {
            for (uint32_t number = next; number < acknowledged; number++) {
                struct store_report report = make_report(number, 1000);
                enum store_outcome outcome;
                ASSERT_OK(store_reports_put(tx, task_id(1), &report, 1, &outcome));
                cr_assert_eq(outcome, STORE_REPLAYED, "report %u was lost", number);
            }
        }
        store_close(fixture_store);
        next = acknowledged + 1;
    }
    struct store_options options = fixture_options();
    ASSERT_OK(store_open(fixture_url(), &options, &fixture_store));
    /* IDs and reports agree: whatever counts as uploaded is there, once. */
    struct store_usage usage = get_usage(1);
    cr_assert_eq(fixture_rows("report_id"),
                 (int64_t)usage.reports);
    cr_assert_eq(fixture_backend()->query(fixture_url(), "SELECT SUM(remaining) FROM segment"),
                 (int64_t)usage.reports);
    cr_assert_eq(fixture_backend()->query(fixture_url(), "SELECT SUM(unassigned) FROM segment"),
                 (int64_t)usage.unassigned);
}
