/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "store/internal.h"

struct status config_bump(struct store_tx *tx) {
    return sql_run(tx, NULL, "UPDATE config_version SET version = version + 1", SQL_NO_VALUES);
}

struct status store_config_version(struct store_tx *tx, uint64_t *version) {
    int64_t value;
    TRY(sql_get_int(tx, &value, "SELECT version FROM config_version", SQL_NO_VALUES));
    *version = (uint64_t)value;
    return OK;
}

/* ---- Peers ------------------------------------------------------------------ */

static struct seal_place token_place(const char *name) {
    return (struct seal_place){"peer.token", {span_of_string(name)}};
}

struct status store_peer_put(struct store_tx *tx, const struct store_peer *peer) {
    if (peer->name == NULL || peer->name[0] == '\0' || peer->dialect == NULL) {
        return FAIL(INVALID_ARGUMENT);
    }
    struct seal_place place = token_place(peer->name);
    struct span token;
    TRY(seal(tx, &place, peer->token, &token));
    TRY(config_bump(tx));
    return sql_run(tx, NULL,
                   "INSERT INTO peer (name, dialect, token, token_hash, certificate_name)"
                   " VALUES ($1, $2, $3, $4, $5)"
                   " ON CONFLICT (name) DO UPDATE SET dialect = excluded.dialect,"
                   " token = excluded.token, token_hash = excluded.token_hash,"
                   " certificate_name = excluded.certificate_name",
                   SQL_VALUES(sql_of_text(peer->name), sql_of_text(peer->dialect),
                              sql_of_bytes(token), sql_of_bytes(peer->token_hash),
                              sql_of_text(peer->certificate_name)));
}

#define PEER_COLUMNS "SELECT name, dialect, token, token_hash, certificate_name FROM peer"

static struct status peer_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct store_peer *peer = out;
    TRY(sql_copy_text(rows, 0, arena, &peer->name));
    TRY(sql_copy_text(rows, 1, arena, &peer->dialect));
    struct seal_place place = token_place(peer->name);
    TRY(unseal(rows->tx, arena, &place, sql_bytes(rows, 2), &peer->token));
    TRY(sql_copy_span(rows, 3, arena, &peer->token_hash));
    return sql_copy_text(rows, 4, arena, &peer->certificate_name);
}

struct status store_peer_get(struct store_tx *tx, struct arena *arena, const char *name,
                             struct store_peer *out) {
    struct store_peer peer;
    TRY(sql_get(tx, arena, peer_decode, &peer, PEER_COLUMNS " WHERE name = $1",
                SQL_VALUES(sql_of_text(name))));
    *out = peer;
    return OK;
}

struct status store_peer_list(struct store_tx *tx, struct arena *arena, struct store_peer **out,
                              size_t *count) {
    return sql_list(tx, arena, peer_decode, sizeof **out, (void **)out, count,
                    PEER_COLUMNS " ORDER BY name", SQL_NO_VALUES);
}

struct status store_peer_delete(struct store_tx *tx, const char *name) {
    int64_t tasks;
    bool deleted;
    TRY(sql_get_int(tx, &tasks,
                    "SELECT COUNT(*) FROM task WHERE aggregator_peer = $1 OR collector_peer = $1",
                    SQL_VALUES(sql_of_text(name))));
    if (tasks > 0) {
        return FAIL(CONFLICT);
    }
    TRY(sql_run(tx, &deleted, "DELETE FROM peer WHERE name = $1", SQL_VALUES(sql_of_text(name))));
    return deleted ? config_bump(tx) : FAIL(NOT_FOUND);
}

static struct status peer_require(struct store_tx *tx, const char *name) {
    int64_t one;
    return sql_get_int(tx, &one, "SELECT 1 FROM peer WHERE name = $1",
                       SQL_VALUES(sql_of_text(name)));
}

/* ---- The gate ------------------------------------------------------------------ */

static bool gate_needed(const struct store_tx *tx) {
    return tx->mode == STORE_WRITE && tx->store->driver->shards > 1;
}

