/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/external_account.h"

#include <string.h>

struct lookup {
    struct ca_exchange *x;
    const char *kid;
    struct ca_eab eab;
};

static struct status eab_read(struct store_tx *tx, void *argument) {
    struct lookup *lookup = argument;
    return ca_eab_get(tx, lookup->x->arena, lookup->kid, &lookup->eab);
}

/* The payload is the account's key. */
static struct status check_payload(struct ca_exchange *x, const struct jws *binding) {
    json_t *jwk = NULL;
    EVP_PKEY *key = NULL;
    bool same = status_ok(json_parse(binding->payload, &jwk)) && status_ok(jwk_read(jwk, &key)) &&
                EVP_PKEY_eq(key, x->jws.key) == 1;
    EVP_PKEY_free(key);
    json_decref(jwk);
    return same ? OK
                : ca_fail(x, ACME_MALFORMED, "the external binding's payload is not the "
                                             "account's key");
}

static struct status check_header(struct ca_exchange *x, const struct jws *binding) {
    if (binding->algorithm != JWS_HS256 || binding->kid == NULL) {
        return ca_fail(x, ACME_MALFORMED, "the external binding needs HS256 and a kid");
    }
    if (binding->nonce != NULL) {
        return ca_fail(x, ACME_MALFORMED, "the external binding must not have a nonce");
    }
    if (binding->url == NULL || strcmp(binding->url, x->jws.url) != 0) {
        return ca_fail(x, ACME_MALFORMED, "the external binding's url is not the request's");
    }
    return OK;
}

static struct status verify(struct ca_exchange *x, const struct jws *binding, struct lookup *lookup) {
    TRY(check_header(x, binding));
    TRY(check_payload(x, binding));
    lookup->kid = binding->kid;
    struct status status = ca_db_read(x->ca->db, eab_read, lookup);
    if (status.code == STATUS_NOT_FOUND) {
        return ca_fail(x, ACME_UNAUTHORIZED, "there is no external account key of this kid");
    }
    TRY(status);
    if (!status_ok(jws_verify_mac(binding, lookup->eab.mac_key))) {
        return ca_fail(x, ACME_UNAUTHORIZED, "the external binding does not verify");
    }
    return lookup->eab.bound ? ca_fail(x, ACME_UNAUTHORIZED,
                                       "the external account key was used for another account")
                             : OK;
}

struct status external_account_read(struct ca_exchange *x, const char **kid,
                                    const char **profiles, const char **binding) {
    json_t *object = json_object_get(x->payload, "externalAccountBinding");
    struct lookup lookup = {.x = x};
    struct jws jws = {.kid = NULL};
    if (object == NULL) {
        return x->ca->options->external_account_required
                   ? ca_fail(x, ACME_EXTERNAL_ACCOUNT_REQUIRED,
                             "this CA takes accounts with an external binding alone")
                   : OK;
    }
    struct acme_problem problem;
    if (!status_ok(jws_read_object(object, x->arena, &jws, &problem))) {
        return ca_fail(x, ACME_MALFORMED, "the external binding can't be read: %s",
                       problem.detail != NULL ? problem.detail : "it is no JWS");
    }
    struct status status = verify(x, &jws, &lookup);
    jws_release(&jws);
    TRY(status);
    *kid = lookup.eab.kid;
    *profiles = lookup.eab.profiles;
    return ca_json_text(x->arena, object, binding);
}
