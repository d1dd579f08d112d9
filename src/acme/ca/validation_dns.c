/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <strings.h>

#include "acme/ca/ca.h"
#include "acme/ca/validation.h"
#include "base/clock.h"

/* Challenges that a TXT record answers. */

/* draft-ietf-acme-dns-persist: the record names this CA and the account, and
 * holds for as long as it stands. */
static bool persist_matches(struct validation *v, const char *text) {
    struct caa_value value;
    char *end;
    bool ours = false;
    if (!status_ok(caa_value_read(text, v->arena, &value))) {
        return false;
    }
    for (size_t i = 0; i < v->options->validation.caa_count; i++) {
        ours = ours || strcasecmp(value.issuer, v->options->validation.caa[i]) == 0;
    }
    const char *account = caa_value_parameter(&value, "accounturi");
    const char *policy = caa_value_parameter(&value, "policy");
    const char *until = caa_value_parameter(&value, "persistUntil");
    if (!ours || account == NULL || strcmp(account, v->account_url) != 0) {
        return false;
    }
    if (v->wildcard && (policy == NULL || strcasecmp(policy, "wildcard") != 0)) {
        return false;
    }
    return until == NULL || (strtoll(until, &end, 10) > (long long)clock_now_s(&clock_system) &&
                             *end == '\0');
}

static bool matches(struct validation *v, const char *text, const char *wanted) {
    return v->type == CHALLENGE_DNS_PERSIST_01 ? persist_matches(v, text)
                                               : strcmp(text, wanted) == 0;
}

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
        return validation_fail(v, ACME_UNAUTHORIZED, "there is no TXT record at %s", name);
    }
    if (!status_ok(status)) {
        return validation_fail(v, ACME_DNS, "the TXT query for %s failed: %s", name,
                               status_text(status.code));
    }
    for (size_t i = 0; i < count; i++) {
        if (matches(v, texts[i], wanted)) {
            return OK;
        }
    }
    return validation_fail(v, ACME_UNAUTHORIZED, "none of %zu TXT records at %s is the right one",
                           count, name);
}