static struct status gate_write(struct store_tx *tx, const struct task_row *task, int64_t shard) {
    return sql_run(tx, NULL,
                   "INSERT INTO task_usage (task, shard, reports, bytes, unassigned)"
                   " VALUES ($1, $2, 0, 0, 0) ON CONFLICT (task, shard) DO UPDATE SET"
                   " reports = task_usage.reports",
                   SQL_VALUES(sql_of_int(task->number), sql_of_int(shard)));
}

/* Writes all rows of the gate, waiting for each. */
static struct status gate_close(struct store_tx *tx, const struct task_row *task) {
    for (int64_t shard = 0; shard < (int64_t)tx->store->driver->shards; shard++) {
        TRY(gate_write(tx, task, shard));
    }
    return OK;
}

/* ---- Tasks ------------------------------------------------------------------- */

static struct seal_place verify_keys_place(const uint8_t id[STORE_TASK_ID_SIZE]) {
    return (struct seal_place){"task.verify_keys", {span_of(id, STORE_TASK_ID_SIZE)}};
}

#define TASK_COLUMNS                                                                       \
    "SELECT id, role, config, collector_config, verify_keys, aggregator_peer,"             \
    " collector_peer, settings, created_at FROM task"

static struct status task_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct store_task *task = out;
    TRY(sql_copy(rows, 0, task->id, sizeof task->id));
    task->role = (uint8_t)sql_int(rows, 1);
    TRY(sql_copy_span(rows, 2, arena, &task->config));
    TRY(sql_copy_span(rows, 3, arena, &task->collector_config));
    struct seal_place place = verify_keys_place(task->id);
    TRY(unseal(rows->tx, arena, &place, sql_bytes(rows, 4), &task->verify_keys));
    TRY(sql_copy_text(rows, 5, arena, &task->aggregator_peer));
    TRY(sql_copy_text(rows, 6, arena, &task->collector_peer));
    TRY(sql_copy_span(rows, 7, arena, &task->settings));
    task->created_at = sql_int(rows, 8);
    return OK;
}

struct status store_task_get(struct store_tx *tx, struct arena *arena,
                             const uint8_t id[STORE_TASK_ID_SIZE], struct store_task *out) {
    struct store_task task;
    struct status status = sql_get(tx, arena, task_decode, &task, TASK_COLUMNS " WHERE id = $1",
                                   SQL_VALUES(sql_of_id(id, STORE_TASK_ID_SIZE)));
    if (status.code == STATUS_NOT_FOUND) {
        return FAIL(UNRECOGNIZED_TASK);
    }
    TRY(status);
    *out = task;
    return OK;
}

struct status store_task_list(struct store_tx *tx, struct arena *arena, struct store_task **out,
                              size_t *count) {
    return sql_list(tx, arena, task_decode, sizeof **out, (void **)out, count,
                    TASK_COLUMNS " ORDER BY created_at, number", SQL_NO_VALUES);
}

