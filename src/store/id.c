/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "store/internal.h"

/*
 * The sets of report IDs. The draft's rule is that an ID is unique in its task,
 * whatever the report's time; the table is keyed by epoch first, so that expiry
 * deletes neighbours. An ID is filed under the newest epoch that the task has
 * seen, which is its report's own or later, so it stays as long as it must.
 * Then two that come at the same time meet in the table's key, and those that
 * came before are found by probing the other epochs, of which there are few.
 * A writer that brings a newer epoch closes the gate of the task, so that all
 * that overlap file under the same one.
 */
struct candidate {
    const struct store_committed *id;
    size_t index; /* in the caller's array */
};

static int by_id(const void *left, const void *right) {
    const struct candidate *a = left;
    const struct candidate *b = right;
    int order = memcmp(a->id->id, b->id->id, STORE_ID_SIZE);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Settles what is expired and what came earlier in the same call; the others
 * become candidates, in the order of their IDs, in which all writers insert. */
static size_t candidates_select(const struct task_row *task, const struct store_committed ids[],
                                size_t count, struct candidate candidates[],
                                enum store_outcome outcomes[]) {
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        if (ids[i].epoch < task->watermark) {
            outcomes[i] = STORE_EXPIRED;
        } else {
            candidates[live++] = (struct candidate){&ids[i], i};
        }
    }
    qsort(candidates, live, sizeof candidates[0], by_id);
    size_t distinct = 0;
    for (size_t i = 0; i < live; i++) {
        if (distinct > 0 &&
            memcmp(candidates[distinct - 1].id->id, candidates[i].id->id, STORE_ID_SIZE) == 0) {
            outcomes[candidates[i].index] = STORE_REPLAYED;
        } else {
            candidates[distinct++] = candidates[i];
        }
    }
    return distinct;
}

/* The epoch to file the candidates under. */
static struct status epoch_choose(struct store_tx *tx, const struct task_row *task,
                                  enum id_kind kind, const struct candidate candidates[],
                                  size_t count, uint64_t *out) {
    int64_t newest;
    TRY(sql_get_int(tx, &newest,
                    "SELECT COALESCE(MAX(epoch), -1) FROM id_epoch WHERE task = $1 AND kind = $2",
                    SQL_VALUES(sql_of_int(task->number), sql_of_int((int64_t)kind))));
    int64_t epoch = newest;
    for (size_t i = 0; i < count; i++) {
        epoch = (int64_t)candidates[i].id->epoch > epoch ? (int64_t)candidates[i].id->epoch : epoch;
    }
    if (epoch > newest) {
        TRY(task_close_gate(tx, task));
        TRY(sql_run(tx, NULL, "INSERT INTO id_epoch (task, kind, epoch) VALUES ($1, $2, $3)",
                    SQL_VALUES(sql_of_int(task->number), sql_of_int((int64_t)kind),
                               sql_of_int(epoch))));
    }
    *out = (uint64_t)epoch;
    return OK;
}

/* Looks each ID up in each epoch. That has to be so whatever a planner thinks of
 * the tables' sizes, and a join can be turned round, so as to go through all IDs of
 * an epoch instead: so it is one query in another. An ID that a transaction at the
 * same time inserts too is the key's affair: one of the two is run again, and finds
 * it (an ON CONFLICT would cost PostgreSQL another log record for each ID). */
static const char id_insert[] =
    "INSERT INTO report_id (task, kind, epoch, id) SELECT $1, $2, $3, k.id"
    " FROM (SELECT " SQL_EACH("$4") " AS id) AS k"
    " WHERE (SELECT COUNT(*) FROM id_epoch e WHERE e.task = $1 AND e.kind = $2 AND"
    " (SELECT COUNT(*) FROM report_id r WHERE r.task = $1 AND r.kind = $2"
    " AND r.epoch = e.epoch AND r.id = k.id) > 0) = 0 RETURNING id";

struct status ids_put(struct store_tx *tx, const struct task_row *task, enum id_kind kind,
                      const struct store_committed ids[], size_t count,
                      enum store_outcome outcomes[]) {
    struct candidate *candidates = ARENA_ARRAY(&tx->scratch, struct candidate, count);
    struct span *keys = ARENA_ARRAY(&tx->scratch, struct span, count);
    bool *hits = ARENA_ARRAY(&tx->scratch, bool, count);
    uint64_t epoch;
    if (candidates == NULL || keys == NULL || hits == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t distinct = candidates_select(task, ids, count, candidates, outcomes);
    if (distinct == 0) {
        return OK;
    }
    TRY(epoch_choose(tx, task, kind, candidates, distinct, &epoch));
    for (size_t i = 0; i < distinct; i++) {
        keys[i] = span_of(candidates[i].id->id, STORE_ID_SIZE);
    }
    TRY(sql_each(tx, id_insert,
                 SQL_VALUES(sql_of_int(task->number), sql_of_int((int64_t)kind),
                            sql_of_u64(epoch)),
                 keys, distinct, hits));
    for (size_t i = 0; i < distinct; i++) {
        outcomes[candidates[i].index] = hits[i] ? STORE_NEW : STORE_REPLAYED;
    }
    return OK;
}

struct status store_ids_commit(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                               const struct store_committed ids[], size_t count,
                               enum store_outcome outcomes[]) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return ids_put(tx, &task, ID_COMMITTED, ids, count, outcomes);
}

