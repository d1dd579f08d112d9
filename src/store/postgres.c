/* SPDX-License-Identifier: Apache-2.0 */
#include "store/postgres.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/migrations_postgres.h"

/* Types of pg_type.dat, fixed for ever. */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_BYTEA_ARRAY = 1001 };

enum { PARAMETERS_MAX = 24, TEXT_MAX = 2048 };

struct sql_cursor {
    PGresult *result;
    int row; /* -1 before the first */
};

/* ---- Sending ------------------------------------------------------------------- */

/* The statement as this database takes it: see sql.h for the two comments. */
static struct status text_translate(const char *text, char out[TEXT_MAX]) {
    static const struct {
        const char *mark, *before, *after;
    } marks[] = {{SQL_SKIP_LOCKED, " FOR UPDATE SKIP LOCKED ", ""}, {SQL_EACH_MARK, "unnest(", ")"}};
    size_t len = 0;
    while (*text != '\0') {
        const char *before = "";
        const char *after = "";
        size_t skip = 0;
        size_t take = 1;
        for (size_t i = 0; i < sizeof marks / sizeof marks[0] && skip == 0; i++) {
            if (strncmp(text, marks[i].mark, strlen(marks[i].mark)) == 0) {
                skip = strlen(marks[i].mark);
                before = marks[i].before;
                after = marks[i].after;
            }
        }
        text += skip;
        if (skip > 0) { /* what a mark is put around is one parameter, or nothing */
            take = after[0] == '\0' ? 0 : 1 + strspn(text + 1, "0123456789");
        }
        int written = snprintf(out + len, TEXT_MAX - len, "%s%.*s%s", before, (int)take, text, after);
        len += (size_t)written;
        if (len >= TEXT_MAX) {
            return FAIL(INTERNAL);
        }
        text += take;
    }
    out[len] = '\0';
    return OK;
}

