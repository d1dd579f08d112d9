/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/fixture.h"

/* What is promised of SQLite alone. */
TestSuite(sqlite, .init = fixture_setup, .fini = fixture_teardown);

static struct status open_and_close(const char *url, const struct store_options *options) {
    struct store *store;
    TRY(store_open(url, options, &store));
    store_close(store);
    return OK;
}

static const char *path(void) { return fixture_url() + strlen("sqlite:"); }

Test(sqlite, bare_path_is_a_url) {
    struct store_options options = fixture_options();
    options.create = false;
    ASSERT_OK(open_and_close(path(), &options));
}

Test(sqlite, file_is_its_owners_alone) {
    static const char *const suffixes[] = {"", "-wal"};
    for (int i = 0; i < 2; i++) {
        char name[256];
        struct stat stat_of;
        snprintf(name, sizeof name, "%s%s", path(), suffixes[i]);
        cr_assert_eq(stat(name, &stat_of), 0, "%s", name);
        cr_assert_eq(stat_of.st_mode & 0777, 0600);
    }
}

Test(sqlite, missing_file_is_made_only_if_asked) {
    struct store_options options = fixture_options();
    char url[256];
    snprintf(url, sizeof url, "%s-other", fixture_url());
    options.create = false;
    ASSERT_FAIL(NOT_FOUND, open_and_close(url, &options));
    options.create = true;
    options.read_only = true;
    ASSERT_FAIL(NOT_FOUND, open_and_close(url, &options));
    cr_assert_neq(access(url + strlen("sqlite:"), F_OK), 0);
    options.read_only = false;
    ASSERT_OK(open_and_close(url, &options));
    cr_assert_eq(unlink(url + strlen("sqlite:")), 0);
    ASSERT_FAIL(NOT_FOUND, open_and_close("sqlite:/nowhere/at/all.db", &options));
}

Test(sqlite, migration_makes_the_schema) {
    struct store_options options = fixture_options();
    char url[256];
    struct store_migration done;
    snprintf(url, sizeof url, "%s-other", fixture_url());
    ASSERT_OK(store_migrate(url, &options, &done));
    cr_assert_eq(done.from, 0);
    cr_assert_geq(done.to, 1);
    options.create = false;
    ASSERT_OK(open_and_close(url, &options));
    cr_assert_eq(unlink(url + strlen("sqlite:")), 0);
}

/* Says that the schema is of `version` and serves programs of `serves` and later. */
static void claim_version(int serves, int version) {
    char script[64];
    snprintf(script, sizeof script, "PRAGMA user_version = %d", serves << 16 | version);
    fixture_backend()->execute(fixture_url(), script);
}

Test(sqlite, other_versions_and_other_programs_are_refused) {
    struct store_options options = fixture_options();
    struct store_migration done;
    store_close(fixture_store);
    fixture_store = NULL;
    ASSERT_OK(store_migrate(fixture_url(), &options, &done));
    int ours = done.to;
    claim_version(0, 1000);
    ASSERT_FAIL(STORE_SCHEMA, open_and_close(fixture_url(), &options));
    claim_version(ours + 1, 1000);
    ASSERT_FAIL(STORE_SCHEMA, open_and_close(fixture_url(), &options));
    options.create = false;
    claim_version(0, 0);
    ASSERT_FAIL(STORE_SCHEMA, open_and_close(fixture_url(), &options));
    claim_version(1, ours - 1);
    ASSERT_FAIL(STORE_SCHEMA, open_and_close(fixture_url(), &options));
    claim_version(0, ours);
    ASSERT_OK(open_and_close(fixture_url(), &options));
    options.create = true;
    fixture_backend()->execute(fixture_url(), "PRAGMA application_id = 5");
    ASSERT_FAIL(STORE_SCHEMA, open_and_close(fixture_url(), &options));
    ASSERT_FAIL(STORE_SCHEMA, store_migrate(fixture_url(), &options, &done));
}

Test(sqlite, later_version_may_serve_this_program) {
    struct store_options options = fixture_options();
    struct store_migration done;
    store_close(fixture_store);
    fixture_store = NULL;
    ASSERT_OK(store_migrate(fixture_url(), &options, &done));
    int ours = done.to;
    claim_version(ours, 1000);
    ASSERT_OK(open_and_close(fixture_url(), &options));
    ASSERT_OK(store_migrate(fixture_url(), &options, &done));
    cr_assert_eq(done.from, 1000);
    cr_assert_eq(done.to, 1000);
    cr_assert_eq(done.serves, ours);
}

/* A database of the first version, from its script. */
static void make_first_version(const char *url) {
    char script[65536] = "PRAGMA application_id = 0x4d6f6965; PRAGMA user_version = 1;";
    size_t len = strlen(script);
    FILE *file = fopen(MOIETY_TEST_VECTORS "/../../schemas/sql/sqlite/001_initial.sql", "r");
    cr_assert_not_null(file);
    len += fread(script + len, 1, sizeof script - 1 - len, file);
    cr_assert(feof(file));
    fclose(file);
    script[len] = '\0';
    fixture_backend()->execute(url, script);
}

/* What servers can't go on with is done when it is said that there are none. */
Test(sqlite, old_version_is_migrated_without_its_servers) {
    struct store_options options = fixture_options();
    struct store_migration done;
    char url[256];
    snprintf(url, sizeof url, "%s-other", fixture_url());
    make_first_version(url);
    options.create = false;
    ASSERT_FAIL(STORE_SCHEMA, open_and_close(url, &options));
    ASSERT_FAIL(CONFLICT, store_migrate(url, &options, &done));
    cr_assert_eq(fixture_backend()->query(url, "PRAGMA user_version"), 1);
    options.alone = true;
    ASSERT_OK(store_migrate(url, &options, &done));
    cr_assert_eq(done.from, 1);
    cr_assert_geq(done.to, 2);
    cr_assert_geq(done.serves, 2);
    ASSERT_OK(open_and_close(url, &options));
    cr_assert_eq(unlink(url + strlen("sqlite:")), 0);
}