static struct status id_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct store_committed *id = out;
    (void)arena;
    id->epoch = sql_u64(rows, 0);
    return sql_copy(rows, 1, id->id, sizeof id->id);
}

struct status store_ids_list(struct store_tx *tx, struct arena *arena,
                             const uint8_t task_id[STORE_TASK_ID_SIZE],
                             const struct store_committed *after, size_t max,
                             struct store_committed **out, size_t *count) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return sql_list(tx, arena, id_decode, sizeof **out, (void **)out, count,
                    "SELECT epoch, id FROM report_id WHERE task = $1 AND kind = $2"
                    " AND (epoch, id) > ($3, $4) ORDER BY task, kind, epoch, id LIMIT $5",
                    SQL_VALUES(sql_of_int(task.number), sql_of_int(ID_COMMITTED),
                               sql_of_int(after == NULL ? -1 : (int64_t)after->epoch),
                               after == NULL ? sql_of_bytes(SPAN_EMPTY)
                                             : sql_of_id(after->id, sizeof after->id),
                               sql_of_limit(max)));
}

/* ---- What a leader notes ------------------------------------------------------- */

static struct status note_put(struct store_tx *tx, const struct task_row *task,
                              const struct candidate candidates[], size_t count) {
    uint8_t *bytes = ARENA_ARRAY(&tx->scratch, uint8_t, count * STORE_ID_SIZE);
    uint64_t epoch = 0;
    if (bytes == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + i * STORE_ID_SIZE, candidates[i].id->id, STORE_ID_SIZE);
        epoch = candidates[i].id->epoch > epoch ? candidates[i].id->epoch : epoch;
    }
    return sql_run(tx, NULL,
                   "INSERT INTO noted_ids (task, epoch, number, ids) VALUES ($1, $2, $3, $4)",
                   SQL_VALUES(sql_of_int(task->number), sql_of_u64(epoch),
                              sql_of_int(store_number(tx->store)),
                              sql_of_bytes(span_of(bytes, count * STORE_ID_SIZE))));
}

struct status store_ids_note(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                             const struct store_committed ids[], size_t count,
                             enum store_outcome outcomes[]) {
    struct task_row task;
    struct candidate *candidates = ARENA_ARRAY(&tx->scratch, struct candidate, count);
    if (candidates == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(task_find(tx, task_id, &task));
    size_t distinct = candidates_select(&task, ids, count, candidates, outcomes);
    for (size_t i = 0; i < distinct; i++) {
        outcomes[candidates[i].index] = STORE_NEW;
    }
    return distinct > 0 ? note_put(tx, &task, candidates, distinct) : OK;
}

struct note {
    struct store_note place;
    struct span ids;
};

static struct status note_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct note *note = out;
    note->place = (struct store_note){sql_u64(rows, 0), sql_int(rows, 1)};
    return sql_copy_span(rows, 2, arena, &note->ids);
}

static struct status note_expand(const struct note *note, struct arena *arena,
                                 struct store_committed **out, size_t *count) {
    size_t found = note->ids.len / STORE_ID_SIZE;
    struct store_committed *ids = ARENA_ARRAY(arena, struct store_committed, found);
    if (ids == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < found; i++) {
        memcpy(ids[i].id, note->ids.data + i * STORE_ID_SIZE, STORE_ID_SIZE);
        ids[i].epoch = note->place.epoch;
    }
    *out = ids;
    *count = found;
    return OK;
}

struct status store_notes_next(struct store_tx *tx, struct arena *arena,
                               const uint8_t task_id[STORE_TASK_ID_SIZE],
                               struct store_note *place, struct store_committed **out,
                               size_t *count) {
    struct task_row task;
    struct note note;
    TRY(task_find(tx, task_id, &task));
    struct status status =
        sql_get(tx, &tx->scratch, note_decode, &note,
                "SELECT epoch, number, ids FROM noted_ids WHERE task = $1"
                " AND (epoch, number) > ($2, $3) ORDER BY task, epoch, number LIMIT 1",
                SQL_VALUES(sql_of_int(task.number), sql_of_u64(place->epoch),
                           sql_of_int(place->number)));
    if (status.code == STATUS_NOT_FOUND) {
        *count = 0;
        return OK;
    }
    TRY(status);
    TRY(note_expand(&note, arena, out, count));
    *place = note.place;
    return OK;
}
