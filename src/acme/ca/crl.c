/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/x509v3.h>

#include "acme/ca/context.h"
#include "base/clock.h"
#include "base/log.h"

/* CRLs (RFC 5280 section 5): one for each shard of each issuer, with an issuing
 * distribution point that says which. Stored before it is served. */

/* ---- Building one ---- */

static struct status add_entry(X509_CRL *crl, const struct ca_certificate *certificate) {
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_TIME *when = ASN1_TIME_adj(NULL, (time_t)certificate->revoked, 0, 0);
    ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
    BIGNUM *number = BN_bin2bn(certificate->serial, CA_SERIAL_SIZE, NULL);
    bool made = entry != NULL && serial != NULL && when != NULL && reason != NULL &&
                number != NULL && BN_to_ASN1_INTEGER(number, serial) != NULL &&
                X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
                X509_REVOKED_set_revocationDate(entry, when) == 1;
    /* "unspecified" should be left out (section 5.3.1). */
    if (made && certificate->reason != 0) {
        made = ASN1_ENUMERATED_set(reason, certificate->reason) == 1 &&
               X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0) == 1;
    }
    if (made && X509_CRL_add0_revoked(crl, entry) == 1) {
        entry = NULL;
    } else {
        made = false;
    }
    X509_REVOKED_free(entry);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(when);
    ASN1_ENUMERATED_free(reason);
    BN_free(number);
    return made ? OK : FAIL(NO_MEMORY);
}

static struct status add_number(X509_CRL *crl, int64_t value) {
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool added = number != NULL && ASN1_INTEGER_set_int64(number, value) == 1 &&
                 X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1;
    ASN1_INTEGER_free(number);
    return added ? OK : FAIL(NO_MEMORY);
}

static struct status add_authority(X509_CRL *crl, const struct ca_issuer *issuer) {
    AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();
    bool added = id != NULL;
    if (added) {
        id->keyid = ASN1_OCTET_STRING_dup(X509_get0_subject_key_id(issuer->certificate));
        added = id->keyid != NULL &&
                X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, id, 0, 0) == 1;
    }
    AUTHORITY_KEYID_free(id);
    return added ? OK : FAIL(NO_MEMORY);
}

/* Critical, so that no shard passes for the whole list (section 5.2.5). */
static struct status add_point(X509_CRL *crl, const struct ca_issuer *issuer, unsigned shard) {
    char url[CA_URL_MAX];
    ca_issuer_crl_url(issuer, shard, url);
    CONF *conf = NCONF_new(NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    long line;
    bool read = conf != NULL && bio != NULL &&
                BIO_printf(bio, "[point]\nfullname=URI:%s\nonlyuser=TRUE\n", url) > 0 &&
                NCONF_load_bio(conf, bio, &line) == 1;
    X509V3_CTX context;
    X509V3_set_ctx(&context, NULL, NULL, NULL, crl, 0);
    X509V3_set_nconf(&context, conf);
    X509_EXTENSION *extension =
        read ? X509V3_EXT_nconf_nid(conf, &context, NID_issuing_distribution_point,
                                    "critical,@point")
             : NULL;
    bool added = extension != NULL && X509_CRL_add_ext(crl, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    BIO_free(bio);
    NCONF_free(conf);
    return added ? OK : FAIL(CRYPTO);
}

struct making {
    struct ca *ca;
    size_t issuer;
    unsigned shard;
    int64_t now;
    struct arena arena;
    int64_t number;
    struct ca_certificate *revoked;
    size_t count;
};

static struct status set_times(const struct making *m, X509_CRL *crl) {
    ASN1_TIME *from = ASN1_TIME_adj(NULL, (time_t)m->now, 0, 0);
    ASN1_TIME *until =
        ASN1_TIME_adj(NULL, (time_t)(m->now + m->ca->options->crl_lifetime_s - 1), 0, 0);
    bool set = from != NULL && until != NULL && X509_CRL_set1_lastUpdate(crl, from) == 1 &&
               X509_CRL_set1_nextUpdate(crl, until) == 1;
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return set ? OK : FAIL(NO_MEMORY);
}

static struct status fill(const struct making *m, X509_CRL *crl) {
    const struct ca_issuer *issuer = &m->ca->issuers[m->issuer];
    bool set = X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
               X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->certificate)) == 1;
    TRY(set ? OK : FAIL(NO_MEMORY));
    TRY(set_times(m, crl));
    for (size_t i = 0; i < m->count; i++) {
        TRY(add_entry(crl, &m->revoked[i]));
    }
    TRY(add_authority(crl, issuer));
    TRY(add_number(crl, m->number));
    TRY(add_point(crl, issuer, m->shard));
    X509_CRL_sort(crl);
    return X509_CRL_sign(crl, m->ca->mint.throwaway, EVP_sha256()) != 0 ? OK : FAIL(CRYPTO);
}

