/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres.h"

static const int64_t connect_ns = 10 * INT64_C(1000000000);

/* ---- What a failure means ------------------------------------------------------- */

static bool state_is(const char *state, const char *prefix) {
    return strncmp(state, prefix, strlen(prefix)) == 0;
}

/* Another run may succeed: lost races, lost connections, a server that stops,
 * starts or is being replaced, limits of time, and constraints, which the
 * store's logic checks first, so that only a race can violate them. */
static bool state_is_passing(const char *state) {
    static const char *const passing[] = {
        "40", "08", "57P", "57014", "55P03", "55006", "25P03", "53300", "23505", "23503",
        "42P07" /* two that make the schema */, "26000", "42P05", "0A000" /* see below */};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        if (state_is(state, passing[i])) {
            return true;
        }
    }
    return false;
}

/* After these the connection is of no more use: the server is going, has become
 * a standby, or does not know a statement that was prepared (a pooler gave us
 * another server's session, or a migration changed its columns). */
static bool state_ends_connection(const char *state, enum store_mode mode) {
    return state_is(state, "08") || state_is(state, "57P") || state_is(state, "25P03") ||
           state_is(state, "40003") /* the outcome of COMMIT is unknown */ ||
           state_is(state, "26000") || state_is(state, "42P05") || state_is(state, "0A000") ||
           (mode == STORE_WRITE && state_is(state, "25006"));
}

/* A pooler below version 1.21 hands sessions around, and statements with them. */
static void prepared_lost(struct sql_pool *pool, const char *state) {
    if ((state_is(state, "26000") || state_is(state, "42P05")) && !pool->unprepared) {
        pool->unprepared = true;
        log_event(LOG_WARN, "prepared statements get lost on the way to the database: doing "
                            "without them; `prepared=off` in its URL says so from the start");
    }
}

struct status postgres_failure(struct sql *sql, const char *state, const char *message,
                               const char *what) {
    bool broken = PQstatus(sql->connection) != CONNECTION_OK;
    state = state != NULL ? state : "";
    if (broken || state_ends_connection(state, sql->mode)) {
        sql->lost = true;
        prepared_lost(sql->pool, state);
        log_event(LOG_DEBUG, "a connection to the database was lost", LOG_STRING("state", state));
        return FAIL(STORE_BUSY);
    }
    if (state_is_passing(state)) {
        return FAIL(STORE_BUSY);
    }
    log_event(LOG_ERROR, "the database failed", LOG_STRING("reason", message),
              LOG_STRING("state", state), LOG_STRING("while", what));
    return state_is(state, "53200") ? FAIL(NO_MEMORY) : FAIL(STORE);
}

/* ---- The URL --------------------------------------------------------------------- */

/* Takes "name=value" out of the URL's query; NULL if it isn't there, else the
 * value, to be freed. */
static char *query_take(char *url, const char *name) {
    size_t len = strlen(name);
    char *at = strchr(url, '?');
    while (at != NULL && !(strncmp(at + 1, name, len) == 0 && at[1 + len] == '=')) {
        at = strchr(at + 1, '&');
    }
    if (at == NULL) {
        return NULL;
    }
    char *value = at + 1 + len + 1;
    char *end = value + strcspn(value, "&");
    char *copy = strndup(value, (size_t)(end - value));
    /* The '?' stays if it was the first of several. */
    char *from = *at == '?' && *end == '&' ? end + 1 : end;
    char *to = *at == '?' && *end == '&' ? at + 1 : at;
    memmove(to, from, strlen(from) + 1);
    return copy;
}

static struct status options_take(struct sql_pool *pool, char *url) {
    char *prepared = query_take(url, "prepared");
    char *size = query_take(url, "pool_size");
    struct status status = OK;
    pool->max = POSTGRES_POOL;
    if (prepared != NULL && strcmp(prepared, "off") != 0 && strcmp(prepared, "auto") != 0) {
        status = FAIL(INVALID_ARGUMENT);
    }
    pool->unprepared = prepared != NULL && strcmp(prepared, "off") == 0;
    if (size != NULL) {
        char *end;
        unsigned long wanted = strtoul(size, &end, 10);
        status = *end != '\0' || wanted == 0 || wanted > 1000 ? FAIL(INVALID_ARGUMENT) : status;
        pool->max = (unsigned)wanted;
    }
    free(prepared);
    free(size);
    return status;
}

static struct status conninfo_check(const char *conninfo) {
    char *reason = NULL;
    PQconninfoOption *parsed = PQconninfoParse(conninfo, &reason);
    if (parsed == NULL) {
        log_event(LOG_ERROR, "the database's URL is not understood",
                  LOG_STRING("reason", reason != NULL ? reason : "out of memory"));
        PQfreemem(reason);
        return FAIL(INVALID_ARGUMENT);
    }
    PQconninfoFree(parsed);
    return OK;
}

/* ---- One connection ---------------------------------------------------------------- */

