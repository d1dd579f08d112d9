/* SPDX-License-Identifier: Apache-2.0 */
#include "store/segment.h"

/* ---- The watermark ------------------------------------------------------------------ */

struct status store_watermark_advance(struct store_tx *tx,
                                      const uint8_t task_id[STORE_TASK_ID_SIZE], uint64_t epoch) {
    struct task_row task;
    int64_t oldest;
    TRY(task_find(tx, task_id, &task));
    if (epoch <= task.watermark) {
        return OK;
    }
    TRY(task_close_gate(tx, &task));
    task_forget(tx);
    /* A job may have reached the helper, so its members must stay committable. */
    TRY(sql_get_int(tx, &oldest,
                    "SELECT COALESCE(MIN(epoch_min), 9223372036854775807) FROM job WHERE task = $1",
                    SQL_VALUES(sql_of_int(task.number))));
    uint64_t watermark = epoch < (uint64_t)oldest ? epoch : (uint64_t)oldest;
    return sql_run(tx, NULL, "UPDATE task SET watermark = $1 WHERE number = $2 AND watermark < $1",
                   SQL_VALUES(sql_of_u64(watermark), sql_of_int(task.number)));
}

struct status store_watermark_get(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                  uint64_t *epoch) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    *epoch = task.watermark;
    return OK;
}

/* ---- Deleting behind it --------------------------------------------------------------- */

struct id_epoch {
    int64_t kind;
    uint64_t epoch;
};

static struct status id_epoch_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    *(struct id_epoch *)out = (struct id_epoch){sql_int(rows, 0), sql_u64(rows, 1)};
    return OK;
}

static struct status id_epoch_expire(struct store_tx *tx, const struct task_row *task,
                                     const struct id_epoch *epoch, size_t max, size_t *deleted) {
    const struct sql_value values[] = {sql_of_int(task->number), sql_of_int(epoch->kind),
                                       sql_of_u64(epoch->epoch), sql_of_limit(max)};
    int64_t found;
    TRY(sql_get_int(tx, &found,
                    "SELECT COUNT(*) FROM (SELECT 1 FROM report_id WHERE task = $1 AND kind = $2"
                    " AND epoch = $3 LIMIT $4) AS part",
                    values, 4));
    TRY(sql_run(tx, NULL,
                "DELETE FROM report_id WHERE task = $1 AND kind = $2 AND epoch = $3 AND id IN"
                " (SELECT id FROM report_id WHERE task = $1 AND kind = $2 AND epoch = $3"
                " ORDER BY id LIMIT $4)",
                values, 4));
    *deleted += (size_t)found;
    if ((size_t)found == max) {
        return OK;
    }
    return sql_run(tx, NULL, "DELETE FROM id_epoch WHERE task = $1 AND kind = $2 AND epoch = $3",
                   values, 3);
}

static struct status ids_expire(struct store_tx *tx, const struct task_row *task, size_t max,
                                size_t *deleted) {
    struct id_epoch *epochs;
    size_t count;
    TRY(sql_list(tx, &tx->scratch, id_epoch_decode, sizeof *epochs, (void **)&epochs, &count,
                 "SELECT kind, epoch FROM id_epoch WHERE task = $1 AND epoch < $2"
                 " ORDER BY kind, epoch",
                 SQL_VALUES(sql_of_int(task->number), sql_of_u64(task->watermark))));
    for (size_t i = 0; i < count && *deleted < max; i++) {
        TRY(id_epoch_expire(tx, task, &epochs[i], max - *deleted, deleted));
    }
    return OK;
}

static struct status note_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    *(struct store_note *)out = (struct store_note){sql_u64(rows, 0), sql_int(rows, 1)};
    return OK;
}

