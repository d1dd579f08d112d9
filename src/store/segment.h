/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_STORE_SEGMENT_H
#define MOIETY_STORE_SEGMENT_H

#include "store/internal.h"

/*
 * Segments: rows of many reports of one task and one epoch.
 *
 * A report is in one of three states, told apart without touching it. Jobs take
 * reports from the front, so the last `unassigned` of a segment are waiting;
 * the others are in the ranges of jobs, or terminal. `remaining` counts those
 * that are waiting or in a job, and the segment goes when it reaches 0. A report
 * that returns from a job is copied to a new segment and is terminal in its old.
 */
struct segment_range {
    int64_t segment;
    uint32_t first;
    uint32_t count; /* at least 1 */
};

struct segment_ranges {
    struct segment_range *ranges;
    size_t count;
};

/* The members of all ranges together. */
uint64_t ranges_members(const struct segment_ranges *ranges);
struct status ranges_encode(struct store_tx *tx, const struct segment_ranges *ranges,
                            struct span *out);
struct status ranges_decode(struct store_tx *tx, struct span encoded, struct segment_ranges *out);
/* The members whose flag has this value; there is one flag a member. */
struct status ranges_select(struct store_tx *tx, const struct segment_ranges *ranges,
                            const bool flags[], bool value, struct segment_ranges *out);

/* Writes reports to new segments, in the order given within an epoch. Times are
 * below 2^63 and bodies shorter than 4 GiB. */
struct status segments_write(struct store_tx *tx, const struct task_row *task,
                             const struct store_report *const reports[], size_t count,
                             int64_t stored_at, int64_t not_before);
/* Takes up to `max` waiting reports that may be assigned at `now`, the longest
 * waiting first, without waiting for what others are taking (segment_take.c).
 * None gives no ranges; STORE_BUSY if others hold all there is. */
struct status segments_take(struct store_tx *tx, const struct task_row *task, size_t max,
                            int64_t now, struct segment_ranges *out);
/* The reports of the ranges, in their order. */
struct status segments_read(struct store_tx *tx, struct arena *arena,
                            const struct segment_ranges *ranges, struct store_member **out,
                            size_t *count);
/* The members are terminal from now on. */
struct status segments_end(struct store_tx *tx, const struct task_row *task,
                           const struct segment_ranges *ranges);
/* The members wait again, from `not_before` on and no longer in these ranges. */
struct status segments_return(struct store_tx *tx, const struct task_row *task,
                              const struct segment_ranges *ranges, int64_t not_before);

/* The report times of a range, as an array in scratch memory. */
struct status segment_times(struct store_tx *tx, const struct segment_range *range,
                            const uint64_t **out);

struct segment_extent {
    uint64_t time_min, time_max; /* inclusive */
    uint64_t epoch_min;
};
/* INVALID_ARGUMENT if there are no members. */
struct status segments_extent(struct store_tx *tx, const struct segment_ranges *ranges,
                              struct segment_extent *out);

/* ---- Usage (report.c) ------------------------------------------------------- */

struct usage_change {
    int64_t reports, bytes, unassigned;
};
struct status usage_add(struct store_tx *tx, const struct task_row *task,
                        const struct usage_change *change);

#endif
