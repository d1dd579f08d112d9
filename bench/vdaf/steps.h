/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_VDAF_STEPS_H
#define MOIETY_BENCH_VDAF_STEPS_H

#include "run.h"

/*
 * What verify_init is made of (VDAF, section 7.2.2), step by step: the same
 * functions on the same reports, but each step for all groups of lanes before
 * the next one, so that asking for the time doesn't count. All groups share one
 * thread's scratch, as in verify_init; what it takes beyond the sum of its steps
 * is keeping what it found for every report.
 */
struct steps;

/* Borrows the run. Exits the process if memory runs out. */
struct steps *steps_new(struct run *run);
void steps_free(struct steps *steps);

/* Times every step once, for both aggregators, into run->steps; those that the
 * instance doesn't have stay 0. */
void steps_run(struct steps *steps);

#endif
