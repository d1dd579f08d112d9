/* SPDX-License-Identifier: Apache-2.0 */
#include "store/internal.h"
#include "store/turn.h"

/* Tries to find a number that no other process took; two are rare. */
enum { RESOURCE_NUMBER_TRIES = 64 };

static struct seal_place note_place(const struct store_resource *resource, const uint8_t *kind) {
    return (struct seal_place){"resource_body.note",
                               {span_of(resource->task_id, sizeof resource->task_id),
                                span_of(kind, 1), span_of(resource->id, sizeof resource->id)}};
}

static struct status note_seal(struct store_tx *tx, const struct store_resource *resource,
                               struct span *out) {
    uint8_t kind = (uint8_t)resource->kind;
    struct seal_place place = note_place(resource, &kind);
    return seal(tx, &place, resource->note, out);
}

static bool state_is_live(enum store_resource_state state) {
    return state == STORE_RESOURCE_PENDING || state == STORE_RESOURCE_READY;
}

static int64_t state_ended_at(const struct store_tx *tx, enum store_resource_state state) {
    return state == STORE_RESOURCE_PENDING ? 0 : clock_now_us(tx->store->clock);
}

/* ---- Reading ---------------------------------------------------------------------- */

#define RESOURCE_COLUMNS                                                                       \
    "SELECT r.id, t.id, r.kind, r.state, r.digest, r.config_ids, r.step, r.step_digest,"       \
    " r.problem, r.attempts, r.created_at, r.retry_at, r.lease, b.request, b.response, b.note" \
    " FROM resource r JOIN task t ON t.number = r.task"                                        \
    " JOIN resource_body b ON b.resource = r.number"

static struct status resource_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct store_resource *resource = out;
    TRY(sql_copy(rows, 0, resource->id, sizeof resource->id));
    TRY(sql_copy(rows, 1, resource->task_id, sizeof resource->task_id));
    resource->kind = (enum store_kind)sql_int(rows, 2);
    resource->state = (enum store_resource_state)sql_int(rows, 3);
    TRY(sql_copy(rows, 4, resource->digest, sizeof resource->digest));
    TRY(sql_copy_span(rows, 5, arena, &resource->config_ids));
    resource->step = (uint16_t)sql_int(rows, 6);
    TRY(sql_copy(rows, 7, resource->step_digest, sizeof resource->step_digest));
    resource->problem = (enum status_code)sql_int(rows, 8);
    resource->attempts = (uint32_t)sql_int(rows, 9);
    resource->created_at = sql_int(rows, 10);
    resource->retry_at = sql_int(rows, 11);
    resource->lease = sql_u64(rows, 12);
    TRY(sql_copy_span(rows, 13, arena, &resource->request));
    TRY(sql_copy_span(rows, 14, arena, &resource->response));
    uint8_t kind = (uint8_t)resource->kind;
    struct seal_place place = note_place(resource, &kind);
    return unseal(rows->tx, arena, &place, sql_bytes(rows, 15), &resource->note);
}

static struct status resource_read(struct store_tx *tx, struct arena *arena, int64_t number,
                                   struct store_resource *out) {
    struct store_resource resource;
    TRY(sql_get(tx, arena, resource_decode, &resource, RESOURCE_COLUMNS " WHERE r.number = $1",
                SQL_VALUES(sql_of_int(number))));
    *out = resource;
    return OK;
}

static struct status resource_find(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                   enum store_kind kind, const uint8_t id[STORE_ID_SIZE],
                                   int64_t *number) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return sql_get_int(tx, number,
                       "SELECT number FROM resource WHERE task = $1 AND kind = $2 AND id = $3",
                       SQL_VALUES(sql_of_int(task.number), sql_of_int((int64_t)kind),
                                  sql_of_id(id, STORE_ID_SIZE)));
}

struct status store_resource_get(struct store_tx *tx, struct arena *arena,
                                 const uint8_t task_id[STORE_TASK_ID_SIZE], enum store_kind kind,
                                 const uint8_t id[STORE_ID_SIZE], struct store_resource *out) {
    int64_t number;
    TRY(resource_find(tx, task_id, kind, id, &number));
    return resource_read(tx, arena, number, out);
}

struct status store_resource_list(struct store_tx *tx, struct arena *arena,
                                  const uint8_t task_id[STORE_TASK_ID_SIZE], enum store_kind kind,
                                  enum store_resource_state state, struct store_resource **out,
                                  size_t *count) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return sql_list(tx, arena, resource_decode, sizeof **out, (void **)out, count,
                    RESOURCE_COLUMNS " WHERE r.task = $1 AND r.kind = $2 AND r.state = $3"
                                     " ORDER BY r.created_at, r.number",
                    SQL_VALUES(sql_of_int(task.number), sql_of_int((int64_t)kind),
                               sql_of_int((int64_t)state)));
}

/* ---- Making ----------------------------------------------------------------------- */

