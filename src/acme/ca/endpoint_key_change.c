/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "acme/ca/endpoint.h"
#include "acme/ca/lint.h"

/* Account key rollover (RFC 8555 section 7.3.5). */
struct rollover {
    struct ca_exchange *x;
    struct jws inner;
    char thumbprint[JWK_THUMBPRINT_LEN + 1];
    const char *jwk;
    struct ca_account other; /* that has the key, after a CONFLICT */
};

static struct status check_header(struct ca_exchange *x, const struct jws *inner) {
    char why[200];
    if (inner->key == NULL || inner->algorithm == JWS_HS256) {
        return ca_fail(x, ACME_MALFORMED, "the inner JWS must bring the new key as jwk");
    }
    if (inner->nonce != NULL) {
        return ca_fail(x, ACME_MALFORMED, "the inner JWS must not have a nonce");
    }
    if (inner->url == NULL || strcmp(inner->url, x->jws.url) != 0) {
        return ca_fail(x, ACME_MALFORMED, "the inner JWS's url is not the outer one's");
    }
    if (!status_ok(jws_verify(inner, inner->key))) {
        return ca_fail(x, ACME_MALFORMED, "the inner JWS's signature does not verify");
    }
    return key_kind(inner->key) == KEY_ED25519 || ca_key_good(inner->key, why)
               ? OK
               : ca_fail(x, ACME_BAD_PUBLIC_KEY, "%s", why);
}

/* It names this account and its old key. */
static struct status check_payload(struct ca_exchange *x, const struct jws *inner) {
    json_t *payload = NULL;
    EVP_PKEY *old_key = NULL;
    if (!status_ok(json_parse(inner->payload, &payload))) {
        return ca_fail(x, ACME_MALFORMED, "the inner JWS's payload is not a JSON object");
    }
    const char *account = json_text(payload, "account");
    bool same = account != NULL && strcmp(account, x->jws.kid) == 0;
    bool old = status_ok(jwk_read(json_object_get(payload, "oldKey"), &old_key)) &&
               EVP_PKEY_eq(old_key, x->account_key) == 1;
    EVP_PKEY_free(old_key);
    json_decref(payload);
    return !same  ? ca_fail(x, ACME_MALFORMED, "the inner JWS names another account")
           : !old ? ca_fail(x, ACME_MALFORMED, "oldKey is not the account's key")
                  : OK;
}

static struct status change(struct store_tx *tx, void *argument) {
    struct rollover *r = argument;
    struct status status = ca_account_find(tx, r->x->arena, r->thumbprint, &r->other);
    if (status.code == STATUS_NOT_FOUND) {
        return ca_account_set_key(tx, &r->x->account.id, r->thumbprint, r->jwk);
    }
    TRY(status);
    return FAIL(CONFLICT);
}

static struct status refuse_known(struct ca_exchange *x, const struct rollover *r) {
    const char *url = ca_resource_url(x, "account", &r->other.id);
    if (url == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(ca_header(x, "Location", "%s", url));
    struct status status = ca_fail(x, ACME_MALFORMED, "an account has the new key already");
    x->problem.http = 409;
    return status;
}

static struct status apply(struct ca_exchange *x, struct rollover *r) {
    TRY(check_header(x, &r->inner));
    TRY(check_payload(x, &r->inner));
    TRY(jwk_thumbprint(r->inner.key, r->thumbprint));
    json_t *jwk = jwk_json(r->inner.key);
    struct status status = ca_json_text(x->arena, jwk, &r->jwk);
    json_decref(jwk);
    TRY(status);
    status = ca_db_write(x->ca->db, change, r);
    if (status.code == STATUS_CONFLICT) {
        return refuse_known(x, r);
    }
    TRY(status);
    return ca_reply_json(x, 200, json_object());
}

static struct status key_change(struct ca_exchange *x) {
    struct rollover r = {.x = x};
    if (!status_ok(jws_read_object(x->payload, x->arena, &r.inner, &x->problem))) {
        return FAIL(INVALID_MESSAGE);
    }
    struct status status = apply(x, &r);
    jws_release(&r.inner);
    return status;
}

const struct ca_endpoint ca_endpoint_key_change = {.who = CA_WHO_ACCOUNT, .run = key_change};
