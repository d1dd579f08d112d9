/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/ocsp.h>

#include "acme/ca/endpoint.h"
#include "acme/ca/public.h"

/* OCSP (RFC 6960), for those who can't read CRLs: unless `ocsp` is set, certificates
 * don't point here. Each answer is signed when it is asked for, by the issuer. */

enum {
    REQUESTS_MAX = 16, /* certificates that are asked for at once */
    NONCE_MAX = 128,   /* RFC 9654 */
};

struct answering {
    struct ca_exchange *x;
    size_t issuer;
    OCSP_REQUEST *request;
    OCSP_BASICRESP *basic;
};

/* ---- What is said of one certificate ---- */

/* Whether it is this issuer that is asked about. */
static bool is_ours(const OCSP_CERTID *id, X509 *issuer) {
    ASN1_OBJECT *algorithm = NULL;
    ASN1_INTEGER *serial = NULL;
    OCSP_id_get0_info(NULL, &algorithm, NULL, &serial, (OCSP_CERTID *)id);
    int nid = OBJ_obj2nid(algorithm);
    const EVP_MD *digest = nid == NID_sha1 ? EVP_sha1() : nid == NID_sha256 ? EVP_sha256() : NULL;
    OCSP_CERTID *ours =
        digest == NULL ? NULL
                       : OCSP_cert_id_new(digest, X509_get_subject_name(issuer),
                                          X509_get0_pubkey_bitstr(issuer), serial);
    bool same = ours != NULL && OCSP_id_issuer_cmp(id, ours) == 0;
    OCSP_CERTID_free(ours);
    return same;
}

static struct status find(struct store_tx *tx, struct answering *a, const OCSP_CERTID *id,
                          struct ca_certificate *out) {
    const struct ca_issuer *issuer = &a->x->ca->issuers[a->issuer];
    ASN1_INTEGER *serial = NULL;
    OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)id);
    if (!is_ours(id, issuer->certificate) || ASN1_STRING_length(serial) != CA_SERIAL_SIZE ||
        ASN1_STRING_type(serial) != V_ASN1_INTEGER) {
        return FAIL(NOT_FOUND);
    }
    TRY(ca_certificate_get(tx, a->x->arena, ASN1_STRING_get0_data(serial), out));
    return strcmp(out->issuer, issuer->id) == 0 ? OK : FAIL(NOT_FOUND);
}

static struct status add_answer(struct store_tx *tx, struct answering *a, OCSP_CERTID *id) {
    struct ca_certificate certificate = {.revoked = 0};
    struct status found = find(tx, a, id, &certificate);
    if (!status_ok(found) && found.code != STATUS_NOT_FOUND) {
        return found;
    }
    int state = !status_ok(found)           ? V_OCSP_CERTSTATUS_UNKNOWN
                : certificate.revoked != 0 ? V_OCSP_CERTSTATUS_REVOKED
                                           : V_OCSP_CERTSTATUS_GOOD;
    int reason = certificate.reason != 0 ? certificate.reason : OCSP_REVOKED_STATUS_NOSTATUS;
    ASN1_TIME *from = ASN1_GENERALIZEDTIME_set(NULL, (time_t)a->x->now);
    ASN1_TIME *until = ASN1_GENERALIZEDTIME_set(NULL, (time_t)(a->x->now + CA_OCSP_LIFETIME));
    ASN1_TIME *revoked = ASN1_GENERALIZEDTIME_set(NULL, (time_t)certificate.revoked);
    bool added = from != NULL && until != NULL && revoked != NULL &&
                 OCSP_basic_add1_status(a->basic, id, state, reason, revoked, from, until) != NULL;
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_TIME_free(revoked);
    return added ? OK : FAIL(NO_MEMORY);
}

static struct status add_answers(struct store_tx *tx, void *argument) {
    struct answering *a = argument;
    OCSP_BASICRESP_free(a->basic); /* of an attempt before */
    a->basic = OCSP_BASICRESP_new();
    TRY(a->basic == NULL ? FAIL(NO_MEMORY) : OK);
    for (int i = 0; i < OCSP_request_onereq_count(a->request); i++) {
        TRY(add_answer(tx, a, OCSP_onereq_get0_id(OCSP_request_onereq_get0(a->request, i))));
    }
    return OK;
}

