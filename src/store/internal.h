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
    struct sql_pool *pool;
    const struct clock *clock;
    struct seal_ring *ring;
    bool read_only;
    _Atomic int64_t last_number; /* see store_number() */
};

struct store_tx {
    struct store *store;
    struct sql *sql;
    enum status_code failure; /* of the driver, the first one; the transaction can't commit */
    struct arena scratch;     /* wiped when the transaction ends */
};

/* A fresh key for a row: 42 bits of milliseconds, then a counter that starts
 * at random, so keys grow with time and inserts go to the end of the index. A
 * process never repeats one; two processes might, so an insert asks for the
 * next one on conflict. */
int64_t store_number(struct store *store);

/* Which of a row's shards a writer uses: spreads concurrent writers. */
int64_t store_shard(const struct store_tx *tx);

/* ---- Tasks (task.c) ------------------------------------------------------- */

struct task_row {
    int64_t number;
    uint64_t watermark;
};
/* UNRECOGNIZED_TASK */
struct status task_find(struct store_tx *tx, const uint8_t id[STORE_TASK_ID_SIZE],
                        struct task_row *out);
/* Every write to peers, tasks and HPKE keys calls it. */
struct status config_bump(struct store_tx *tx);

/* ---- Report IDs (id.c) ---------------------------------------------------- */

enum id_kind { ID_UPLOADED, ID_COMMITTED };
/* Adds the IDs that are new to the task's set; see store_reports_put(). */
struct status ids_put(struct store_tx *tx, const struct task_row *task, enum id_kind kind,
                      const struct store_committed ids[], size_t count,
                      enum store_outcome outcomes[]);

#endif
