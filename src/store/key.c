/* SPDX-License-Identifier: Apache-2.0 */
#include "store/internal.h"

/* An id is used again after its key is gone, so the public key is bound too. */
static struct seal_place private_key_place(const uint8_t *id, struct span public_key) {
    return (struct seal_place){"hpke_key.private_key", {span_of(id, 1), public_key}};
}

struct status store_hpke_key_put(struct store_tx *tx, const struct store_hpke_key *key) {
    struct seal_place place = private_key_place(&key->id, key->public_key);
    struct span private_key;
    bool made;
    TRY(seal(tx, &place, key->private_key, &private_key));
    TRY(sql_run(tx, &made,
                "INSERT INTO hpke_key (id, kem_id, kdf_id, aead_id, public_key, private_key,"
                " state, created_at, state_since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
                " ON CONFLICT (id) DO NOTHING",
                SQL_VALUES(sql_of_int(key->id), sql_of_int(key->kem_id), sql_of_int(key->kdf_id),
                           sql_of_int(key->aead_id), sql_of_bytes(key->public_key),
                           sql_of_bytes(private_key), sql_of_int((int64_t)key->state),
                           sql_of_int(key->created_at), sql_of_int(key->state_since))));
    return made ? config_bump(tx) : FAIL(CONFLICT);
}

static struct status key_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct store_hpke_key *key = out;
    key->id = (uint8_t)sql_int(rows, 0);
    key->kem_id = (uint16_t)sql_int(rows, 1);
    key->kdf_id = (uint16_t)sql_int(rows, 2);
    key->aead_id = (uint16_t)sql_int(rows, 3);
    TRY(sql_copy_span(rows, 4, arena, &key->public_key));
    struct seal_place place = private_key_place(&key->id, key->public_key);
    TRY(unseal(rows->tx, arena, &place, sql_bytes(rows, 5), &key->private_key));
    key->state = (enum store_key_state)sql_int(rows, 6);
    key->created_at = sql_int(rows, 7);
    key->state_since = sql_int(rows, 8);
    return OK;
}

struct status store_hpke_key_list(struct store_tx *tx, struct arena *arena,
                                  struct store_hpke_key **out, size_t *count) {
    return sql_list(tx, arena, key_decode, sizeof **out, (void **)out, count,
                    "SELECT id, kem_id, kdf_id, aead_id, public_key, private_key, state,"
                    " created_at, state_since FROM hpke_key ORDER BY created_at DESC, id",
                    SQL_NO_VALUES);
}

struct status store_hpke_key_set_state(struct store_tx *tx, uint8_t id, enum store_key_state state,
                                       int64_t now) {
    bool changed;
    TRY(sql_run(tx, &changed, "UPDATE hpke_key SET state = $1, state_since = $2 WHERE id = $3",
                SQL_VALUES(sql_of_int((int64_t)state), sql_of_int(now), sql_of_int(id))));
    return changed ? config_bump(tx) : FAIL(NOT_FOUND);
}

/* Whether a report that is still to be opened names the key. */
static struct status key_in_use(struct store_tx *tx, uint8_t id, bool *used) {
    bool found = false;
    struct sql_rows rows = sql_rows_open(tx,
                                         "SELECT config_ids FROM segment UNION"
                                         " SELECT config_ids FROM resource WHERE state = 0",
                                         SQL_NO_VALUES);
    while (!found && sql_rows_next(&rows)) {
        struct span ids = sql_bytes(&rows, 0);
        found = ids.len > 0 && memchr(ids.data, id, ids.len) != NULL;
    }
    TRY(sql_rows_close(&rows, OK));
    *used = found;
    return OK;
}

struct status store_hpke_key_delete(struct store_tx *tx, uint8_t id) {
    bool used;
    bool deleted;
    TRY(key_in_use(tx, id, &used));
    if (used) {
        return FAIL(CONFLICT);
    }
    TRY(sql_run(tx, &deleted, "DELETE FROM hpke_key WHERE id = $1", SQL_VALUES(sql_of_int(id))));
    return deleted ? config_bump(tx) : FAIL(NOT_FOUND);
}
