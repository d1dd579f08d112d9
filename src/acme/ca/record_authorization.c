/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/record.h"

struct status ca_authorization_put(struct store_tx *tx, const struct ca_authorization *a) {
    return sql_run(tx, NULL,
                   "INSERT INTO ca_authorization (id, account, type, value, wildcard, state,"
                   " token, challenge, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)",
                   SQL_VALUES(ca_id_value(&a->id), ca_id_value(&a->account),
                              sql_of_int(a->identifier.type), sql_of_text(a->identifier.value),
                              sql_of_int(a->wildcard), sql_of_int(a->state),
                              sql_of_text(a->token), sql_of_int(a->expires)));
}

static struct status authorization_decode(const struct sql_rows *rows, struct arena *arena,
                                          void *out) {
    struct ca_authorization *a = out;
    TRY(sql_copy(rows, 0, a->id.bytes, sizeof a->id.bytes));
    TRY(sql_copy(rows, 1, a->account.bytes, sizeof a->account.bytes));
    a->identifier.type = (enum acme_identifier_type)sql_int(rows, 2);
    TRY(sql_copy_text(rows, 3, arena, &a->identifier.value));
    a->wildcard = sql_int(rows, 4) != 0;
    a->state = (enum ca_authorization_state)sql_int(rows, 5);
    TRY(sql_copy_text(rows, 6, arena, &a->token));
    a->challenge = (enum challenge_type)sql_int(rows, 7);
    a->validated = sql_is_null(rows, 8) ? 0 : sql_int(rows, 8);
    TRY(sql_copy_text(rows, 9, arena, &a->problem));
    a->expires = sql_int(rows, 10);
    return OK;
}

#define AUTHORIZATION_COLUMNS                                                                    \
    "SELECT id, account, type, value, wildcard, state, token, challenge, validated, problem," \
    " expires FROM ca_authorization"

struct status ca_authorization_get(struct store_tx *tx, struct arena *arena,
                                   const struct ca_id *id, struct ca_authorization *out) {
    return sql_get(tx, arena, authorization_decode, out, AUTHORIZATION_COLUMNS " WHERE id = $1",
                   SQL_VALUES(ca_id_value(id)));
}

struct status ca_authorization_find(struct store_tx *tx, struct arena *arena,
                                    const struct ca_id *account,
                                    const struct acme_identifier *identifier, bool wildcard,
                                    int64_t until, struct ca_authorization *out) {
    return sql_get(tx, arena, authorization_decode, out,
                   AUTHORIZATION_COLUMNS " WHERE account = $1 AND value = $2 AND type = $3"
                                         " AND wildcard = $4 AND expires > $5 AND state = 1"
                                         " ORDER BY expires DESC LIMIT 1",
                   SQL_VALUES(ca_id_value(account), sql_of_text(identifier->value),
                              sql_of_int(identifier->type), sql_of_int(wildcard),
                              sql_of_int(until)));
}

struct status ca_authorization_try(struct store_tx *tx, const struct ca_id *id,
                                   enum challenge_type challenge) {
    bool changed;
    TRY(sql_run(tx, &changed,
                "UPDATE ca_authorization SET challenge = $1"
                " WHERE id = $2 AND state = 0 AND challenge = 0",
                SQL_VALUES(sql_of_int(challenge), ca_id_value(id))));
    return changed ? OK : FAIL(CONFLICT);
}

struct status ca_authorization_settle(struct store_tx *tx, const struct ca_id *id, int64_t now,
                                      int64_t expires, const char *problem) {
    enum ca_authorization_state state =
        problem == NULL ? CA_AUTHORIZATION_VALID : CA_AUTHORIZATION_INVALID;
    return sql_run(tx, NULL,
                   "UPDATE ca_authorization SET state = $1, validated = $2, expires = $3,"
                   " problem = $4 WHERE id = $5 AND state = 0",
                   SQL_VALUES(sql_of_int(state), sql_of_int(now), sql_of_int(expires),
                              sql_of_text(problem), ca_id_value(id)));
}

struct status ca_authorization_deactivate(struct store_tx *tx, const struct ca_id *id) {
    return sql_run(tx, NULL, "UPDATE ca_authorization SET state = $1 WHERE id = $2",
                   SQL_VALUES(sql_of_int(CA_AUTHORIZATION_DEACTIVATED), ca_id_value(id)));
}

struct status ca_authorization_list_tried(struct store_tx *tx, struct arena *arena,
                                          struct ca_authorization **out, size_t *count) {
    return sql_list(tx, arena, authorization_decode, sizeof **out, (void **)out, count,
                    AUTHORIZATION_COLUMNS " WHERE state = 0 AND challenge <> 0", SQL_NO_VALUES);
}
