/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/fixture_postgres.h"

/* What is promised of PostgreSQL alone: it serves many, and it may go away. */
TestSuite(postgres, .init = fixture_setup, .fini = fixture_teardown);

static struct status open_and_close(const char *url, const struct store_options *options) {
    struct store *store;
    TRY(store_open(url, options, &store));
    store_close(store);
    return OK;
}

static struct status open_suffixed(const char *suffix) {
    struct store_options options = fixture_options();
    char url[256];
    snprintf(url, sizeof url, "%s%s", fixture_url(), suffix);
    return open_and_close(url, &options);
}

static int64_t query(const char *sql) { return fixture_backend()->query(fixture_url(), sql); }

static void execute(const char *sql) { fixture_backend()->execute(fixture_url(), sql); }

static struct status turn_run(struct store_tx *tx, void *argument) {
    (void)argument;
    return store_counter_add(tx, task_id(1), "turns", 1);
}

static int64_t turns(void) { return query("SELECT COALESCE(SUM(value), 0) FROM counter"); }

/* Like make_task(), where losing a race is no mistake. */
static struct status task_run(struct store_tx *tx, void *argument) {
    (void)argument;
    struct store_peer peer = {.name = "helper", .dialect = "draft-18"};
    struct store_task task = {.role = 3, .aggregator_peer = "helper"};
    memcpy(task.id, task_id(1), sizeof task.id);
    TRY(store_peer_put(tx, &peer));
    return store_task_put(tx, &task);
}

/* ---- Opening ------------------------------------------------------------------------ */

Test(postgres, url_takes_options_of_ours_and_of_libpq) {
    ASSERT_OK(open_suffixed("&prepared=off"));
    ASSERT_OK(open_suffixed("&prepared=auto&pool_size=1&connect_timeout=5"));
    ASSERT_OK(open_suffixed("&application_name=test&pool_size=3"));
    ASSERT_FAIL(INVALID_ARGUMENT, open_suffixed("&prepared=maybe"));
    ASSERT_FAIL(INVALID_ARGUMENT, open_suffixed("&pool_size=0"));
    ASSERT_FAIL(INVALID_ARGUMENT, open_suffixed("&no_such_option=1"));
}

Test(postgres, what_is_wrong_is_told_at_once) {
    struct store_options options = fixture_options();
    char *missing = cluster_url("moiety", "missing");
    char *stranger = cluster_url("stranger", "postgres");
    ASSERT_FAIL(NOT_FOUND, open_and_close(missing, &options));
    ASSERT_FAIL(PERMISSION_DENIED, open_and_close(stranger, &options));
    ASSERT_FAIL(IO, open_and_close("postgresql:///x?host=/nowhere", &options));
    free(missing);
    free(stranger);
}

Test(postgres, other_versions_and_other_programs_are_refused) {
    struct store_options options = fixture_options();
    struct store_migration done;
    /* Another 16 bits say whom it serves besides. */
    execute("UPDATE moiety_schema SET version = (version & 65535) + 1");
    ASSERT_FAIL(STORE_SCHEMA, open_suffixed(""));
    execute("UPDATE moiety_schema SET version = version + ((version - 1) << 16)");
    ASSERT_OK(open_suffixed(""));
    execute("UPDATE moiety_schema SET version = version + (1 << 16)");
    ASSERT_FAIL(STORE_SCHEMA, open_suffixed(""));
    execute("UPDATE moiety_schema SET version = (version & 65535) - 1");
    ASSERT_OK(open_suffixed(""));
    execute("ALTER TABLE moiety_schema RENAME TO renamed");
    ASSERT_FAIL(STORE_SCHEMA, open_suffixed(""));
    ASSERT_FAIL(STORE_SCHEMA, store_migrate(fixture_url(), &options, &done));
}

static struct status version_run(struct store_tx *tx, void *argument) {
    return store_config_version(tx, argument);
}

