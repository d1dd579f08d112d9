/* SPDX-License-Identifier: Apache-2.0 */
#include "store/vault.h"

#include "store/internal.h"

/* ---- Leases ---- */

struct status store_lease_take(struct store_tx *tx, struct store_lease *lease, int64_t now,
                               int64_t until) {
    int64_t token;
    struct status status =
        sql_get_int(tx, &token,
                    "INSERT INTO vault_lease (name, token, leased_until) VALUES ($1, 1, $2)"
                    " ON CONFLICT (name) DO UPDATE SET token = vault_lease.token + 1,"
                    " leased_until = excluded.leased_until"
                    " WHERE vault_lease.leased_until <= $3 RETURNING token",
                    SQL_VALUES(sql_of_text(lease->name), sql_of_int(until), sql_of_int(now)));
    if (status_ok(status)) {
        lease->token = token;
    }
    return status.code == STATUS_NOT_FOUND ? FAIL(BUSY) : status;
}

struct status store_lease_extend(struct store_tx *tx, const struct store_lease *lease,
                                 int64_t until) {
    bool held;
    TRY(sql_run(tx, &held,
                "UPDATE vault_lease SET leased_until = $1"
                " WHERE name = $2 AND token = $3 AND leased_until <> 0",
                SQL_VALUES(sql_of_int(until), sql_of_text(lease->name),
                           sql_of_int(lease->token))));
    return held ? OK : FAIL(LEASE_LOST);
}

struct status store_lease_end(struct store_tx *tx, const struct store_lease *lease) {
    return sql_run(tx, NULL,
                   "UPDATE vault_lease SET leased_until = 0 WHERE name = $1 AND token = $2",
                   SQL_VALUES(sql_of_text(lease->name), sql_of_int(lease->token)));
}

/* Writes the row, so that a transaction that takes the lease meanwhile is noticed. */
static struct status lease_check(struct store_tx *tx, const struct store_lease *lease) {
    bool held;
    TRY(sql_run(tx, &held,
                "UPDATE vault_lease SET token = token"
                " WHERE name = $1 AND token = $2 AND leased_until <> 0",
                SQL_VALUES(sql_of_text(lease->name), sql_of_int(lease->token))));
    return held ? OK : FAIL(LEASE_LOST);
}

/* ---- Items ---- */

static struct seal_place content_place(struct span name) {
    return (struct seal_place){"vault_item.content", {name}};
}

struct status store_item_put(struct store_tx *tx, const struct store_item *item,
                             const struct store_lease *lease) {
    const struct seal_place place = content_place(span_of_string(item->name));
    struct span content;
    TRY(lease == NULL ? OK : lease_check(tx, lease));
    TRY(seal(tx, &place, item->content, &content));
    return sql_run(tx, NULL,
                   "INSERT INTO vault_item (name, content) VALUES ($1, $2)"
                   " ON CONFLICT (name) DO UPDATE SET content = excluded.content",
                   SQL_VALUES(sql_of_text(item->name), sql_of_bytes(content)));
}

static struct status item_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct store_item *item = out;
    TRY(sql_copy_text(rows, 0, arena, &item->name));
    const struct seal_place place = content_place(span_of_string(item->name));
    return unseal(rows->tx, arena, &place, sql_bytes(rows, 1), &item->content);
}

struct status store_item_get(struct store_tx *tx, struct arena *arena, const char *name,
                             struct span *content) {
    struct store_item item;
    TRY(sql_get(tx, arena, item_decode, &item,
                "SELECT name, content FROM vault_item WHERE name = $1",
                SQL_VALUES(sql_of_text(name))));
    *content = item.content;
    return OK;
}

struct status store_item_delete(struct store_tx *tx, const char *name) {
    return sql_run(tx, NULL, "DELETE FROM vault_item WHERE name = $1",
                   SQL_VALUES(sql_of_text(name)));
}

/* Names are printable ASCII, so what begins with the prefix lies below the prefix
 * with a DEL behind it. */
struct status store_item_list(struct store_tx *tx, struct arena *arena, const char *prefix,
                              struct store_item **out, size_t *count) {
    const char *end = arena_printf(arena, "%s\x7f", prefix);
    if (end == NULL) {
        return FAIL(NO_MEMORY);
    }
    return sql_list(tx, arena, item_decode, sizeof **out, (void **)out, count,
                    "SELECT name, content FROM vault_item WHERE name >= $1 AND name < $2"
                    " ORDER BY name",
                    SQL_VALUES(sql_of_text(prefix), sql_of_text(end)));
}
