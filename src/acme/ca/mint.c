/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/mint.h"

#include <openssl/sha.h>

#include "base/log.h"

/* Signed with the throwaway key. */
static struct status draft(const struct ca_mint *mint, const struct ca_template *template,
                           struct buffer *out) {
    X509 *certificate;
    uint8_t *der = NULL;
    TRY(ca_template_build(template, mint->throwaway, &certificate));
    int len = i2d_X509(certificate, &der);
    struct status status = len > 0 ? buffer_append(out, span_of(der, (size_t)len)) : FAIL(CRYPTO);
    OPENSSL_free(der);
    X509_free(certificate);
    return status;
}

static struct status finish(const struct ca_mint *mint, const struct ca_template *template,
                            int64_t now, struct buffer *drafted, struct buffer *final,
                            struct ca_finding *finding) {
    const struct ca_lint_input input = {
        .profile = template->profile,
        .issuer = template->issuer,
        .policy = mint->policy,
        .now = now,
        .key = template->key,
        .identifiers = template->identifiers,
        .identifier_count = template->identifier_count,
        .must_staple = template->must_staple,
        .der = buffer_span(drafted),
    };
    TRY(ca_lint(&input, finding));
    TRY(ca_signer_certificate(mint->signer, (size_t)(template->issuer - mint->issuers),
                              (size_t)(template->profile - mint->profiles),
                              buffer_span(drafted), final, finding));
    return ca_lint_same(buffer_span(drafted), buffer_span(final), template->issuer, finding);
}

static struct status describe(const struct ca_template *template, struct span der,
                              struct arena *arena, struct ca_certificate *out) {
    *out = (struct ca_certificate){
        .issuer = template->issuer->id,
        .profile = template->profile->name,
        .not_before = template->not_before,
        .not_after = template->not_before + template->profile->lifetime_s - 1,
        .shard = ca_issuer_shard(template->issuer, template->serial),
    };
    memcpy(out->serial, template->serial, sizeof out->serial);
    SHA256(template->key.data, template->key.len, out->key_digest);
    return arena_copy(arena, der, &out->der);
}

/* A while ago, but not before the issuer was valid. */
static int64_t first_second(const struct ca_mint *mint, const struct ca_profile *profile,
                            int64_t now) {
    int64_t first = now - ca_profile_backdate_s(profile);
    int64_t issuer;
    bool known = ca_time_seconds(X509_get0_notBefore(mint->issuers[0].certificate), &issuer);
    return known && issuer > first ? issuer : first;
}

struct status ca_mint_certificate(const struct ca_mint *mint, const struct ca_profile *profile,
                                  struct span key, const struct acme_identifier identifiers[],
                                  size_t count, bool must_staple, int64_t now,
                                  struct arena *arena,
                                  struct ca_certificate *out, struct ca_finding *finding) {
    struct buffer drafted = BUFFER_INIT;
    struct buffer final = BUFFER_INIT;
    struct ca_template template = {
        .profile = profile,
        .issuer = &mint->issuers[0],
        .key = key,
        .identifiers = identifiers,
        .identifier_count = count,
        .must_staple = must_staple,
        .not_before = first_second(mint, profile, now),
    };
    struct status status;
    TRY_GOTO(status, ca_serial_new(template.serial), exit);
    TRY_GOTO(status, draft(mint, &template, &drafted), exit);
    TRY_GOTO(status, finish(mint, &template, now, &drafted, &final, finding), exit);
    status = describe(&template, buffer_span(&final), arena, out);
exit:
    if (status.code == STATUS_VERIFY_FAILED) {
        log_event(LOG_WARN, "a certificate was refused before it was issued",
                  LOG_STRING("lint", finding->lint), LOG_STRING("reason", finding->text));
    }
    buffer_release(&drafted);
    buffer_release(&final);
    return status;
}
