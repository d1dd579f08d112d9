/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/sha.h>
#include <string.h>

#include "acme/ca/endpoint.h"
#include "acme/ca/lint.h"
#include "acme/csr.h"
#include "base/log.h"
#include "wire/base64url.h"

/* ---- An order's state ---- */

/* A pending order is as far as its authorizations are. */
static struct status derive_state(struct store_tx *tx, struct ca_exchange *x,
                                  struct ca_order_view *view) {
    struct ca_order *order = &view->order;
    size_t valid = 0;
    for (size_t i = 0; i < order->authorization_count; i++) {
        struct ca_authorization a;
        TRY(ca_authorization_get(tx, x->arena, &order->authorizations[i], &a));
        bool live = a.expires > x->now;
        if (a.state == CA_AUTHORIZATION_VALID && live) {
            valid++;
        } else if (a.state != CA_AUTHORIZATION_PENDING || !live) {
            order->state = CA_ORDER_INVALID;
            view->problem = a.problem;
        }
    }
    if (order->state == CA_ORDER_PENDING && valid == order->authorization_count) {
        order->state = CA_ORDER_READY;
    }
    return OK;
}

struct status ca_order_view(struct store_tx *tx, struct ca_exchange *x, const struct ca_id *id,
                            struct ca_order_view *out) {
    struct ca_order order;
    TRY(ca_order_get(tx, x->arena, id, &order)); /* `id` may be that in `out` */
    *out = (struct ca_order_view){.order = order};
    out->problem = out->order.problem;
    if (out->order.state != CA_ORDER_PENDING) {
        return OK;
    }
    if (out->order.expires <= x->now) {
        out->order.state = CA_ORDER_INVALID;
        return OK;
    }
    return derive_state(tx, x, out);
}

struct status ca_order_identifiers(const struct ca_order *order, struct arena *arena,
                                   struct acme_identifier **out, size_t *count) {
    json_t *list = ca_json_stored(order->identifiers);
    *count = json_array_size(list);
    *out = ARENA_ARRAY(arena, struct acme_identifier, *count + 1);
    struct status status = *out == NULL || *count == 0 ? FAIL(INTERNAL) : OK;
    for (size_t i = 0; status_ok(status) && i < *count; i++) {
        status = identifier_read(json_array_get(list, i), arena, &(*out)[i]);
    }
    json_decref(list);
    return status_ok(status) ? OK : FAIL(INTERNAL);
}

/* ---- Its document ---- */

static bool put_authorizations(struct ca_exchange *x, json_t *document,
                               const struct ca_order *order) {
    json_t *list = json_array();
    bool made = list != NULL;
    for (size_t i = 0; made && i < order->authorization_count; i++) {
        const char *url = ca_resource_url(x, "authorization", &order->authorizations[i]);
        made = url != NULL && json_array_append_new(list, json_string(url)) == 0;
    }
    return json_put(document, "authorizations", list) && made;
}

static bool put_certificate(struct ca_exchange *x, json_t *document,
                            const struct ca_order *order) {
    if (!order->has_serial) {
        return true;
    }
    const char *serial = base64url_string(x->arena, SPAN_OF_ARRAY(order->serial));
    const char *url = serial == NULL ? NULL
                                     : arena_printf(x->arena, "%s/acme/certificate/%s",
                                                    x->ca->options->url, serial);
    return url != NULL && json_put(document, "certificate", json_string(url));
}

static json_t *order_json(struct ca_exchange *x, const struct ca_order_view *view,
                          const char *url) {
    static const char *const names[] = {"pending", "ready", "valid", "invalid"};
    const struct ca_order *order = &view->order;
    json_t *document = json_object();
    const char *finalize = arena_printf(x->arena, "%s/finalize", url);
    bool made =
        finalize != NULL && json_put(document, "status", json_string(names[order->state])) &&
        json_put(document, "expires", json_string(ca_time_text(x->arena, order->expires))) &&
        json_put(document, "identifiers", ca_json_stored(order->identifiers)) &&
        json_put(document, "profile", json_string(order->profile)) &&
        put_authorizations(x, document, order) &&
        json_put(document, "finalize", json_string(finalize)) &&
        put_certificate(x, document, order) &&
        (order->replaces == NULL ||
         json_put(document, "replaces", json_string(order->replaces))) &&
        (view->problem == NULL || json_put(document, "error", ca_json_stored(view->problem)));
    if (!made) {
        json_decref(document);
        return NULL;
    }
    return document;
}

