/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/migrations_sqlite.h"
#include "store/sql.h"

/*
 * The SQLite driver: one connection that writes, which threads take in turn, and
 * a few that read. The database is in WAL mode, so readers see the last commit
 * and never wait; synchronous=FULL makes a commit wait for its fsync, which
 * covers the relaxed commits before it, as all are in one file in order. Other
 * processes may have the file open: BEGIN IMMEDIATE takes the write lock before
 * anything is read, so a transaction never has to give up half-way.
 */
enum {
    SQLITE_APPLICATION_ID = 0x4d6f6965, /* "Moie" */
    SQLITE_READERS_MAX = 16,
    SQLITE_STATEMENTS = 256, /* a power of two, well above the number of statements */
    SQLITE_BUSY_MS = 1000, /* at a time; store_run() tries again */
};

struct sql_cursor {
    struct sql *sql;
    const char *text;
    sqlite3_stmt *statement;
    bool open;
};

struct sql {
    struct sql_pool *pool;
    sqlite3 *db;
    bool writer;
    bool relaxed; /* the writer's: its commits don't wait for the disk */
    struct sql *next; /* among the idle readers */
    struct sql_cursor statements[SQLITE_STATEMENTS];
};

struct sql_pool {
    char *path;
    bool read_only;
    struct sql *writer;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    uint64_t ticket_next; /* writers are served in the order in which they came */
    uint64_t ticket_served;
    struct sql *idle;
    unsigned readers;
};

static struct status sqlite_failure(sqlite3 *db, int code, const char *what) {
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CONSTRAINT: /* the store's logic looks first, so only chance violates one */
        return FAIL(STORE_BUSY);
    case SQLITE_NOMEM:
        return FAIL(NO_MEMORY);
    default:
        log_event(LOG_ERROR, "the database failed",
                  LOG_STRING("reason", db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code)),
                  LOG_INT("code", code), LOG_STRING("while", what));
        return FAIL(STORE);
    }
}

static struct status sqlite_script(struct sql *sql, const char *script) {
    int code = sqlite3_exec(sql->db, script, NULL, NULL, NULL);
    return code == SQLITE_OK ? OK : sqlite_failure(sql->db, code, "running a script");
}

/* ---- Statements ------------------------------------------------------------- */

/* The numbers that SQLite gives to $1, $2, ... are those of their first
 * appearance; sql.h demands that both agree. */
static bool parameters_in_order(sqlite3_stmt *statement) {
    int count = sqlite3_bind_parameter_count(statement);
    for (int i = 1; i <= count; i++) {
        const char *name = sqlite3_bind_parameter_name(statement, i);
        if (name == NULL || atoi(name + 1) != i) {
            return false;
        }
    }
    return true;
}

