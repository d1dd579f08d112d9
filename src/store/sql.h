/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_STORE_SQL_H
#define MOIETY_STORE_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "store/store.h"

/*
 * The thin layer between the store's logic, which is written once, and the
 * databases. A driver is one `const struct sql_driver`; its dialect shows in
 * its migrations and nowhere else.
 *
 * Statements are standard SQL in static strings, whose address names the
 * prepared statement. Parameters are written $1, $2, ... and appear first in
 * that order. Statements rely on `INSERT ... ON CONFLICT`, `RETURNING` and
 * partial indexes, and never on the error of a violated constraint, since that
 * ends a transaction on some databases.
 */

/* Put after a SELECT that chooses work. A driver of a database with row locks
 * replaces it by FOR UPDATE SKIP LOCKED; elsewhere it is the comment it looks
 * like. */
#define SQL_SKIP_LOCKED " /* skip locked */ "

/* Put before the parameter of sql_each() that stands for a key: SQL_EACH("$4").
 * A driver that runs the statement once for all keys makes them its rows there. */
#define SQL_EACH_MARK "/* each */ "
#define SQL_EACH(parameter) SQL_EACH_MARK parameter

struct sql_value {
    /* SQL_ARRAY is a driver's own way to pass many keys. */
    enum { SQL_NULL, SQL_INTEGER, SQL_BYTES, SQL_TEXT, SQL_ARRAY } type;
    int64_t integer;
    struct span bytes; /* of SQL_BYTES and SQL_TEXT; borrowed until the call returns */
};