struct status ca_order_reply(struct ca_exchange *x, int status,
                             const struct ca_order_view *view) {
    const char *url = ca_resource_url(x, "order", &view->order.id);
    if (url == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(ca_header(x, "Location", "%s", url));
    if (view->order.state == CA_ORDER_PENDING) {
        TRY(ca_header(x, "Retry-After", "1"));
    }
    return ca_reply_json(x, status, order_json(x, view, url));
}

/* ---- Reading it ---- */

static struct status look_up(struct store_tx *tx, struct ca_exchange *x) {
    struct ca_id id;
    struct ca_order_view *view = ARENA_ARRAY(x->arena, struct ca_order_view, 1);
    x->found = view;
    TRY(ca_path_id_read(x, "id", &id));
    return view == NULL ? FAIL(NO_MEMORY) : ca_order_view(tx, x, &id, view);
}

static struct status find_order(struct ca_exchange *x, struct ca_order_view **out) {
    TRY(ca_found_check(x, "order"));
    struct ca_order_view *view = x->found;
    *out = view;
    return ca_id_equal(&view->order.account, &x->account.id)
               ? OK
               : ca_fail(x, ACME_UNAUTHORIZED, "this order is another account's");
}

static struct status order(struct ca_exchange *x) {
    struct ca_order_view *view;
    TRY(find_order(x, &view));
    return ca_order_reply(x, 200, view);
}

/* ---- finalize ---- */

struct finalization {
    struct ca_exchange *x;
    struct ca_order_view *view;
    struct csr csr;
    const struct ca_profile *profile;
    uint8_t key_digest[CA_DIGEST_SIZE];
    bool blocked;
    struct ca_certificate certificate;
};

static struct status key_look_up(struct store_tx *tx, void *argument) {
    struct finalization *f = argument;
    return ca_key_is_blocked(tx, f->key_digest, &f->blocked);
}

static struct status check_key(struct ca_exchange *x, struct finalization *f) {
    char why[200];
    if (!ca_key_good(f->csr.key, why)) {
        return ca_fail(x, ACME_BAD_CSR, "%s", why);
    }
    if (EVP_PKEY_eq(f->csr.key, x->account_key) == 1) {
        return ca_fail(x, ACME_BAD_CSR, "the certificate's key must not be the account's");
    }
    SHA256(f->csr.key_der.data, f->csr.key_der.len, f->key_digest);
    TRY(ca_db_read(x->ca->db, key_look_up, f));
    return f->blocked ? ca_fail(x, ACME_BAD_CSR, "this key was reported as compromised")
                      : OK;
}

static struct status check_csr(struct ca_exchange *x, struct finalization *f) {
    const char *reason = "it is malformed";
    struct span der;
    struct acme_identifier *ordered;
    size_t count;
    const char *text = json_text(x->payload, "csr");
    if (text == NULL || !status_ok(base64url_decode_any(x->arena, span_of_string(text), &der))) {
        return ca_fail(x, ACME_MALFORMED, "csr is not base64url");
    }
    struct status status = csr_read(der, x->arena, &f->csr, &reason);
    if (status.code == STATUS_INVALID_MESSAGE) {
        return ca_fail(x, ACME_BAD_CSR, "%s", reason);
    }
    TRY(status);
    TRY(check_key(x, f));
    TRY(ca_order_identifiers(&f->view->order, x->arena, &ordered, &count));
    if (!identifiers_equal(f->csr.identifiers, f->csr.identifier_count, ordered, count)) {
        return ca_fail(x, ACME_BAD_CSR, "its names are not those of the order");
    }
    if (f->csr.must_staple && !x->ca->issuers[0].ocsp) {
        return ca_fail(x, ACME_BAD_CSR, "must-staple needs OCSP, which this CA doesn't offer");
    }
    return OK;
}

/* The certificate, the log and the order in one transaction: nobody gets what is
 * not in all three. Whether the key was blocked meanwhile is asked again. */
static struct status record(struct store_tx *tx, void *argument) {
    struct finalization *f = argument;
    struct ca_order_view view;
    TRY(key_look_up(tx, f));
    TRY(ca_order_view(tx, f->x, &f->view->order.id, &view));
    if (f->blocked || view.order.state != CA_ORDER_READY) {
        return FAIL(CONFLICT);
    }
    TRY(ca_certificate_put(tx, &f->certificate));
    TRY(ca_order_finish(tx, &view.order.id, f->certificate.serial));
    return ca_order_view(tx, f->x, &view.order.id, f->view);
}

static struct status issue(struct ca_exchange *x, struct finalization *f) {
    struct ca_finding finding;
    TRY(check_csr(x, f));
    struct status status = ca_mint_certificate(
        &x->ca->mint, f->profile, f->csr.key_der, f->csr.identifiers, f->csr.identifier_count,
        f->csr.must_staple, x->now,
        x->arena, &f->certificate, &finding);
    if (status.code == STATUS_VERIFY_FAILED) {
        return ca_fail(x, ACME_BAD_CSR, "the check %s failed: %s", finding.lint, finding.text);
    }
    TRY(status);
    f->certificate.has_account = true;
    f->certificate.account = x->account.id;
    status = ca_db_write(x->ca->db, record, f);
    if (status.code == STATUS_CONFLICT) {
        return ca_fail(x, ACME_ORDER_NOT_READY, "the order changed meanwhile");
    }
    TRY(status);
    log_event(LOG_INFO, "issued", LOG_BYTES("serial", SPAN_OF_ARRAY(f->certificate.serial)),
              LOG_STRING("profile", f->profile->name), LOG_INT("leaf", f->certificate.number),
              LOG_STRING("name", f->csr.identifiers[0].value));
    return OK;
}

static struct status finalize(struct ca_exchange *x) {
    struct finalization f = {.x = x};
    TRY(find_order(x, &f.view));
    if (f.view->order.state != CA_ORDER_READY) {
        return ca_fail(x, ACME_ORDER_NOT_READY, "the order is not ready");
    }
    f.profile = ca_profile_find(x->ca->options->profiles, x->ca->options->profile_count,
                                f.view->order.profile);
    if (f.profile == NULL) {
        return ca_fail(x, ACME_INVALID_PROFILE, "the order's profile is gone");
    }
    struct status status = issue(x, &f);
    csr_release(&f.csr);
    TRY(status);
    return ca_order_reply(x, 200, f.view);
}

const struct ca_endpoint ca_endpoint_order = {
    .who = CA_WHO_ACCOUNT, .get = true, .reads = true, .look_up = look_up, .run = order};
const struct ca_endpoint ca_endpoint_finalize = {
    .who = CA_WHO_ACCOUNT, .look_up = look_up, .run = finalize};
