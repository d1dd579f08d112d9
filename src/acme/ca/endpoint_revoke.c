/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/endpoint.h"
#include "acme/certificate.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/base64url.h"

/* Revocation (RFC 8555 section 7.6): by the account that ordered a certificate,
 * by one that has proved all its names, or by the certificate's own key. */
enum { KEY_COMPROMISE = 1 };

struct revocation {
    struct ca_exchange *x;
    X509 *certificate;
    uint8_t serial[CA_SERIAL_SIZE];
    int reason;
    bool by_key;
    bool allowed;
    struct ca_certificate record;
};

/* Those that a subscriber may give: unspecified, keyCompromise,
 * affiliationChanged, superseded, cessationOfOperation. */
static bool reason_allowed(int64_t reason) {
    return reason == 0 || reason == KEY_COMPROMISE || (reason >= 3 && reason <= 5);
}

static struct status read_payload(struct revocation *r) {
    struct ca_exchange *x = r->x;
    struct span der;
    const char *text = json_text(x->payload, "certificate");
    const json_t *reason = json_object_get(x->payload, "reason");
    if (text == NULL || !status_ok(base64url_decode_any(x->arena, span_of_string(text), &der))) {
        return ca_fail(x, ACME_MALFORMED, "certificate is not base64url");
    }
    if (reason != NULL && (!json_is_integer(reason) || !reason_allowed(json_integer_value(reason)))) {
        return ca_fail(x, ACME_BAD_REVOCATION_REASON, "reasons are 0, 1, 3, 4 and 5");
    }
    r->reason = reason == NULL ? 0 : (int)json_integer_value(reason);
    const uint8_t *at = der.data;
    r->certificate = d2i_X509(NULL, &at, (long)der.len);
    const ASN1_INTEGER *serial =
        r->certificate == NULL ? NULL : X509_get0_serialNumber(r->certificate);
    if (serial == NULL || ASN1_STRING_length(serial) != CA_SERIAL_SIZE) {
        return ca_fail(x, ACME_MALFORMED, "the certificate is none of this CA's");
    }
    memcpy(r->serial, ASN1_STRING_get0_data(serial), CA_SERIAL_SIZE);
    r->record.der = der;
    return OK;
}

/* Whether the account has a valid authorization for each of the names. */
static struct status has_proved(struct store_tx *tx, struct revocation *r, bool *out) {
    struct acme_identifier *names;
    size_t count;
    struct ca_authorization found;
    TRY(certificate_identifiers(r->certificate, r->x->arena, &names, &count));
    for (size_t i = 0; i < count; i++) {
        const struct acme_identifier base = {names[i].type, identifier_base(&names[i])};
        struct status status =
            ca_authorization_find(tx, r->x->arena, &r->x->account.id, &base,
                                  identifier_is_wildcard(&names[i]), r->x->now, &found);
        if (status.code == STATUS_NOT_FOUND) {
            *out = false;
            return OK;
        }
        TRY(status);
    }
    *out = count > 0;
    return OK;
}

static struct status check_allowed(struct store_tx *tx, struct revocation *r,
                                   const struct ca_certificate *record) {
    if (r->by_key) {
        r->allowed = X509_check_private_key(r->certificate, r->x->jws.key) == 1;
        return OK;
    }
    r->allowed = record->has_account && ca_id_equal(&record->account, &r->x->account.id);
    return r->allowed ? OK : has_proved(tx, r, &r->allowed);
}

static struct status revoke_run(struct store_tx *tx, void *argument) {
    struct revocation *r = argument;
    struct ca_certificate record;
    TRY(ca_certificate_get(tx, r->x->arena, r->serial, &record));
    if (!span_equal_vartime(record.der, r->record.der)) {
        return FAIL(NOT_FOUND);
    }
    TRY(check_allowed(tx, r, &record));
    if (!r->allowed) {
        return FAIL(FORBIDDEN);
    }
    if (r->reason == KEY_COMPROMISE) {
        TRY(ca_key_block(tx, record.key_digest, r->x->now));
    }
    return ca_certificate_revoke(tx, &record, r->x->now, r->reason, r->by_key);
}

static struct status apply(struct revocation *r) {
    struct ca_exchange *x = r->x;
    TRY(read_payload(r));
    struct status status = ca_db_write(x->ca->db, revoke_run, r);
    switch (status.code) {
    case STATUS_NOT_FOUND:
        status = ca_fail(x, ACME_MALFORMED, "the certificate is none of this CA's");
        x->problem.http = 404;
        return status;
    case STATUS_FORBIDDEN:
        return ca_fail(x, ACME_UNAUTHORIZED, "neither this account nor this key may revoke it");
    case STATUS_CONFLICT: return ca_fail(x, ACME_ALREADY_REVOKED, "it was revoked before");
    default: return status;
    }
}

static struct status revoke(struct ca_exchange *x) {
    struct revocation r = {.x = x, .by_key = !x->by_account};
    struct status status = apply(&r);
    X509_free(r.certificate);
    TRY(status);
    log_event(LOG_INFO, "revoked", LOG_BYTES("serial", SPAN_OF_ARRAY(r.serial)),
              LOG_INT("reason", r.reason), LOG_STRING("by", r.by_key ? "key" : "account"));
    return ca_reply_bytes(x, 200, "application/json", SPAN_EMPTY);
}

const struct ca_endpoint ca_endpoint_revoke = {.who = CA_WHO_EITHER, .run = revoke};

/* ---- By the operator ---- */

struct operator_revocation {
    const uint8_t *serial;
    int reason;
    struct arena arena;
};

static struct status operator_run(struct store_tx *tx, void *argument) {
    struct operator_revocation *r = argument;
    struct ca_certificate record;
    int64_t now = (int64_t)clock_now_s(&clock_system);
    TRY(ca_certificate_get(tx, &r->arena, r->serial, &record));
    if (r->reason == KEY_COMPROMISE) {
        TRY(ca_key_block(tx, record.key_digest, now));
    }
    return ca_certificate_revoke(tx, &record, now, r->reason, true);
}

struct status ca_operator_revoke(struct ca_db *db, const uint8_t serial[20], int reason) {
    struct operator_revocation r = {.serial = serial, .reason = reason, .arena = ARENA_INIT};
    struct status status = ca_db_write(db, operator_run, &r);
    arena_release(&r.arena);
    return status;
}
