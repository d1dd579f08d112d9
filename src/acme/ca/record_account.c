/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/rand.h>

#include "acme/ca/record.h"

struct status ca_id_new(struct ca_id *out) {
    return RAND_bytes(out->bytes, sizeof out->bytes) == 1 ? OK : FAIL(CRYPTO);
}

/* ---- External account keys ---- */

struct status ca_eab_put(struct store_tx *tx, const struct ca_eab *eab) {
    bool added;
    TRY(sql_run(tx, &added,
                "INSERT INTO ca_eab (kid, mac_key, profiles, created) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT DO NOTHING",
                SQL_VALUES(sql_of_text(eab->kid), sql_of_bytes(eab->mac_key),
                           sql_of_text(eab->profiles), sql_of_int(eab->created))));
    return added ? OK : FAIL(CONFLICT);
}

static struct status eab_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct ca_eab *eab = out;
    TRY(sql_copy_text(rows, 0, arena, &eab->kid));
    TRY(sql_copy_span(rows, 1, arena, &eab->mac_key));
    TRY(sql_copy_text(rows, 2, arena, &eab->profiles));
    eab->bound = !sql_is_null(rows, 3);
    if (eab->bound) {
        TRY(sql_copy(rows, 3, eab->account.bytes, sizeof eab->account.bytes));
    }
    eab->created = sql_int(rows, 4);
    return OK;
}

#define EAB_COLUMNS "SELECT kid, mac_key, profiles, account, created FROM ca_eab"

struct status ca_eab_get(struct store_tx *tx, struct arena *arena, const char *kid,
                         struct ca_eab *out) {
    return sql_get(tx, arena, eab_decode, out, EAB_COLUMNS " WHERE kid = $1",
                   SQL_VALUES(sql_of_text(kid)));
}

struct status ca_eab_list(struct store_tx *tx, struct arena *arena, struct ca_eab **out,
                          size_t *count) {
    return sql_list(tx, arena, eab_decode, sizeof **out, (void **)out, count,
                    EAB_COLUMNS " ORDER BY created, kid", SQL_NO_VALUES);
}

struct status ca_eab_delete(struct store_tx *tx, const char *kid) {
    bool gone;
    TRY(sql_run(tx, &gone, "DELETE FROM ca_eab WHERE kid = $1", SQL_VALUES(sql_of_text(kid))));
    return gone ? OK : FAIL(NOT_FOUND);
}

struct status ca_eab_bind(struct store_tx *tx, const char *kid, const struct ca_id *account) {
    bool bound;
    TRY(sql_run(tx, &bound, "UPDATE ca_eab SET account = $1 WHERE kid = $2 AND account IS NULL",
                SQL_VALUES(ca_id_value(account), sql_of_text(kid))));
    return bound ? OK : FAIL(CONFLICT);
}

/* ---- Accounts ---- */

struct status ca_account_put(struct store_tx *tx, const struct ca_account *account) {
    bool added;
    TRY(sql_run(tx, &added,
                "INSERT INTO ca_account"
                " (id, thumbprint, jwk, contacts, state, profiles, eab, created)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
                SQL_VALUES(ca_id_value(&account->id), sql_of_text(account->thumbprint),
                           sql_of_text(account->jwk), sql_of_text(account->contacts),
                           sql_of_int(account->state), sql_of_text(account->profiles),
                           sql_of_text(account->eab), sql_of_int(account->created))));
    return added ? OK : FAIL(CONFLICT);
}

static struct status account_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct ca_account *account = out;
    TRY(sql_copy(rows, 0, account->id.bytes, sizeof account->id.bytes));
    TRY(sql_copy_text(rows, 1, arena, &account->thumbprint));
    TRY(sql_copy_text(rows, 2, arena, &account->jwk));
    TRY(sql_copy_text(rows, 3, arena, &account->contacts));
    account->state = (enum ca_account_state)sql_int(rows, 4);
    TRY(sql_copy_text(rows, 5, arena, &account->profiles));
    TRY(sql_copy_text(rows, 6, arena, &account->eab));
    account->created = sql_int(rows, 7);
    return OK;
}

#define ACCOUNT_COLUMNS                                                                      \
    "SELECT id, thumbprint, jwk, contacts, state, profiles, eab, created FROM ca_account"

struct status ca_account_get(struct store_tx *tx, struct arena *arena, const struct ca_id *id,
                             struct ca_account *out) {
    return sql_get(tx, arena, account_decode, out, ACCOUNT_COLUMNS " WHERE id = $1",
                   SQL_VALUES(ca_id_value(id)));
}

struct status ca_account_find(struct store_tx *tx, struct arena *arena, const char *thumbprint,
                              struct ca_account *out) {
    return sql_get(tx, arena, account_decode, out, ACCOUNT_COLUMNS " WHERE thumbprint = $1",
                   SQL_VALUES(sql_of_text(thumbprint)));
}

struct status ca_account_set_contacts(struct store_tx *tx, const struct ca_id *id,
                                      const char *contacts) {
    return sql_run(tx, NULL, "UPDATE ca_account SET contacts = $1 WHERE id = $2",
                   SQL_VALUES(sql_of_text(contacts), ca_id_value(id)));
}

struct status ca_account_set_state(struct store_tx *tx, const struct ca_id *id,
                                   enum ca_account_state state) {
    return sql_run(tx, NULL, "UPDATE ca_account SET state = $1 WHERE id = $2",
                   SQL_VALUES(sql_of_int(state), ca_id_value(id)));
}

struct status ca_account_set_key(struct store_tx *tx, const struct ca_id *id,
                                 const char *thumbprint, const char *jwk) {
    return sql_run(tx, NULL, "UPDATE ca_account SET thumbprint = $1, jwk = $2 WHERE id = $3",
                   SQL_VALUES(sql_of_text(thumbprint), sql_of_text(jwk), ca_id_value(id)));
}
