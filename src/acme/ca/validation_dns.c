/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>

#include "acme/ca/ca.h"
#include "acme/ca/validation.h"
#include "base/clock.h"

/* Challenges that a TXT record answers. */

/* ---- dns-persist-01 ---- */

/* How near a record comes to the right one (draft-ietf-acme-dns-persist). */
enum verdict {
    NOT_OURS,
    WITHOUT_ACCOUNT,
    WITH_BAD_TIME,
    OTHER_ACCOUNT,
    OTHER_POLICY,
    OVER,
    RIGHT,
};

static bool names_us(const struct validation *v, const struct caa_value *value) {
    for (size_t i = 0; i < v->options->validation.caa_count; i++) {
        if (strcasecmp(value->issuer, v->options->validation.caa[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Seconds since 1970; a record without a time holds for as long as it stands. */
static bool read_until(const char *text, long long *out) {
    char *end;
    *out = LLONG_MAX;
    if (text == NULL) {
        return true;
    }
    errno = 0;
    *out = strtoll(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

/* The record names this CA and the account. */
static enum verdict judge(struct validation *v, const char *text) {
    struct caa_value value;
    long long until;
    if (!status_ok(caa_value_read(text, v->arena, &value)) || !names_us(v, &value)) {
        return NOT_OURS;
    }
    const char *account = caa_value_parameter(&value, "accounturi");
    const char *policy = caa_value_parameter(&value, "policy");
    if (account == NULL) {
        return WITHOUT_ACCOUNT;
    }
    if (!read_until(caa_value_parameter(&value, "persistUntil"), &until)) {
        return WITH_BAD_TIME;
    }
    if (strcmp(account, v->account_url) != 0) {
        return OTHER_ACCOUNT;
    }
    if (v->wildcard && (policy == NULL || strcasecmp(policy, "wildcard") != 0)) {
        return OTHER_POLICY;
    }
    return until > (long long)clock_now_s(&clock_system) ? RIGHT : OVER;
}

/* Of several records, what is wrong with the one that comes nearest. */
static struct status validate_persist(struct validation *v, const char *name,
                                      const char *const texts[], size_t count) {
    static const struct {
        enum acme_error error;
        const char *text;
    } reasons[] = {
        [NOT_OURS] = {ACME_UNAUTHORIZED, "none of them names this CA"},
        [WITHOUT_ACCOUNT] = {ACME_MALFORMED, "missing mandatory accounturi parameter"},
        [WITH_BAD_TIME] = {ACME_MALFORMED, "malformed persistUntil timestamp"},
        [OTHER_ACCOUNT] = {ACME_UNAUTHORIZED, "accounturi mismatch: it names another account"},
        [OTHER_POLICY] = {ACME_UNAUTHORIZED, "policy mismatch: a wildcard needs policy=wildcard"},
        [OVER] = {ACME_UNAUTHORIZED, "the time of validation is after persistUntil"},
    };
    enum verdict best = NOT_OURS;
    for (size_t i = 0; i < count; i++) {
        enum verdict verdict = judge(v, texts[i]);
        best = verdict > best ? verdict : best;
    }
    return best == RIGHT ? OK
                         : validation_fail(v, reasons[best].error,
                                           "No valid TXT record found at %s: %s", name,
                                           reasons[best].text);
}

/* ---- All ---- */

struct status validation_dns(struct validation *v) {
    const char **texts;
    size_t count;
    const char *name = challenge_record_name(v->type, &v->identifier, v->account_url, v->arena);
    const char *wanted = challenge_txt(v->authorization, v->arena);
    if (name == NULL || wanted == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = resolver_txt(&v->resolver, name, v->arena, &texts, &count);
    if (status.code == STATUS_NOT_FOUND) {
        return validation_fail(v, ACME_UNAUTHORIZED, "No TXT record found at %s", name);
    }
    if (!status_ok(status)) {
        return validation_fail(v, ACME_DNS, "the TXT query for %s failed: %s", name,
                               status_text(status.code));
    }
    if (v->type == CHALLENGE_DNS_PERSIST_01) {
        return validate_persist(v, name, texts, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(texts[i], wanted) == 0) {
            return OK;
        }
    }
    return validation_fail(v, ACME_UNAUTHORIZED, "Incorrect TXT record%s found at %s",
                           count == 1 ? "" : "s", name);
}