static bool text_equal(const char *a, const char *b) {
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool task_equal(const struct store_task *a, const struct store_task *b) {
    return a->role == b->role && span_equal_vartime(a->config, b->config) &&
           span_equal_vartime(a->collector_config, b->collector_config) &&
           a->verify_keys.len == b->verify_keys.len &&
           secret_equal(a->verify_keys.data, b->verify_keys.data, a->verify_keys.len) &&
           text_equal(a->aggregator_peer, b->aggregator_peer) &&
           text_equal(a->collector_peer, b->collector_peer) &&
           span_equal_vartime(a->settings, b->settings);
}

static struct status task_row_decode(const struct sql_rows *rows, struct arena *arena,
                                     void *out) {
    (void)arena;
    *(struct task_row *)out = (struct task_row){sql_int(rows, 0), sql_u64(rows, 1)};
    return OK;
}

static struct status task_row_get(struct store_tx *tx, const uint8_t id[STORE_TASK_ID_SIZE],
                                  struct task_row *out) {
    struct status status = sql_get(tx, NULL, task_row_decode, out,
                                   "SELECT number, watermark FROM task WHERE id = $1",
                                   SQL_VALUES(sql_of_id(id, STORE_TASK_ID_SIZE)));
    return status.code == STATUS_NOT_FOUND ? FAIL(UNRECOGNIZED_TASK) : status;
}

static struct status task_insert(struct store_tx *tx, const struct store_task *task) {
    struct seal_place place = verify_keys_place(task->id);
    struct span keys;
    struct task_row row;
    TRY(seal(tx, &place, task->verify_keys, &keys));
    TRY(sql_run(tx, NULL,
                "INSERT INTO task (number, id, role, config, collector_config, verify_keys,"
                " aggregator_peer, collector_peer, settings, created_at, watermark)"
                " SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9, 0"
                " FROM task",
                SQL_VALUES(sql_of_id(task->id, sizeof task->id), sql_of_int(task->role),
                           sql_of_bytes(task->config), sql_of_bytes(task->collector_config),
                           sql_of_bytes(keys), sql_of_text(task->aggregator_peer),
                           sql_of_text(task->collector_peer), sql_of_bytes(task->settings),
                           sql_of_int(task->created_at))));
    TRY(task_row_get(tx, task->id, &row));
    TRY(gate_needed(tx) ? gate_close(tx, &row) : OK);
    return config_bump(tx);
}

struct status store_task_put(struct store_tx *tx, const struct store_task *task) {
    struct store_task standing;
    struct status status = store_task_get(tx, &tx->scratch, task->id, &standing);
    if (status_ok(status)) {
        return task_equal(task, &standing) ? OK : FAIL(CONFLICT);
    }
    if (status.code != STATUS_UNRECOGNIZED_TASK) {
        return status;
    }
    if (task->aggregator_peer == NULL) {
        return FAIL(INVALID_ARGUMENT);
    }
    TRY(peer_require(tx, task->aggregator_peer));
    if (task->collector_peer != NULL) {
        TRY(peer_require(tx, task->collector_peer));
    }
    return task_insert(tx, task);
}

struct status store_task_set_settings(struct store_tx *tx, const uint8_t id[STORE_TASK_ID_SIZE],
                                      struct span settings) {
    bool changed;
    TRY(sql_run(tx, &changed, "UPDATE task SET settings = $1 WHERE id = $2",
                SQL_VALUES(sql_of_bytes(settings), sql_of_id(id, STORE_TASK_ID_SIZE))));
    return changed ? config_bump(tx) : FAIL(UNRECOGNIZED_TASK);
}

struct status store_task_delete(struct store_tx *tx, const uint8_t id[STORE_TASK_ID_SIZE]) {
    /* What refers to a row goes before the row. */
    static const char *const statements[] = {
        "DELETE FROM report_id WHERE task = $1",
        "DELETE FROM id_epoch WHERE task = $1",
        "DELETE FROM noted_ids WHERE task = $1",
        "DELETE FROM segment_body WHERE segment IN (SELECT number FROM segment WHERE task = $1)",
        "DELETE FROM segment WHERE task = $1",
        "DELETE FROM job_body WHERE job IN (SELECT id FROM job WHERE task = $1)",
        "DELETE FROM job WHERE task = $1",
        "DELETE FROM bucket WHERE task = $1",
        "DELETE FROM collected_interval WHERE task = $1",
        "DELETE FROM collected_batch WHERE task = $1",
        "DELETE FROM batch WHERE task = $1",
        "DELETE FROM resource_body WHERE resource IN (SELECT number FROM resource WHERE task = $1)",
        "DELETE FROM resource WHERE task = $1",
        "DELETE FROM counter WHERE task = $1",
        "DELETE FROM task_usage WHERE task = $1",
        "DELETE FROM task WHERE number = $1",
    };
    struct task_row task;
    TRY(task_find(tx, id, &task));
    TRY(task_close_gate(tx, &task));
    task_forget(tx);
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        TRY(sql_run(tx, NULL, statements[i], SQL_VALUES(sql_of_int(task.number))));
    }
    return config_bump(tx);
}

/* A transaction mostly works on one task, and looks it up once. */
struct task_known {
    uint8_t id[STORE_TASK_ID_SIZE];
    struct task_row row;
    bool gate_closed;
};