static struct status notes_expire(struct store_tx *tx, const struct task_row *task, size_t max,
                                  size_t *deleted) {
    struct store_note *notes;
    size_t count;
    TRY(sql_list(tx, &tx->scratch, note_decode, sizeof *notes, (void **)&notes, &count,
                 "SELECT epoch, number FROM noted_ids WHERE task = $1 AND epoch < $2"
                 " ORDER BY task, epoch, number LIMIT $3",
                 SQL_VALUES(sql_of_int(task->number), sql_of_u64(task->watermark),
                            sql_of_limit(max - *deleted))));
    for (size_t i = 0; i < count; i++) {
        TRY(sql_run(tx, NULL,
                    "DELETE FROM noted_ids WHERE task = $1 AND epoch = $2 AND number = $3",
                    SQL_VALUES(sql_of_int(task->number), sql_of_u64(notes[i].epoch),
                               sql_of_int(notes[i].number))));
    }
    *deleted += count;
    return OK;
}

struct expired_segment {
    int64_t number, remaining, unassigned, bytes;
};

static struct status expired_segment_decode(const struct sql_rows *rows, struct arena *arena,
                                            void *out) {
    (void)arena;
    *(struct expired_segment *)out = (struct expired_segment){sql_int(rows, 0), sql_int(rows, 1),
                                                              sql_int(rows, 2), sql_int(rows, 3)};
    return OK;
}

/* The watermark stays behind the members of jobs, so all that remains of these
 * segments is waiting. */
static struct status segments_expire(struct store_tx *tx, const struct task_row *task, size_t max,
                                     size_t *deleted) {
    struct expired_segment *segments;
    size_t count;
    struct usage_change change = {0};
    TRY(sql_list(tx, &tx->scratch, expired_segment_decode, sizeof *segments, (void **)&segments,
                 &count,
                 "SELECT number, remaining, unassigned, bytes FROM segment"
                 " WHERE task = $1 AND epoch < $2 ORDER BY epoch, number LIMIT $3",
                 SQL_VALUES(sql_of_int(task->number), sql_of_u64(task->watermark),
                            sql_of_limit(max - *deleted))));
    for (size_t i = 0; i < count; i++) {
        const struct sql_value number = sql_of_int(segments[i].number);
        TRY(sql_run(tx, NULL, "DELETE FROM segment_body WHERE segment = $1", &number, 1));
        TRY(sql_run(tx, NULL, "DELETE FROM segment WHERE number = $1", &number, 1));
        change.reports -= segments[i].remaining;
        change.unassigned -= segments[i].unassigned;
        change.bytes -= segments[i].bytes;
    }
    *deleted += count;
    return count > 0 ? usage_add(tx, task, &change) : OK;
}

static struct status number_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    *(int64_t *)out = sql_int(rows, 0);
    return OK;
}

static struct status resources_expire(struct store_tx *tx, const struct task_row *task,
                                      int64_t ended_before, size_t max, size_t *deleted) {
    int64_t *numbers;
    size_t count;
    TRY(sql_list(tx, &tx->scratch, number_decode, sizeof *numbers, (void **)&numbers, &count,
                 "SELECT number FROM resource WHERE task = $1 AND state <> 0 AND ended_at < $2"
                 " ORDER BY task, ended_at LIMIT $3",
                 SQL_VALUES(sql_of_int(task->number), sql_of_int(ended_before),
                            sql_of_limit(max - *deleted))));
    for (size_t i = 0; i < count; i++) {
        const struct sql_value number = sql_of_int(numbers[i]);
        TRY(sql_run(tx, NULL, "DELETE FROM resource_body WHERE resource = $1", &number, 1));
        TRY(sql_run(tx, NULL, "DELETE FROM resource WHERE number = $1", &number, 1));
    }
    *deleted += count;
    return OK;
}

struct status store_expire(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                           int64_t ended_before, size_t max, size_t *deleted) {
    struct task_row task;
    size_t done = 0;
    TRY(task_find(tx, task_id, &task));
    TRY(ids_expire(tx, &task, max, &done));
    TRY(notes_expire(tx, &task, max, &done));
    TRY(segments_expire(tx, &task, max, &done));
    TRY(resources_expire(tx, &task, ended_before, max, &done));
    *deleted = done;
    return OK;
}
