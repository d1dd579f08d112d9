/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/interval.h"

struct status time_to_seconds(uint64_t units, uint64_t precision, uint64_t *out) {
    uint64_t seconds;
    if (__builtin_mul_overflow(units, precision, &seconds)) {
        return FAIL(INVALID_ARGUMENT);
    }
    *out = seconds;
    return OK;
}

bool interval_valid(const struct interval *interval) {
    return interval->duration <= UINT64_MAX - interval->start;
}

bool interval_contains(const struct interval *interval, uint64_t time) {
    return time >= interval->start && time < interval_end(interval);
}

bool interval_within(const struct interval *inner, const struct interval *outer) {
    return inner->start >= outer->start && interval_end(inner) <= interval_end(outer);
}

bool interval_overlaps(const struct interval *a, const struct interval *b) {
    return a->duration > 0 && b->duration > 0 && a->start < interval_end(b) &&
           b->start < interval_end(a);
}

struct status interval_include(struct interval *interval, uint64_t time) {
    if (time == UINT64_MAX) {
        return FAIL(INVALID_ARGUMENT);
    }
    if (interval->duration == 0) {
        *interval = (struct interval){time, 1};
        return OK;
    }
    uint64_t start = time < interval->start ? time : interval->start;
    uint64_t end = interval_end(interval) > time ? interval_end(interval) : time + 1;
    *interval = (struct interval){start, end - start};
    return OK;
}