/* `taken` says that another resource has the id, whatever its state. */
static struct status resource_id_taken(struct store_tx *tx, const struct task_row *task,
                                       const struct store_resource *resource, bool *taken) {
    return sql_run(tx, taken,
                   "SELECT 1 FROM resource WHERE task = $1 AND kind = $2 AND id = $3",
                   SQL_VALUES(sql_of_int(task->number), sql_of_int((int64_t)resource->kind),
                              sql_of_id(resource->id, sizeof resource->id)));
}

static struct status resource_insert(struct store_tx *tx, const struct task_row *task,
                                     const struct store_resource *resource, int64_t lease_until,
                                     int64_t *number) {
    bool inserted = false;
    int64_t leased = lease_until != 0;
    for (int i = 0; i < RESOURCE_NUMBER_TRIES && !inserted; i++) {
        *number = store_number(tx->store);
        TRY(sql_run(
            tx, &inserted,
            "INSERT INTO resource (number, task, kind, id, state, live, digest, config_ids, step,"
            " step_digest, problem, attempts, created_at, ended_at, retry_at, lease,"
            " leased_until, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
            " $14, $15, $16, $17, $18) ON CONFLICT (number) DO NOTHING",
            SQL_VALUES(sql_of_int(*number), sql_of_int(task->number),
                       sql_of_int((int64_t)resource->kind),
                       sql_of_id(resource->id, sizeof resource->id),
                       sql_of_int((int64_t)resource->state),
                       sql_of_int(state_is_live(resource->state)),
                       sql_of_id(resource->digest, sizeof resource->digest),
                       sql_of_bytes(resource->config_ids), sql_of_int(resource->step),
                       sql_of_id(resource->step_digest, sizeof resource->step_digest),
                       sql_of_int((int64_t)resource->problem), sql_of_int(leased),
                       sql_of_int(resource->created_at),
                       sql_of_int(state_ended_at(tx, resource->state)),
                       sql_of_int(resource->retry_at), sql_of_int(leased),
                       sql_of_int(lease_until),
                       sql_of_int(turn_due_at(resource->retry_at, lease_until)))));
    }
    return inserted ? OK : FAIL(STORE);
}

static struct status resource_make(struct store_tx *tx, const struct task_row *task,
                                   const struct store_resource *resource, int64_t lease_until,
                                   int64_t *number) {
    bool taken;
    struct span note;
    TRY(resource_id_taken(tx, task, resource, &taken));
    if (taken) {
        return FAIL(CONFLICT);
    }
    TRY(note_seal(tx, resource, &note));
    TRY(resource_insert(tx, task, resource, lease_until, number));
    return sql_run(tx, NULL,
                   "INSERT INTO resource_body (resource, request, response, note)"
                   " VALUES ($1, $2, $3, $4)",
                   SQL_VALUES(sql_of_int(*number), sql_of_bytes(resource->request),
                              sql_of_bytes(resource->response), sql_of_bytes(note)));
}

static struct status resource_live(struct store_tx *tx, const struct task_row *task,
                                   enum store_kind kind, const uint8_t digest[STORE_DIGEST_SIZE],
                                   int64_t *number) {
    return sql_get_int(tx, number,
                       "SELECT number FROM resource WHERE task = $1 AND kind = $2 AND digest = $3"
                       " AND live = 1",
                       SQL_VALUES(sql_of_int(task->number), sql_of_int((int64_t)kind),
                                  sql_of_id(digest, STORE_DIGEST_SIZE)));
}

struct status store_resource_find(struct store_tx *tx, struct arena *arena,
                                  const uint8_t task_id[STORE_TASK_ID_SIZE], enum store_kind kind,
                                  const uint8_t digest[STORE_DIGEST_SIZE],
                                  struct store_resource *out) {
    struct task_row task;
    int64_t number;
    TRY(task_find(tx, task_id, &task));
    TRY(resource_live(tx, &task, kind, digest, &number));
    return resource_read(tx, arena, number, out);
}

struct status store_resource_create(struct store_tx *tx, struct arena *arena,
                                    const struct store_resource *resource, int64_t lease_until,
                                    struct store_resource *out, bool *found) {
    struct task_row task;
    int64_t number;
    TRY(task_find(tx, resource->task_id, &task));
    struct status status = resource_live(tx, &task, resource->kind, resource->digest, &number);
    bool standing = status_ok(status);
    if (status.code == STATUS_NOT_FOUND) {
        status = resource_make(tx, &task, resource, lease_until, &number);
    }
    TRY(status);
    TRY(resource_read(tx, arena, number, out));
    *found = standing;
    return OK;
}

/* ---- Working on one ------------------------------------------------------------------ */