static struct status statement_prepare(struct sql *sql, struct sql_cursor *slot,
                                       const char *text) {
    sqlite3_stmt *statement;
    int code =
        sqlite3_prepare_v3(sql->db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (code != SQLITE_OK) {
        return sqlite_failure(sql->db, code, text);
    }
    if (!parameters_in_order(statement)) {
        sqlite3_finalize(statement);
        return FAIL(INTERNAL);
    }
    *slot = (struct sql_cursor){sql, text, statement, false};
    return OK;
}

/* Looks up by the text's address: see sql.h. */
static struct status statement_find(struct sql *sql, const char *text, struct sql_cursor **out) {
    size_t at = ((uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15)) >> 56;
    for (size_t probes = 0; probes < SQLITE_STATEMENTS; probes++) {
        struct sql_cursor *slot = &sql->statements[at++ % SQLITE_STATEMENTS];
        if (slot->text == NULL) {
            TRY(statement_prepare(sql, slot, text));
        }
        if (slot->text == text) {
            *out = slot;
            return slot->open ? FAIL(INTERNAL) : OK;
        }
    }
    return FAIL(INTERNAL);
}

static int value_bind(sqlite3_stmt *statement, int at, const struct sql_value *value) {
    /* A NULL pointer would bind NULL, where an empty blob is meant. */
    const void *data = value->bytes.data != NULL ? (const void *)value->bytes.data : "";
    switch (value->type) {
    case SQL_INTEGER:
        return sqlite3_bind_int64(statement, at, value->integer);
    case SQL_BYTES:
        return sqlite3_bind_blob64(statement, at, data, value->bytes.len, SQLITE_STATIC);
    case SQL_TEXT:
        return sqlite3_bind_text64(statement, at, data, value->bytes.len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case SQL_NULL:
    case SQL_ARRAY:
    default:
        return sqlite3_bind_null(statement, at);
    }
}

/* Binds values from parameter `at` on, counted from 0, up to the last one. */
static struct status values_bind(struct sql_cursor *slot, size_t at,
                                 const struct sql_value values[], size_t count) {
    if (sqlite3_bind_parameter_count(slot->statement) != (int)(at + count)) {
        return FAIL(INTERNAL);
    }
    for (size_t i = 0; i < count; i++) {
        int code = value_bind(slot->statement, (int)(at + i) + 1, &values[i]);
        if (code != SQLITE_OK) {
            return sqlite_failure(slot->sql->db, code, slot->text);
        }
    }
    return OK;
}

static void sqlite_finish(struct sql_cursor *cursor) {
    sqlite3_reset(cursor->statement);
    /* The values were borrowed, and may be secret. */
    sqlite3_clear_bindings(cursor->statement);
    cursor->open = false;
}

static struct status sqlite_start(struct sql *sql, const char *text,
                                  const struct sql_value values[], size_t count,
                                  struct sql_cursor **out) {
    struct sql_cursor *slot;
    TRY(statement_find(sql, text, &slot));
    TRY(values_bind(slot, 0, values, count));
    slot->open = true;
    *out = slot;
    return OK;
}

static struct status sqlite_next(struct sql_cursor *cursor, bool *row) {
    int code = sqlite3_step(cursor->statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return sqlite_failure(cursor->sql->db, code, cursor->text);
    }
    *row = code == SQLITE_ROW;
    return OK;
}

static struct status sqlite_run(struct sql *sql, const char *text,
                                const struct sql_value values[], size_t count, bool *changed) {
    struct sql_cursor *slot;
    bool row = false;
    TRY(statement_find(sql, text, &slot));
    struct status status = values_bind(slot, 0, values, count);
    if (status_ok(status)) {
        status = sqlite_next(slot, &row);
    }
    if (status_ok(status) && changed != NULL) {
        *changed = row || (!sqlite3_stmt_readonly(slot->statement) &&
                           sqlite3_changes64(sql->db) > 0);
    }
    sqlite_finish(slot);
    return status;
}

static struct status sqlite_each(struct sql *sql, const char *text,
                                 const struct sql_value values[], size_t count,
                                 const struct span keys[], size_t key_count, bool hit[]) {
    struct sql_cursor *slot;
    TRY(statement_find(sql, text, &slot));
    struct status status = OK;
    for (size_t i = 0; i < count; i++) {
        if (value_bind(slot->statement, (int)i + 1, &values[i]) != SQLITE_OK) {
            status = FAIL(INTERNAL);
        }
    }
    for (size_t i = 0; i < key_count && status_ok(status); i++) {
        const struct sql_value key = sql_of_bytes(keys[i]);
        TRY_GOTO(status, values_bind(slot, count, &key, 1), exit);
        TRY_GOTO(status, sqlite_next(slot, &hit[i]), exit);
        sqlite3_reset(slot->statement);
    }
exit:
    sqlite_finish(slot);
    return status;
}

static bool sqlite_is_null(struct sql_cursor *cursor, int column) {
    return sqlite3_column_type(cursor->statement, column) == SQLITE_NULL;
}

static int64_t sqlite_integer(struct sql_cursor *cursor, int column) {
    return sqlite3_column_int64(cursor->statement, column);
}

static struct span sqlite_bytes(struct sql_cursor *cursor, int column) {
    const void *data = sqlite3_column_blob(cursor->statement, column);
    return span_of(data, (size_t)sqlite3_column_bytes(cursor->statement, column));
}

/* ---- The file ----------------------------------------------------------------- */

static struct status errno_status(const char *what, const char *path) {
    int error = errno;
    log_event(LOG_ERROR, what, LOG_STRING("path", path), LOG_STRING("reason", strerror(error)));
    return error == ENOENT                      ? FAIL(NOT_FOUND)
           : error == EACCES || error == EPERM || error == EROFS ? FAIL(PERMISSION_DENIED)
                                                                 : FAIL(IO);
}

/* A file that was made but whose name is not durable would take all that was
 * acknowledged with it. */
static struct status directory_sync(const char *path) {
    char *copy = strdup(path);
    if (copy == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = OK;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        status = errno_status("cannot sync the database's directory", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(copy);
    return status;
}

/* SQLite would make the file with the umask's mode, and gives a log the mode of
 * its database; so we make it, readable by its owner alone. */
static struct status file_prepare(const char *path, const struct store_options *options) {
    if (access(path, F_OK) == 0) {
        return access(path, options->read_only ? R_OK : R_OK | W_OK) == 0
                   ? OK
                   : errno_status("cannot open the database", path);
    }
    if (!options->create || options->read_only) {
        return errno_status("there is no database", path);
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno_status("cannot make the database", path);
    }
    close(fd);
    return directory_sync(path);
}

/* ---- Connections ---------------------------------------------------------------- */

static void connection_close(struct sql *sql) {
    if (sql == NULL) {
        return;
    }
    for (size_t i = 0; i < SQLITE_STATEMENTS; i++) {
        sqlite3_finalize(sql->statements[i].statement);
    }
    sqlite3_close(sql->db);
    free(sql);
}

static struct status connection_configure(struct sql *sql) {
    sqlite3_extended_result_codes(sql->db, 1);
    sqlite3_busy_timeout(sql->db, SQLITE_BUSY_MS);
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    TRY(sqlite_script(sql, "PRAGMA trusted_schema = OFF;"
                           "PRAGMA foreign_keys = ON;"
                           "PRAGMA synchronous = FULL;"
                           "PRAGMA secure_delete = FAST;"
                           "PRAGMA temp_store = MEMORY;"));
    return sqlite_script(sql, sql->writer ? "PRAGMA cache_size = -16384;"
                                            "PRAGMA wal_autocheckpoint = 4096;"
                                            "PRAGMA journal_size_limit = 67108864;"
                                          : "PRAGMA cache_size = -4096;"
                                            "PRAGMA query_only = ON;");
}

static struct status connection_open(struct sql_pool *pool, bool writer, struct sql **out) {
    struct sql *sql = calloc(1, sizeof *sql);
    if (sql == NULL) {
        return FAIL(NO_MEMORY);
    }
    sql->pool = pool;
    sql->writer = writer;
    int flags = (pool->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int code = sqlite3_open_v2(pool->path, &sql->db, flags, NULL);
    struct status status =
        code == SQLITE_OK ? connection_configure(sql) : sqlite_failure(sql->db, code, "opening");
    if (!status_ok(status)) {
        connection_close(sql);
        return status;
    }
    *out = sql;
    return OK;
}

static struct status pragma_int(struct sql *sql, const char *text, int *out) {
    struct sql_cursor *cursor = NULL;
    bool row = false;
    TRY(sqlite_start(sql, text, NULL, 0, &cursor));
    struct status status = sqlite_next(cursor, &row);
    if (status_ok(status)) {
        *out = row ? sqlite3_column_int(cursor->statement, 0) : 0;
    }
    sqlite_finish(cursor);
    return status;
}

static struct status sqlite_version_get(struct sql *sql, int *version) {
    int application;
    int objects;
    int found;
    TRY(pragma_int(sql, "PRAGMA application_id", &application));
    TRY(pragma_int(sql, "SELECT COUNT(*) FROM sqlite_schema", &objects));
    TRY(pragma_int(sql, "PRAGMA user_version", &found));
    if (application != SQLITE_APPLICATION_ID && objects > 0) {
        log_event(LOG_ERROR, "the database belongs to another program",
                  LOG_STRING("path", sql->pool->path));
        return FAIL(STORE_SCHEMA);
    }
    *version = objects == 0 ? 0 : found;
    return OK;
}

static struct status sqlite_version_set(struct sql *sql, int version) {
    char script[96];
    snprintf(script, sizeof script, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             SQLITE_APPLICATION_ID, version);
    return sqlite_script(sql, script);
}

/* Changing to WAL needs the file alone for a moment and doesn't wait for it, so
 * processes that start together try again. */
static struct status wal_enable(struct sql *sql) {
    int version;
    TRY(sqlite_version_get(sql, &version)); /* leaves another program's file as it is */
    struct status status = FAIL(STORE_BUSY);
    for (int i = 0; i < 1000 && status.code == STATUS_STORE_BUSY; i++) {
        int code = sqlite3_exec(sql->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        status = code == SQLITE_OK ? OK : sqlite_failure(sql->db, code, "enabling WAL");
        if (!status_ok(status)) {
            usleep(10000);
        }
    }
    return status;
}

static void sqlite_close(struct sql_pool *pool) {
    while (pool->idle != NULL) {
        struct sql *sql = pool->idle;
        pool->idle = sql->next;
        connection_close(sql);
    }
    connection_close(pool->writer); /* last: it checkpoints */
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->path);
    free(pool);
}

/* Its statistics take a lock of the process at each allocation. Too late, and without
 * effect, if somebody uses the library already. */
static void library_configure(void) { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

static struct status sqlite_open(const char *address, const struct store_options *options,
                                 struct sql_pool **out) {
    static pthread_once_t configured = PTHREAD_ONCE_INIT;
    pthread_once(&configured, library_configure);
    TRY(file_prepare(address, options));
    struct sql_pool *pool = calloc(1, sizeof *pool);
    char *path = strdup(address);
    if (pool == NULL || path == NULL) {
        free(pool);
        free(path);
        return FAIL(NO_MEMORY);
    }
    pool->path = path;
    pool->read_only = options->read_only;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->changed, NULL);
    struct status status = OK;
    if (!pool->read_only) {
        status = connection_open(pool, true, &pool->writer);
        if (status_ok(status)) {
            status = wal_enable(pool->writer);
        }
    }
    if (!status_ok(status)) {
        sqlite_close(pool);
        return status;
    }
    *out = pool;
    return OK;
}

/* ---- Transactions ------------------------------------------------------------------ */

static struct status writer_take(struct sql_pool *pool, struct sql **out) {
    if (pool->read_only) {
        return FAIL(PERMISSION_DENIED);
    }
    pthread_mutex_lock(&pool->mutex);
    uint64_t ticket = pool->ticket_next++;
    while (pool->ticket_served != ticket) {
        pthread_cond_wait(&pool->changed, &pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    *out = pool->writer;
    return OK;
}

static struct status reader_take(struct sql_pool *pool, struct sql **out) {
    pthread_mutex_lock(&pool->mutex);
    while (pool->idle == NULL && pool->readers == SQLITE_READERS_MAX) {
        pthread_cond_wait(&pool->changed, &pool->mutex);
    }
    struct sql *sql = pool->idle;
    if (sql != NULL) {
        pool->idle = sql->next;
    } else {
        pool->readers++;
    }
    pthread_mutex_unlock(&pool->mutex);
    struct status status = sql == NULL ? connection_open(pool, false, &sql) : OK;
    if (status_ok(status)) {
        *out = sql;
        return OK;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->readers--;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    return status;
}

static void connection_return(struct sql *sql) {
    struct sql_pool *pool = sql->pool;
    pthread_mutex_lock(&pool->mutex);
    if (sql->writer) {
        pool->ticket_served++;
    } else {
        sql->next = pool->idle;
        pool->idle = sql;
    }
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
}

/* Can't be changed inside a transaction. */
static struct status relaxed_set(struct sql *sql, bool relaxed) {
    if (sql->relaxed != relaxed) {
        TRY(sqlite_script(sql, relaxed ? "PRAGMA synchronous = NORMAL"
                                       : "PRAGMA synchronous = FULL"));
        sql->relaxed = relaxed;
    }
    return OK;
}

static struct status sqlite_begin(struct sql_pool *pool, enum store_mode mode, bool exclusive,
                                  struct sql **out) {
    (void)exclusive; /* every writer is */
    struct sql *sql = NULL;
    bool reads = mode == STORE_READ;
    TRY(reads ? reader_take(pool, &sql) : writer_take(pool, &sql));
    struct status status = reads ? OK : relaxed_set(sql, mode == STORE_WRITE_RELAXED);
    if (status_ok(status)) {
        status = sqlite_run(sql, reads ? "BEGIN" : "BEGIN IMMEDIATE", NULL, 0, NULL);
    }
    if (!status_ok(status)) {
        connection_return(sql);
        return status;
    }
    *out = sql;
    return OK;
}

static void sqlite_rollback(struct sql *sql) {
    for (size_t i = 0; i < SQLITE_STATEMENTS; i++) {
        if (sql->statements[i].open) {
            sqlite_finish(&sql->statements[i]);
        }
    }
    /* A full disk has rolled back already. */
    if (!sqlite3_get_autocommit(sql->db)) {
        int code = sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
        if (code != SQLITE_OK) {
            (void)sqlite_failure(sql->db, code, "rolling back");
        }
    }
    connection_return(sql);
}

static struct status sqlite_commit(struct sql *sql) {
    struct status status = sqlite_run(sql, "COMMIT", NULL, 0, NULL);
    if (status_ok(status)) {
        connection_return(sql);
    } else {
        sqlite_rollback(sql);
    }
    return status;
}

const struct sql_driver sqlite_driver = {
    .scheme = "sqlite",
    .migrations = sqlite_migrations,
    .migration_count = sizeof sqlite_migrations / sizeof sqlite_migrations[0],
    .shards = 1,
    .one_server = true,
    .open = sqlite_open,
    .close = sqlite_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .version_get = sqlite_version_get,
    .version_set = sqlite_version_set,
    .script = sqlite_script,
    .start = sqlite_start,
    .next = sqlite_next,
    .is_null = sqlite_is_null,
    .integer = sqlite_integer,
    .bytes = sqlite_bytes,
    .finish = sqlite_finish,
    .run = sqlite_run,
    .each = sqlite_each,
};
