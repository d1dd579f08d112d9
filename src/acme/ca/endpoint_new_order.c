/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "acme/ca/endpoint.h"
#include "wire/base64url.h"

/* newOrder (RFC 8555 section 7.4, RFC 9773 section 5, draft-ietf-acme-profiles). */
struct placement {
    struct ca_exchange *x;
    struct acme_identifier *identifiers;
    size_t count;
    const struct ca_profile *profile;
    bool replaces;
    uint8_t replaced[CA_SERIAL_SIZE];
    struct ca_order_view view;
};

/* ---- What is asked for ---- */

/* Why no order is taken for this identifier; NONE if one is. */
static enum acme_error judge(struct placement *p, const json_t *object,
                             struct acme_identifier *out, const char **detail) {
    out->value = NULL;
    struct status status = identifier_read(object, p->x->arena, out);
    if (status.code == STATUS_UNSUPPORTED_ALGORITHM) {
        *detail = "identifiers are of type dns or ip";
        return ACME_UNSUPPORTED_IDENTIFIER;
    }
    if (!status_ok(status)) {
        *detail = "Domain name contains an invalid character, or the identifier is malformed";
        return ACME_REJECTED_IDENTIFIER;
    }
    if (!ca_policy_allows(&p->x->ca->options->policy, out)) {
        *detail = "this CA issues nothing for this identifier";
        return ACME_REJECTED_IDENTIFIER;
    }
    return ACME_NONE;
}

/* All that is wrong is said at once, a subproblem for each identifier. */
static struct status refuse(struct ca_exchange *x, struct acme_problem problems[], size_t count) {
    enum acme_error error = problems[0].error;
    for (size_t i = 1; i < count; i++) {
        error = problems[i].error == error ? error : ACME_COMPOUND;
    }
    struct status status =
        count == 1 ? ca_fail(x, error, "%s", problems[0].detail)
                   : ca_fail(x, error, "%s (and %zu more problem%s: see the subproblems)",
                             problems[0].detail, count - 1, count == 2 ? "" : "s");
    x->problem.subproblems = problems;
    x->problem.subproblem_count = count;
    return status;
}

static struct status read_identifiers(struct placement *p) {
    struct ca_exchange *x = p->x;
    const json_t *list = json_object_get(x->payload, "identifiers");
    size_t listed = json_array_size(list);
    size_t wrong = 0;
    if (listed == 0) {
        return ca_fail(x, ACME_MALFORMED, "identifiers must be an array, and not an empty one");
    }
    if (listed > IDENTIFIERS_MAX) {
        return ca_fail(x, ACME_MALFORMED, "Order cannot contain more than %d identifiers",
                       IDENTIFIERS_MAX);
    }
    struct acme_problem *problems = ARENA_ARRAY(x->arena, struct acme_problem, listed);
    struct acme_identifier *rejected = ARENA_ARRAY(x->arena, struct acme_identifier, listed);
    p->identifiers = ARENA_ARRAY(x->arena, struct acme_identifier, listed);
    if (problems == NULL || rejected == NULL || p->identifiers == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < listed; i++) {
        struct acme_identifier *read = &p->identifiers[p->count];
        const char *detail = NULL;
        bool twice = false;
        enum acme_error error = judge(p, json_array_get(list, i), read, &detail);
        if (error != ACME_NONE) {
            rejected[i] = *read;
            problems[wrong++] = (struct acme_problem){
                .error = error, .http = acme_error_http(error), .detail = detail,
                .identifier = read->value != NULL ? &rejected[i] : NULL};
            continue;
        }
        for (size_t k = 0; k < p->count; k++) {
            twice = twice || identifier_equal(read, &p->identifiers[k]);
        }
        p->count += !twice;
    }
    return wrong == 0 ? OK : refuse(x, problems, wrong);
}

bool ca_profile_listed(const char *list, const char *name) {
    size_t len = strlen(name);
    if (list[0] == '\0') {
        return true;
    }
    for (const char *at = list; at != NULL && *at != '\0';) {
        size_t word = strcspn(at, " ");
        if (word == len && strncmp(at, name, len) == 0) {
            return true;
        }
        at += word;
        at += strspn(at, " ");
    }
    return false;
}

