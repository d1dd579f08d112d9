/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_STORE_FIXTURE_H
#define MOIETY_TEST_STORE_FIXTURE_H

#include <criterion/criterion.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "store/store.h"

/*
 * A fresh database for each test, of the backend that the program was built
 * with. The clock stands still unless a test moves it.
 */
extern struct store *fixture_store;
extern struct arena fixture_arena;
extern int64_t fixture_now;

void fixture_setup(void);
void fixture_teardown(void);

const char *fixture_url(void);
/* The options that the fixture opens with; a test may change its copy. */
struct store_options fixture_options(void);
void fixture_reopen(void);

/* What only a backend can do, to look behind the store's back. */
struct fixture_backend {
    /* Makes room for one database and gives its URL, to be freed. */
    char *(*make)(void);
    void (*drop)(const char *url);
    /* Waits until the database has done with what killed processes left. */
    void (*settle)(const char *url);
    /* Runs a statement of standard SQL. */
    void (*execute)(const char *url, const char *sql);
    /* The only integer that a query gives. */
    int64_t (*query)(const char *url, const char *sql);
    /* Flips the lowest bit of one byte of a column in every row. */
    void (*flip)(const char *url, const char *table, const char *column, size_t offset);
    /* Whether these bytes lie anywhere in the database, its logs included. */
    bool (*contains)(const char *url, struct span bytes);
};
const struct fixture_backend *fixture_backend(void);

/*
 * A transaction that a test holds open, one at a time: store_run() runs in a
 * thread that waits while the test works.
 */
struct store_tx *tx_begin(enum store_mode mode);
/* Ends it with the function's result; gives store_run()'s. It may not lose a race,
 * since the test can't be run again; but with faults injected it can. */
struct status tx_end(struct status verdict);

/* Where faults are injected, one that reaches a test is dealt with here: its
 * transaction, or else this very call, is made again. */
#ifdef FIXTURE_FAULTS
#include "store/faults.h"
bool fixture_struck(struct status status);
#define tx_begin(mode) ((void)setjmp(faults_start), (tx_begin)(mode))
#define ASSERT_STATUS_(expression)                                                         \
    struct status assert_status_ = (expression);                                           \
    if (fixture_struck(assert_status_)) {                                                  \
        assert_status_ = (expression);                                                     \
    }
#else
#define ASSERT_STATUS_(expression) struct status assert_status_ = (expression);
#endif

#define ASSERT_OK(expression)                                                              \
    do {                                                                                   \
        ASSERT_STATUS_(expression)                                                         \
        cr_assert_eq(assert_status_.code, STATUS_OK, "%s: %s", #expression,                \
                     status_name(assert_status_.code));                                    \
    } while (0)
#define ASSERT_FAIL(name, expression)                                                      \
    do {                                                                                   \
        ASSERT_STATUS_(expression)                                                         \
        cr_assert_eq(assert_status_.code, STATUS_##name, "%s: %s", #expression,            \
                     status_name(assert_status_.code));                                    \
    } while (0)

/* for (WRITE(tx)) { ... } commits at the end of the block. */
#define TX_BLOCK(tx, mode)                                               \
    struct store_tx *tx = tx_begin(mode); tx != NULL; tx = tx_finish_()
#define WRITE(tx) TX_BLOCK(tx, STORE_WRITE)
#define READ(tx) TX_BLOCK(tx, STORE_READ)
struct store_tx *tx_finish_(void); /* commits, asserts that it worked, gives NULL */

/* How many rows a table has. */
int64_t fixture_rows(const char *table);

/* ---- Things to store ------------------------------------------------------- */

/* A task with this number in its id, role leader, with the peers that it
 * needs. */
void make_task(struct store_tx *tx, uint8_t number);
/* Its id; numbers are below 10. */
const uint8_t *task_id(uint8_t number);

/* A report whose id is made of a number; one time unit is a second. */
struct store_report make_report(uint32_t number, uint64_t time);
/* Stores reports `first` to `first + count - 1`, all of one time, in task 1. */
void put_reports(uint32_t first, uint32_t count, uint64_t time);

struct store_usage get_usage(uint8_t task);
/* A job with up to `max` reports of task 1, leased until a minute from now. */
struct store_job create_job(size_t max);
struct store_pending get_pending(uint64_t start, uint64_t duration);

#define EPOCH(n) ((uint64_t)(n) * STORE_EPOCH_SECONDS)

#endif