Test(postgres, role_that_only_reads_suffices_for_reading) {
    struct store_options options = fixture_options();
    struct store *reader;
    uint64_t version;
    execute("DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;"
            " GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader");
    char name[64];
    cr_assert_eq(sscanf(fixture_url(), "postgresql://moiety@/%63[^?]", name), 1);
    char *url = cluster_url("reader", name);
    options.read_only = true;
    ASSERT_OK(store_open(url, &options, &reader));
    ASSERT_OK(store_run(reader, STORE_READ, version_run, &version));
    ASSERT_FAIL(PERMISSION_DENIED, store_run(reader, STORE_WRITE, task_run, NULL));
    store_close(reader);
    free(url);
}

/* ---- Replicas -------------------------------------------------------------------------- */

enum { PROCESSES = 4, TURNS = 25, JOBS = 40 };

/* Runs `replica` in several processes, with a store of its own each; gives the
 * sum of what they return. */
static int processes_run(int (*replica)(struct store *store)) {
    pid_t children[PROCESSES];
    int sum = 0;
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct store_options options = fixture_options();
            struct store *store;
            if (!status_ok(store_open(fixture_url(), &options, &store))) {
                _exit(255);
            }
            int result = replica(store);
            store_close(store);
            _exit(result);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
        cr_assert(WIFEXITED(status));
        cr_assert_lt(WEXITSTATUS(status), 250);
        sum += WEXITSTATUS(status);
    }
    return sum;
}

static int turns_replica(struct store *store) {
    if (!status_ok(store_run(store, STORE_WRITE, task_run, NULL))) {
        return 254;
    }
    for (int i = 0; i < TURNS; i++) {
        if (!status_ok(store_run(store, STORE_WRITE, turn_run, NULL))) {
            return 253;
        }
    }
    return 0;
}

Test(postgres, replicas_start_together_on_an_empty_database) {
    store_close(fixture_store);
    fixture_store = NULL;
    execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    cr_assert_eq(processes_run(turns_replica), 0);
    cr_assert_eq(turns(), PROCESSES * TURNS);
}

static struct status claim_run(struct store_tx *tx, void *argument) {
    return store_job_claim(tx, argument, fixture_now, fixture_now + 60000000, &(struct store_job){0});
}

/* Counts what it claims. */
static int claims_replica(struct store *store) {
    int claimed = 0;
    struct arena arena = ARENA_INIT;
    struct status status;
    while (status_ok(status = store_run(store, STORE_WRITE, claim_run, &arena))) {
        claimed++;
    }
    arena_release(&arena);
    return status.code == STATUS_NOT_FOUND ? claimed : 252;
}

Test(postgres, replicas_claim_each_job_once) {
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    put_reports(1, JOBS, 1000);
    for (int i = 0; i < JOBS; i++) {
        create_job(1);
    }
    execute("UPDATE job SET leased_until = 0, due_at = 0");
    cr_assert_eq(processes_run(claims_replica), JOBS);
    cr_assert_eq(query("SELECT COUNT(*) FROM job WHERE attempts = 2"), JOBS);
}

static struct status take_run(struct store_tx *tx, void *argument) {
    return store_job_create(tx, &fixture_arena, task_id(1), NULL, SPAN_EMPTY, 1, 3, fixture_now,
                            fixture_now, argument);
}

/* NOT_FOUND says that nothing is left, whatever others are at. */
static int takes_replica(struct store *store) {
    int taken = 0;
    struct store_job job;
    struct status status;
    while (status_ok(status = store_run(store, STORE_WRITE, take_run, &job))) {
        taken += (int)job.member_count;
    }
    return status.code == STATUS_NOT_FOUND ? taken : 251;
}

Test(postgres, replicas_take_each_report_once) {
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    put_reports(1, JOBS * 3, 1000);
    store_close(fixture_store);
    fixture_store = NULL;
    cr_assert_eq(processes_run(takes_replica), JOBS * 3);
    cr_assert_eq(query("SELECT SUM(unassigned) FROM segment"), 0);
    cr_assert_eq(query("SELECT SUM(member_count) FROM job"), JOBS * 3);
}