/* The one that was asked for, or the first that the account may have. */
static struct status choose_profile(struct placement *p) {
    const struct ca_options *o = p->x->ca->options;
    const char *wanted = json_text(p->x->payload, "profile");
    if (wanted == NULL) { /* as eggsampler/acme 3 writes it, for servers that don't mind */
        wanted = json_text(p->x->payload, "Profile");
    }
    for (size_t i = 0; i < o->profile_count; i++) {
        bool allowed = ca_profile_listed(p->x->account.profiles, o->profiles[i].name);
        if (allowed && (wanted == NULL || strcmp(wanted, o->profiles[i].name) == 0)) {
            p->profile = &o->profiles[i];
            return OK;
        }
    }
    return ca_fail(p->x, ACME_INVALID_PROFILE, "this account has no such profile");
}

static struct status check_limits(struct placement *p) {
    struct ca_exchange *x = p->x;
    const struct ca_options *o = x->ca->options;
    char key[DNS_NAME_MAX + 8] = "a:";
    base64url_encode(key + 2, SPAN_OF_ARRAY(x->account.id.bytes));
    if (!ca_limit_take(x->ca->limits, o->account_limit, key, &x->retry_after_s)) {
        return ca_fail(x, ACME_RATE_LIMITED, "this account places too many orders");
    }
    for (size_t i = 0; i < p->count; i++) {
        snprintf(key, sizeof key, "n:%s", p->identifiers[i].value);
        if (!ca_limit_take(x->ca->limits, o->name_limit, key, &x->retry_after_s)) {
            return ca_fail(x, ACME_RATE_LIMITED, "too many orders for %s",
                           p->identifiers[i].value);
        }
    }
    return OK;
}

static struct status read_replaces(struct placement *p) {
    const char *replaces = json_text(p->x->payload, "replaces");
    if (replaces == NULL) {
        return OK;
    }
    p->replaces = true;
    p->view.order.replaces = arena_printf(p->x->arena, "%s", replaces);
    return status_ok(ca_ari_read(p->x->ca, replaces, p->replaced))
               ? OK
               : ca_fail(p->x, ACME_MALFORMED, "replaces names no certificate of this CA");
}

/* ---- Placing it ---- */

/* NOT_FOUND unless one that was proved before is to be used again. */
static struct status find_proof(struct store_tx *tx, const struct placement *p,
                                const struct acme_identifier *base, bool wildcard,
                                struct ca_id *out) {
    enum { SLACK_S = 60 };
    const struct ca_exchange *x = p->x;
    struct ca_authorization found;
    if (x->ca->options->authorization_lifetime_s == 0) {
        return FAIL(NOT_FOUND);
    }
    TRY(ca_authorization_find(tx, x->arena, &x->account.id, base, wildcard, x->now + SLACK_S,
                              &found));
    /* Whoever removes the record of dns-persist-01 takes the permission back, so that is
     * looked at for each order. */
    if (found.challenge == CHALLENGE_DNS_PERSIST_01) {
        return FAIL(NOT_FOUND);
    }
    *out = found.id;
    return OK;
}

static struct status authorize(struct store_tx *tx, struct placement *p,
                               const struct acme_identifier *identifier, struct ca_id *out) {
    enum { TOKEN_SIZE = 32 };
    struct ca_exchange *x = p->x;
    uint8_t random[TOKEN_SIZE];
    const struct acme_identifier base = {identifier->type, identifier_base(identifier)};
    bool wildcard = identifier_is_wildcard(identifier);
    struct status status = find_proof(tx, p, &base, wildcard, out);
    if (status.code != STATUS_NOT_FOUND) {
        return status;
    }
    struct ca_authorization fresh = {
        .account = x->account.id, .identifier = base, .wildcard = wildcard,
        .state = CA_AUTHORIZATION_PENDING, .expires = p->view.order.expires};
    TRY(RAND_bytes(random, sizeof random) == 1 ? OK : FAIL(CRYPTO));
    fresh.token = base64url_string(x->arena, SPAN_OF_ARRAY(random));
    TRY(fresh.token == NULL ? FAIL(NO_MEMORY) : ca_id_new(&fresh.id));
    *out = fresh.id;
    return ca_authorization_put(tx, &fresh);
}