/* Values as libpq wants them; integers live in here. */
struct parameters {
    Oid types[PARAMETERS_MAX];
    const char *values[PARAMETERS_MAX];
    int lengths[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
    uint8_t integers[PARAMETERS_MAX][8];
};

static void u64_encode(uint64_t value, uint8_t out[8]) {
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static struct status parameters_fill(struct parameters *parameters,
                                     const struct sql_value values[], size_t count) {
    static const Oid types[] = {
        [SQL_NULL] = 0, [SQL_INTEGER] = OID_INT8, [SQL_BYTES] = OID_BYTEA, [SQL_TEXT] = OID_TEXT,
        [SQL_ARRAY] = OID_BYTEA_ARRAY};
    if (count > PARAMETERS_MAX) {
        return FAIL(INTERNAL);
    }
    for (size_t i = 0; i < count; i++) {
        const struct sql_value *value = &values[i];
        if (value->bytes.len > INT32_MAX) {
            return FAIL(INVALID_ARGUMENT);
        }
        parameters->types[i] = types[value->type];
        parameters->formats[i] = 1;
        parameters->lengths[i] = (int)value->bytes.len;
        /* A NULL pointer would be NULL, where no bytes are meant. */
        parameters->values[i] = value->bytes.data != NULL ? (const char *)value->bytes.data : "";
        if (value->type == SQL_INTEGER) {
            u64_encode((uint64_t)value->integer, parameters->integers[i]);
            parameters->values[i] = (const char *)parameters->integers[i];
            parameters->lengths[i] = 8;
        } else if (value->type == SQL_NULL) {
            parameters->values[i] = NULL;
        }
    }
    return OK;
}

static struct status send_failed(struct sql *sql) {
    sql->lost = true;
    return postgres_failure(sql, "08006", PQerrorMessage(sql->connection), "sending");
}

static void queue_add(struct sql *sql, const char *text, const char **prepares) {
    sql->queue[sql->queued++] = (struct postgres_queued){text, prepares};
}

/* The slot of a text, by its address, which may not hold it yet. */
static const char **slot_find(struct sql *sql, const char *text) {
    size_t at = ((uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15)) >> 56;
    for (size_t probes = 0; probes < POSTGRES_STATEMENTS; probes++) {
        const char **slot = &sql->prepared[at++ % POSTGRES_STATEMENTS];
        if (*slot == NULL || *slot == text) {
            return slot;
        }
    }
    return NULL;
}

static struct status prepared_send(struct sql *sql, const char *text,
                                   const struct parameters *parameters, size_t count) {
    char name[24];
    const char **slot = slot_find(sql, text);
    if (slot == NULL) {
        return FAIL(INTERNAL);
    }
    snprintf(name, sizeof name, "m%zu", (size_t)(slot - sql->prepared));
    if (*slot == NULL) {
        char translated[TEXT_MAX];
        TRY(text_translate(text, translated));
        if (PQsendPrepare(sql->connection, name, translated, (int)count, parameters->types) != 1) {
            return send_failed(sql);
        }
        *slot = text;
        queue_add(sql, text, slot);
    }
    return PQsendQueryPrepared(sql->connection, name, (int)count, parameters->values,
                               parameters->lengths, parameters->formats, 1) == 1
               ? OK
               : send_failed(sql);
}

static struct status unprepared_send(struct sql *sql, const char *text,
                                     const struct parameters *parameters, size_t count) {
    char translated[TEXT_MAX];
    TRY(text_translate(text, translated));
    return PQsendQueryParams(sql->connection, translated, (int)count, parameters->types,
                             parameters->values, parameters->lengths, parameters->formats, 1) == 1
               ? OK
               : send_failed(sql);
}

struct status postgres_send(struct sql *sql, const char *text, const struct sql_value values[],
                            size_t count) {
    struct parameters parameters;
    TRY(parameters_fill(&parameters, values, count));
    if (sql->queued + 2 > POSTGRES_QUEUE) {
        TRY(postgres_drain(sql, NULL));
    }
    TRY(sql->pool->unprepared ? unprepared_send(sql, text, &parameters, count)
                              : prepared_send(sql, text, &parameters, count));
    queue_add(sql, text, NULL);
    return OK;
}

/* ---- Reading -------------------------------------------------------------------- */

/* Takes one result and judges it; `*keep` is the result if it is a good one. */
static struct status result_take(struct sql *sql, const struct postgres_queued *queued,
                                 PGresult **keep) {
    PGresult *result = PQgetResult(sql->connection);
    ExecStatusType kind = PQresultStatus(result); /* of NULL: a fatal error */
    struct status status = OK;
    if (kind == PGRES_PIPELINE_ABORTED) {
        status = FAIL(STORE_BUSY); /* not the first failure, so this code goes nowhere */
    } else if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK) {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        status = postgres_failure(sql, result == NULL ? "08006" : state,
                                  PQresultErrorMessage(result), queued->text);
    }
    if (!status_ok(status) && queued->prepares != NULL) {
        *queued->prepares = NULL;
    }
    if (status_ok(status) && keep != NULL) {
        *keep = result;
    } else {
        PQclear(result);
    }
    if (!sql->lost) {
        PQclear(PQgetResult(sql->connection)); /* NULL: the statement's results have ended */
    }
    return status;
}

static struct status sync_take(struct sql *sql) {
    PGresult *result = PQgetResult(sql->connection);
    bool synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    PQclear(result);
    return synced ? OK : send_failed(sql);
}

struct status postgres_drain(struct sql *sql, PGresult **last) {
    if (sql->queued == 0) {
        return OK;
    }
    struct status status = OK;
    PGresult *kept = NULL;
    if (PQpipelineSync(sql->connection) != 1) {
        status = send_failed(sql);
    }
    for (size_t i = 0; i < sql->queued && !sql->lost; i++) {
        bool wanted = last != NULL && i == sql->queued - 1;
        struct status one = result_take(sql, &sql->queue[i], wanted ? &kept : NULL);
        status = status_ok(status) ? one : status;
    }
    sql->queued = 0;
    if (!sql->lost) {
        struct status synced = sync_take(sql);
        status = status_ok(status) ? synced : status;
    }
    if (!status_ok(status)) {
        PQclear(kept);
        return status;
    }
    if (last != NULL) {
        *last = kept;
    }
    return OK;
}

static struct status postgres_ask(struct sql *sql, const char *text,
                                  const struct sql_value values[], size_t count, PGresult **out) {
    TRY(postgres_send(sql, text, values, count));
    return postgres_drain(sql, out);
}

static int64_t integer_decode(const PGresult *result, int row, int column) {
    const uint8_t *bytes = (const uint8_t *)PQgetvalue(result, row, column);
    int len = PQgetlength(result, row, column);
    uint64_t value = len > 0 && bytes[0] >= 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < len; i++) {
        value = value << 8 | bytes[i];
    }
    return (int64_t)value;
}

