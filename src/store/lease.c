/* SPDX-License-Identifier: Apache-2.0 */
#include "store/internal.h"

static struct status leases_end(struct store_tx *tx, void *argument) {
    (void)argument;
    TRY(sql_run(tx, NULL, "UPDATE job SET leased_until = 0 WHERE leased_until <> 0",
                SQL_NO_VALUES));
    return sql_run(tx, NULL, "UPDATE resource SET leased_until = 0 WHERE leased_until <> 0",
                   SQL_NO_VALUES);
}

struct status store_leases_end(struct store *store) {
    return store->driver->one_server ? store_run(store, STORE_WRITE, leases_end, NULL) : OK;
}