/* It must be the account's, for some name of this order, and not replaced yet. */
static struct status take_replaced(struct store_tx *tx, struct placement *p) {
    struct ca_certificate replaced;
    struct acme_identifier *names;
    size_t count;
    bool shared = false;
    struct status status = ca_certificate_get(tx, p->x->arena, p->replaced, &replaced);
    if (status.code == STATUS_NOT_FOUND || (status_ok(status) && (!replaced.has_account ||
                    !ca_id_equal(&replaced.account, &p->x->account.id)))) {
        return ca_fail(p->x, ACME_UNAUTHORIZED, "replaces names no certificate of this account");
    }
    TRY(status);
    const uint8_t *at = replaced.der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)replaced.der.len);
    GENERAL_NAMES *alternatives =
        certificate == NULL ? NULL
                            : X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    status = identifiers_of_names(alternatives, p->x->arena, &names, &count);
    GENERAL_NAMES_free(alternatives);
    X509_free(certificate);
    TRY(status);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < p->count; k++) {
            shared = shared || identifier_equal(&names[i], &p->identifiers[k]);
        }
    }
    if (!shared) {
        return ca_fail(p->x, ACME_MALFORMED, "the replaced certificate has none of these names");
    }
    status = ca_certificate_replace(tx, p->replaced, &p->view.order.id);
    return status.code == STATUS_CONFLICT
               ? ca_fail(p->x, ACME_ALREADY_REPLACED, "that certificate already has a replacement order")
               : status;
}

static struct status place(struct store_tx *tx, void *argument) {
    struct placement *p = argument;
    struct ca_order *order = &p->view.order;
    struct ca_id *authorizations = ARENA_ARRAY(p->x->arena, struct ca_id, p->count);
    if (authorizations == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < p->count; i++) {
        TRY(authorize(tx, p, &p->identifiers[i], &authorizations[i]));
    }
    order->authorizations = authorizations;
    order->authorization_count = p->count;
    if (p->replaces) {
        TRY(take_replaced(tx, p));
    }
    order->state = CA_ORDER_PENDING;
    TRY(ca_order_put(tx, order));
    return ca_order_view(tx, p->x, &order->id, &p->view);
}

static struct status store_identifiers(struct placement *p) {
    json_t *list = json_array();
    bool made = list != NULL;
    for (size_t i = 0; made && i < p->count; i++) {
        made = json_array_append_new(list, identifier_json(&p->identifiers[i])) == 0;
    }
    struct status status =
        made ? ca_json_text(p->x->arena, list, &p->view.order.identifiers) : FAIL(NO_MEMORY);
    json_decref(list);
    return status;
}

static struct status new_order(struct ca_exchange *x) {
    struct placement p = {.x = x};
    struct ca_order *order = &p.view.order;
    if (json_object_get(x->payload, "notBefore") != NULL ||
        json_object_get(x->payload, "notAfter") != NULL) {
        return ca_fail(x, ACME_MALFORMED,
                       "notBefore and notAfter are not taken; the profile gives the lifetime");
    }
    TRY(read_identifiers(&p));
    TRY(choose_profile(&p));
    TRY(read_replaces(&p));
    TRY(check_limits(&p));
    TRY(store_identifiers(&p));
    TRY(ca_id_new(&order->id));
    order->account = x->account.id;
    order->profile = p.profile->name;
    order->created = x->now;
    order->expires = x->now + x->ca->options->order_lifetime_s;
    TRY(ca_db_write_relaxed(x->ca->db, place, &p));
    return ca_order_reply(x, 201, &p.view);
}

const struct ca_endpoint ca_endpoint_new_order = {.who = CA_WHO_ACCOUNT, .run = new_order};