static void assert_takes(struct store *store, uint32_t count) {
    struct store_job job;
    ASSERT_OK(store_run(store, STORE_WRITE, take_run, &job));
    cr_assert_eq(job.member_count, count);
}

/* A replica in the middle of making a job keeps no more from the others than
 * what it takes. */
Test(postgres, replicas_make_jobs_of_one_task_side_by_side) {
    enum { SEGMENTS = 20, EACH = 3 };
    struct store_options options = fixture_options();
    struct store *second;
    struct store_job job;
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        put_reports(EACH * i, EACH, 1000);
    }
    ASSERT_OK(store_open(fixture_url(), &options, &second));
    struct store_tx *tx = tx_begin(STORE_WRITE);
    ASSERT_OK(store_job_create(tx, &fixture_arena, task_id(1), NULL, SPAN_EMPTY, 1,
                               SEGMENTS / 2 * EACH, fixture_now, fixture_now, &job));
    cr_assert_eq(job.member_count, SEGMENTS / 2 * EACH);
    for (int i = 0; i < SEGMENTS / 2; i++) {
        assert_takes(second, EACH);
    }
    ASSERT_OK(tx_end(OK));
    ASSERT_FAIL(NOT_FOUND, store_run(second, STORE_WRITE, take_run, &job));
    store_close(second);
}

static struct {
    struct store_job job;
    struct status result;
} taken;

static void *take_main(void *argument) {
    taken.result = store_run(argument, STORE_WRITE, take_run, &taken.job);
    return NULL;
}

/* What is held may be left over: it isn't gone. */
Test(postgres, replica_waits_for_reports_that_another_holds) {
    struct store_options options = fixture_options();
    struct store *second;
    struct store_job job;
    pthread_t thread;
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    put_reports(1, 4, 1000);
    ASSERT_OK(store_open(fixture_url(), &options, &second));
    struct store_tx *tx = tx_begin(STORE_WRITE);
    ASSERT_OK(store_job_create(tx, &fixture_arena, task_id(1), NULL, SPAN_EMPTY, 1, 2, fixture_now,
                               fixture_now, &job));
    cr_assert_eq(pthread_create(&thread, NULL, take_main, second), 0);
    usleep(50000);
    ASSERT_OK(tx_end(OK));
    pthread_join(thread, NULL);
    ASSERT_OK(taken.result);
    cr_assert_eq(taken.job.member_count, 2);
    store_close(second);
}

/* ---- Transactions that meet --------------------------------------------------------------- */

/* Two transactions, the second of which has begun and looked before the first
 * commits; the fixture's own session is the first. */
static struct {
    sem_t looked, go_on;
    int runs;
    bool empty[8]; /* what each run saw */
    struct status result;
} rival;

static const uint8_t batch_id[STORE_BATCH_ID_SIZE] = "a batch";
static const uint8_t no_param[STORE_DIGEST_SIZE];

static struct status bucket_write(struct store_tx *tx, unsigned shard) {
    struct store_bucket bucket = {.key = SPAN_OF_ARRAY(batch_id),
                                  .agg_share = SPAN_OF_LITERAL("share"),
                                  .report_count = 1};
    return store_bucket_put(tx, task_id(1), no_param, shard, &bucket);
}

/* Collects the batch, whatever is in it. */
static struct status collect_run(struct store_tx *tx, void *argument) {
    (void)argument;
    struct store_bucket *buckets;
    size_t count;
    TRY(store_bucket_range(tx, &fixture_arena, task_id(1), SPAN_OF_ARRAY(batch_id),
                           SPAN_OF_ARRAY(batch_id), no_param, &buckets, &count));
    rival.empty[rival.runs % 8] = count == 0;
    if (rival.runs++ == 0) {
        sem_post(&rival.looked);
        sem_wait(&rival.go_on);
    }
    return store_collected_batch_put(tx, task_id(1), batch_id);
}