/* The resource of a task that is due longest. NOT_FOUND also if others hold all. */
static struct status claim_in(struct store_tx *tx, enum store_kind kind, int64_t task, int64_t now,
                              int64_t lease_until, int64_t *number) {
    return sql_get_int(tx, number,
                       "UPDATE resource SET lease = lease + 1, leased_until = $1, due_at = $1,"
                       " attempts = attempts + 1 WHERE number = (SELECT number FROM resource"
                       " WHERE kind = $2 AND task = $3 AND state = 0 AND due_at <= $4"
                       " ORDER BY kind, task, due_at LIMIT 1" SQL_SKIP_LOCKED ") RETURNING number",
                       SQL_VALUES(sql_of_int(lease_until), sql_of_int((int64_t)kind),
                                  sql_of_int(task), sql_of_int(now)));
}

/* The resource that is due longest, of any task. */
static struct status claim_any(struct store_tx *tx, enum store_kind kind, int64_t now,
                               int64_t lease_until, int64_t *number) {
    return sql_get_int(tx, number,
                       "UPDATE resource SET lease = lease + 1, leased_until = $1, due_at = $1,"
                       " attempts = attempts + 1 WHERE number = (SELECT number FROM resource"
                       " WHERE kind = $2 AND state = 0 AND due_at <= $3"
                       " ORDER BY kind, due_at LIMIT 1" SQL_SKIP_LOCKED ") RETURNING number",
                       SQL_VALUES(sql_of_int(lease_until), sql_of_int((int64_t)kind),
                                  sql_of_int(now)));
}

struct status store_resource_claim(struct store_tx *tx, struct arena *arena, enum store_kind kind,
                                   int64_t now, int64_t lease_until, struct store_resource *out) {
    int64_t number;
    int64_t task;
    struct status status = turn_of_resources(tx, kind, now, &task);
    if (status_ok(status)) {
        status = claim_in(tx, kind, task, now, lease_until, &number);
    }
    if (status.code == STATUS_NOT_FOUND) {
        status = claim_any(tx, kind, now, lease_until, &number);
    }
    TRY(status);
    return resource_read(tx, arena, number, out);
}

struct status store_resource_update(struct store_tx *tx, const struct store_resource *resource,
                                    int64_t lease_until) {
    int64_t number;
    struct span note;
    struct status status = resource_find(tx, resource->task_id, resource->kind, resource->id, &number);
    if (status.code == STATUS_NOT_FOUND || status.code == STATUS_UNRECOGNIZED_TASK) {
        return FAIL(LEASE_LOST);
    }
    TRY(status);
    TRY(note_seal(tx, resource, &note));
    bool held;
    TRY(sql_run(tx, &held,
                "UPDATE resource SET state = $1, live = $2, config_ids = $3, step = $4,"
                " step_digest = $5, problem = $6, ended_at = $7, retry_at = $8,"
                " leased_until = $9, due_at = $10 WHERE number = $11 AND lease = $12"
                " AND live = 1",
                SQL_VALUES(sql_of_int((int64_t)resource->state),
                           sql_of_int(state_is_live(resource->state)),
                           sql_of_bytes(resource->config_ids), sql_of_int(resource->step),
                           sql_of_id(resource->step_digest, sizeof resource->step_digest),
                           sql_of_int((int64_t)resource->problem),
                           sql_of_int(state_ended_at(tx, resource->state)),
                           sql_of_int(resource->retry_at), sql_of_int(lease_until),
                           sql_of_int(turn_due_at(resource->retry_at, lease_until)),
                           sql_of_int(number), sql_of_u64(resource->lease))));
    if (!held) {
        return FAIL(LEASE_LOST);
    }
    return sql_run(tx, NULL,
                   "UPDATE resource_body SET request = $1, response = $2, note = $3"
                   " WHERE resource = $4",
                   SQL_VALUES(sql_of_bytes(resource->request), sql_of_bytes(resource->response),
                              sql_of_bytes(note), sql_of_int(number)));
}

struct status store_resource_delete(struct store_tx *tx,
                                    const uint8_t task_id[STORE_TASK_ID_SIZE],
                                    enum store_kind kind, const uint8_t id[STORE_ID_SIZE]) {
    int64_t number;
    struct store_resource gone = {.kind = kind, .note = SPAN_EMPTY};
    struct span note;
    TRY(resource_find(tx, task_id, kind, id, &number));
    memcpy(gone.id, id, sizeof gone.id);
    memcpy(gone.task_id, task_id, sizeof gone.task_id);
    TRY(note_seal(tx, &gone, &note));
    /* The lease moves on, so that whoever holds it learns that it is lost. */
    TRY(sql_run(tx, NULL,
                "UPDATE resource SET state = $1, live = 0, config_ids = $2, lease = lease + 1,"
                " leased_until = 0, ended_at = $3 WHERE number = $4",
                SQL_VALUES(sql_of_int(STORE_RESOURCE_DELETED), sql_of_bytes(SPAN_EMPTY),
                           sql_of_int(state_ended_at(tx, STORE_RESOURCE_DELETED)),
                           sql_of_int(number))));
    return sql_run(tx, NULL,
                   "UPDATE resource_body SET request = $1, response = $1, note = $2"
                   " WHERE resource = $3",
                   SQL_VALUES(sql_of_bytes(SPAN_EMPTY), sql_of_bytes(note), sql_of_int(number)));
}
