/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/db.h"

#include <pthread.h>
#include <stdlib.h>

#include "store/migrations_ca_sqlite.h"

/* A write that waits for its commit. Lives on the stack of who waits. */
struct write {
    store_function *function;
    void *argument;
    struct status status;
    bool done;
    struct write *next;
};

/* Invariant: while `committing`, some thread runs a group, and takes care that
 * another one goes on with what has come since. */
struct ca_db {
    struct store *store;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool committing;
    struct write *first, **last;
};

struct status ca_db_open(const char *url, bool create, struct ca_db **out) {
    const struct sql_schema schemas[] = {
        {"sqlite", ca_sqlite_migrations,
         sizeof ca_sqlite_migrations / sizeof ca_sqlite_migrations[0]},
    };
    const struct store_options options = {.clock = &clock_system, .create = create};
    struct ca_db *db = calloc(1, sizeof *db);
    if (db == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status =
        sql_open(url, &options, schemas, sizeof schemas / sizeof schemas[0], &db->store);
    if (!status_ok(status)) {
        free(db);
        return status;
    }
    pthread_mutex_init(&db->mutex, NULL);
    pthread_cond_init(&db->changed, NULL);
    db->last = &db->first;
    *out = db;
    return OK;
}

void ca_db_close(struct ca_db *db) {
    if (db == NULL) {
        return;
    }
    store_close(db->store);
    pthread_cond_destroy(&db->changed);
    pthread_mutex_destroy(&db->mutex);
    free(db);
}

struct status ca_db_read(struct ca_db *db, store_function *function, void *argument) {
    return store_run(db->store, STORE_READ, function, argument);
}

/* ---- Groups ---- */

/* A failure of the function's own is rolled back by itself; one of the database
 * fails all. */
static struct status write_run(struct store_tx *tx, struct write *write) {
    TRY(sql_run(tx, NULL, "SAVEPOINT one", SQL_NO_VALUES));
    write->status = write->function(tx, write->argument);
    if (!status_ok(write->status)) {
        TRY(sql_run(tx, NULL, "ROLLBACK TO SAVEPOINT one", SQL_NO_VALUES));
    }
    return sql_run(tx, NULL, "RELEASE SAVEPOINT one", SQL_NO_VALUES);
}

static struct status group_run(struct store_tx *tx, void *argument) {
    for (struct write *write = argument; write != NULL; write = write->next) {
        TRY(write_run(tx, write));
    }
    return OK;
}

/* With the mutex held, which is let go while the group is committed. */
static void group_commit(struct ca_db *db) {
    struct write *group = db->first;
    db->first = NULL;
    db->last = &db->first;
    db->committing = true;
    pthread_mutex_unlock(&db->mutex);
    struct status status = store_run(db->store, STORE_WRITE, group_run, group);
    pthread_mutex_lock(&db->mutex);
    while (group != NULL) {
        struct write *next = group->next; /* whoever waits may go once `done` is set */
        if (!status_ok(status)) {
            group->status = status;
        }
        group->done = true;
        group = next;
    }
    db->committing = false;
    pthread_cond_broadcast(&db->changed);
}

struct status ca_db_write(struct ca_db *db, store_function *function, void *argument) {
    struct write write = {.function = function, .argument = argument};
    pthread_mutex_lock(&db->mutex);
    *db->last = &write;
    db->last = &write.next;
    while (!write.done) {
        if (db->committing) {
            pthread_cond_wait(&db->changed, &db->mutex);
        } else {
            group_commit(db);
        }
    }
    pthread_mutex_unlock(&db->mutex);
    return write.status;
}