/* ---- Signing ---- */

/* Has OpenSSL fill in who answers, and when, by signing with the throwaway key as if
 * that were the issuer's. */
static struct status draft(struct answering *a) {
    const struct ca_mint *mint = &a->x->ca->mint;
    X509 *fake = X509_dup(mint->issuers[a->issuer].certificate);
    bool made = fake != NULL && X509_set_pubkey(fake, mint->throwaway) == 1 &&
                OCSP_basic_sign(a->basic, fake, mint->throwaway, EVP_sha256(), NULL,
                                OCSP_NOCERTS) == 1;
    X509_free(fake);
    return made ? OK : FAIL(CRYPTO);
}

static struct status sign(struct answering *a, struct buffer *out) {
    struct ca_finding finding;
    uint8_t *der = NULL;
    TRY(draft(a));
    int len = i2d_OCSP_BASICRESP(a->basic, &der);
    struct status status = len <= 0 ? FAIL(NO_MEMORY)
                                    : ca_signer_ocsp(a->x->ca->mint.signer, a->issuer,
                                                     span_of(der, (size_t)len), out, &finding);
    OPENSSL_free(der);
    return status;
}

/* ---- The answer ---- */

/* `basic` may be NULL, if it is no success. */
static struct status reply(struct ca_exchange *x, int state, OCSP_BASICRESP *basic) {
    OCSP_RESPONSE *response = OCSP_response_create(state, basic);
    uint8_t *der = NULL;
    int len = response == NULL ? -1 : i2d_OCSP_RESPONSE(response, &der);
    struct status status =
        len <= 0 ? FAIL(NO_MEMORY)
                 : ca_reply_bytes(x, 200, "application/ocsp-response", span_of(der, (size_t)len));
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    return status;
}

static bool nonce_fits(OCSP_REQUEST *request) {
    int at = OCSP_REQUEST_get_ext_by_NID(request, NID_id_pkix_OCSP_Nonce, -1);
    return at < 0 || ASN1_STRING_length(X509_EXTENSION_get_data(
                         OCSP_REQUEST_get_ext(request, at))) <= NONCE_MAX + 3;
}

static struct status answer(struct answering *a) {
    struct buffer final = BUFFER_INIT;
    TRY(ca_db_read(a->x->ca->db, add_answers, a));
    (void)OCSP_copy_nonce(a->basic, a->request);
    struct status status = sign(a, &final);
    const uint8_t *at = final.data;
    OCSP_BASICRESP *basic =
        status_ok(status) ? d2i_OCSP_BASICRESP(NULL, &at, (long)final.len) : NULL;
    if (status_ok(status)) {
        status = basic == NULL ? FAIL(CRYPTO)
                               : reply(a->x, OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    }
    OCSP_BASICRESP_free(basic);
    buffer_release(&final);
    return status;
}

static struct status ocsp(struct ca_exchange *x) {
    const struct ca_issuer *issuer =
        ca_issuer_find(x->ca, http_request_parameter(x->request, "issuer"));
    struct answering a = {.x = x};
    if (issuer == NULL || !issuer->ocsp) {
        struct status status = ca_fail(x, ACME_MALFORMED, "there is nothing at this address");
        x->problem.http = 404;
        return status;
    }
    const struct span body = x->request->body;
    const uint8_t *cursor = body.data;
    a.issuer = (size_t)(issuer - x->ca->issuers);
    a.request = body.len == 0 ? NULL : d2i_OCSP_REQUEST(NULL, &cursor, (long)body.len);
    int count = a.request == NULL ? 0 : OCSP_request_onereq_count(a.request);
    struct status status =
        count < 1 || count > REQUESTS_MAX || cursor != body.data + body.len ||
                !nonce_fits(a.request)
            ? reply(x, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST, NULL)
            : answer(&a);
    OCSP_BASICRESP_free(a.basic);
    OCSP_REQUEST_free(a.request);
    return status;
}

const struct ca_endpoint ca_endpoint_ocsp = {.who = CA_WHO_ANYBODY, .run = ocsp};
