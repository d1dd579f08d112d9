/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_BENCH_H
#define MOIETY_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* What the benchmarks share: time, and rows for people or machines. */

/* The time of day, read without a system call. Not the thread's processor time: a
 * virtual machine's takes off what it believes others took, now and then too much,
 * and the least of many such times is then far below what the work ever takes. */
static inline double bench_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Least time of a step over repeats, since whatever else runs on the machine
 * only ever adds to it. */
struct bench_min {
    double started, least;
};
static inline void bench_start(struct bench_min *min) { min->started = bench_now_ns(); }
static inline void bench_stop(struct bench_min *min) {
    const double took = bench_now_ns() - min->started;
    if (min->least == 0 || took < min->least) {
        min->least = took;
    }
}

/* An estimate of how long one cycle of this processor takes now: the time of an
 * addition that waits for the one before it. */
double bench_cycle_ns(void);

/* One measurement: nanoseconds a report (or an operation). What follows is 0
 * where there is none to give: the arithmetic limit of the same work in the same
 * run; cycles, as many as bench_cycle_ns() makes of it; the bytes of a report's
 * share, and of memory that a report holds in a batch. */
struct bench_row {
    const char *instance, *step, *lanes;
    double ns, limit_ns;
    double cycles;
    size_t share_bytes;
    double memory_bytes;
};

/* Prints a row on standard output: an object on a line, or a line of a table. */
void bench_print(const struct bench_row *row, bool json);

#endif