struct status postgres_int(struct sql *sql, int64_t *out, bool *found, const char *text,
                           const struct sql_value values[], size_t count) {
    PGresult *result;
    TRY(postgres_ask(sql, text, values, count, &result));
    *found = PQntuples(result) > 0;
    if (*found) {
        *out = integer_decode(result, 0, 0);
    }
    PQclear(result);
    return OK;
}

/* ---- Statements --------------------------------------------------------------------- */

static struct status postgres_start(struct sql *sql, const char *text,
                                    const struct sql_value values[], size_t count,
                                    struct sql_cursor **out) {
    struct sql_cursor *cursor = malloc(sizeof *cursor);
    if (cursor == NULL) {
        return FAIL(NO_MEMORY);
    }
    *cursor = (struct sql_cursor){NULL, -1};
    struct status status = postgres_ask(sql, text, values, count, &cursor->result);
    if (!status_ok(status)) {
        free(cursor);
        return status;
    }
    *out = cursor;
    return OK;
}

static struct status postgres_next(struct sql_cursor *cursor, bool *row) {
    *row = ++cursor->row < PQntuples(cursor->result);
    return OK;
}

static bool postgres_is_null(struct sql_cursor *cursor, int column) {
    return PQgetisnull(cursor->result, cursor->row, column) != 0;
}

static int64_t postgres_integer(struct sql_cursor *cursor, int column) {
    return integer_decode(cursor->result, cursor->row, column);
}

static struct span postgres_bytes(struct sql_cursor *cursor, int column) {
    return span_of((const uint8_t *)PQgetvalue(cursor->result, cursor->row, column),
                   (size_t)PQgetlength(cursor->result, cursor->row, column));
}

static void postgres_finish(struct sql_cursor *cursor) {
    PQclear(cursor->result);
    free(cursor);
}

static bool result_hit(PGresult *result) {
    return PQntuples(result) > 0 || strtoul(PQcmdTuples(result), NULL, 10) > 0;
}

/* Where nobody waits for the outcome of a write, it comes with a later one. */
static struct status postgres_run(struct sql *sql, const char *text,
                                  const struct sql_value values[], size_t count, bool *changed) {
    if (changed == NULL && sql->mode == STORE_WRITE) {
        return postgres_send(sql, text, values, count);
    }
    PGresult *result;
    TRY(postgres_ask(sql, text, values, count, &result));
    if (changed != NULL) {
        *changed = result_hit(result);
    }
    PQclear(result);
    return OK;
}

/* ---- A statement for each of many keys -------------------------------------------------- */

