/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "store/internal.h"

/* How long a transaction that keeps losing races is run again. */
static const int64_t retry_ns = 30 * INT64_C(1000000000);

static const struct sql_driver *const drivers[] = {&sqlite_driver, &postgres_driver};

/* "scheme:address"; what names no scheme is the path of a SQLite file. */
static struct status url_split(const char *url, const struct sql_driver **driver,
                               const char **address) {
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        size_t len = strlen(drivers[i]->scheme);
        if (strncmp(url, drivers[i]->scheme, len) == 0 && url[len] == ':') {
            *driver = drivers[i];
            *address = url + len + 1;
            return OK;
        }
    }
    if (strstr(url, "://") != NULL || url[0] == '\0') {
        return FAIL(INVALID_ARGUMENT);
    }
    *driver = &sqlite_driver;
    *address = url;
    return OK;
}

/* ---- Transactions ----------------------------------------------------------- */

/* In turn, so that the transactions of one process rarely meet; processes
 * start anywhere. */
static int64_t shard_choose(struct store *store) {
    return (int64_t)(atomic_fetch_add(&store->turn, 1) % store->driver->shards);
}

/* `*exclusive` says how to run; if that fails, how to run again. */
static struct status run_once(struct store *store, enum store_mode mode, bool *exclusive,
                              store_function *function, void *argument) {
    struct store_tx tx = {.store = store,
                          .mode = mode == STORE_READ ? STORE_READ : STORE_WRITE,
                          .exclusive = *exclusive,
                          .failure = STATUS_OK,
                          .scratch = ARENA_INIT,
                          .shard = shard_choose(store)};
    TRY(store->driver->begin(store->pool, mode, tx.exclusive, &tx.sql));
    struct status status = function(&tx, argument);
    if (tx.failure != STATUS_OK) {
        status = (struct status){tx.failure};
    }
    if (status_ok(status)) {
        status = store->driver->commit(tx.sql);
    } else {
        store->driver->rollback(tx.sql);
    }
    arena_release(&tx.scratch);
    *exclusive = tx.exclusive || tx.closes;
    return status;
}

/* Waits a random time of up to 1, 2, 4 ... 128 ms, so that rivals part. */
static void run_pause(unsigned attempt) {
    uint32_t limit = UINT32_C(1000000) << (attempt < 7 ? attempt : 7);
    struct timespec pause = {0, (long)randombytes_uniform(limit)};
    nanosleep(&pause, NULL);
}

struct status store_run(struct store *store, enum store_mode mode, store_function *function,
                        void *argument) {
    return store_run_until(store, mode, clock_monotonic_ns() + retry_ns, function, argument);
}

struct status store_run_until(struct store *store, enum store_mode mode, int64_t deadline_ns,
                              store_function *function, void *argument) {
    bool exclusive = false;
    for (unsigned attempt = 0;; attempt++) {
        struct status status = run_once(store, mode, &exclusive, function, argument);
        if (status.code != STATUS_STORE_BUSY || clock_monotonic_ns() >= deadline_ns) {
            return status;
        }
        run_pause(attempt);
    }
}

int64_t store_number(struct store *store) {
    int64_t fresh = (clock_now_us(store->clock) / 1000) << 21 | randombytes_uniform(1U << 20);
    int64_t last = atomic_load(&store->last_number);
    int64_t next;
    do {
        next = fresh > last ? fresh : last + 1;
    } while (!atomic_compare_exchange_weak(&store->last_number, &last, next));
    return next;
}

/* ---- Schema ------------------------------------------------------------------- */

/* What a database says of its schema. */
struct schema {
    int version;
    int serves; /* programs of this version and later */
};

struct migration {
    bool alone;
    struct schema from, to;
};

static int version_newest(const struct store *store) {
    return store->migrations[store->migration_count - 1].version;
}

/* Both in the one number that drivers keep, for which 16 bits each do. What was
 * there before the second came serves its own version alone. */
static struct status schema_get(struct store_tx *tx, struct schema *out) {
    int number;
    TRY(tx->store->driver->version_get(tx->sql, &number));
    *out = (struct schema){number & 0xffff, number >> 16};
    out->serves = out->serves == 0 ? out->version : out->serves;
    return OK;
}

static struct status schema_set(struct store_tx *tx, const struct schema *schema) {
    return tx->store->driver->version_set(tx->sql, schema->serves << 16 | schema->version);
}

static struct status schema_read(struct store_tx *tx, void *argument) {
    return schema_get(tx, argument);
}

/* All steps in one transaction, so that nobody meets a version in between, and
 * with the version read inside it, since another process may be migrating too. */
static struct status migrate_run(struct store_tx *tx, void *argument) {
    const struct store *store = tx->store;
    int newest = version_newest(store);
    struct migration *migration = argument;
    struct schema at;
    TRY(schema_get(tx, &at));
    migration->from = at;
    while (at.version < newest) {
        const struct sql_migration *next = &store->migrations[at.version];
        TRY(store->driver->script(tx->sql, next->script));
        at.serves = next->serves > at.serves ? next->serves : at.serves;
        at.version = next->version;
        TRY(schema_set(tx, &at));
    }
    if (!migration->alone && at.serves > migration->from.version && migration->from.version > 0) {
        return FAIL(CONFLICT);
    }
    migration->to = at;
    return OK;
}

