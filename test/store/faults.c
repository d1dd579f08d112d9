/* SPDX-License-Identifier: Apache-2.0 */
#include "store/faults.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/fixture.h"
#include "store/sql.h"

/* A test with more calls takes too long to be run again and again, but for those
 * of many threads. */
enum { CALLS_MAX = 300 };

/* Never deterministic, so its calls can't be counted. */
static const char *const left_out[] = {"kill_loses_nothing_acknowledged"};
/* These may lose a race and no more. First, many threads, which end at a failure and
 * leave it to the count to tell. */
static const char *const races_alone[] = {
    "concurrent_increments_all_count", "each_report_is_finished_once_by_many_workers",
    "concurrent_uploads_store_each_once", "concurrent_creation_makes_one_for_each_body",
    /* store_rotate_data_key() is two transactions: the key may be there and yet not
     * known here. Another is made then, and no harm done; but these count them. */
    "reseal_moves_to_the_first_wrapping_key", "rotated_data_keys_open_old_and_new",
    /* Counts how often it is run. */
    "that_lost_is_run_again_from_the_start"};

jmp_buf faults_start;

struct call {
    const char *text; /* the statement, or what else was called */
    unsigned transaction;
};

/* One run of a test. */
static struct {
    const char *name;
    bool counting;
    struct call *calls; /* of the run without a fault */
    size_t call_count, capacity;
    unsigned transactions;
    size_t at;         /* which call fails, from 1; 0: none */
    struct status how; /* what it fails with */
    size_t made;       /* calls so far */
    const char *text;  /* of the call that failed; NULL: none has */
    bool pending;
    bool watched;              /* no other thread writes */
    struct sql *transaction;   /* the writing one that is to fail, while it runs */
    uint64_t content;          /* of the database when it began */
    bool dirty;                /* it has left something */
} run;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- What the database holds --------------------------------------------------- */

static void mix(uint64_t *hash, const void *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        *hash = (*hash ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
    }
}

static void mix_rows(sqlite3 *db, const char *sql, uint64_t *hash) {
    sqlite3_stmt *rows;
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK, "%s", sql);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(rows); i++) {
            int64_t len = sqlite3_column_bytes(rows, i);
            mix(hash, &len, sizeof len);
            if (len > 0) {
                mix(hash, sqlite3_column_blob(rows, i), (size_t)len);
            }
        }
    }
    sqlite3_finalize(rows);
}

/* A hash of every row of every table. */
static uint64_t content_hash(void) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    sqlite3 *db;
    sqlite3_stmt *tables;
    char sql[80];
    cr_assert_eq(sqlite3_open(strchr(fixture_url(), ':') + 1, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    cr_assert_eq(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'table'", -1,
                                    &tables, NULL),
                 SQLITE_OK);
    while (sqlite3_step(tables) == SQLITE_ROW) {
        snprintf(sql, sizeof sql, "SELECT * FROM %s", (const char *)sqlite3_column_text(tables, 0));
        mix_rows(db, sql, &hash);
    }
    sqlite3_finalize(tables);
    sqlite3_close(db);
    return hash;
}

/* ---- The decorator ---------------------------------------------------------------- */

/* The store's table of drivers finds ours under SQLite's name (ld --wrap). */
extern const struct sql_driver __real_sqlite_driver;
extern struct sql_driver __wrap_sqlite_driver;
static const struct sql_driver *const real = &__real_sqlite_driver;

static void call_record(const char *text) {
    if (run.call_count == run.capacity) {
        run.capacity = run.capacity == 0 ? 256 : 2 * run.capacity;
        run.calls = realloc(run.calls, run.capacity * sizeof run.calls[0]);
        cr_assert_not_null(run.calls);
    }
    run.calls[run.call_count++] = (struct call){text, run.transactions};
}

/* Counts a call. Whether it is the one to fail. */
static bool strike(const char *text) {
    bool struck = false;
    pthread_mutex_lock(&mutex);
    if (run.counting) {
        run.made++;
        if (run.at == 0) {
            call_record(text);
        } else if (run.made == run.at) {
            struck = run.pending = true;
            run.text = text;
        }
    }
    pthread_mutex_unlock(&mutex);
    return struck;
}

static struct status faulty_open(const char *address, const struct store_options *options,
                                 struct sql_pool **out) {
    return strike("open") ? run.how : real->open(address, options, out);
}

/* What is to fail later is remembered by its number. */
static bool transaction_is_target(void) {
    pthread_mutex_lock(&mutex);
    unsigned number = ++run.transactions;
    bool target = run.counting && run.at > 0 && run.watched && run.text == NULL &&
                  run.calls[run.at - 1].transaction == number;
    pthread_mutex_unlock(&mutex);
    return target;
}

static struct status faulty_begin(struct sql_pool *pool, enum store_mode mode, bool exclusive,
                                  struct sql **out) {
    struct sql *sql;
    bool target = transaction_is_target();
    bool struck = strike("begin");
    TRY(real->begin(pool, mode, exclusive, &sql));
    if (struck) {
        real->rollback(sql);
        return run.how;
    }
    if (target && mode == STORE_WRITE) {
        run.transaction = sql;
        run.content = content_hash();
    }
    *out = sql;
    return OK;
}

static void faulty_rollback(struct sql *sql) {
    real->rollback(sql);
    if (run.transaction != NULL && run.transaction == sql) {
        run.transaction = NULL;
        run.dirty = content_hash() != run.content;
    }
}

