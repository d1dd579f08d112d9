/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct store *fixture_store;
struct arena fixture_arena;
int64_t fixture_now;

static char *url;

static int64_t fixture_clock_now(const struct clock *clock) {
    (void)clock;
    return fixture_now;
}

static const struct clock fixture_clock = {fixture_clock_now};
static const struct store_wrapping_key fixture_key = {"a wrapping key for tests 0123456"};

const struct fixture_backend *fixture_backend(void) {
    extern const struct fixture_backend FIXTURE_BACKEND; /* see CMakeLists.txt */
    return &FIXTURE_BACKEND;
}

const char *fixture_url(void) { return url; }

struct store_options fixture_options(void) {
    return (struct store_options){
        .wrapping_keys = &fixture_key,
        .wrapping_key_count = 1,
        .clock = &fixture_clock,
        .create = true,
    };
}

static uint8_t task_ids[10][STORE_TASK_ID_SIZE];

static void task_ids_fill(void) {
    memset(task_ids, 't', sizeof task_ids);
    for (uint8_t i = 0; i < sizeof task_ids / sizeof task_ids[0]; i++) {
        task_ids[i][0] = i;
    }
}

const uint8_t *task_id(uint8_t number) { return task_ids[number]; }

void fixture_setup(void) {
    task_ids_fill();
    log_configure(LOG_OFF, LOG_TEXT, 2); /* failures are provoked here */
    fixture_now = INT64_C(1750000000) * 1000000;
    fixture_arena = ARENA_INIT;
    url = fixture_backend()->make();
    struct store_options options = fixture_options();
    ASSERT_OK(store_open(url, &options, &fixture_store));
}

void fixture_teardown(void) {
    store_close(fixture_store);
    arena_release(&fixture_arena);
    fixture_backend()->drop(url);
    free(url);
}

void fixture_reopen(void) {
    store_close(fixture_store);
    struct store_options options = fixture_options();
    ASSERT_OK(store_open(url, &options, &fixture_store));
}

int64_t fixture_rows(const char *table) {
    char sql[80];
    snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM %s", table);
    return fixture_backend()->query(url, sql);
}

/* ---- Transactions ----------------------------------------------------------- */

static struct {
    enum store_mode mode;
    pthread_t thread;
    sem_t begun, ended;
    bool open; /* between tx_begin() and tx_end() */
    bool over; /* store_run() has returned */
    struct store_tx *tx;
    struct status verdict, result;
} session;

static struct status session_function(struct store_tx *tx, void *argument) {
    (void)argument;
    session.tx = tx;
    sem_post(&session.begun);
    sem_wait(&session.ended);
    return session.verdict;
}

static void *session_main(void *argument) {
    (void)argument;
    session.result = store_run(fixture_store, session.mode, session_function, NULL);
    session.over = true;
    sem_post(&session.begun); /* it never begins again */
    return NULL;
}

static void session_start(enum store_mode mode) {
    session.mode = mode;
    session.tx = NULL;
    session.over = false;
    sem_init(&session.begun, 0, 0);
    sem_init(&session.ended, 0, 0);
    cr_assert_eq(pthread_create(&session.thread, NULL, session_main, NULL), 0);
    sem_wait(&session.begun);
    session.open = true;
}

static void session_join(void) {
    session.open = false;
    pthread_join(session.thread, NULL);
    sem_destroy(&session.begun);
    sem_destroy(&session.ended);
}

#ifdef FIXTURE_FAULTS

/* The session's transaction has ended with an injected fault, and was begun again
 * or not; goes back to where the test began it. */
static _Noreturn void session_again(void) {
    if (session.over) {
        session_join();
    }
    faults_settle();
    longjmp(faults_start, 1);
}

static void session_struck(void) {
    if (faults_pending() && !(session.over && status_ok(session.result))) {
        session_again();
    }
}

/* A fault sticks to its transaction, so that any call tells. */
static bool session_is_struck(void) {
    uint64_t version;
    return session.open && !status_ok(store_config_version(session.tx, &version));
}

