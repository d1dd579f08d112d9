/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/record.h"

static const struct sql_value null_value = {SQL_NULL, 0, {NULL, 0}};

/* ---- Issued ---- */

static struct status insert(struct store_tx *tx, const struct ca_certificate *c) {
    return sql_run(
        tx, NULL,
        "INSERT INTO ca_certificate (number, serial, account, issuer, profile, der, key_digest,"
        " not_before, not_after, shard) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        SQL_VALUES(sql_of_int(c->number), sql_of_id(c->serial, sizeof c->serial),
                   c->has_account ? ca_id_value(&c->account) : null_value, sql_of_text(c->issuer),
                   sql_of_text(c->profile), sql_of_bytes(c->der),
                   sql_of_id(c->key_digest, sizeof c->key_digest), sql_of_int(c->not_before),
                   sql_of_int(c->not_after), sql_of_int(c->shard)));
}

struct status ca_certificate_put(struct store_tx *tx, struct ca_certificate *certificate) {
    uint64_t size;
    struct merkle_hash leaf;
    const struct merkle_nodes nodes = ca_log_nodes(tx);
    TRY(ca_log_size(tx, &size));
    TRY(merkle_leaf(certificate->der, &leaf));
    certificate->number = (int64_t)size;
    TRY(insert(tx, certificate));
    return merkle_append(&nodes, size, &leaf);
}

static struct status certificate_decode(const struct sql_rows *rows, struct arena *arena,
                                        void *out) {
    struct ca_certificate *c = out;
    c->number = sql_int(rows, 0);
    TRY(sql_copy(rows, 1, c->serial, sizeof c->serial));
    c->has_account = !sql_is_null(rows, 2);
    if (c->has_account) {
        TRY(sql_copy(rows, 2, c->account.bytes, sizeof c->account.bytes));
    }
    TRY(sql_copy_text(rows, 3, arena, &c->issuer));
    TRY(sql_copy_text(rows, 4, arena, &c->profile));
    TRY(sql_copy_span(rows, 5, arena, &c->der));
    TRY(sql_copy(rows, 6, c->key_digest, sizeof c->key_digest));
    c->not_before = sql_int(rows, 7);
    c->not_after = sql_int(rows, 8);
    c->shard = (unsigned)sql_int(rows, 9);
    c->revoked = sql_is_null(rows, 10) ? 0 : sql_int(rows, 10);
    c->reason = sql_is_null(rows, 11) ? 0 : (int)sql_int(rows, 11);
    c->replaced = !sql_is_null(rows, 12);
    return OK;
}

#define CERTIFICATE_COLUMNS                                                               \
    "SELECT number, serial, account, issuer, profile, der, key_digest, not_before,"       \
    " not_after, shard, revoked, reason, replaced FROM ca_certificate"

struct status ca_certificate_get(struct store_tx *tx, struct arena *arena,
                                 const uint8_t serial[CA_SERIAL_SIZE],
                                 struct ca_certificate *out) {
    return sql_get(tx, arena, certificate_decode, out, CERTIFICATE_COLUMNS " WHERE serial = $1",
                   SQL_VALUES(sql_of_id(serial, CA_SERIAL_SIZE)));
}

struct status ca_certificate_list(struct store_tx *tx, struct arena *arena, int64_t first,
                                  size_t limit, struct ca_certificate **out, size_t *count) {
    return sql_list(tx, arena, certificate_decode, sizeof **out, (void **)out, count,
                    CERTIFICATE_COLUMNS " WHERE number >= $1 ORDER BY number LIMIT $2",
                    SQL_VALUES(sql_of_int(first), sql_of_limit(limit)));
}

/* ---- Revoked ---- */

enum { KEY_COMPROMISE = 1 };

struct status ca_certificate_revoke(struct store_tx *tx, const struct ca_certificate *c,
                                    int64_t now, int reason, bool upgrade) {
    bool changed = false;
    TRY(sql_run(tx, &changed,
                "UPDATE ca_certificate SET revoked = $1, reason = $2"
                " WHERE serial = $3 AND revoked IS NULL",
                SQL_VALUES(sql_of_int(now), sql_of_int(reason),
                           sql_of_id(c->serial, sizeof c->serial))));
    if (!changed && upgrade && reason == KEY_COMPROMISE) {
        TRY(sql_run(tx, &changed,
                    "UPDATE ca_certificate SET reason = $1 WHERE serial = $2 AND reason <> $1",
                    SQL_VALUES(sql_of_int(reason), sql_of_id(c->serial, sizeof c->serial))));
    }
    if (!changed) {
        return FAIL(CONFLICT);
    }
    return sql_run(tx, NULL, "UPDATE ca_crl SET stale = 1 WHERE issuer = $1 AND shard = $2",
                   SQL_VALUES(sql_of_text(c->issuer), sql_of_int(c->shard)));
}

struct status ca_certificate_list_revoked(struct store_tx *tx, struct arena *arena,
                                          const char *issuer, unsigned shard, int64_t now,
                                          struct ca_certificate **out, size_t *count) {
    return sql_list(tx, arena, certificate_decode, sizeof **out, (void **)out, count,
                    CERTIFICATE_COLUMNS " WHERE issuer = $1 AND shard = $2 AND not_after >= $3"
                                        " AND revoked IS NOT NULL ORDER BY serial",
                    SQL_VALUES(sql_of_text(issuer), sql_of_int(shard), sql_of_int(now)));
}

/* ---- Replaced (RFC 9773) ---- */

struct status ca_certificate_replace(struct store_tx *tx, const uint8_t serial[CA_SERIAL_SIZE],
                                     const struct ca_id *order) {
    bool changed;
    TRY(sql_run(tx, &changed,
                "UPDATE ca_certificate SET replaced = $1 WHERE serial = $2 AND replaced IS NULL",
                SQL_VALUES(ca_id_value(order), sql_of_id(serial, CA_SERIAL_SIZE))));
    return changed ? OK : FAIL(CONFLICT);
}

struct status ca_certificate_unreplace(struct store_tx *tx, const struct ca_id *order) {
    return sql_run(tx, NULL, "UPDATE ca_certificate SET replaced = NULL WHERE replaced = $1",
                   SQL_VALUES(ca_id_value(order)));
}

/* ---- Keys that were given away ---- */

struct status ca_key_block(struct store_tx *tx, const uint8_t digest[CA_DIGEST_SIZE],
                           int64_t now) {
    return sql_run(tx, NULL,
                   "INSERT INTO ca_blocked_key (digest, since) VALUES ($1, $2)"
                   " ON CONFLICT DO NOTHING",
                   SQL_VALUES(sql_of_id(digest, CA_DIGEST_SIZE), sql_of_int(now)));
}

struct status ca_key_is_blocked(struct store_tx *tx, const uint8_t digest[CA_DIGEST_SIZE],
                                bool *out) {
    int64_t count;
    TRY(sql_get_int(tx, &count, "SELECT COUNT(*) FROM ca_blocked_key WHERE digest = $1",
                    SQL_VALUES(sql_of_id(digest, CA_DIGEST_SIZE))));
    *out = count > 0;
    return OK;
}