static struct status faulty_commit(struct sql *sql) {
    if (strike("commit")) {
        faulty_rollback(sql);
        return run.how;
    }
    if (run.transaction == sql) {
        run.transaction = NULL;
        run.dirty = run.text != NULL; /* commits what has failed */
    }
    return real->commit(sql);
}

/* The others do their work, and then say that they have failed. */
static struct status verdict(const char *text, struct status status) {
    return strike(text) && status_ok(status) ? run.how : status;
}

static struct status faulty_version_get(struct sql *sql, int *version) {
    return verdict("version_get", real->version_get(sql, version));
}

static struct status faulty_version_set(struct sql *sql, int version) {
    return verdict("version_set", real->version_set(sql, version));
}

static struct status faulty_script(struct sql *sql, const char *script) {
    return verdict("script", real->script(sql, script));
}

static struct status faulty_start(struct sql *sql, const char *text,
                                  const struct sql_value values[], size_t count,
                                  struct sql_cursor **out) {
    struct sql_cursor *cursor;
    bool struck = strike(text);
    TRY(real->start(sql, text, values, count, &cursor));
    if (struck) {
        real->finish(cursor);
        return run.how;
    }
    *out = cursor;
    return OK;
}

static struct status faulty_next(struct sql_cursor *cursor, bool *row) {
    return verdict("next", real->next(cursor, row));
}

static struct status faulty_run(struct sql *sql, const char *text, const struct sql_value values[],
                                size_t count, bool *changed) {
    return verdict(text, real->run(sql, text, values, count, changed));
}

static struct status faulty_each(struct sql *sql, const char *text,
                                 const struct sql_value values[], size_t count,
                                 const struct span keys[], size_t key_count, bool hit[]) {
    return verdict(text, real->each(sql, text, values, count, keys, key_count, hit));
}

struct sql_driver __wrap_sqlite_driver;

__attribute__((constructor)) static void decorate(void) {
    __wrap_sqlite_driver = __real_sqlite_driver;
    __wrap_sqlite_driver.open = faulty_open;
    __wrap_sqlite_driver.begin = faulty_begin;
    __wrap_sqlite_driver.commit = faulty_commit;
    __wrap_sqlite_driver.rollback = faulty_rollback;
    __wrap_sqlite_driver.version_get = faulty_version_get;
    __wrap_sqlite_driver.version_set = faulty_version_set;
    __wrap_sqlite_driver.script = faulty_script;
    __wrap_sqlite_driver.start = faulty_start;
    __wrap_sqlite_driver.next = faulty_next;
    __wrap_sqlite_driver.run = faulty_run;
    __wrap_sqlite_driver.each = faulty_each;
}

/* Thousands of databases are made here, and no machine dies. */
int fsync(int fd);
int fdatasync(int fd);
int fsync(int fd) { return fd < 0 ? -1 : 0; }
int fdatasync(int fd) { return fd < 0 ? -1 : 0; }

/* ---- For the fixture ---------------------------------------------------------------- */

bool faults_pending(void) { return run.pending; }

enum status_code faults_code(void) { return run.how.code; }

void faults_settle(void) {
    run.pending = false;
    cr_assert_not(run.dirty, "a transaction that failed has left something");
}

/* ---- Runs ------------------------------------------------------------------------------ */

static void run_once(const struct faults_suite *suite, void (*body)(void), size_t at,
                     struct status how) {
    run.at = at;
    run.how = how;
    run.made = 0;
    run.transactions = 0;
    run.text = NULL;
    run.pending = run.dirty = false;
    run.transaction = NULL;
    suite->init();
    run.counting = true;
    body();
    run.counting = false;
    if (at > 0 && run.text != NULL && run.pending) {
        cr_assert_eq(how.code, STATUS_STORE_BUSY, "nobody heard of the failure");
        faults_settle();
    }
    suite->fini();
}

/* Of the calls with one statement the first fails for good, the last loses a race. */
static bool call_is_chosen(size_t at, enum status_code how) {
    bool first = how == STATUS_STORE;
    const char *text = run.calls[at].text;
    for (size_t i = first ? 0 : at + 1; i < (first ? at : run.call_count); i++) {
        if (run.calls[i].text == text) {
            return false;
        }
    }
    return true;
}

static bool is_among(const char *name, const char *const names[], size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}
#define IS_AMONG(name, names) is_among(name, names, sizeof(names) / sizeof((names)[0]))

static size_t run_all(const struct faults_suite *suite, void (*body)(void), struct status how) {
    size_t runs = 0;
    for (size_t at = 0; at < run.call_count; at++) {
        if (call_is_chosen(at, how.code)) {
            run_once(suite, body, at + 1, how);
            runs++;
        }
    }
    return runs;
}

void faults_try(const struct faults_suite *suite, const char *name, void (*body)(void)) {
    if (IS_AMONG(name, left_out)) {
        return;
    }
    run.name = name;
    run.watched = !IS_AMONG(name, races_alone);
    run_once(suite, body, 0, OK);
    size_t runs = 0;
    if (run.call_count <= CALLS_MAX || !run.watched) {
        runs += run_all(suite, body, FAIL(STORE_BUSY));
    }
    if (run.watched && run.call_count <= CALLS_MAX) {
        runs += run_all(suite, body, FAIL(STORE));
    }
    printf("%s: %zu calls, %zu runs with a fault\n", name, run.call_count, runs);
    run.name = NULL;
    free(run.calls);
}

void faults_report(void) {
    if (run.name != NULL) {
        fprintf(stderr, "%s: with %s at call %zu of %zu: %s\n", run.name,
                run.at == 0 ? "no fault" : status_name(run.how.code), run.at, run.call_count,
                run.text == NULL ? "" : run.text);
    }
}