static struct status migrate(struct store *store, struct migration *migration) {
    TRY(store_run(store, STORE_READ, schema_read, &migration->from));
    migration->to = migration->from;
    return migration->from.version < version_newest(store)
               ? store_run(store, STORE_WRITE, migrate_run, migration)
               : OK;
}

/* A database that nobody has used yet gets the schema; any other must have it, or
 * one made of it that serves this program too. */
static struct status schema_check(struct store *store, const struct store_options *options) {
    struct migration migration = {0};
    const struct schema *found = &migration.from;
    int ours = version_newest(store);
    TRY(store_run(store, STORE_READ, schema_read, &migration.from));
    if (found->version == 0 && options->create && !options->read_only) {
        return migrate(store, &migration);
    }
    if (found->version < ours || found->serves > ours) {
        log_event(LOG_ERROR,
                  found->version < ours ? "the database has an older schema: run moiety db migrate"
                                        : "the database has a schema that this program is too old for",
                  LOG_INT("database", found->version), LOG_INT("program", ours));
        return FAIL(STORE_SCHEMA);
    }
    return OK;
}

/* ---- Keys ----------------------------------------------------------------------- */

static struct status ring_load(struct store_tx *tx, void *argument) {
    return seal_ring_load(tx, argument);
}

static struct status ring_add(struct store_tx *tx, void *argument) {
    return seal_key_add(tx, argument);
}

/* Two processes may both make the first key; both then know both. */
static struct status ring_open(struct store *store) {
    TRY(store_run(store, STORE_READ, ring_load, store->ring));
    return seal_ring_is_empty(store->ring) && !store->read_only ? store_rotate_data_key(store) : OK;
}

struct status store_rotate_data_key(struct store *store) {
    TRY(store_run(store, STORE_WRITE, ring_add, store->ring));
    return store_run(store, STORE_READ, ring_load, store->ring);
}

struct rewrap {
    struct seal_ring *ring;
    size_t count;
};

static struct status rewrap_run(struct store_tx *tx, void *argument) {
    struct rewrap *rewrap = argument;
    return seal_rewrap(tx, rewrap->ring, &rewrap->count);
}

struct status store_reseal(struct store *store, size_t *rewrapped) {
    struct rewrap rewrap = {store->ring, 0};
    TRY(store_run(store, STORE_WRITE, rewrap_run, &rewrap));
    *rewrapped = rewrap.count;
    return OK;
}

/* ---- Open and close --------------------------------------------------------------- */

/* The scripts of a schema for the driver that was chosen. */
static struct status schema_choose(struct store *store, const struct sql_schema schemas[],
                                   size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(schemas[i].scheme, store->driver->scheme) == 0) {
            store->migrations = schemas[i].migrations;
            store->migration_count = schemas[i].migration_count;
            return OK;
        }
    }
    log_event(LOG_ERROR, "this program keeps nothing in such a database",
              LOG_STRING("kind", store->driver->scheme));
    return FAIL(INVALID_ARGUMENT);
}

/* With `schemas`, a database of another layer's: nothing in it is sealed. */
static struct status store_connect(const char *url, const struct store_options *options,
                                   const struct sql_schema schemas[], size_t schema_count,
                                   struct store **out) {
    const char *address;
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return FAIL(NO_MEMORY);
    }
    store->clock = options->clock;
    store->read_only = options->read_only;
    store->turn = randombytes_random();
    struct status status;
    TRY_GOTO(status, url_split(url, &store->driver, &address), exit);
    if (schemas != NULL) {
        TRY_GOTO(status, schema_choose(store, schemas, schema_count), exit);
    } else {
        store->migrations = store->driver->migrations;
        store->migration_count = store->driver->migration_count;
        TRY_GOTO(status,
                 seal_ring_new(options->wrapping_keys, options->wrapping_key_count, &store->ring),
                 exit);
    }
    TRY_GOTO(status, store->driver->open(address, options, &store->pool), exit);
    *out = store;
    store = NULL;
exit:
    store_close(store);
    return status;
}

struct status store_open(const char *url, const struct store_options *options, struct store **out) {
    struct store *store;
    TRY(store_connect(url, options, NULL, 0, &store));
    struct status status = schema_check(store, options);
    if (status_ok(status)) {
        status = ring_open(store);
    }
    if (!status_ok(status)) {
        store_close(store);
        return status;
    }
    *out = store;
    return OK;
}

struct status sql_open(const char *url, const struct store_options *options,
                       const struct sql_schema schemas[], size_t count, struct store **out) {
    struct store *store;
    TRY(store_connect(url, options, schemas, count, &store));
    struct status status = schema_check(store, options);
    if (!status_ok(status)) {
        store_close(store);
        return status;
    }
    *out = store;
    return OK;
}

void store_close(struct store *store) {
    if (store == NULL) {
        return;
    }
    if (store->pool != NULL) {
        store->driver->close(store->pool);
    }
    seal_ring_free(store->ring);
    free(store);
}

struct status store_migrate(const char *url, const struct store_options *options,
                            struct store_migration *out) {
    struct store *store;
    struct migration migration = {.alone = options->alone};
    TRY(store_connect(url, options, NULL, 0, &store));
    struct status status = migrate(store, &migration);
    store_close(store);
    TRY(status);
    *out = (struct store_migration){migration.from.version, migration.to.version,
                                    migration.to.serves};
    return OK;
}