void task_forget(struct store_tx *tx) { tx->known = NULL; }

static struct status task_remember(struct store_tx *tx, const uint8_t id[STORE_TASK_ID_SIZE],
                                   const struct task_row *row) {
    struct task_known *known = ARENA_ARRAY(&tx->scratch, struct task_known, 1);
    if (known == NULL) {
        return FAIL(NO_MEMORY);
    }
    *known = (struct task_known){.row = *row};
    memcpy(known->id, id, sizeof known->id);
    tx->known = known;
    return OK;
}

static struct status shard_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    *(int64_t *)out = sql_int(rows, 0);
    return OK;
}

/* Locks all rows of the gate that nobody else holds; all must be among them. */
static struct status gate_take(struct store_tx *tx, const struct task_row *task) {
    int64_t *shards;
    size_t count;
    TRY(sql_list(tx, &tx->scratch, shard_decode, sizeof *shards, (void **)&shards, &count,
                 "SELECT shard FROM task_usage WHERE task = $1 ORDER BY task, shard" SQL_SKIP_LOCKED,
                 SQL_VALUES(sql_of_int(task->number))));
    return count == tx->store->driver->shards ? OK : tx_lost(tx);
}

/* Through the gate, and with it closed if the transaction is exclusive. Then the
 * task may be another by now. */
static struct status task_enter(struct store_tx *tx, const uint8_t id[STORE_TASK_ID_SIZE],
                                struct task_row *row) {
    if (!tx->exclusive) {
        return gate_write(tx, row, tx->shard);
    }
    TRY(gate_close(tx, row));
    return task_row_get(tx, id, row);
}

struct status task_find(struct store_tx *tx, const uint8_t id[STORE_TASK_ID_SIZE],
                        struct task_row *out) {
    struct task_row row;
    if (tx->known != NULL && memcmp(tx->known->id, id, STORE_TASK_ID_SIZE) == 0) {
        *out = tx->known->row;
        return OK;
    }
    TRY(task_row_get(tx, id, &row));
    if (gate_needed(tx)) {
        TRY(task_enter(tx, id, &row));
    }
    TRY(task_remember(tx, id, &row));
    *out = row;
    return OK;
}

struct status task_close_gate(struct store_tx *tx, const struct task_row *task) {
    if (!gate_needed(tx) || tx->exclusive ||
        (tx->known != NULL && tx->known->row.number == task->number && tx->known->gate_closed)) {
        return OK;
    }
    tx->closes = true;
    TRY(gate_take(tx, task));
    TRY(gate_close(tx, task));
    if (tx->known != NULL && tx->known->row.number == task->number) {
        tx->known->gate_closed = true;
    }
    return OK;
}

/* ---- Counters ------------------------------------------------------------------- */

struct status store_counter_add(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                const char *name, uint64_t increment) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return sql_run(tx, NULL,
                   "INSERT INTO counter (task, name, shard, value) VALUES ($1, $2, $3, $4)"
                   " ON CONFLICT (task, name, shard)"
                   " DO UPDATE SET value = counter.value + excluded.value",
                   SQL_VALUES(sql_of_int(task.number), sql_of_text(name),
                              sql_of_int(tx->shard), sql_of_u64(increment)));
}

static struct status counter_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct store_counter *counter = out;
    TRY(sql_copy_text(rows, 0, arena, &counter->name));
    counter->value = sql_u64(rows, 1);
    return OK;
}

struct status store_counter_list(struct store_tx *tx, struct arena *arena,
                                 const uint8_t task_id[STORE_TASK_ID_SIZE],
                                 struct store_counter **out, size_t *count) {
    struct task_row task;
    TRY(task_find(tx, task_id, &task));
    return sql_list(tx, arena, counter_decode, sizeof **out, (void **)out, count,
                    "SELECT name, CAST(SUM(value) AS BIGINT) FROM counter WHERE task = $1"
                    " GROUP BY name ORDER BY name",
                    SQL_VALUES(sql_of_int(task.number)));
}
