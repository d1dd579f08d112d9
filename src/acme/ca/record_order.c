/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/record.h"

struct status ca_order_put(struct store_tx *tx, const struct ca_order *order) {
    return sql_run(
        tx, NULL,
        "INSERT INTO ca_order (id, account, state, profile, identifiers, authorizations,"
        " expires, replaces, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        SQL_VALUES(ca_id_value(&order->id), ca_id_value(&order->account), sql_of_int(order->state),
                   sql_of_text(order->profile), sql_of_text(order->identifiers),
                   sql_of_bytes(span_of(order->authorizations,
                                        order->authorization_count * sizeof(struct ca_id))),
                   sql_of_int(order->expires), sql_of_text(order->replaces),
                   sql_of_int(order->created)));
}

static struct status order_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct ca_order *order = out;
    struct span authorizations;
    TRY(sql_copy(rows, 0, order->id.bytes, sizeof order->id.bytes));
    TRY(sql_copy(rows, 1, order->account.bytes, sizeof order->account.bytes));
    order->state = (enum ca_order_state)sql_int(rows, 2);
    TRY(sql_copy_text(rows, 3, arena, &order->profile));
    TRY(sql_copy_text(rows, 4, arena, &order->identifiers));
    TRY(sql_copy_span(rows, 5, arena, &authorizations));
    order->authorizations = (const struct ca_id *)authorizations.data;
    order->authorization_count = authorizations.len / sizeof(struct ca_id);
    order->expires = sql_int(rows, 6);
    TRY(sql_copy_text(rows, 7, arena, &order->replaces));
    order->has_serial = !sql_is_null(rows, 8);
    if (order->has_serial) {
        TRY(sql_copy(rows, 8, order->serial, sizeof order->serial));
    }
    TRY(sql_copy_text(rows, 9, arena, &order->problem));
    order->created = sql_int(rows, 10);
    return OK;
}

#define ORDER_COLUMNS                                                                     \
    "SELECT id, account, state, profile, identifiers, authorizations, expires, replaces," \
    " serial, problem, created FROM ca_order"

struct status ca_order_get(struct store_tx *tx, struct arena *arena, const struct ca_id *id,
                           struct ca_order *out) {
    return sql_get(tx, arena, order_decode, out, ORDER_COLUMNS " WHERE id = $1",
                   SQL_VALUES(ca_id_value(id)));
}

struct status ca_order_finish(struct store_tx *tx, const struct ca_id *id,
                              const uint8_t serial[CA_SERIAL_SIZE]) {
    bool changed;
    TRY(sql_run(tx, &changed,
                "UPDATE ca_order SET state = $1, serial = $2 WHERE id = $3 AND state = $4",
                SQL_VALUES(sql_of_int(CA_ORDER_VALID), sql_of_id(serial, CA_SERIAL_SIZE),
                           ca_id_value(id), sql_of_int(CA_ORDER_PENDING))));
    return changed ? OK : FAIL(CONFLICT);
}

struct status ca_order_fail(struct store_tx *tx, const struct ca_id *id, const char *problem) {
    TRY(sql_run(tx, NULL,
                "UPDATE ca_order SET state = $1, problem = $2 WHERE id = $3 AND state = $4",
                SQL_VALUES(sql_of_int(CA_ORDER_INVALID), sql_of_text(problem), ca_id_value(id),
                           sql_of_int(CA_ORDER_PENDING))));
    return ca_certificate_unreplace(tx, id);
}

struct status ca_order_list(struct store_tx *tx, struct arena *arena, const struct ca_id *account,
                            int64_t after, int64_t now, size_t limit, struct ca_order **out,
                            size_t *count) {
    return sql_list(tx, arena, order_decode, sizeof **out, (void **)out, count,
                    ORDER_COLUMNS " WHERE account = $1 AND created > $2 AND expires > $3"
                                  " AND state <> 3 ORDER BY created LIMIT $4",
                    SQL_VALUES(ca_id_value(account), sql_of_int(after), sql_of_int(now),
                               sql_of_limit(limit)));
}
