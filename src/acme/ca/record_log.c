/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/record.h"

/* ---- Nodes of the tree ---- */

static struct status hash_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    (void)arena;
    struct merkle_hash *hash = out;
    return sql_copy(rows, 0, hash->bytes, sizeof hash->bytes);
}

static struct status node_get(void *context, unsigned level, uint64_t index,
                              struct merkle_hash *out) {
    return sql_get(context, NULL, hash_decode, out,
                   "SELECT hash FROM ca_log_node WHERE level = $1 AND idx = $2",
                   SQL_VALUES(sql_of_int(level), sql_of_u64(index)));
}

static struct status node_put(void *context, unsigned level, uint64_t index,
                              const struct merkle_hash *hash) {
    return sql_run(context, NULL,
                   "INSERT INTO ca_log_node (level, idx, hash) VALUES ($1, $2, $3)",
                   SQL_VALUES(sql_of_int(level), sql_of_u64(index),
                              sql_of_id(hash->bytes, sizeof hash->bytes)));
}

struct merkle_nodes ca_log_nodes(struct store_tx *tx) {
    return (struct merkle_nodes){tx, node_get, node_put};
}

/* Numbers start at 0 and have no gaps. */
struct status ca_log_size(struct store_tx *tx, uint64_t *out) {
    int64_t size;
    TRY(sql_get_int(tx, &size, "SELECT COALESCE(MAX(number) + 1, 0) FROM ca_certificate",
                    SQL_NO_VALUES));
    *out = (uint64_t)size;
    return OK;
}

/* ---- Checkpoints ---- */

static struct status note_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    return sql_copy_text(rows, 0, arena, out);
}

struct status ca_checkpoint_get(struct store_tx *tx, struct arena *arena, uint64_t size,
                                const char **note) {
    return sql_get(tx, arena, note_decode, note, "SELECT note FROM ca_checkpoint WHERE size = $1",
                   SQL_VALUES(sql_of_u64(size)));
}

struct status ca_checkpoint_put(struct store_tx *tx, uint64_t size, const char *note) {
    return sql_run(tx, NULL,
                   "INSERT INTO ca_checkpoint (size, note) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                   SQL_VALUES(sql_of_u64(size), sql_of_text(note)));
}

/* ---- CRL ---- */

static struct status crl_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct ca_crl *crl = out;
    crl->number = sql_int(rows, 0);
    TRY(sql_copy_span(rows, 1, arena, &crl->der));
    crl->next_update = sql_int(rows, 2);
    crl->stale = sql_int(rows, 3) != 0;
    return OK;
}

struct status ca_crl_get(struct store_tx *tx, struct arena *arena, const char *issuer,
                         unsigned shard, struct ca_crl *out) {
    return sql_get(tx, arena, crl_decode, out,
                   "SELECT number, der, next_update, stale FROM ca_crl"
                   " WHERE issuer = $1 AND shard = $2",
                   SQL_VALUES(sql_of_text(issuer), sql_of_int(shard)));
}

struct status ca_crl_put(struct store_tx *tx, const char *issuer, unsigned shard,
                         const struct ca_crl *crl) {
    bool changed;
    TRY(sql_run(tx, &changed,
                "INSERT INTO ca_crl (issuer, shard, number, der, next_update, stale)"
                " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (issuer, shard) DO UPDATE SET"
                " number = excluded.number, der = excluded.der,"
                " next_update = excluded.next_update, stale = excluded.stale"
                " WHERE ca_crl.number < excluded.number",
                SQL_VALUES(sql_of_text(issuer), sql_of_int(shard), sql_of_int(crl->number),
                           sql_of_bytes(crl->der), sql_of_int(crl->next_update),
                           sql_of_int(crl->stale))));
    return changed ? OK : FAIL(CONFLICT);
}
