/* SPDX-License-Identifier: Apache-2.0 */
#include "store/segment.h"

#include <stdlib.h>

#include "wire/reader.h"
#include "wire/writer.h"

enum {
    /* What one row holds at most. A job of a few hundred reports then reads one
     * or two rows, and a row is never much longer than its longest report. */
    SEGMENT_REPORTS = 1024,
    SEGMENT_BYTES = 1 << 20,
};

/* Ranges are only made of segments that are there, and keep them there. */
static struct status present(struct status status) {
    return status.code == STATUS_NOT_FOUND ? FAIL(STORE) : status;
}

/* ---- Ranges -------------------------------------------------------------------- */

uint64_t ranges_members(const struct segment_ranges *ranges) {
    uint64_t members = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        members += ranges->ranges[i].count;
    }
    return members;
}

struct status ranges_encode(struct store_tx *tx, const struct segment_ranges *ranges,
                            struct span *out) {
    struct buffer buffer = BUFFER_INIT;
    struct writer writer = writer_to(&buffer);
    for (size_t i = 0; i < ranges->count; i++) {
        writer_u64(&writer, (uint64_t)ranges->ranges[i].segment);
        writer_u32(&writer, ranges->ranges[i].first);
        writer_u32(&writer, ranges->ranges[i].count);
    }
    struct status status = writer_finish(&writer);
    if (status_ok(status)) {
        status = arena_copy(&tx->scratch, buffer_span(&buffer), out);
    }
    buffer_release(&buffer);
    return status;
}

