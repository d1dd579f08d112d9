/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/pem.h>

#include "acme/ca/endpoint.h"
#include "wire/base64url.h"

/* Downloads a certificate with its chain; the alternates are one further path
 * segment away, told by Link (RFC 8555 section 7.4.2). */
static struct status look_up(struct store_tx *tx, struct ca_exchange *x) {
    uint8_t serial[CA_SERIAL_SIZE];
    struct ca_certificate *certificate = ARENA_ARRAY(x->arena, struct ca_certificate, 1);
    struct span text = http_request_parameter(x->request, "serial");
    x->found = certificate;
    if (certificate == NULL) {
        return FAIL(NO_MEMORY);
    }
    return status_ok(base64url_decode(serial, CA_SERIAL_SIZE, text))
               ? ca_certificate_get(tx, x->arena, serial, certificate)
               : FAIL(NOT_FOUND);
}

static struct status find(struct ca_exchange *x, struct ca_certificate **out) {
    TRY(ca_found_check(x, "certificate"));
    *out = x->found;
    return (*out)->has_account && ca_id_equal(&(*out)->account, &x->account.id)
               ? OK
               : ca_fail(x, ACME_UNAUTHORIZED, "this certificate is another account's");
}

/* The certificate as it was stored, which needs no parser. */
static struct status leaf_pem(struct span der, struct buffer *out) {
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    bool written = bio != NULL && PEM_write_bio(bio, PEM_STRING_X509, "", der.data,
                                                (long)der.len) > 0;
    long len = written ? BIO_get_mem_data(bio, &text) : 0;
    struct status status =
        written ? buffer_append(out, span_of(text, (size_t)len)) : FAIL(NO_MEMORY);
    BIO_free(bio);
    return status;
}

static struct status add_links(struct ca_exchange *x, const struct ca_chains *chains,
                               size_t chosen, const char *serial) {
    const char *url = x->ca->options->url;
    for (size_t i = 0; i < chains->count; i++) {
        if (i != chosen) {
            TRY(i == 0 ? ca_header(x, "Link", "<%s/acme/certificate/%s>;rel=\"alternate\"", url,
                                   serial)
                       : ca_header(x, "Link", "<%s/acme/certificate/%s/%zu>;rel=\"alternate\"",
                                   url, serial, i));
        }
    }
    return ca_header(x, "Link", "<%s/log/proof/%s>;rel=\"urn:moiety:log-proof\"",
                     x->ca->options->public_url, serial);
}

static struct status certificate(struct ca_exchange *x) {
    struct ca_certificate *found;
    struct buffer pem = BUFFER_INIT;
    struct span number = http_request_parameter(x->request, "chain");
    TRY(find(x, &found));
    const struct ca_chains *chains = ca_chains_find(x->ca, found->issuer);
    size_t chosen = number.len == 1 ? (size_t)(number.data[0] - '0') : 0;
    const char *serial = base64url_string(x->arena, SPAN_OF_ARRAY(found->serial));
    if (chains == NULL || chosen >= chains->count || number.len > 1) {
        x->found_status = FAIL(NOT_FOUND);
        return ca_found_check(x, "certificate");
    }
    struct status status = serial == NULL ? FAIL(NO_MEMORY) : OK;
    TRY_GOTO(status, status, exit);
    TRY_GOTO(status, leaf_pem(found->der, &pem), exit);
    TRY_GOTO(status, buffer_append(&pem, buffer_span(&chains->items[chosen].pem)), exit);
    TRY_GOTO(status, add_links(x, chains, chosen, serial), exit);
    status = ca_reply_bytes(x, 200, "application/pem-certificate-chain", buffer_span(&pem));
exit:
    buffer_release(&pem);
    return status;
}

const struct ca_endpoint ca_endpoint_certificate = {
    .who = CA_WHO_ACCOUNT, .get = true, .reads = true, .look_up = look_up, .run = certificate};
