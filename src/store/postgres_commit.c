/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres.h"

/*
 * When a connection is lost after COMMIT was sent, nobody knows what became of
 * the transaction. So each write leaves a mark, in the transaction itself: the
 * row of commit_mark that belongs to its connection gets a fresh token. Whoever
 * is in doubt looks, over another connection, whether the token is there.
 *
 * The look also replaces the token. If the lost transaction is still on its
 * way, it has to write a row that changed since its snapshot, which REPEATABLE
 * READ refuses: it can't commit after it has been called aborted. A
 * transaction that holds the row keeps the look waiting until it has ended; an
 * exclusive one, which is not refused, holds the row from its beginning.
 */
static const int64_t doubt_ns = 60 * INT64_C(1000000000);
static const int64_t mark_life_us = 7 * 24 * 3600 * INT64_C(1000000);

static const char mark_put[] =
    "INSERT INTO commit_mark (writer, token, marked_at) VALUES ($1, $2, $3)"
    " ON CONFLICT (writer) DO UPDATE SET token = excluded.token, marked_at = excluded.marked_at";

static struct status mark_send(struct sql *sql, int64_t writer, int64_t token) {
    int64_t now = clock_now_us(&clock_system);
    return postgres_send(sql, mark_put,
                         SQL_VALUES(sql_of_int(writer), sql_of_int(token), sql_of_int(now)));
}

/* Marks of connections that are long gone. Absent is as good as old. */
static struct status marks_expire(struct sql *sql) {
    int64_t before = clock_now_us(&clock_system) - mark_life_us;
    return postgres_send(sql, "DELETE FROM commit_mark WHERE marked_at < $1",
                         SQL_VALUES(sql_of_int(before)));
}

static int64_t token_make(void) {
    int64_t token;
    randombytes_buf(&token, sizeof token);
    return token;
}

/* Whether COMMIT committed: a transaction that had failed answers ROLLBACK. */
static struct status commit_finish(struct sql *sql) {
    PGresult *result = NULL;
    TRY(postgres_send(sql, "COMMIT", SQL_NO_VALUES));
    TRY(postgres_drain(sql, &result));
    bool committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    return committed ? OK : FAIL(STORE);
}

static struct status doubt_look(struct sql *sql, int64_t writer, int64_t token, bool *committed) {
    int64_t found = 0;
    bool row;
    TRY(postgres_begin_on(sql, STORE_WRITE, false));
    TRY(postgres_int(sql, &found, &row,
                     "SELECT token FROM commit_mark WHERE writer = $1 FOR UPDATE",
                     SQL_VALUES(sql_of_int(writer))));
    TRY(mark_send(sql, writer, token_make()));
    TRY(commit_finish(sql));
    *committed = row && found == token;
    return OK;
}

static struct status doubt_ask(struct sql_pool *pool, int64_t writer, int64_t token,
                               bool *committed) {
    struct sql *sql; /* not of the pool, all of which may be waiting here */
    TRY(postgres_connect(pool, &sql));
    struct status status = doubt_look(sql, writer, token, committed);
    postgres_disconnect(sql); /* if its own commit failed, asking again settles both */
    return status;
}

static struct status doubt_settle(const struct sql *sql) {
    int64_t deadline = clock_monotonic_ns() + doubt_ns;
    bool committed = false;
    struct status status = FAIL(STORE_BUSY);
    log_event(LOG_WARN, "the database went away during a commit: looking whether it happened");
    while (status.code == STATUS_STORE_BUSY && clock_monotonic_ns() < deadline) {
        const struct timespec pause = {0, 100000000};
        status = doubt_ask(sql->pool, sql->writer, sql->token, &committed);
        if (status.code == STATUS_STORE_BUSY) {
            nanosleep(&pause, NULL);
        }
    }
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "it is not known whether a transaction was committed",
                  LOG_STRING("reason", status_text(status.code)));
        return FAIL(STORE);
    }
    return committed ? OK : FAIL(STORE_BUSY);
}

struct status postgres_mark(struct sql *sql) {
    if (sql->token == 0) {
        TRY(marks_expire(sql));
    }
    sql->token = token_make();
    return mark_send(sql, sql->writer, sql->token);
}

struct status postgres_commit_on(struct sql *sql) {
    if (sql->mode == STORE_READ) {
        return commit_finish(sql);
    }
    if (!sql->exclusive) {
        TRY(postgres_mark(sql));
    }
    struct status status = commit_finish(sql);
    return !status_ok(status) && sql->lost ? doubt_settle(sql) : status;
}
