/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "acme/ca/ca.h"
#include "acme/ca/validation.h"

/* ---- Values: issuer *(";" name "=" value) (RFC 8659 section 4.2) ---- */

/* A copy of [at, end) without white space at its ends. */
static const char *trimmed(struct arena *arena, const char *at, const char *end) {
    while (at < end && isspace((unsigned char)*at)) {
        at++;
    }
    while (end > at && isspace((unsigned char)end[-1])) {
        end--;
    }
    return arena_printf(arena, "%.*s", (int)(end - at), at);
}

struct status caa_value_read(const char *text, struct arena *arena, struct caa_value *out) {
    const char *end = text + strcspn(text, ";");
    struct caa_value value = {.issuer = trimmed(arena, text, end)};
    while (*end == ';') {
        const char *at = end + 1;
        end = at + strcspn(at, ";");
        const char *equals = memchr(at, '=', (size_t)(end - at));
        const char *whole = trimmed(arena, at, end);
        if (whole != NULL && whole[0] == '\0') {
            continue;
        }
        if (equals == NULL || value.count == CAA_PARAMETERS_MAX) {
            return FAIL(INVALID_MESSAGE);
        }
        struct caa_parameter *parameter = &value.parameters[value.count++];
        parameter->name = trimmed(arena, at, equals);
        parameter->value = trimmed(arena, equals + 1, end);
        if (parameter->name == NULL || parameter->value == NULL || parameter->name[0] == '\0') {
            return FAIL(INVALID_MESSAGE);
        }
    }
    if (value.issuer == NULL) {
        return FAIL(NO_MEMORY);
    }
    *out = value;
    return OK;
}

const char *caa_value_parameter(const struct caa_value *value, const char *name) {
    for (size_t i = 0; i < value->count; i++) {
        if (strcasecmp(value->parameters[i].name, name) == 0) {
            return value->parameters[i].value;
        }
    }
    return NULL;
}

/* ---- Records ---- */

/* RFC 8657: a list of methods holds this one. */
static bool lists_method(const char *methods, const char *method) {
    size_t len = strlen(method);
    for (const char *at = methods;; at++) {
        size_t word = strcspn(at, ",");
        if (word == len && strncmp(at, method, len) == 0) {
            return true;
        }
        at += word;
        if (*at == '\0') {
            return false;
        }
    }
}

static bool value_allows(struct validation *v, const char *text) {
    struct caa_value value;
    if (!status_ok(caa_value_read(text, v->arena, &value))) {
        return false;
    }
    const char *account = caa_value_parameter(&value, "accounturi");
    const char *methods = caa_value_parameter(&value, "validationmethods");
    bool ours = false;
    for (size_t i = 0; i < v->options->validation.caa_count; i++) {
        ours = ours || strcasecmp(value.issuer, v->options->validation.caa[i]) == 0;
    }
    return ours && (account == NULL || strcmp(account, v->account_url) == 0) &&
           (methods == NULL || lists_method(methods, challenge_name(v->type)));
}

/* RFC 8659 section 4: records of the relevant property, of which one must allow;
 * issuewild goes before issue for wildcards; what is critical and unknown forbids. */
static struct status records_judge(struct validation *v, const char *name,
                                   const struct resolver_caa *records, size_t count) {
    bool wild = false;
    bool relevant = false;
    for (size_t i = 0; i < count; i++) {
        const char *property = records[i].property;
        bool known = strcasecmp(property, "issue") == 0 || strcasecmp(property, "iodef") == 0 ||
                     strcasecmp(property, "issuewild") == 0 ||
                     strcasecmp(property, "contactemail") == 0 ||
                     strcasecmp(property, "contactphone") == 0 ||
                     strcasecmp(property, "issuemail") == 0;
        if (!known && records[i].critical) {
            return validation_fail(v, ACME_CAA, "%s has the critical CAA property %s", name,
                                   property);
        }
        wild = wild || (v->wildcard && strcasecmp(property, "issuewild") == 0);
    }
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(records[i].property, wild ? "issuewild" : "issue") == 0) {
            relevant = true;
            if (value_allows(v, records[i].value)) {
                return OK;
            }
        }
    }
    return relevant ? validation_fail(v, ACME_CAA, "the CAA records of %s forbid it", name) : OK;
}

/* The closest name above, or the name itself, that has records decides. */
struct status validation_caa(struct validation *v) {
    if (v->options->validation.caa_count == 0 || v->identifier.type != IDENTIFIER_DNS) {
        return OK;
    }
    for (const char *name = v->identifier.value; name != NULL;) {
        struct resolver_caa *records;
        size_t count;
        struct status status = resolver_caa(&v->resolver, name, v->arena, &records, &count);
        if (status_ok(status) && count > 0) {
            return records_judge(v, name, records, count);
        }
        if (!status_ok(status) && status.code != STATUS_NOT_FOUND) {
            return validation_fail(v, ACME_DNS, "the CAA query for %s failed: %s", name,
                                   status_text(status.code));
        }
        name = strchr(name, '.');
        name = name == NULL ? NULL : name + 1;
    }
    return OK;
}