struct status ranges_decode(struct store_tx *tx, struct span encoded, struct segment_ranges *out) {
    enum { ENCODED_RANGE = 16 };
    size_t count = encoded.len / ENCODED_RANGE;
    struct segment_range *ranges = ARENA_ARRAY(&tx->scratch, struct segment_range, count);
    if (ranges == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct reader reader = reader_of(encoded);
    for (size_t i = 0; i < count; i++) {
        ranges[i].segment = (int64_t)reader_u64(&reader);
        ranges[i].first = reader_u32(&reader);
        ranges[i].count = reader_u32(&reader);
    }
    if (!status_ok(reader_finish(&reader))) {
        return FAIL(STORE);
    }
    *out = (struct segment_ranges){ranges, count};
    return OK;
}

/* Appends one member, growing the last range if it is the next of it. */
static void ranges_append(struct segment_ranges *ranges, int64_t segment, uint32_t index) {
    struct segment_range *last = ranges->count > 0 ? &ranges->ranges[ranges->count - 1] : NULL;
    if (last != NULL && last->segment == segment && last->first + last->count == index) {
        last->count++;
    } else {
        ranges->ranges[ranges->count++] = (struct segment_range){segment, index, 1};
    }
}

struct status ranges_select(struct store_tx *tx, const struct segment_ranges *ranges,
                            const bool flags[], bool value, struct segment_ranges *out) {
    struct segment_ranges selected = {
        ARENA_ARRAY(&tx->scratch, struct segment_range, ranges_members(ranges)), 0};
    if (selected.ranges == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t member = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        const struct segment_range *range = &ranges->ranges[i];
        for (uint32_t j = 0; j < range->count; j++, member++) {
            if (flags[member] == value) {
                ranges_append(&selected, range->segment, range->first + j);
            }
        }
    }
    *out = selected;
    return OK;
}

/* ---- Writing -------------------------------------------------------------------- */

/* A segment in the making: a run of reports of one epoch. */
struct segment_draft {
    uint64_t time_min, time_max;
    struct buffer times;
    struct buffer reports;
    uint8_t config_ids[256];
    size_t config_id_count;
};

static void draft_release(struct segment_draft *draft) {
    buffer_release(&draft->times);
    buffer_release(&draft->reports);
}

static struct status draft_add(struct segment_draft *draft, const struct store_report *report) {
    struct writer times = writer_to(&draft->times);
    writer_u64(&times, report->time);
    TRY(writer_finish(&times));
    struct writer reports = writer_to(&draft->reports);
    writer_bytes(&reports, span_of(report->id, STORE_ID_SIZE));
    writer_u8(&reports, report->config_id);
    writer_vector(&reports, 4, 0, UINT32_MAX, report->body);
    TRY(writer_finish(&reports));
    draft->time_min = report->time < draft->time_min ? report->time : draft->time_min;
    draft->time_max = report->time > draft->time_max ? report->time : draft->time_max;
    if (memchr(draft->config_ids, report->config_id, draft->config_id_count) == NULL) {
        draft->config_ids[draft->config_id_count++] = report->config_id;
    }
    return OK;
}

static struct status draft_insert(struct store_tx *tx, const struct task_row *task,
                                  const struct segment_draft *draft, uint64_t epoch,
                                  uint32_t count, int64_t stored_at, int64_t not_before) {
    /* Should another process have taken the number, the transaction is run again. */
    const int64_t number = store_number(tx->store);
    TRY(sql_run(tx, NULL,
                "INSERT INTO segment (number, task, epoch, stored_at, not_before,"
                " report_count, unassigned, remaining, bytes, time_min, time_max, config_ids)"
                " VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $7, $8, $9, $10)",
                SQL_VALUES(sql_of_int(number), sql_of_int(task->number), sql_of_u64(epoch),
                           sql_of_int(stored_at), sql_of_int(not_before), sql_of_int(count),
                           sql_of_u64(draft->reports.len), sql_of_u64(draft->time_min),
                           sql_of_u64(draft->time_max),
                           sql_of_id(draft->config_ids, draft->config_id_count))));
    TRY(sql_run(tx, NULL, "INSERT INTO segment_body (segment, times, reports) VALUES ($1, $2, $3)",
                SQL_VALUES(sql_of_int(number), sql_of_bytes(buffer_span(&draft->times)),
                           sql_of_bytes(buffer_span(&draft->reports)))));
    struct usage_change change = {count, (int64_t)draft->reports.len, count};
    return usage_add(tx, task, &change);
}

/* How many of the reports, from the first, go into one segment. */
static size_t segment_cut(const struct store_report *const reports[], size_t count) {
    size_t bytes = reports[0]->body.len;
    size_t taken = 1;
    while (taken < count && taken < SEGMENT_REPORTS && reports[taken]->epoch == reports[0]->epoch &&
           bytes + reports[taken]->body.len <= SEGMENT_BYTES) {
        bytes += reports[taken++]->body.len;
    }
    return taken;
}

static struct status segment_write(struct store_tx *tx, const struct task_row *task,
                                   const struct store_report *const reports[], size_t count,
                                   int64_t stored_at, int64_t not_before) {
    struct segment_draft draft = {.time_min = UINT64_MAX};
    struct status status = OK;
    for (size_t i = 0; i < count; i++) {
        TRY_GOTO(status, draft_add(&draft, reports[i]), exit);
    }
    status = draft_insert(tx, task, &draft, reports[0]->epoch, (uint32_t)count, stored_at,
                          not_before);
exit:
    draft_release(&draft);
    return status;
}

/* By epoch, and within one in the caller's order. */
struct ordered_report {
    const struct store_report *report;
    size_t index;
};

static int by_epoch(const void *left, const void *right) {
    const struct ordered_report *a = left;
    const struct ordered_report *b = right;
    int order = (a->report->epoch > b->report->epoch) - (a->report->epoch < b->report->epoch);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static struct status reports_order(struct store_tx *tx, const struct store_report *const reports[],
                                   size_t count, const struct store_report ***out) {
    struct ordered_report *order = ARENA_ARRAY(&tx->scratch, struct ordered_report, count);
    const struct store_report **ordered =
        ARENA_ARRAY(&tx->scratch, const struct store_report *, count);
    if (order == NULL || ordered == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        order[i] = (struct ordered_report){reports[i], i};
    }
    qsort(order, count, sizeof order[0], by_epoch);
    for (size_t i = 0; i < count; i++) {
        ordered[i] = order[i].report;
    }
    *out = ordered;
    return OK;
}

struct status segments_write(struct store_tx *tx, const struct task_row *task,
                             const struct store_report *const reports[], size_t count,
                             int64_t stored_at, int64_t not_before) {
    const struct store_report **ordered;
    TRY(reports_order(tx, reports, count, &ordered));
    for (size_t at = 0; at < count;) {
        size_t cut = segment_cut(ordered + at, count - at);
        TRY(segment_write(tx, task, ordered + at, cut, stored_at, not_before));
        at += cut;
    }
    return OK;
}

/* ---- Reading -------------------------------------------------------------------- */

/* Skips to the range and copies its reports. */
static struct status range_decode(const struct sql_rows *rows, struct arena *arena,
                                  const struct segment_range *range, struct store_member out[]) {
    struct reader times = reader_of(sql_bytes(rows, 1));
    struct reader reports = reader_of(sql_bytes(rows, 2));
    for (uint32_t i = 0; i < range->first + range->count; i++) {
        struct store_member member = {.segment = (uint64_t)range->segment, .index = i};
        member.report.epoch = sql_u64(rows, 0);
        member.report.time = reader_u64(&times);
        reader_copy(&reports, member.report.id, STORE_ID_SIZE);
        member.report.config_id = reader_u8(&reports);
        struct span body = reader_vector(&reports, 4, 0, UINT32_MAX);
        if (i >= range->first) {
            TRY(arena_copy(arena, body, &member.report.body));
            out[i - range->first] = member;
        }
    }
    return times.failed || reports.failed ? FAIL(STORE) : OK;
}

static struct status range_read(struct store_tx *tx, struct arena *arena,
                                const struct segment_range *range, struct store_member out[]) {
    struct sql_rows rows =
        sql_rows_open(tx,
                      "SELECT s.epoch, b.times, b.reports FROM segment s"
                      " JOIN segment_body b ON b.segment = s.number WHERE s.number = $1",
                      SQL_VALUES(sql_of_int(range->segment)));
    struct status status =
        sql_rows_next(&rows) ? range_decode(&rows, arena, range, out) : FAIL(STORE);
    return sql_rows_close(&rows, status);
}

struct status segments_read(struct store_tx *tx, struct arena *arena,
                            const struct segment_ranges *ranges, struct store_member **out,
                            size_t *count) {
    uint64_t total = ranges_members(ranges);
    struct store_member *members = ARENA_ARRAY(arena, struct store_member, total);
    if (members == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t done = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        TRY(range_read(tx, arena, &ranges->ranges[i], members + done));
        done += ranges->ranges[i].count;
    }
    *out = members;
    *count = done;
    return OK;
}

static struct status times_decode(const struct sql_rows *rows, struct arena *arena,
                                  const struct segment_range *range, const uint64_t **out) {
    uint64_t *times = ARENA_ARRAY(arena, uint64_t, range->count);
    if (times == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct reader reader = reader_of(sql_bytes(rows, 0));
    (void)reader_bytes(&reader, (size_t)range->first * sizeof(uint64_t));
    for (uint32_t i = 0; i < range->count; i++) {
        times[i] = reader_u64(&reader);
    }
    *out = times;
    return reader.failed ? FAIL(STORE) : OK;
}

struct status segment_times(struct store_tx *tx, const struct segment_range *range,
                            const uint64_t **out) {
    struct sql_rows rows = sql_rows_open(tx, "SELECT times FROM segment_body WHERE segment = $1",
                                         SQL_VALUES(sql_of_int(range->segment)));
    struct status status =
        sql_rows_next(&rows) ? times_decode(&rows, &tx->scratch, range, out) : FAIL(STORE);
    return sql_rows_close(&rows, status);
}

static void extent_widen(struct segment_extent *extent, uint64_t time_min, uint64_t time_max) {
    extent->time_min = time_min < extent->time_min ? time_min : extent->time_min;
    extent->time_max = time_max > extent->time_max ? time_max : extent->time_max;
}

struct segment_head {
    uint64_t epoch, count, time_min, time_max;
};

static struct status head_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    *(struct segment_head *)out = (struct segment_head){sql_u64(rows, 0), sql_u64(rows, 1),
                                                        sql_u64(rows, 2), sql_u64(rows, 3)};
    return OK;
}

static struct status range_extent(struct store_tx *tx, const struct segment_range *range,
                                  struct segment_extent *extent) {
    struct segment_head head;
    TRY(present(sql_get(
        tx, NULL, head_decode, &head,
        "SELECT epoch, report_count, time_min, time_max FROM segment WHERE number = $1",
        SQL_VALUES(sql_of_int(range->segment)))));
    extent->epoch_min = head.epoch < extent->epoch_min ? head.epoch : extent->epoch_min;
    if (head.count == range->count || head.time_min == head.time_max) {
        extent_widen(extent, head.time_min, head.time_max);
        return OK;
    }
    const uint64_t *times;
    TRY(segment_times(tx, range, &times));
    for (uint32_t i = 0; i < range->count; i++) {
        extent_widen(extent, times[i], times[i]);
    }
    return OK;
}

struct status segments_extent(struct store_tx *tx, const struct segment_ranges *ranges,
                              struct segment_extent *out) {
    struct segment_extent extent = {UINT64_MAX, 0, UINT64_MAX};
    if (ranges->count == 0) {
        return FAIL(INVALID_ARGUMENT);
    }
    for (size_t i = 0; i < ranges->count; i++) {
        TRY(range_extent(tx, &ranges->ranges[i], &extent));
    }
    *out = extent;
    return OK;
}

/* ---- Ending --------------------------------------------------------------------- */

static struct status segment_left_decode(const struct sql_rows *rows, struct arena *arena,
                                         void *out) {
    (void)arena;
    int64_t *left = out;
    left[0] = sql_int(rows, 0);
    left[1] = sql_int(rows, 1);
    return OK;
}

static struct status segment_end(struct store_tx *tx, int64_t segment, int64_t count,
                                 struct usage_change *change) {
    int64_t left[2];
    TRY(present(sql_get(tx, NULL, segment_left_decode, left,
                        "UPDATE segment SET remaining = remaining - $1 WHERE number = $2"
                        " RETURNING remaining, bytes",
                        SQL_VALUES(sql_of_int(count), sql_of_int(segment)))));
    change->reports -= count;
    if (left[0] > 0) {
        return OK;
    }
    change->bytes -= left[1];
    TRY(sql_run(tx, NULL, "DELETE FROM segment_body WHERE segment = $1",
                SQL_VALUES(sql_of_int(segment))));
    return sql_run(tx, NULL, "DELETE FROM segment WHERE number = $1",
                   SQL_VALUES(sql_of_int(segment)));
}

struct status segments_end(struct store_tx *tx, const struct task_row *task,
                           const struct segment_ranges *ranges) {
    struct usage_change change = {0};
    for (size_t i = 0; i < ranges->count;) {
        int64_t segment = ranges->ranges[i].segment;
        int64_t count = 0;
        for (; i < ranges->count && ranges->ranges[i].segment == segment; i++) {
            count += ranges->ranges[i].count;
        }
        TRY(segment_end(tx, segment, count, &change));
    }
    return ranges->count > 0 ? usage_add(tx, task, &change) : OK;
}

static struct status segments_stored_at(struct store_tx *tx, const struct segment_ranges *ranges,
                                        int64_t *out) {
    int64_t oldest = INT64_MAX;
    for (size_t i = 0; i < ranges->count; i++) {
        int64_t stored_at;
        TRY(present(sql_get_int(tx, &stored_at, "SELECT stored_at FROM segment WHERE number = $1",
                                SQL_VALUES(sql_of_int(ranges->ranges[i].segment)))));
        oldest = stored_at < oldest ? stored_at : oldest;
    }
    *out = oldest;
    return OK;
}

struct status segments_return(struct store_tx *tx, const struct task_row *task,
                              const struct segment_ranges *ranges, int64_t not_before) {
    if (ranges->count == 0) {
        return OK;
    }
    struct store_member *members;
    size_t count;
    int64_t stored_at;
    TRY(segments_read(tx, &tx->scratch, ranges, &members, &count));
    TRY(segments_stored_at(tx, ranges, &stored_at));
    const struct store_report **reports =
        ARENA_ARRAY(&tx->scratch, const struct store_report *, count);
    if (reports == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        reports[i] = &members[i].report;
    }
    TRY(segments_end(tx, task, ranges));
    return segments_write(tx, task, reports, count, stored_at, not_before);
}
