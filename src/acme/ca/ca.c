/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/ca.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "acme/ca/context.h"
#include "acme/ca/resolver.h"
#include "acme/certificate.h"
#include "acme/key_info.h"
#include "base/clock.h"
#include "base/log.h"

static struct status complain(const char *what, const char *file) {
    log_event(LOG_ERROR, what, LOG_STRING("file", file));
    return FAIL(INVALID_CONFIG);
}

/* ---- Certificates ---- */

static struct status read_chain(const char *path, STACK_OF(X509) **out) {
    struct buffer pem = BUFFER_INIT;
    char piece[4096];
    size_t len;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return complain("a certificate can't be read", path);
    }
    struct status status = OK;
    while (status_ok(status) && (len = fread(piece, 1, sizeof piece, file)) > 0) {
        status = pem.len + len > CHAIN_BYTES_MAX ? FAIL(TOO_LARGE)
                                                 : buffer_append(&pem, span_of(piece, len));
    }
    fclose(file);
    if (status_ok(status)) {
        status = certificates_read(buffer_span(&pem), out);
    }
    buffer_release(&pem);
    return status_ok(status) ? OK : complain("no certificates can be read here", path);
}

static struct status load_issuer(struct ca *ca, size_t i) {
    const struct ca_options *o = ca->options;
    STACK_OF(X509) *read;
    TRY(read_chain(o->issuers[i].certificate, &read));
    X509 *certificate = sk_X509_shift(read);
    certificates_free(read);
    struct status status =
        ca_issuer_init(&ca->issuers[i], certificate, o->public_url, o->crl_shards);
    if (!status_ok(status)) {
        X509_free(certificate);
        return complain("this is no issuing certificate on P-256", o->issuers[i].certificate);
    }
    ca->issuers[i].ocsp = o->ocsp;
    return OK;
}

/* Issuing certificate and what follows, but a root at the end is left out: a
 * verifier has it or doesn't trust it. */
static struct status write_chain(X509 *issuing, STACK_OF(X509) *above, struct buffer *out) {
    TRY(certificate_write(issuing, out));
    for (int i = 0; i < sk_X509_num(above); i++) {
        X509 *certificate = sk_X509_value(above, i);
        if (X509_NAME_cmp(X509_get_subject_name(certificate),
                          X509_get_issuer_name(certificate)) != 0) {
            TRY(certificate_write(certificate, out));
        }
    }
    return OK;
}

/* An alternate chain begins with another certificate of the same name and key
 * (cross-signed), which then stands for the issuing one. */
static struct status load_chain(const struct ca_issuer *issuer, const char *path,
                                struct buffer *out) {
    STACK_OF(X509) *above;
    TRY(read_chain(path, &above));
    X509 *first = sk_X509_value(above, 0);
    bool crossed = X509_NAME_cmp(X509_get_subject_name(first),
                                 X509_get_subject_name(issuer->certificate)) == 0 &&
                   EVP_PKEY_eq(X509_get0_pubkey(first), X509_get0_pubkey(issuer->certificate)) == 1;
    X509 *issuing = issuer->certificate;
    if (crossed) {
        issuing = sk_X509_shift(above);
    }
    struct status status = OK;
    if (sk_X509_num(above) > 0 &&
        X509_verify(issuing, X509_get0_pubkey(sk_X509_value(above, 0))) != 1) {
        status = complain("this chain does not lead up from the issuing certificate", path);
    }
    if (status_ok(status)) {
        status = write_chain(issuing, above, out);
    }
    if (crossed) {
        X509_free(issuing);
    }
    certificates_free(above);
    return status;
}

static struct status load_chains(struct ca *ca, size_t i) {
    const struct ca_issuer_files *files = &ca->options->issuers[i];
    struct ca_chains *chains = &ca->chains[i];
    chains->items = ARENA_ARRAY(&ca->arena, struct ca_chain, files->chain_count);
    if (chains->items == NULL || files->chain_count == 0 || files->chain_count > 9) {
        return complain("an issuer needs one to nine chains", files->certificate);
    }
    for (size_t k = 0; k < files->chain_count; k++) {
        chains->count = k + 1;
        TRY(load_chain(&ca->issuers[i], files->chains[k], &chains->items[k].pem));
    }
    return OK;
}

static struct status load_issuers(struct ca *ca) {
    size_t count = ca->options->issuer_count;
    ca->issuers = ARENA_ARRAY(&ca->arena, struct ca_issuer, count);
    ca->chains = ARENA_ARRAY(&ca->arena, struct ca_chains, count);
    if (ca->issuers == NULL || ca->chains == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(load_issuer(ca, i));
        TRY(load_chains(ca, i));
    }
    return OK;
}

const struct ca_chains *ca_chains_find(const struct ca *ca, const char *issuer) {
    const struct ca_issuer *found = ca_issuer_find(ca, span_of_string(issuer));
    return found == NULL ? NULL : &ca->chains[found - ca->issuers];
}

const struct ca_issuer *ca_issuer_find(const struct ca *ca, struct span id) {
    for (size_t i = 0; i < ca->options->issuer_count; i++) {
        if (span_equal_vartime(id, span_of_string(ca->issuers[i].id))) {
            return &ca->issuers[i];
        }
    }
    return NULL;
}

/* ---- Life ---- */