/* Signed by the signer. */
static struct status build(const struct making *m, struct buffer *out) {
    X509_CRL *crl = X509_CRL_new();
    uint8_t *der = NULL;
    struct ca_finding finding;
    struct status status = crl == NULL ? FAIL(NO_MEMORY) : fill(m, crl);
    if (status_ok(status)) {
        int len = i2d_X509_CRL(crl, &der);
        status = len <= 0 ? FAIL(CRYPTO)
                          : ca_signer_crl(m->ca->mint.signer, m->issuer,
                                          span_of(der, (size_t)len), out, &finding);
    }
    OPENSSL_free(der);
    X509_CRL_free(crl);
    return status;
}

/* ---- The schedule ---- */

enum { TICK_MS = 1000 };

/* NOT_FOUND if the one there is good enough. */
static struct status read_state(struct store_tx *tx, void *argument) {
    struct making *m = argument;
    struct ca_crl crl;
    const struct ca_issuer *issuer = &m->ca->issuers[m->issuer];
    struct status status = ca_crl_get(tx, &m->arena, issuer->id, m->shard, &crl);
    int64_t early = (int64_t)m->ca->options->crl_lifetime_s * 2 / 3;
    if (status_ok(status) && !crl.stale && crl.next_update - early > m->now) {
        return FAIL(NOT_FOUND);
    }
    m->number = status_ok(status) ? crl.number + 1 : 1;
    if (!status_ok(status) && status.code != STATUS_NOT_FOUND) {
        return status;
    }
    return ca_certificate_list_revoked(tx, &m->arena, issuer->id, m->shard, m->now, &m->revoked,
                                       &m->count);
}

struct storing {
    const struct making *m;
    struct ca_crl crl;
};

/* A revocation since it was read leaves it stale. */
static struct status store_crl(struct store_tx *tx, void *argument) {
    struct storing *s = argument;
    const struct making *m = s->m;
    struct arena arena = ARENA_INIT;
    struct ca_certificate *revoked;
    size_t count = 0;
    const char *issuer = m->ca->issuers[m->issuer].id;
    struct status status = ca_certificate_list_revoked(tx, &arena, issuer, m->shard, m->now,
                                                       &revoked, &count);
    for (size_t i = 0; status_ok(status) && i < count && count == m->count; i++) {
        s->crl.stale = s->crl.stale || revoked[i].reason != m->revoked[i].reason;
    }
    arena_release(&arena);
    s->crl.stale = s->crl.stale || count != m->count;
    TRY(status);
    return ca_crl_put(tx, issuer, m->shard, &s->crl);
}

static struct status refresh(struct ca *ca, size_t issuer, unsigned shard) {
    struct making m = {.ca = ca, .issuer = issuer, .shard = shard, .arena = ARENA_INIT,
                       .now = (int64_t)clock_now_s(&clock_system)};
    struct buffer der = BUFFER_INIT;
    struct status status = ca_db_read(ca->db, read_state, &m);
    if (status_ok(status)) {
        status = build(&m, &der);
    }
    if (status_ok(status)) {
        struct storing s = {&m, {.number = m.number, .der = buffer_span(&der),
                                 .next_update = m.now + ca->options->crl_lifetime_s}};
        status = ca_db_write(ca->db, store_crl, &s);
    }
    buffer_release(&der);
    arena_release(&m.arena);
    return status.code == STATUS_NOT_FOUND ? OK : status;
}

static void tick(void *argument, bool cancelled) {
    struct ca *ca = argument;
    if (cancelled) {
        return;
    }
    for (size_t i = 0; i < ca->options->issuer_count; i++) {
        for (unsigned shard = 0; shard < ca->issuers[i].shards; shard++) {
            struct status status = refresh(ca, i, shard);
            if (!status_ok(status)) {
                log_event(LOG_ERROR, "a CRL can't be made", LOG_STRING("issuer", ca->issuers[i].id),
                          LOG_INT("shard", shard), LOG_STRING("reason", status_text(status.code)));
            }
        }
    }
    struct status status = work_queue_submit_after_ms(ca->work, TICK_MS, tick, ca);
    if (!status_ok(status) && status.code != STATUS_CANCELLED) {
        log_event(LOG_ERROR, "CRLs are not kept fresh any more");
    }
}

struct status ca_crl_start(struct ca *ca) {
    return work_queue_submit_after_ms(ca->work, 0, tick, ca);
}