bool fixture_struck(struct status status) {
    if (!faults_pending()) {
        return false;
    }
    if (session_is_struck()) {
        if (!status_ok(status)) {
            (void)tx_end(OK); /* as if nothing were wrong */
            cr_assert_fail("a transaction that failed was committed");
        }
        return false;
    }
    bool told = status.code == faults_code();
    cr_assert(told || faults_code() == STATUS_STORE_BUSY, "nobody heard of the failure");
    faults_settle();
    return told;
}

#else
static void session_struck(void) {}
#endif

/* In parentheses, since it may be a macro too. */
struct store_tx *(tx_begin)(enum store_mode mode) {
    if (!session.open) { /* else store_run() has begun it again */
        session_start(mode);
    }
    session_struck();
    cr_assert_not_null(session.tx, "no transaction: %s", status_name(session.result.code));
    return session.tx;
}

struct status tx_end(struct status verdict) {
    session.verdict = verdict;
    sem_post(&session.ended);
    sem_wait(&session.begun);
    session_struck();
    cr_assert(session.over, "a transaction of the test lost a race");
    session_join();
    return session.result;
}

struct store_tx *tx_finish_(void) {
    ASSERT_OK(tx_end(OK));
    return NULL;
}

/* ---- Things to store ----------------------------------------------------------- */

void make_task(struct store_tx *tx, uint8_t number) {
    struct store_peer helper = {.name = "helper", .dialect = "draft-18"};
    struct store_peer collector = {.name = "collector", .dialect = "draft-18"};
    ASSERT_OK(store_peer_put(tx, &helper));
    ASSERT_OK(store_peer_put(tx, &collector));
    struct store_task task = {
        .role = 2,
        .config = SPAN_OF_LITERAL("configuration"),
        .collector_config = SPAN_OF_LITERAL("collector's key"),
        .verify_keys = SPAN_OF_LITERAL("a very secret verification key"),
        .aggregator_peer = "helper",
        .collector_peer = "collector",
        .settings = SPAN_OF_LITERAL("{}"),
        .created_at = fixture_now,
    };
    memcpy(task.id, task_id(number), sizeof task.id);
    ASSERT_OK(store_task_put(tx, &task));
}

struct store_report make_report(uint32_t number, uint64_t time) {
    static char bodies[16][32];
    char *body = bodies[number % 16];
    int len = snprintf(body, sizeof bodies[0], "body of %u", number);
    struct store_report report = {
        .time = time,
        .epoch = store_epoch(time, 1),
        .config_id = 7,
        .body = span_of(body, (size_t)len),
    };
    /* A bijection that scatters, so that the order of ids isn't the order of
     * numbers. */
    uint32_t scattered = number * UINT32_C(2654435761);
    memcpy(report.id, &scattered, sizeof scattered);
    memcpy(report.id + 8, &number, sizeof number);
    return report;
}

void put_reports(uint32_t first, uint32_t count, uint64_t time) {
    for (WRITE(tx)) {
        for (uint32_t i = 0; i < count;) {
            struct store_report reports[16];
            enum store_outcome outcomes[16];
            size_t some = 0;
            for (; some < 16 && i < count; some++, i++) {
                reports[some] = make_report(first + i, time);
            }
            ASSERT_OK(store_reports_put(tx, task_id(1), reports, some, outcomes));
            for (size_t j = 0; j < some; j++) {
                cr_assert_eq(outcomes[j], STORE_NEW);
            }
        }
    }
}

struct store_usage get_usage(uint8_t task) {
    struct store_usage usage;
    for (READ(tx)) {
        ASSERT_OK(store_usage_get(tx, task_id(task), &usage));
    }
    return usage;
}

struct store_job create_job(size_t max) {
    struct store_job job;
    for (WRITE(tx)) {
        ASSERT_OK(store_job_create(tx, &fixture_arena, task_id(1), NULL,
                                   SPAN_OF_LITERAL("parameter"), 3, max, fixture_now,
                                   fixture_now + 60000000, &job));
    }
    return job;
}

struct store_pending get_pending(uint64_t start, uint64_t duration) {
    struct store_pending pending;
    for (READ(tx)) {
        ASSERT_OK(store_pending_interval(tx, task_id(1), start, duration, &pending));
    }
    return pending;
}