static void *rival_main(void *argument) {
    struct store_options options = fixture_options();
    struct store *store;
    rival.result = store_open(fixture_url(), &options, &store);
    if (status_ok(rival.result)) {
        rival.result = store_run(store, STORE_WRITE, (store_function *)argument, NULL);
        store_close(store);
    }
    return NULL;
}

static pthread_t rival_start(store_function *function) {
    pthread_t thread;
    sem_init(&rival.looked, 0, 0);
    sem_init(&rival.go_on, 0, 0);
    cr_assert_eq(pthread_create(&thread, NULL, rival_main, (void *)function), 0);
    sem_wait(&rival.looked);
    return thread;
}

static void rival_end(pthread_t thread) {
    sem_post(&rival.go_on);
    pthread_join(thread, NULL);
    ASSERT_OK(rival.result);
}

/* The first adds to a bucket of which there is no row yet, so the two write
 * nothing in common but the gate. */
Test(postgres, collection_sees_whoever_committed_before_it) {
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    struct store_tx *tx = tx_begin(STORE_WRITE);
    bool collected;
    ASSERT_OK(store_collected_batch_has(tx, task_id(1), batch_id, &collected));
    cr_assert_not(collected);
    pthread_t thread = rival_start(collect_run);
    ASSERT_OK(bucket_write(tx, 5));
    ASSERT_OK(tx_end(OK));
    rival_end(thread);
    cr_assert_gt(rival.runs, 1);
    cr_assert(rival.empty[0]);
    cr_assert_not(rival.empty[(rival.runs - 1) % 8], "the batch was collected without a bucket");
}

/* Reads a bucket and adds to it. */
static struct status bucket_add_run(struct store_tx *tx, void *argument) {
    (void)argument;
    struct store_bucket bucket;
    TRY(store_bucket_get(tx, &fixture_arena, task_id(1), SPAN_OF_ARRAY(batch_id), no_param, 0,
                         &bucket));
    if (rival.runs++ == 0) {
        sem_post(&rival.looked);
        sem_wait(&rival.go_on);
    }
    bucket.report_count++;
    return store_bucket_put(tx, task_id(1), no_param, 0, &bucket);
}

Test(postgres, no_update_is_lost) {
    for (WRITE(tx)) {
        make_task(tx, 1);
        ASSERT_OK(bucket_write(tx, 0));
    }
    pthread_t thread = rival_start(bucket_add_run);
    ASSERT_OK(store_run(fixture_store, STORE_WRITE, bucket_add_run, NULL));
    rival_end(thread);
    cr_assert_eq(rival.runs, 3);
    cr_assert_eq(query("SELECT report_count FROM bucket"), 3);
}

/* ---- Who closes a gate ---------------------------------------------------------------------- */

/* So far, of all that have ended their sessions; the store must be closed. */
static int64_t deadlocks(void) {
    while (query("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"
                 " AND pid <> pg_backend_pid()") > 0) {
        usleep(10000);
    }
    return query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
}

static struct status report_run(struct store_tx *tx, void *argument) {
    enum store_outcome outcome;
    return store_reports_put(tx, task_id(1), argument, 1, &outcome);
}

/* Each report is of a new epoch, so whoever brings one has to close the gate, and
 * all do at about the same time. */
static int epochs_replica(struct store *store) {
    for (uint32_t i = 0; i < TURNS; i++) {
        struct store_report report =
            make_report((uint32_t)getpid() * TURNS + i, 1000 + i * (uint64_t)STORE_EPOCH_SECONDS);
        if (!status_ok(store_run(store, STORE_WRITE, report_run, &report))) {
            return 250;
        }
    }
    return 0;
}

