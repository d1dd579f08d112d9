/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_STORE_POSTGRES_H
#define MOIETY_STORE_POSTGRES_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/sql.h"

/*
 * The PostgreSQL driver, over libpq's pipeline mode: what needs no answer is
 * sent along with the next statement that does, so a transaction takes few
 * round trips. postgres.c runs statements and transactions,
 * postgres_connection.c makes and pools connections, postgres_commit.c settles
 * commits whose answer was lost.
 *
 * Isolation. Transactions run at REPEATABLE READ, which is snapshot isolation:
 * of two transactions that overlap and write one row, one is run again. What
 * snapshots alone would miss, two transactions that each rely on what the other
 * is about to change but write different rows, is turned into writes of one
 * row by the gate of a task (store/internal.h). Whoever closes gates waits for
 * them at READ COMMITTED, since a snapshot from before would miss what those
 * that it waited for have committed. SERIALIZABLE would do without a
 * gate, but its locks on index pages make most writers of large jobs collide,
 * and PostgreSQL-compatible distributed databases mostly lack it.
 *
 * Nothing is used that such databases lack: no triggers, no LISTEN, no
 * session state but prepared statements, which `?prepared=off` in the URL does
 * without.
 */
enum {
    POSTGRES_STATEMENTS = 256, /* a power of two, well above the number of statements */
    POSTGRES_QUEUE = 64,
    POSTGRES_POOL = 16, /* connections, unless the URL says pool_size */
};

/* A statement that was sent and whose result has not been read. */
struct postgres_queued {
    const char *text;
    const char **prepares; /* the slot of `struct sql` that its success fills, or NULL */
};

struct sql {
    struct sql_pool *pool;
    PGconn *connection;
    struct sql *next; /* among the idle */
    enum store_mode mode;
    bool exclusive; /* the transaction: see struct sql_driver */
    bool lost; /* the connection has failed, whatever libpq thinks */
    int64_t writer; /* names this connection's row of commit_mark */
    int64_t token;  /* of its last commit */
    size_t queued;
    struct postgres_queued queue[POSTGRES_QUEUE];
    const char *prepared[POSTGRES_STATEMENTS]; /* texts, by slot */
};

struct sql_pool {
    char *conninfo;
    bool read_only;
    bool unprepared; /* prepared=off */
    unsigned max;
    int64_t writers; /* random: the first of this pool's `writer` numbers */
    _Atomic unsigned made;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct sql *idle;
    unsigned open;
};

/* ---- Connections (postgres_connection.c) -------------------------------------- */

struct status postgres_open(const char *address, const struct store_options *options,
                            struct sql_pool **out);
void postgres_close(struct sql_pool *pool);

/* One beside the pool. */
struct status postgres_connect(struct sql_pool *pool, struct sql **out);
void postgres_disconnect(struct sql *sql);

/* Waits for a connection of the pool, or makes one. */
struct status postgres_take(struct sql_pool *pool, struct sql **out);
/* Gives a connection back; one that was lost is closed, and the idle ones with
 * it, which have probably met the same end. */
void postgres_return(struct sql *sql);

/* What SQLSTATE and the connection's state say: STORE_BUSY if another attempt
 * may succeed. Logs what isn't. */
struct status postgres_failure(struct sql *sql, const char *state, const char *message,
                               const char *what);

/* ---- Statements (postgres.c) ------------------------------------------------------ */

/* Sends a statement; its result is read by the next postgres_drain(). */
struct status postgres_send(struct sql *sql, const char *text, const struct sql_value values[],
                            size_t count);
/* Reads the results of all that was sent, the first failure counting. `last`
 * (NULL: not asked) is the last statement's, to be cleared by the caller. */
struct status postgres_drain(struct sql *sql, PGresult **last);
/* Runs a statement that gives one integer; `*found` is whether there was a row. */
struct status postgres_int(struct sql *sql, int64_t *out, bool *found, const char *text,
                           const struct sql_value values[], size_t count);
struct status postgres_begin_on(struct sql *sql, enum store_mode mode, bool exclusive);
struct status postgres_rollback_on(struct sql *sql);

/* ---- Commits (postgres_commit.c) ---------------------------------------------------- */

/* Leaves the transaction's mark; once in each that writes. */
struct status postgres_mark(struct sql *sql);
/* OK if and only if the transaction is durable; see struct sql_driver. The
 * connection stays the caller's. */
struct status postgres_commit_on(struct sql *sql);

#endif
