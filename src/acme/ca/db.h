/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_DB_H
#define MOIETY_ACME_CA_DB_H

#include "store/sql.h"

/*
 * The CA's database: a schema of its own (schemas/sql/ca_sqlite and ca_postgres) on the store's
 * driver. Writes that come together share a commit: whatever comes while a
 * commit is under way goes into the next one, each in a savepoint, so that one
 * that fails takes nothing else with it.
 */
struct ca_db;

/* NOT_FOUND unless `create`, and as store_open() fails. */
struct status ca_db_open(const char *url, bool create, struct ca_db **out);
void ca_db_close(struct ca_db *db); /* NULL is allowed */
/* Whether reads take no longer than from a file. */
bool ca_db_is_file(const struct ca_db *db);

/* Runs `function` in a transaction. It may be run again from the start, so what
 * it writes to `argument` must not depend on an earlier run. */
struct status ca_db_read(struct ca_db *db, store_function *function, void *argument);
/* The same for writing: when this returns OK, what `function` did is durable; if
 * it fails, or `function` did, nothing of it happened. Waits for the commit. */
struct status ca_db_write(struct ca_db *db, store_function *function, void *argument);
/* The same without waiting for the disk, for what its client can ask for again:
 * a crash of the machine (but no kill of the process) may undo it, as long as no
 * ca_db_write() has returned since. So a certificate's order is as durable as it. */
struct status ca_db_write_relaxed(struct ca_db *db, store_function *function, void *argument);

#endif