static void epochs_assert(void) {
    store_close(fixture_store);
    fixture_store = NULL;
    cr_assert_eq(processes_run(epochs_replica), 0);
    cr_assert_eq(deadlocks(), 0);
    cr_assert_eq(query("SELECT COUNT(*) FROM report_id"), PROCESSES * TURNS);
    cr_assert_eq(query("SELECT SUM(reports) FROM task_usage"), PROCESSES * TURNS);
}

Test(postgres, those_that_close_one_gate_do_not_lock_each_other_out) {
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    epochs_assert();
}

/* As in a database of an earlier version. */
Test(postgres, gate_is_made_by_who_closes_it) {
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    execute("DELETE FROM task_usage");
    epochs_assert();
}

static struct status abandon_run(struct store_tx *tx, void *argument) {
    return store_job_abandon(tx, argument);
}

static void *abandon_main(void *argument) {
    rival.result = store_run(fixture_store, STORE_WRITE, abandon_run, argument);
    return NULL;
}

/* Two jobs of one segment: the one that waits at the gate must not hold what the
 * other, which is through, goes on to. */
Test(postgres, job_goes_through_the_gate_before_it_touches_reports) {
    pthread_t thread;
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    put_reports(1, 4, 1000);
    struct store_job finished = create_job(2);
    struct store_job abandoned = create_job(2);
    struct store_tx *tx = tx_begin(STORE_WRITE);
    ASSERT_OK(store_watermark_advance(tx, task_id(1), 1));
    cr_assert_eq(pthread_create(&thread, NULL, abandon_main, &abandoned), 0);
    usleep(200000);
    ASSERT_OK(store_job_finish(tx, &finished, NULL, 0));
    ASSERT_OK(tx_end(OK));
    pthread_join(thread, NULL);
    ASSERT_OK(rival.result);
    cr_assert_eq(get_usage(1).unassigned, 2);
    store_close(fixture_store);
    fixture_store = NULL;
    cr_assert_eq(deadlocks(), 0);
}

static struct status extend_run(struct store_tx *tx, void *argument) {
    return store_job_extend(tx, argument, fixture_now + 1);
}

/* A heartbeat holds many leases' rows at once, so it must not wait for any. */
Test(postgres, renewal_passes_over_a_lease_that_is_being_given_back) {
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    put_reports(1, 2, 1000);
    struct store_job job = create_job(2);
    struct store_tx *tx = tx_begin(STORE_WRITE);
    ASSERT_OK(store_job_release(tx, &job, NULL, 0, SPAN_EMPTY, fixture_now));
    ASSERT_FAIL(LEASE_LOST, store_run(fixture_store, STORE_WRITE, extend_run, &job));
    ASSERT_OK(tx_end(OK));
}

enum { THREADS = 4, RESTARTS = 3 };
static _Atomic bool enough;

static void *turns_main(void *argument) {
    int64_t *done = argument;
    while (!enough && status_ok(store_run(fixture_store, STORE_WRITE, turn_run, NULL))) {
        ++*done;
    }
    return enough ? NULL : argument;
}

static struct status close_run(struct store_tx *tx, void *argument) {
    uint64_t *epoch = argument;
    rival.runs++;
    return store_watermark_advance(tx, task_id(1), *epoch);
}

/* It waits its turn, however many others go on writing. */
Test(postgres, gate_closes_in_a_crowd) {
    pthread_t threads[THREADS];
    int64_t done[THREADS] = {0};
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, turns_main, &done[i]), 0);
    }
    for (uint64_t epoch = 1; epoch <= TURNS; epoch++) {
        rival.runs = 0;
        ASSERT_OK(store_run(fixture_store, STORE_WRITE, close_run, &epoch));
        cr_assert_leq(rival.runs, 2);
    }
    enough = true;
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        cr_assert_null(failed);
        cr_assert_gt(done[i], 0);
    }
    cr_assert_eq(query("SELECT watermark FROM task"), TURNS);
}

/* ---- A server that goes away ---------------------------------------------------------------- */

