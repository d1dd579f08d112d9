/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql.h"

#include "store/internal.h"

static struct status tx_note(struct store_tx *tx, struct status status) {
    if (!status_ok(status) && tx->failure == STATUS_OK) {
        tx->failure = status.code;
    }
    return status;
}

struct status tx_lost(struct store_tx *tx) { return tx_note(tx, FAIL(STORE_BUSY)); }

/* No statement reaches the database after one has failed: PostgreSQL would
 * refuse it, and SQLite must not differ. */
static struct status tx_check(const struct store_tx *tx) {
    return (struct status){tx->failure};
}

struct status sql_run(struct store_tx *tx, bool *changed, const char *text,
                      const struct sql_value values[], size_t count) {
    TRY(tx_check(tx));
    return tx_note(tx, tx->store->driver->run(tx->sql, text, values, count, changed));
}

struct status sql_each(struct store_tx *tx, const char *text, const struct sql_value values[],
                       size_t count, const struct span keys[], size_t key_count, bool hit[]) {
    TRY(tx_check(tx));
    return tx_note(
        tx, tx->store->driver->each(tx->sql, text, values, count, keys, key_count, hit));
}

struct sql_rows sql_rows_open(struct store_tx *tx, const char *text,
                              const struct sql_value values[], size_t count) {
    struct sql_rows rows = {tx, NULL, tx->failure};
    if (rows.failure == STATUS_OK) {
        rows.failure =
            tx_note(tx, tx->store->driver->start(tx->sql, text, values, count, &rows.cursor)).code;
    }
    return rows;
}

bool sql_rows_next(struct sql_rows *rows) {
    bool row = false;
    if (rows->failure == STATUS_OK) {
        rows->failure = tx_note(rows->tx, rows->tx->store->driver->next(rows->cursor, &row)).code;
    }
    return rows->failure == STATUS_OK && row;
}

struct status sql_rows_close(struct sql_rows *rows, struct status status) {
    if (rows->cursor != NULL) {
        rows->tx->store->driver->finish(rows->cursor);
        rows->cursor = NULL;
    }
    return status_ok(status) ? (struct status){rows->failure} : status;
}

bool sql_is_null(const struct sql_rows *rows, int column) {
    return rows->tx->store->driver->is_null(rows->cursor, column);
}

int64_t sql_int(const struct sql_rows *rows, int column) {
    return rows->tx->store->driver->integer(rows->cursor, column);
}

struct span sql_bytes(const struct sql_rows *rows, int column) {
    return rows->tx->store->driver->bytes(rows->cursor, column);
}

struct status sql_copy(const struct sql_rows *rows, int column, void *out, size_t len) {
    struct span bytes = sql_bytes(rows, column);
    if (bytes.len != len) {
        return FAIL(STORE);
    }
    memcpy(out, bytes.data, len);
    return OK;
}

struct status sql_copy_span(const struct sql_rows *rows, int column, struct arena *arena,
                            struct span *out) {
    return arena_copy(arena, sql_bytes(rows, column), out);
}

struct status sql_copy_text(const struct sql_rows *rows, int column, struct arena *arena,
                            const char **out) {
    if (sql_is_null(rows, column)) {
        *out = NULL;
        return OK;
    }
    struct span bytes = sql_bytes(rows, column);
    char *text = arena_alloc(arena, bytes.len + 1, 1);
    if (text == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (bytes.len > 0) {
        memcpy(text, bytes.data, bytes.len);
    }
    *out = text;
    return OK;
}

struct status sql_get(struct store_tx *tx, struct arena *arena, sql_decoder *decode, void *out,
                      const char *text, const struct sql_value values[], size_t count) {
    struct sql_rows rows = sql_rows_open(tx, text, values, count);
    struct status status = sql_rows_next(&rows)          ? decode(&rows, arena, out)
                           : rows.failure == STATUS_OK ? FAIL(NOT_FOUND)
                                                       : OK;
    return sql_rows_close(&rows, status);
}

static struct status int_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    *(int64_t *)out = sql_int(rows, 0);
    return OK;
}

struct status sql_get_int(struct store_tx *tx, int64_t *out, const char *text,
                          const struct sql_value values[], size_t count) {
    int64_t value;
    TRY(sql_get(tx, NULL, int_decode, &value, text, values, count));
    *out = value;
    return OK;
}

struct status sql_list(struct store_tx *tx, struct arena *arena, sql_decoder *decode, size_t size,
                       void **out, size_t *found, const char *text,
                       const struct sql_value values[], size_t count) {
    struct sql_rows rows = sql_rows_open(tx, text, values, count);
    struct status status = OK;
    uint8_t *elements = NULL;
    size_t len = 0;
    size_t capacity = 0;
    while (status_ok(status) && sql_rows_next(&rows)) {
        if (len == capacity) {
            size_t more = capacity == 0 ? 8 : 2 * capacity;
            uint8_t *grown = arena_alloc(arena, more, size);
            if (grown == NULL) {
                status = FAIL(NO_MEMORY);
                break;
            }
            if (len > 0) {
                memcpy(grown, elements, len * size);
            }
            elements = grown;
            capacity = more;
        }
        status = decode(&rows, arena, elements + len * size);
        len++;
    }
    TRY(sql_rows_close(&rows, status));
    *out = elements;
    *found = len;
    return OK;
}