static struct status start_signer(struct ca *ca) {
    const struct ca_options *o = ca->options;
    struct ca_key_source *keys = ARENA_ARRAY(&ca->arena, struct ca_key_source, o->issuer_count);
    if (keys == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < o->issuer_count; i++) {
        keys[i] = o->issuers[i].key;
    }
    const struct ca_signer_config config = {
        .issuers = ca->issuers,
        .keys = keys,
        .issuer_count = o->issuer_count,
        .log_key_file = o->log_key_file,
        .log_origin = o->log_origin,
        .passphrase_file = o->passphrase_file,
        .profiles = o->profiles,
        .profile_count = o->profile_count,
        .policy = &o->policy,
    };
    ca->mint = (struct ca_mint){
        .issuers = ca->issuers,
        .issuer_count = o->issuer_count,
        .profiles = o->profiles,
        .profile_count = o->profile_count,
        .policy = &o->policy,
    };
    TRY(ca_signer_start(&config, &ca->mint.signer));
    return key_new(KEY_P256, &ca->mint.throwaway);
}

static struct status make(struct ca *ca) {
    TRY(load_issuers(ca));
    /* Before the database is open, so that the signer has nothing of it. */
    TRY(start_signer(ca));
    TRY(resolver_library_init());
    TRY(ca_db_open(ca->options->database, true, &ca->db));
    TRY(ca_nonces_new(&ca->nonces));
    TRY(ca_limits_new(&ca->limits));
    TRY(ca_key_cache_new(&ca->keys));
    ca->index_link = arena_printf(&ca->arena, "<%s/directory>;rel=\"index\"", ca->options->url);
    return ca->index_link == NULL ? FAIL(NO_MEMORY) : OK;
}

struct status ca_new(const struct ca_options *options, struct ca **out) {
    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return FAIL(NO_MEMORY);
    }
    ca->options = options;
    pthread_mutex_init(&ca->checkpoint, NULL);
    pthread_mutex_init(&ca->trying, NULL);
    struct status status = make(ca);
    if (!status_ok(status)) {
        ca_free(ca);
        return status;
    }
    *out = ca;
    return OK;
}

struct status ca_start(struct ca *ca) {
    const struct work_queue_config work = {
        .threads = ca->options->workers, .name = "ca", .metrics = ca->options->metrics};
    const struct work_queue_config validate = {.threads = ca->options->validation.workers,
                                               .capacity = 8192,
                                               .name = "validate",
                                               .metrics = ca->options->metrics};
    TRY(work_queue_new(&ca->work, &work));
    TRY(work_queue_new(&ca->validate, &validate));
    TRY(ca_crl_start(ca));
    return ca_validation_resume(ca);
}

void ca_stop(struct ca *ca) {
    if (ca->work != NULL && ca->validate != NULL) {
        work_queue_stop(ca->validate);
        work_queue_stop(ca->work);
    }
}

void ca_free(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    work_queue_free(ca->validate);
    work_queue_free(ca->work);
    ca_signer_stop(ca->mint.signer);
    EVP_PKEY_free(ca->mint.throwaway);
    ca_db_close(ca->db);
    ca_nonces_free(ca->nonces);
    ca_limits_free(ca->limits);
    ca_key_cache_free(ca->keys);
    for (size_t i = 0; ca->issuers != NULL && ca->chains != NULL && i < ca->options->issuer_count;
         i++) {
        ca_issuer_release(&ca->issuers[i]);
        for (size_t k = 0; k < ca->chains[i].count; k++) {
            buffer_release(&ca->chains[i].items[k].pem);
        }
    }
    arena_release(&ca->arena);
    pthread_mutex_destroy(&ca->checkpoint);
    pthread_mutex_destroy(&ca->trying);
    free(ca);
}

int ca_signer_pid(const struct ca *ca) { return ca_signer_process(ca->mint.signer); }

/* ---- Its own certificate ---- */

static struct status put_own(struct store_tx *tx, void *argument) {
    return ca_certificate_put(tx, argument);
}

struct status ca_self_issue(struct ca *ca, const struct ca_profile *profile,
                            const char *const *names, size_t count, struct buffer *chain,
                            struct secret *key) {
    struct arena arena = ARENA_INIT;
    struct acme_identifier *identifiers = ARENA_ARRAY(&arena, struct acme_identifier, count + 1);
    struct ca_certificate certificate;
    struct ca_finding finding;
    struct span public_key;
    EVP_PKEY *pair = NULL;
    X509 *leaf = NULL;
    struct status status = identifiers == NULL ? FAIL(NO_MEMORY) : OK;
    for (size_t i = 0; i < count && status_ok(status); i++) {
        status = identifier_parse(names[i], &arena, &identifiers[i]);
    }
    TRY_GOTO(status, status, exit);
    TRY_GOTO(status, key_new(KEY_P256, &pair), exit);
    TRY_GOTO(status, key_info_of(pair, &arena, &public_key), exit);
    TRY_GOTO(status,
             ca_mint_certificate(&ca->mint, profile, public_key, identifiers, count, false,
                                 (int64_t)clock_now_s(&clock_system), &arena, &certificate,
                                 &finding),
             exit);
    TRY_GOTO(status, ca_db_write(ca->db, put_own, &certificate), exit);
    const uint8_t *at = certificate.der.data;
    leaf = d2i_X509(NULL, &at, (long)certificate.der.len);
    TRY_GOTO(status, leaf == NULL ? FAIL(CRYPTO) : certificate_write(leaf, chain), exit);
    TRY_GOTO(status, buffer_append(chain, buffer_span(&ca->chains[0].items[0].pem)), exit);
    status = key_write(pair, key);
exit:
    X509_free(leaf);
    EVP_PKEY_free(pair);
    arena_release(&arena);
    return status;
}
