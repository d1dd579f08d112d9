/* SPDX-License-Identifier: Apache-2.0 */
#include "store/segment.h"

/* Rows that a job in the making locks at a time. */
enum { SEGMENT_CHUNK = 32 };

/* A taking in progress, and where in the order of arrival it stands. */
struct segment_taking {
    struct segment_range *ranges;
    size_t count, capacity;
    size_t taken; /* reports */
    int64_t stored_at, number;
};

static struct status taking_add(struct store_tx *tx, struct segment_taking *taking,
                                const struct segment_range *range) {
    if (taking->count == taking->capacity) {
        size_t more = taking->capacity == 0 ? 16 : 2 * taking->capacity;
        struct segment_range *grown = ARENA_ARRAY(&tx->scratch, struct segment_range, more);
        if (grown == NULL) {
            return FAIL(NO_MEMORY);
        }
        if (taking->count > 0) {
            memcpy(grown, taking->ranges, taking->count * sizeof *grown);
        }
        taking->ranges = grown;
        taking->capacity = more;
    }
    taking->ranges[taking->count++] = *range;
    taking->taken += range->count;
    return OK;
}

/* How many rows to ask for next: as many as fill the rest if they are like the
 * ones before. What is asked for is locked, and a row locked in vain is one that
 * another replica could have had. */
static size_t taking_chunk(const struct segment_taking *taking, size_t max) {
    if (taking->taken == 0) {
        return 1;
    }
    size_t rows = ((max - taking->taken) * taking->count + taking->taken - 1) / taking->taken;
    return rows < SEGMENT_CHUNK ? rows : SEGMENT_CHUNK;
}

/* Takes the next few segments in the order of arrival, passing over those that
 * another transaction holds; `*rows` is 0 when none is left. */
static struct status taking_step(struct store_tx *tx, const struct task_row *task, size_t max,
                                 int64_t now, struct segment_taking *taking, size_t *rows) {
    struct status status = OK;
    struct sql_rows found = sql_rows_open(
        tx,
        "SELECT number, report_count, unassigned, stored_at FROM segment"
        " WHERE task = $1 AND unassigned > 0 AND (stored_at, number) > ($2, $3)"
        " AND not_before <= $4 AND epoch >= $5 ORDER BY stored_at, number"
        " LIMIT $6" SQL_SKIP_LOCKED,
        SQL_VALUES(sql_of_int(task->number), sql_of_int(taking->stored_at),
                   sql_of_int(taking->number), sql_of_int(now), sql_of_u64(task->watermark),
                   sql_of_limit(taking_chunk(taking, max))));
    for (*rows = 0; status_ok(status) && taking->taken < max && sql_rows_next(&found); ++*rows) {
        uint32_t waiting = (uint32_t)sql_int(&found, 2);
        size_t wanted = max - taking->taken;
        taking->number = sql_int(&found, 0);
        taking->stored_at = sql_int(&found, 3);
        struct segment_range range = {taking->number, (uint32_t)sql_int(&found, 1) - waiting,
                                      waiting < wanted ? waiting : (uint32_t)wanted};
        status = taking_add(tx, taking, &range);
    }
    return sql_rows_close(&found, status);
}

/* Whether there was nothing to take, or only nothing that others don't hold: then
 * the transaction has lost a race, and finds in its next run what they left. */
static struct status taking_check(struct store_tx *tx, const struct task_row *task, int64_t now) {
    bool held;
    TRY(sql_run(tx, &held,
                "SELECT 1 FROM segment WHERE task = $1 AND unassigned > 0 AND not_before <= $2"
                " AND epoch >= $3 LIMIT 1",
                SQL_VALUES(sql_of_int(task->number), sql_of_int(now),
                           sql_of_u64(task->watermark))));
    return held ? tx_lost(tx) : OK;
}

struct status segments_take(struct store_tx *tx, const struct task_row *task, size_t max,
                            int64_t now, struct segment_ranges *out) {
    struct segment_taking taking = {.stored_at = INT64_MIN};
    size_t rows = 1;
    while (taking.taken < max && rows > 0) {
        TRY(taking_step(tx, task, max, now, &taking, &rows));
    }
    if (taking.taken == 0 && max > 0) {
        TRY(taking_check(tx, task, now));
    }
    for (size_t i = 0; i < taking.count; i++) {
        TRY(sql_run(tx, NULL, "UPDATE segment SET unassigned = unassigned - $1 WHERE number = $2",
                    SQL_VALUES(sql_of_int(taking.ranges[i].count),
                               sql_of_int(taking.ranges[i].segment))));
    }
    if (taking.taken > 0) {
        struct usage_change change = {.unassigned = -(int64_t)taking.taken};
        TRY(usage_add(tx, task, &change));
    }
    *out = (struct segment_ranges){taking.ranges, taking.count};
    return OK;
}
