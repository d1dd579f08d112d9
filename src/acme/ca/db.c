/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/db.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "store/migrations_ca_postgres.h"
#include "store/migrations_ca_sqlite.h"

/* A write that waits for its commit, on the stack of who waits. */
struct write {
    store_function *function;
    void *argument;
    enum store_mode mode;
    struct status status;
    sem_t turn; /* posted once: it is done, or it is to lead */
    bool leads;
    struct write *next;
};

/* Invariant: while `committing`, one thread leads: it commits a group, and hands
 * the lead to one of those that have come since. */
struct ca_db {
    struct store *store;
    bool is_file;
    pthread_mutex_t mutex; /* guards what follows */
    bool committing;
    struct write *first, **last;
};

/* The aggregator's cache is for more tables, and reading again what isn't in this one
 * means to copy it from the system's. */
static struct status cache_limit(struct store_tx *tx, void *argument) {
    (void)argument;
    return sql_run(tx, NULL, "PRAGMA cache_size = -3072", SQL_NO_VALUES); /* KiB */
}

struct status ca_db_open(const char *url, bool create, struct ca_db **out) {
    const struct sql_schema schemas[] = {
        {"sqlite", ca_sqlite_migrations,
         sizeof ca_sqlite_migrations / sizeof ca_sqlite_migrations[0]},
        {"postgresql", ca_postgres_migrations,
         sizeof ca_postgres_migrations / sizeof ca_postgres_migrations[0]},
    };
    const struct store_options options = {.clock = &clock_system, .create = create};
    struct ca_db *db = calloc(1, sizeof *db);
    if (db == NULL) {
        return FAIL(NO_MEMORY);
    }
    db->is_file = strncmp(url, "postgres", strlen("postgres")) != 0;
    struct status status =
        sql_open(url, &options, schemas, sizeof schemas / sizeof schemas[0], &db->store);
    if (status_ok(status) && db->is_file) {
        status = store_run(db->store, STORE_WRITE, cache_limit, NULL);
    }
    if (!status_ok(status)) {
        store_close(db->store);
        free(db);
        return status;
    }
    pthread_mutex_init(&db->mutex, NULL);
    db->last = &db->first;
    *out = db;
    return OK;
}

void ca_db_close(struct ca_db *db) {
    if (db == NULL) {
        return;
    }
    store_close(db->store);
    pthread_mutex_destroy(&db->mutex);
    free(db);
}

bool ca_db_is_file(const struct ca_db *db) { return db->is_file; }

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

/* A write that is alone needs no savepoint, for which pages would be copied: if it
 * fails, so does the transaction. */
static struct status group_run(struct store_tx *tx, void *argument) {
    struct write *only = argument;
    if (only->next == NULL) {
        only->status = only->function(tx, only->argument);
        return only->status;
    }
    for (struct write *write = argument; write != NULL; write = write->next) {
        TRY(write_run(tx, write));
    }
    return OK;
}

static struct write *group_take(struct ca_db *db) {
    pthread_mutex_lock(&db->mutex);
    struct write *group = db->first;
    db->first = NULL;
    db->last = &db->first;
    pthread_mutex_unlock(&db->mutex);
    return group;
}

/* Each but the leader's own may be gone once it was told. */
static void group_tell(struct write *group, const struct write *own, struct status status) {
    while (group != NULL) {
        struct write *next = group->next;
        if (!status_ok(status)) {
            group->status = status;
        }
        if (group != own) {
            sem_post(&group->turn);
        }
        group = next;
    }
}

static void lead_hand_over(struct ca_db *db) {
    pthread_mutex_lock(&db->mutex);
    struct write *next = db->first;
    db->committing = next != NULL;
    if (next != NULL) {
        next->leads = true;
        sem_post(&next->turn);
    }
    pthread_mutex_unlock(&db->mutex);
}

/* Relaxed if all of it is. */
static enum store_mode group_mode(const struct write *group) {
    enum store_mode mode = STORE_WRITE_RELAXED;
    for (; group != NULL; group = group->next) {
        mode = group->mode == STORE_WRITE ? STORE_WRITE : mode;
    }
    return mode;
}

/* The leader's own write is in the group, as it came before the group was taken. */
static void lead(struct ca_db *db, const struct write *own) {
    struct write *group = group_take(db);
    struct status status = store_run(db->store, group_mode(group), group_run, group);
    lead_hand_over(db);
    group_tell(group, own, status);
}

static struct status write_submit(struct ca_db *db, struct write *write) {
    sem_init(&write->turn, 0, 0);
    pthread_mutex_lock(&db->mutex);
    *db->last = write;
    db->last = &write->next;
    write->leads = !db->committing;
    db->committing = true;
    bool waits = !write->leads;
    pthread_mutex_unlock(&db->mutex);
    while (waits && sem_wait(&write->turn) != 0 && errno == EINTR) {
    }
    if (write->leads) {
        lead(db, write);
    }
    sem_destroy(&write->turn);
    return write->status;
}

struct status ca_db_write(struct ca_db *db, store_function *function, void *argument) {
    struct write write = {.function = function, .argument = argument, .mode = STORE_WRITE};
    return write_submit(db, &write);
}

struct status ca_db_write_relaxed(struct ca_db *db, store_function *function, void *argument) {
    struct write write = {.function = function, .argument = argument,
                          .mode = STORE_WRITE_RELAXED};
    return write_submit(db, &write);
}
