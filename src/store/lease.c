/* SPDX-License-Identifier: Apache-2.0 */
#include "store/internal.h"

static struct status leases_end(struct store_tx *tx, void *argument) {
    (void)argument;
    TRY(sql_run(tx, NULL, "UPDATE job SET leased_until = 0, due_at = retry_at WHERE leased_until <> 0",
                SQL_NO_VALUES));
    return sql_run(tx, NULL, "UPDATE resource SET leased_until = 0, due_at = retry_at WHERE leased_until <> 0",
                   SQL_NO_VALUES);
}

struct status store_leases_end(struct store *store) {
    return store->driver->one_server ? store_run(store, STORE_WRITE, leases_end, NULL) : OK;
}

/* A lease that was given back keeps its token until the next claim, but has no
 * end: it must not come to life again. One whose row another transaction holds is
 * being given back, mostly; to wait for it while holding others could be to wait
 * for ever. */
struct status store_job_extend(struct store_tx *tx, const struct store_job *job,
                               int64_t lease_until) {
    bool held;
    TRY(sql_run(tx, &held,
                "UPDATE job SET leased_until = $1, due_at = $1 WHERE id = (SELECT id FROM job"
                " WHERE id = $2 AND lease = $3 AND leased_until <> 0" SQL_SKIP_LOCKED ")",
                SQL_VALUES(sql_of_int(lease_until), sql_of_id(job->id, sizeof job->id),
                           sql_of_u64(job->lease))));
    return held ? OK : FAIL(LEASE_LOST);
}

struct status store_resource_extend(struct store_tx *tx, const struct store_resource *resource,
                                    int64_t lease_until) {
    bool held;
    TRY(sql_run(tx, &held,
                "UPDATE resource SET leased_until = $1, due_at = $1 WHERE number = (SELECT number"
                " FROM resource WHERE kind = $2 AND id = $3"
                " AND lease = $4 AND live = 1 AND leased_until <> 0"
                " AND task = (SELECT number FROM task WHERE id = $5)" SQL_SKIP_LOCKED ")",
                SQL_VALUES(sql_of_int(lease_until), sql_of_int((int64_t)resource->kind),
                           sql_of_id(resource->id, sizeof resource->id),
                           sql_of_u64(resource->lease),
                           sql_of_id(resource->task_id, sizeof resource->task_id))));
    return held ? OK : FAIL(LEASE_LOST);
}