static void backends_end(void) {
    execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()");
}

static struct status cut_run(struct store_tx *tx, void *argument) {
    int *runs = argument;
    TRY(turn_run(tx, NULL));
    if ((*runs)++ == 0) {
        backends_end();
    }
    return turn_run(tx, NULL);
}

Test(postgres, transaction_whose_connection_was_cut_is_run_again) {
    int runs = 0;
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    ASSERT_OK(store_run(fixture_store, STORE_WRITE, cut_run, &runs));
    cr_assert_eq(runs, 2);
    cr_assert_eq(turns(), 2);
}

/* Stand before libpq's own: cut the connection just before a COMMIT is sent, or
 * when it has been answered but nobody has read the answer. */
enum cut { CUT_NOTHING, CUT_BEFORE, CUT_AFTER };
static enum cut cut;

static bool cut_now(PGconn *connection, enum cut when) {
    if (cut != when) {
        return false;
    }
    cut = CUT_NOTHING;
    shutdown(PQsocket(connection), SHUT_RDWR);
    return true;
}

int PQsendQueryParams(PGconn *connection, const char *text, int count, const Oid *types,
                      const char *const *values, const int *lengths, const int *formats,
                      int format) {
    __typeof__(&PQsendQueryParams) real;
    *(void **)&real = dlsym(RTLD_NEXT, "PQsendQueryParams");
    if (strcmp(text, "COMMIT") == 0) {
        cut_now(connection, CUT_BEFORE);
    }
    return real(connection, text, count, types, values, lengths, formats, format);
}

PGresult *PQgetResult(PGconn *connection) {
    __typeof__(&PQgetResult) real;
    *(void **)&real = dlsym(RTLD_NEXT, "PQgetResult");
    PGresult *result = real(connection);
    if (result != NULL && strcmp(PQcmdStatus(result), "COMMIT") == 0 &&
        cut_now(connection, CUT_AFTER)) {
        while (PQstatus(connection) == CONNECTION_OK && PQconsumeInput(connection) == 1) {
        }
        PQclear(result);
        result = PQmakeEmptyPGresult(connection, PGRES_FATAL_ERROR);
    }
    return result;
}

static struct status counted_turn_run(struct store_tx *tx, void *argument) {
    ++*(int *)argument;
    return turn_run(tx, NULL);
}

static void commit_in_doubt(enum cut when, int expected_runs) {
    char url[256];
    struct store_options options = fixture_options();
    int runs = 0;
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    store_close(fixture_store);
    snprintf(url, sizeof url, "%s&prepared=off&pool_size=1", fixture_url());
    ASSERT_OK(store_open(url, &options, &fixture_store));
    ASSERT_OK(store_run(fixture_store, STORE_WRITE, turn_run, NULL));
    cut = when;
    ASSERT_OK(store_run(fixture_store, STORE_WRITE, counted_turn_run, &runs));
    cr_assert_eq(cut, CUT_NOTHING);
    cr_assert_eq(runs, expected_runs);
    cr_assert_eq(turns(), 2);
}

Test(postgres, commit_whose_answer_was_lost_is_not_run_again) { commit_in_doubt(CUT_AFTER, 1); }

Test(postgres, commit_that_never_arrived_is_run_again) { commit_in_doubt(CUT_BEFORE, 2); }


/* The server crashes and comes back again and again; each turn counts once. */
Test(postgres, crashes_lose_nothing_and_double_nothing) {
    pthread_t threads[THREADS];
    int64_t done[THREADS] = {0};
    int64_t sum = 0;
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, turns_main, &done[i]), 0);
    }
    for (int i = 0; i < RESTARTS; i++) {
        usleep(300000);
        cluster_do("restart", "");
    }
    usleep(300000);
    enough = true;
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        cr_assert_null(failed);
        sum += done[i];
    }
    cr_assert_gt(sum, 10);
    cr_assert_eq(turns(), sum);
}