static PostgresPollingStatusType connect_step(PGconn *connection, PostgresPollingStatusType wanted,
                                              int64_t deadline) {
    int64_t left = deadline - clock_monotonic_ns();
    struct pollfd fd = {.fd = PQsocket(connection),
                        .events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    if (left <= 0 || poll(&fd, 1, (int)(left / 1000000) + 1) == 0) {
        return PGRES_POLLING_FAILED;
    }
    return PQconnectPoll(connection);
}

/* Like PQconnectdb(), but errors come with their SQLSTATE, which libpq gives in
 * no other way. */
static void connect_wait(PGconn *connection) {
    int64_t deadline = clock_monotonic_ns() + connect_ns;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
    while (PQstatus(connection) != CONNECTION_BAD &&
           (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING)) {
        state = connect_step(connection, state, deadline);
    }
}

/* "FATAL:  3D000: database ... does not exist" */
static struct status connect_failure(PGconn *connection, bool first) {
    const char *message = PQerrorMessage(connection);
    static const struct {
        const char *state;
        enum status_code code;
    } known[] = {{"  3D000: ", STATUS_NOT_FOUND},
                 {"  28", STATUS_PERMISSION_DENIED},
                 {"  42501: ", STATUS_PERMISSION_DENIED}};
    enum status_code code = first ? STATUS_IO : STATUS_STORE_BUSY;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        code = strstr(message, known[i].state) != NULL ? known[i].code : code;
    }
    if (code == STATUS_IO && strstr(message, "  57P03: ") != NULL) {
        code = STATUS_STORE_BUSY; /* it is starting */
    }
    log_event(code == STATUS_STORE_BUSY ? LOG_WARN : LOG_ERROR, "cannot reach the database",
              LOG_STRING("reason", message[0] != '\0' ? message : "time ran out"));
    return (struct status){code};
}

static void notice_ignore(void *argument, const PGresult *notice) {
    (void)argument;
    (void)notice;
}

static void connection_close(struct sql *sql) {
    PQfinish(sql->connection);
    free(sql);
}

/* What the URL leaves open; it comes last and so wins. */
static PGconn *connection_start(const struct sql_pool *pool) {
    static const char *const names[] = {
        "fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout",          "dbname",          NULL};
    const char *values[] = {"moiety", "10", "5", "3", "30000", pool->conninfo, NULL};
    return PQconnectStartParams(names, values, 1);
}

static struct status connection_open(struct sql_pool *pool, bool first, struct sql **out) {
    struct sql *sql = calloc(1, sizeof *sql);
    if (sql == NULL) {
        return FAIL(NO_MEMORY);
    }
    sql->pool = pool;
    sql->connection = connection_start(pool);
    struct status status = sql->connection != NULL ? OK : FAIL(NO_MEMORY);
    if (status_ok(status)) {
        connect_wait(sql->connection);
        status = PQstatus(sql->connection) == CONNECTION_OK
                     ? OK
                     : connect_failure(sql->connection, first);
    }
    if (status_ok(status) && (PQsetnonblocking(sql->connection, 0) != 0 ||
                              PQenterPipelineMode(sql->connection) != 1)) {
        status = FAIL(STORE);
    }
    if (!status_ok(status)) {
        connection_close(sql);
        return status;
    }
    PQsetErrorVerbosity(sql->connection, PQERRORS_DEFAULT);
    PQsetNoticeReceiver(sql->connection, notice_ignore, NULL);
    sql->writer = pool->writers + atomic_fetch_add(&pool->made, 1);
    *out = sql;
    return OK;
}

struct status postgres_connect(struct sql_pool *pool, struct sql **out) {
    return connection_open(pool, false, out);
}

void postgres_disconnect(struct sql *sql) { connection_close(sql); }

/* ---- The pool ------------------------------------------------------------------------ */

static void idle_close(struct sql *idle) {
    while (idle != NULL) {
        struct sql *sql = idle;
        idle = sql->next;
        connection_close(sql);
    }
}

void postgres_close(struct sql_pool *pool) {
    idle_close(pool->idle);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    sodium_memzero(pool->conninfo, strlen(pool->conninfo)); /* may hold a password */
    free(pool->conninfo);
    free(pool);
}

struct status postgres_open(const char *address, const struct store_options *options,
                            struct sql_pool **out) {
    struct sql_pool *pool = calloc(1, sizeof *pool);
    size_t size = strlen("postgresql:") + strlen(address) + 1;
    char *conninfo = malloc(size);
    if (pool == NULL || conninfo == NULL) {
        free(pool);
        free(conninfo);
        return FAIL(NO_MEMORY);
    }
    snprintf(conninfo, size, "postgresql:%s", address);
    pool->conninfo = conninfo;
    pool->read_only = options->read_only;
    randombytes_buf(&pool->writers, sizeof pool->writers);
    pool->writers &= INT64_C(0x7fffffffffff0000);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->changed, NULL);
    struct status status = options_take(pool, conninfo);
    if (status_ok(status)) {
        status = conninfo_check(conninfo);
    }
    /* One connection now, so that a wrong address or password is told at once. */
    if (status_ok(status)) {
        status = connection_open(pool, true, &pool->idle);
    }
    if (!status_ok(status) && status.code != STATUS_STORE_BUSY) {
        postgres_close(pool);
        return status;
    }
    pool->open = pool->idle != NULL;
    *out = pool;
    return OK;
}

struct status postgres_take(struct sql_pool *pool, struct sql **out) {
    pthread_mutex_lock(&pool->mutex);
    while (pool->idle == NULL && pool->open == pool->max) {
        pthread_cond_wait(&pool->changed, &pool->mutex);
    }
    struct sql *sql = pool->idle;
    if (sql != NULL) {
        pool->idle = sql->next;
    } else {
        pool->open++;
    }
    pthread_mutex_unlock(&pool->mutex);
    struct status status = sql == NULL ? postgres_connect(pool, &sql) : OK;
    if (status_ok(status)) {
        *out = sql;
        return OK;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->open--;
    pthread_cond_signal(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    return status;
}

void postgres_return(struct sql *sql) {
    struct sql_pool *pool = sql->pool;
    struct sql *dead = NULL;
    pthread_mutex_lock(&pool->mutex);
    if (sql->lost) {
        for (struct sql *each = pool->idle; each != NULL; each = each->next) {
            pool->open--;
        }
        pool->open--;
        sql->next = pool->idle;
        dead = sql;
        pool->idle = NULL;
    } else {
        sql->next = pool->idle;
        pool->idle = sql;
    }
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    idle_close(dead);
}