static void u32_encode(uint32_t value, uint8_t out[4]) {
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

/* The binary form of a bytea[]. */
static uint8_t *array_encode(const struct span keys[], size_t count, size_t *len) {
    enum { HEADER = 20 };
    size_t size = HEADER;
    for (size_t i = 0; i < count; i++) {
        size += 4 + keys[i].len;
    }
    uint8_t *array = malloc(size);
    if (array == NULL) {
        return NULL;
    }
    const uint32_t header[] = {1, 0, OID_BYTEA, (uint32_t)count, 1};
    uint8_t *at = array;
    for (size_t i = 0; i < sizeof header / sizeof header[0]; i++, at += 4) {
        u32_encode(header[i], at);
    }
    for (size_t i = 0; i < count; i++) {
        u32_encode((uint32_t)keys[i].len, at);
        memcpy(at + 4, keys[i].data, keys[i].len);
        at += 4 + keys[i].len;
    }
    *len = size;
    return array;
}

static int key_compare(const void *left, const void *right) {
    const struct span *a = left;
    const struct span *b = right;
    size_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->data, b->data, len);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* The rows name the keys that hit, in whatever order. */
static struct status hits_read(const PGresult *result, const struct span keys[], size_t key_count,
                               bool hit[]) {
    memset(hit, 0, key_count * sizeof hit[0]);
    for (int row = 0; row < PQntuples(result); row++) {
        struct span key = span_of((const uint8_t *)PQgetvalue(result, row, 0),
                                  (size_t)PQgetlength(result, row, 0));
        const struct span *found = bsearch(&key, keys, key_count, sizeof key, key_compare);
        if (found == NULL) {
            return FAIL(STORE);
        }
        hit[found - keys] = true;
    }
    return OK;
}

static struct status postgres_each(struct sql *sql, const char *text,
                                   const struct sql_value values[], size_t count,
                                   const struct span keys[], size_t key_count, bool hit[]) {
    struct sql_value all[PARAMETERS_MAX];
    size_t len;
    PGresult *result;
    if (key_count == 0) {
        return OK;
    }
    if (count + 1 > PARAMETERS_MAX) {
        return FAIL(INTERNAL);
    }
    memcpy(all, values, count * sizeof all[0]);
    uint8_t *array = array_encode(keys, key_count, &len);
    if (array == NULL) {
        return FAIL(NO_MEMORY);
    }
    all[count] = (struct sql_value){SQL_ARRAY, 0, span_of(array, len)};
    struct status status = postgres_ask(sql, text, all, count + 1, &result);
    free(array);
    TRY(status);
    status = hits_read(result, keys, key_count, hit);
    PQclear(result);
    return status;
}

/* ---- Transactions ------------------------------------------------------------------------ */

/*
 * Settings go with the transaction, since a pooler may give each another
 * session. A plan is made once a connection, without the parameters' values, and
 * must be right whatever the statistics say: there are none of a fresh table, and
 * those of a busy one are soon stale. So all access is by index and in the
 * index's order; of the two or more that a table has, conditions and ORDER BY
 * together fit one. The contract suite looks at the plan of every statement.
 */
static const char settings[] =
    "SELECT set_config('statement_timeout', '60s', true),"
    " set_config('lock_timeout', '3s', true),"
    " set_config('idle_in_transaction_session_timeout', '60s', true),"
    " set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),"
    " set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('enable_sort', 'off', true), set_config('enable_incremental_sort', 'off', true),"
    " set_config('plan_cache_mode', 'force_generic_plan', true), set_config('jit', 'off', true)";

struct status postgres_begin_on(struct sql *sql, enum store_mode mode, bool exclusive) {
    sql->mode = mode == STORE_READ ? STORE_READ : STORE_WRITE;
    sql->exclusive = exclusive;
    TRY(postgres_send(sql,
                      mode == STORE_READ ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                      : exclusive        ? "BEGIN ISOLATION LEVEL READ COMMITTED"
                                         : "BEGIN ISOLATION LEVEL REPEATABLE READ",
                      SQL_NO_VALUES));
    TRY(postgres_send(sql, settings, SQL_NO_VALUES));
    if (mode == STORE_WRITE_RELAXED) {
        TRY(postgres_send(sql, "SET LOCAL synchronous_commit = off", SQL_NO_VALUES));
    }
    if (!exclusive) {
        return OK;
    }
    TRY(postgres_mark(sql)); /* see postgres_commit.c */
    return postgres_drain(sql, NULL);
}

struct status postgres_rollback_on(struct sql *sql) {
    (void)postgres_drain(sql, NULL);
    if (sql->lost || PQtransactionStatus(sql->connection) == PQTRANS_IDLE) {
        return OK;
    }
    TRY(postgres_send(sql, "ROLLBACK", SQL_NO_VALUES));
    return postgres_drain(sql, NULL);
}

static void postgres_rollback(struct sql *sql) {
    if (!status_ok(postgres_rollback_on(sql))) {
        sql->lost = true;
    }
    postgres_return(sql);
}

static struct status postgres_begin(struct sql_pool *pool, enum store_mode mode, bool exclusive,
                                    struct sql **out) {
    struct sql *sql;
    if (mode != STORE_READ && pool->read_only) {
        return FAIL(PERMISSION_DENIED);
    }
    TRY(postgres_take(pool, &sql));
    struct status status = postgres_begin_on(sql, mode, exclusive);
    if (!status_ok(status)) {
        postgres_rollback(sql);
        return status;
    }
    *out = sql;
    return OK;
}

static struct status postgres_commit(struct sql *sql) {
    struct status status = postgres_commit_on(sql);
    if (status_ok(status)) {
        postgres_return(sql);
    } else {
        postgres_rollback(sql);
    }
    return status;
}

/* ---- Schema ---------------------------------------------------------------------------------- */

/* Several statements at once, which pipeline mode does not take. */
static struct status postgres_script(struct sql *sql, const char *script) {
    TRY(postgres_drain(sql, NULL));
    if (PQexitPipelineMode(sql->connection) != 1) {
        return send_failed(sql);
    }
    PGresult *result = PQexec(sql->connection, script);
    ExecStatusType kind = PQresultStatus(result);
    struct status status =
        kind == PGRES_COMMAND_OK || kind == PGRES_TUPLES_OK
            ? OK
            : postgres_failure(sql, PQresultErrorField(result, PG_DIAG_SQLSTATE),
                               PQresultErrorMessage(result), "running a script");
    PQclear(result);
    if (!sql->lost && PQenterPipelineMode(sql->connection) != 1) {
        return send_failed(sql);
    }
    return status;
}

/* Whoever may write it afterwards is alone in migrating: the lock keeps others
 * waiting, and what they then find changed makes them start again. */
static struct status postgres_version_get(struct sql *sql, int *version) {
    int64_t ours = 0;
    int64_t tables = 0;
    int64_t found = 0;
    bool row;
    if (sql->mode == STORE_WRITE) {
        TRY(postgres_send(sql, "SELECT 1 FROM pg_advisory_xact_lock(5578741529171490917)",
                          SQL_NO_VALUES));
    }
    TRY(postgres_int(sql, &tables, &row,
                     "SELECT COUNT(*) FROM pg_catalog.pg_tables"
                     " WHERE schemaname = current_schema()",
                     SQL_NO_VALUES));
    TRY(postgres_int(sql, &ours, &row,
                     "SELECT COUNT(*) FROM pg_catalog.pg_tables"
                     " WHERE schemaname = current_schema() AND tablename = 'moiety_schema'",
                     SQL_NO_VALUES));
    if (ours == 0 && tables > 0) {
        log_event(LOG_ERROR, "the database belongs to another program");
        return FAIL(STORE_SCHEMA);
    }
    if (ours > 0) {
        TRY(postgres_int(sql, &found, &row,
                         sql->mode == STORE_WRITE ? "SELECT version FROM moiety_schema FOR UPDATE"
                                                  : "SELECT version FROM moiety_schema",
                         SQL_NO_VALUES));
    }
    *version = (int)found;
    return OK;
}

static struct status postgres_version_set(struct sql *sql, int version) {
    return postgres_send(sql, "UPDATE moiety_schema SET version = $1",
                         SQL_VALUES(sql_of_int(version)));
}

const struct sql_driver postgres_driver = {
    .scheme = "postgresql",
    .migrations = postgres_migrations,
    .migration_count = sizeof postgres_migrations / sizeof postgres_migrations[0],
    .shards = 32,
    .one_server = false,
    .open = postgres_open,
    .close = postgres_close,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .version_get = postgres_version_get,
    .version_set = postgres_version_set,
    .script = postgres_script,
    .start = postgres_start,
    .next = postgres_next,
    .is_null = postgres_is_null,
    .integer = postgres_integer,
    .bytes = postgres_bytes,
    .finish = postgres_finish,
    .run = postgres_run,
    .each = postgres_each,
};
