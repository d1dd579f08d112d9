/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "acme/ca/endpoint.h"
#include "acme/ca/public.h"
#include "wire/base64url.h"

/* Renewal information (RFC 9773). Everything follows from the certificate and
 * whether it is revoked, so it survives whatever the server does not. */

static const struct ca_issuer *issuer_of(const struct ca *ca, struct span key_id) {
    for (size_t i = 0; i < ca->options->issuer_count; i++) {
        const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(ca->issuers[i].certificate);
        if (span_equal_vartime(key_id, span_of(ASN1_STRING_get0_data(id),
                                               (size_t)ASN1_STRING_length(id)))) {
            return &ca->issuers[i];
        }
    }
    return NULL;
}

struct status ca_ari_read(const struct ca *ca, const char *text, uint8_t serial[CA_SERIAL_SIZE]) {
    struct arena arena = ARENA_INIT;
    struct span key_id;
    const char *dot = strchr(text, '.');
    struct status status = FAIL(INVALID_MESSAGE);
    if (dot != NULL &&
        status_ok(base64url_decode_any(&arena, span_of(text, (size_t)(dot - text)), &key_id)) &&
        issuer_of(ca, key_id) != NULL) {
        status = base64url_decode(serial, CA_SERIAL_SIZE, span_of_string(dot + 1));
    }
    arena_release(&arena);
    return status;
}

struct lookup {
    struct ca_exchange *x;
    uint8_t serial[CA_SERIAL_SIZE];
    struct ca_certificate certificate;
};

static struct status read_certificate(struct store_tx *tx, void *argument) {
    struct lookup *lookup = argument;
    return ca_certificate_get(tx, lookup->x->arena, lookup->serial, &lookup->certificate);
}

struct window {
    int64_t start, end;
};

/* At two thirds of the lifetime, at half of one below ten days, and a hundredth of it to
 * either side: clients choose a moment in it at random, so that renewals of what was
 * issued at once don't come at once. For a revoked one it is over. */
static struct window window_of(const struct ca_certificate *c) {
    const struct ca_profile whole = {.lifetime_s = (uint32_t)(c->not_after - c->not_before + 1)};
    int64_t issued = c->not_before + ca_profile_backdate_s(&whole);
    int64_t lifetime = c->not_after - issued + 1;
    int64_t middle = lifetime < 10 * CA_DAY ? lifetime / 2 : lifetime * 2 / 3;
    int64_t spread = lifetime / 100 + 1;
    if (c->revoked != 0) {
        return (struct window){c->revoked - 2 * CA_HOUR, c->revoked - CA_HOUR};
    }
    return (struct window){issued + middle - spread, issued + middle + spread};
}

static struct status renewal(struct ca_exchange *x) {
    struct lookup lookup = {.x = x};
    struct span id = http_request_parameter(x->request, "id");
    const char *text = arena_printf(x->arena, "%.*s", (int)id.len, (const char *)id.data);
    struct status status = text == NULL ? FAIL(NO_MEMORY)
                                        : ca_ari_read(x->ca, text, lookup.serial);
    if (status_ok(status)) {
        status = ca_db_read(x->ca->db, read_certificate, &lookup);
    }
    if (status.code == STATUS_NOT_FOUND || status.code == STATUS_INVALID_MESSAGE) {
        status = ca_fail(x, ACME_MALFORMED, "this CA issued no such certificate");
        x->problem.http = 404;
    }
    TRY(status);
    struct window window = window_of(&lookup.certificate);
    int64_t lifetime = lookup.certificate.not_after - lookup.certificate.not_before + 1;
    int64_t again = lifetime / 24 < 6 * CA_HOUR ? lifetime / 24 + 1 : 6 * CA_HOUR;
    json_t *suggested = json_object();
    json_t *document = json_object();
    bool made =
        json_put(suggested, "start", json_string(ca_time_text(x->arena, window.start))) &&
        json_put(suggested, "end", json_string(ca_time_text(x->arena, window.end)));
    if (!json_put(document, "suggestedWindow", suggested) || !made) {
        json_decref(document);
        return FAIL(NO_MEMORY);
    }
    status = ca_header(x, "Retry-After", "%lld", (long long)again);
    if (!status_ok(status)) {
        json_decref(document);
        return status;
    }
    return ca_reply_json(x, 200, document);
}

const struct ca_endpoint ca_endpoint_renewal = {.who = CA_WHO_ANYBODY, .run = renewal};