Test(sqlite, file_of_another_kind_is_refused_and_left_alone) {
    static const char text[] = "This is no database, whatever its name says. "
                               "It is long enough to have a header, and it must stay as it is.";
    struct store_options options = fixture_options();
    char url[256];
    char back[sizeof text];
    snprintf(url, sizeof url, "%s-other", fixture_url());
    const char *name = url + strlen("sqlite:");
    FILE *file = fopen(name, "w");
    fputs(text, file);
    fclose(file);
    ASSERT_FAIL(STORE, open_and_close(url, &options));
    file = fopen(name, "r");
    cr_assert_not_null(fgets(back, sizeof back, file));
    fclose(file);
    cr_assert_str_eq(back, text);
    unlink(name);
}

/* SQLite finds these before the C library's. */
static _Atomic int syncs;

int fdatasync(int fd) {
    syncs++;
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
    syncs++;
    return (int)syscall(SYS_fsync, fd);
}

static const struct store_peer some_peer = {.name = "peer", .dialect = "draft-18"};

Test(sqlite, each_commit_is_synced) {
    for (int i = 0; i < 10; i++) {
        struct store_tx *tx = tx_begin(STORE_WRITE);
        ASSERT_OK(store_peer_put(tx, &some_peer));
        int before = syncs;
        ASSERT_OK(tx_end(OK));
        cr_assert_gt(syncs, before, "commit %d was acknowledged before it was durable", i);
    }
}

static int put_and_count_syncs(enum store_mode mode) {
    int before = syncs;
    struct store_tx *tx = tx_begin(mode);
    ASSERT_OK(store_peer_put(tx, &some_peer));
    ASSERT_OK(tx_end(OK));
    return syncs - before;
}

/* All commits are in one file in order, so one sync is for those before it too. */
Test(sqlite, relaxed_commits_wait_for_no_sync_until_another_does) {
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(put_and_count_syncs(STORE_WRITE_RELAXED), 0);
        cr_assert_eq(put_and_count_syncs(STORE_WRITE_RELAXED), 0);
        cr_assert_gt(put_and_count_syncs(STORE_WRITE), 0);
        cr_assert_gt(put_and_count_syncs(STORE_WRITE), 0);
    }
}

/* A server that starts is the only one, so what its predecessor held is free at
 * once; and the predecessor can't write what has been taken over. */
Test(sqlite, leases_end_when_a_server_starts) {
    struct store_resource resource = {.kind = STORE_AGGREGATION_JOB};
    struct store_resource again;
    struct store_job claimed;
    bool found;
    int64_t later = fixture_now + 1000;
    for (WRITE(tx)) {
        make_task(tx, 1);
    }
    put_reports(1, 2, 1000);
    struct store_job job = create_job(2);
    memcpy(resource.task_id, task_id(1), sizeof resource.task_id);
    for (WRITE(tx)) {
        ASSERT_OK(store_resource_create(tx, &fixture_arena, &resource, later, &resource, &found));
        ASSERT_FAIL(NOT_FOUND,
                    store_job_claim(tx, &fixture_arena, fixture_now, later, &claimed));
    }
    ASSERT_OK(store_leases_end(fixture_store));
    for (WRITE(tx)) {
        ASSERT_OK(store_job_claim(tx, &fixture_arena, fixture_now, later, &claimed));
        ASSERT_OK(store_resource_claim(tx, &fixture_arena, STORE_AGGREGATION_JOB, fixture_now,
                                       later, &again));
        ASSERT_FAIL(LEASE_LOST, store_job_finish(tx, &job, NULL, 0));
        ASSERT_FAIL(LEASE_LOST, store_resource_update(tx, &resource, 0));
        ASSERT_OK(store_job_finish(tx, &claimed, NULL, 0));
    }
}

/* ---- Processes that start together --------------------------------------------------- */

enum { PROCESSES = 6, TURNS = 20 };

static struct status counter_run(struct store_tx *tx, void *argument) {
    (void)argument;
    return store_counter_add(tx, task_id(1), "turns", 1);
}

static struct status task_run(struct store_tx *tx, void *argument) {
    (void)argument;
    make_task(tx, 1);
    return OK;
}

static _Noreturn void process_main(const char *url) {
    struct store_options options = fixture_options();
    struct store *store;
    if (!status_ok(store_open(url, &options, &store)) ||
        !status_ok(store_run(store, STORE_WRITE, task_run, NULL))) {
        _exit(1);
    }
    for (int i = 0; i < TURNS; i++) {
        if (!status_ok(store_run(store, STORE_WRITE, counter_run, NULL))) {
            _exit(2);
        }
    }
    store_close(store);
    _exit(0);
}

Test(sqlite, processes_share_a_file) {
    pid_t children[PROCESSES];
    char url[256];
    snprintf(url, sizeof url, "%s-other", fixture_url());
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            process_main(url);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
        cr_assert(WIFEXITED(status));
        cr_assert_eq(WEXITSTATUS(status), 0);
    }
    cr_assert_eq(fixture_backend()->query(url, "SELECT SUM(value) FROM counter"),
                 PROCESSES * TURNS);
    unlink(url + strlen("sqlite:"));
}
