/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BASE_CLOCK_H
#define MOIETY_BASE_CLOCK_H

#include <stdint.h>

/*
 * Where the time comes from. What depends on the time takes a clock, so that a
 * test can be anywhere in time. Thread-safe if `now` is.
 */
struct clock {
    /* Microseconds since 1970-01-01 00:00:00 UTC, without leap seconds. */
    int64_t (*now)(const struct clock *clock);
};

/* The machine's own clock. */
extern const struct clock clock_system;

static inline int64_t clock_now_us(const struct clock *clock) { return clock->now(clock); }
static inline uint64_t clock_now_s(const struct clock *clock) {
    return (uint64_t)(clock->now(clock) / 1000000);
}

/* Nanoseconds from an arbitrary start that never goes back; for durations. */
int64_t clock_monotonic_ns(void);

#endif