static inline struct sql_value sql_of_int(int64_t integer) {
    return (struct sql_value){SQL_INTEGER, integer, SPAN_EMPTY};
}
/* Keeps all 64 bits; only values below 2^63 compare as they should. */
static inline struct sql_value sql_of_u64(uint64_t integer) {
    return sql_of_int((int64_t)integer);
}
/* For LIMIT, where databases differ about huge and negative numbers. */
static inline struct sql_value sql_of_limit(size_t limit) {
    return sql_of_int(limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
}
static inline struct sql_value sql_of_bytes(struct span bytes) {
    return (struct sql_value){SQL_BYTES, 0, bytes};
}
static inline struct sql_value sql_of_id(const uint8_t *id, size_t len) {
    return sql_of_bytes(span_of(id, len));
}
/* NULL stands for NULL. */
static inline struct sql_value sql_of_text(const char *text) {
    return text == NULL ? (struct sql_value){SQL_NULL, 0, SPAN_EMPTY}
                        : (struct sql_value){SQL_TEXT, 0, span_of_string(text)};
}

/* The last two arguments of the functions below: values and their count. */
#define SQL_VALUES(...)                          \
    (const struct sql_value[]){__VA_ARGS__},     \
        sizeof((const struct sql_value[]){__VA_ARGS__}) / sizeof(struct sql_value)
#define SQL_NO_VALUES NULL, 0

/* ---- What a driver gives ------------------------------------------------- */

/* Scripts in order of version, from 1 without gaps. `serves` is the oldest version
 * whose programs may go on working on the database afterwards, from the line
 * "-- Serves programs of version N." in the script; its own if there is none. */
struct sql_migration {
    int version, serves;
    const char *script;
};

/* One transaction on one connection, a set of connections, and the rows of one
 * running statement. Drivers define them. */
struct sql;
struct sql_pool;
struct sql_cursor;

/*
 * Every function may fail with STORE_BUSY, which says that the transaction had
 * no effect and that running it again may succeed (lost race, serialisation
 * failure, connection lost before the commit was sent), NO_MEMORY, or STORE for
 * all else, the cause having been logged. After any failure inside a
 * transaction only rollback may follow.
 */
struct sql_driver {
    const char *scheme; /* of its URLs, without the colon */
    const struct sql_migration *migrations;
    size_t migration_count;
    /* How many rows a busy counter is spread over; 1 if the database has one
     * writer at a time. */
    unsigned shards;
    bool one_server; /* a database serves a single server, so its start ends all leases */

    /* `address` is what follows the colon. NOT_FOUND, PERMISSION_DENIED,
     * STORE_SCHEMA if the database is another program's. */
    struct status (*open)(const char *address, const struct store_options *options,
                          struct sql_pool **out);
    void (*close)(struct sql_pool *pool);

    /* Waits for a connection. STORE_WRITE on a read-only pool is
     * PERMISSION_DENIED. A writer sees a snapshot of its beginning or is alone,
     * but one that is `exclusive` sees what was committed before each statement:
     * it takes locks before it looks at what they guard. */
    struct status (*begin)(struct sql_pool *pool, enum store_mode mode, bool exclusive,
                           struct sql **out);
    /* OK if and only if the transaction is durable (or committed, if relaxed); STORE also if that can't be
     * found out. `sql` is gone afterwards. */
    struct status (*commit)(struct sql *sql);
    void (*rollback)(struct sql *sql);

    /* A number that says which schema it has, 0 in an empty database. */
    struct status (*version_get)(struct sql *sql, int *version);
    struct status (*version_set)(struct sql *sql, int version);
    /* Several statements without parameters. */
    struct status (*script)(struct sql *sql, const char *script);

    /* Runs a statement; its rows come one by one. A statement is not started
     * again while its cursor is open. */
    struct status (*start)(struct sql *sql, const char *text, const struct sql_value values[],
                           size_t count, struct sql_cursor **out);
    struct status (*next)(struct sql_cursor *cursor, bool *row);
    bool (*is_null)(struct sql_cursor *cursor, int column);
    int64_t (*integer)(struct sql_cursor *cursor, int column);
    struct span (*bytes)(struct sql_cursor *cursor, int column); /* until the next row */
    void (*finish)(struct sql_cursor *cursor);

    /* Runs a statement for its effect. `*changed` (NULL: not asked) says whether
     * it changed or returned a row. If nobody asks, the failure of a write may be
     * told by a later call of the transaction, commit at the latest. */
    struct status (*run)(struct sql *sql, const char *text, const struct sql_value values[],
                         size_t count, bool *changed);

    /* Runs a statement for each key, which is its last parameter, behind the
     * `count` values. Keys are distinct and ascend. The statement returns the key
     * where it has an effect; hit[i] says whether it did. */
    struct status (*each)(struct sql *sql, const char *text, const struct sql_value values[],
                          size_t count, const struct span keys[], size_t key_count, bool hit[]);
};

extern const struct sql_driver sqlite_driver;
extern const struct sql_driver postgres_driver;

/* ---- Other layers' databases ------------------------------------------------- */

/* The scripts that make another layer's tables in one kind of database. */
struct sql_schema {
    const char *scheme; /* of a driver */
    const struct sql_migration *migrations;
    size_t migration_count;
};

/* Opens a database that holds that schema instead of the aggregator's, and
 * creates it as store_open() does. Of the calls in store.h it takes store_run()
 * and store_close(); what is in its tables is the caller's, through the calls
 * below. `options` needs no wrapping keys, since nothing is sealed.
 * INVALID_ARGUMENT for a kind of database that no schema is given for. */
struct status sql_open(const char *url, const struct store_options *options,
                       const struct sql_schema schemas[], size_t count, struct store **out);

/* ---- What the store's logic calls (sql.c) ----------------------------------- */

/*
 * Failures of the driver stick to the transaction: it can't commit after one,
 * even if a caller loses the status.
 */

/* Runs a statement for its effect. `changed` may be NULL; else the statement
 * must change at most one row or return nothing. */
struct status sql_run(struct store_tx *tx, bool *changed, const char *text,
                      const struct sql_value values[], size_t count);
/* Runs a statement for each of the keys; see `each` above. */
struct status sql_each(struct store_tx *tx, const char *text, const struct sql_value values[],
                       size_t count, const struct span keys[], size_t key_count, bool hit[]);

/* The rows of a statement. Fails sticky, like a reader: after a failure there
 * are no rows, and sql_rows_close() tells. Always close. */
struct sql_rows {
    struct store_tx *tx;
    struct sql_cursor *cursor;
    enum status_code failure;
};
struct sql_rows sql_rows_open(struct store_tx *tx, const char *text,
                              const struct sql_value values[], size_t count);
bool sql_rows_next(struct sql_rows *rows);
/* `status` if that is a failure, else how the statement went. */
struct status sql_rows_close(struct sql_rows *rows, struct status status);

/* Columns of the current row, counted from 0. */
bool sql_is_null(const struct sql_rows *rows, int column);
int64_t sql_int(const struct sql_rows *rows, int column);
static inline uint64_t sql_u64(const struct sql_rows *rows, int column) {
    return (uint64_t)sql_int(rows, column);
}
struct span sql_bytes(const struct sql_rows *rows, int column); /* until the next row */
/* Copies a column of exactly `len` bytes; STORE if it has another length. */
struct status sql_copy(const struct sql_rows *rows, int column, void *out, size_t len);
struct status sql_copy_span(const struct sql_rows *rows, int column, struct arena *arena,
                            struct span *out);
/* NULL for NULL. */
struct status sql_copy_text(const struct sql_rows *rows, int column, struct arena *arena,
                            const char **out);

/* Turns a row into a struct. */
typedef struct status sql_decoder(const struct sql_rows *rows, struct arena *arena, void *out);
/* The first row, or NOT_FOUND. `decode` may have written to `out` on failure. */
struct status sql_get(struct store_tx *tx, struct arena *arena, sql_decoder *decode, void *out,
                      const char *text, const struct sql_value values[], size_t count);
/* The single integer of a statement's only row. NOT_FOUND if there is no row. */
struct status sql_get_int(struct store_tx *tx, int64_t *out, const char *text,
                          const struct sql_value values[], size_t count);
/* All rows, as an array of elements of `size` bytes in the arena. */
struct status sql_list(struct store_tx *tx, struct arena *arena, sql_decoder *decode, size_t size,
                       void **out, size_t *found, const char *text,
                       const struct sql_value values[], size_t count);

#endif
