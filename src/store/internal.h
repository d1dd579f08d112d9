/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_STORE_INTERNAL_H
#define MOIETY_STORE_INTERNAL_H

#include <stdatomic.h>

#include "store/seal.h"
#include "store/sql.h"
#include "store/store.h"

/* What the store's files share. Nothing outside src/store includes it. */

struct store {
    const struct sql_driver *driver;
    const struct sql_migration *migrations; /* of its schema, for this driver */
    size_t migration_count;
    struct sql_pool *pool;
    const struct clock *clock;
    struct seal_ring *ring; /* NULL in a database of another layer's */
    bool read_only;
    _Atomic int64_t last_number; /* see store_number() */
    _Atomic uint32_t turn;       /* chooses the shard of each transaction */
    /* The tasks that work was claimed for last: see turn.h. */
    _Atomic int64_t job_wheel;
    _Atomic int64_t resource_wheels[STORE_COLLECTION_JOB + 1]; /* by kind */
};

struct store_tx {
    struct store *store;
    struct sql *sql;
    enum store_mode mode;
    enum status_code failure; /* of the driver, the first one; the transaction can't commit */
    struct arena scratch;     /* wiped when the transaction ends */
    int64_t shard;            /* of the counters that it writes */
    bool exclusive;           /* closes the gate of each task that it finds */
    bool closes;              /* found that it has to close a gate */
    struct task_known *known; /* the task found last, in scratch memory; may be NULL */
};

/* A fresh key for a row: 42 bits of milliseconds, then a counter that starts
 * at random, so keys grow with time and inserts go to the end of the index. A
 * process never repeats one; two processes might, so an insert asks for the
 * next one on conflict. */
int64_t store_number(struct store *store);

/* Fails the transaction with STORE_BUSY, for good: it is run again. For who finds
 * that what it needs is another's just now. */
struct status tx_lost(struct store_tx *tx);

/* ---- Tasks (task.c) ------------------------------------------------------- */

struct task_row {
    int64_t number;
    uint64_t watermark;
};
/*
 * Finds a task, and in a writing transaction goes through its gate.
 *
 * The gate is for databases with several writers, whose transactions see a
 * snapshot each: of two that overlap the later one to write a row is run again,
 * but two that write different rows don't notice each other. A transaction that
 * relies on rows which another is about to add (a batch is complete, a task or
 * an epoch goes) has to notice all writers of its task. So each writer writes
 * one of the task's task_usage rows, its own shard, and task_close_gate() writes
 * them all: whoever overlaps with that is run again, and so is it.
 *
 * In its first run it doesn't wait for others, since it holds what they may wait
 * for: if it can't have all rows at once, it has lost. It is then run again as an
 * exclusive one, which waits for all rows, in their order, before it looks at the
 * task; it sees what those committed that it waited for, so it loses no more.
 *
 * The order in which locks are taken, so that no two wait for each other: tasks
 * by their IDs; of a task the gate before all else, its shards ascending; report
 * IDs ascending; buckets by key; segments by arrival; jobs; batches; resources.
 * A new row that nobody else knows of may come at any time. Claims and renewals of
 * leases go through no gate, and pass over what is locked.
 *
 * UNRECOGNIZED_TASK
 */
struct status task_find(struct store_tx *tx, const uint8_t id[STORE_TASK_ID_SIZE],
                        struct task_row *out);
struct status task_close_gate(struct store_tx *tx, const struct task_row *task);
/* To be called by whoever changes a row that task_find() returned. */
void task_forget(struct store_tx *tx);
/* Every write to peers, tasks and HPKE keys calls it. */
struct status config_bump(struct store_tx *tx);

/* ---- Report IDs (id.c) ---------------------------------------------------- */

enum id_kind { ID_UPLOADED, ID_COMMITTED };
/* Adds the IDs that are new to the task's set; see store_reports_put(). */
struct status ids_put(struct store_tx *tx, const struct task_row *task, enum id_kind kind,
                      const struct store_committed ids[], size_t count,
                      enum store_outcome outcomes[]);

#endif
