/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_STORE_FAULTS_H
#define MOIETY_TEST_STORE_FAULTS_H

#include <criterion/criterion.h>
#include <setjmp.h>
#include <stdbool.h>

#include "base/status.h"

/*
 * The third run of the store's contract: each test again and again, and each time
 * another of the calls that it makes of the database fails, once as a race that
 * was lost and once for good. SQLite's driver stands behind a decorator that
 * counts its calls (faults.c).
 *
 * What must hold:
 * - who called learns of a failure, at the latest when its transaction ends;
 * - a lost race is run again by store_run() and ends as if it hadn't happened;
 * - after a failure the database holds what it held before the transaction, even
 *   if that goes on as though nothing were wrong;
 * - the store is as good as before: the transaction, run again, passes its test;
 * - nothing leaks (with AddressSanitizer).
 *
 * For the last but one, a test's transaction starts again where it began, by
 * longjmp(). So locals have to be in memory: no optimisation here.
 */

struct faults_suite {
    void (*init)(void);
    void (*fini)(void);
};

/* Runs a test as above. Of the calls with the same statement, which are many in some
 * tests, the first fails for good and the last loses a race. */
void faults_try(const struct faults_suite *suite, const char *name, void (*body)(void));
/* Says where a test was, if it failed. */
void faults_report(void);

#undef TestSuite
#define TestSuite(suite, ...) \
    static const struct faults_suite faults_suite_of_file = {__VA_ARGS__}
#undef Test
#define Test(suite, name)                                                  \
    static void faulty_##suite##_##name(void);                             \
    CR_TEST_BASE(suite, name, .fini = faults_report, .sentinel_ = 0) {     \
        faults_try(&faults_suite_of_file, #name, faulty_##suite##_##name); \
    }                                                                      \
    static void faulty_##suite##_##name(void)

/* ---- For the fixture ------------------------------------------------------- */

/* Where the test's open transaction, if any, began. */
extern jmp_buf faults_start;

/* A call failed on purpose, and nobody has dealt with it. */
bool faults_pending(void);
/* What it failed with: STORE_BUSY is a lost race. */
enum status_code faults_code(void);
/* It has been dealt with: the transaction, if any, is over. Looks whether it has
 * left anything. */
void faults_settle(void);

#endif
