/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_DAP_INTERVAL_H
#define MOIETY_DAP_INTERVAL_H

#include "dap/messages.h"

/*
 * Times, durations and intervals (draft 18, section 4.1.1). A Time counts time
 * precisions of its task since 1970; seconds are POSIX seconds. Two times
 * compare only within one task. All functions are pure.
 */

/* The Time that a moment falls in. `precision` isn't 0. */
static inline uint64_t time_of_seconds(uint64_t seconds, uint64_t precision) {
    return seconds / precision;
}

/* The moment at which a Time or Duration of `units` begins or ends, or
 * INVALID_ARGUMENT if that is beyond 64 bits. */
struct status time_to_seconds(uint64_t units, uint64_t precision, uint64_t *out);

/* Whether start + duration is representable. */
bool interval_valid(const struct interval *interval);

/* The functions below take valid intervals. */
static inline uint64_t interval_end(const struct interval *interval) {
    return interval->start + interval->duration;
}
bool interval_contains(const struct interval *interval, uint64_t time);
/* Whether `inner` starts no earlier and ends no later than `outer`. */
bool interval_within(const struct interval *inner, const struct interval *outer);
bool interval_overlaps(const struct interval *a, const struct interval *b);

/* Widens to the smallest interval that also holds `time`; an empty interval
 * (duration 0) becomes {time, 1}. INVALID_ARGUMENT for the last Time of all,
 * which no interval can hold. */
struct status interval_include(struct interval *interval, uint64_t time);

#endif
