/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "acme/ca/endpoint.h"

/* Authorizations and their challenges (RFC 8555 sections 7.5 and 8). All
 * challenges of an authorization have one token, and the first that is tried
 * decides it. */

struct lookup {
    struct ca_exchange *x;
    struct ca_id id;
    struct ca_authorization authorization;
};

/* ---- Documents ---- */

static const char *state_name(const struct ca_authorization *a, int64_t now) {
    static const char *const names[] = {"pending", "valid", "invalid", "deactivated"};
    bool ended = a->expires <= now;
    return ended && a->state == CA_AUTHORIZATION_PENDING ? "invalid"
           : ended && a->state == CA_AUTHORIZATION_VALID ? "expired"
                                                         : names[a->state];
}

static const char *challenge_state(const struct ca_authorization *a, enum challenge_type type) {
    if (a->challenge != type) {
        return "pending";
    }
    return a->problem != NULL ? "invalid" : a->validated != 0 ? "valid" : "processing";
}

static const char *challenge_url(struct ca_exchange *x, const struct ca_authorization *a,
                                 enum challenge_type type) {
    const char *url = ca_resource_url(x, "challenge", &a->id);
    return url == NULL ? NULL : arena_printf(x->arena, "%s/%s", url, challenge_name(type));
}

/* What draft-ietf-acme-dns-persist has in place of a token. */
static bool put_persist(struct ca_exchange *x, json_t *document) {
    const struct ca_options *o = x->ca->options;
    json_t *names = json_array();
    bool made = names != NULL;
    for (size_t i = 0; made && i < o->validation.caa_count; i++) {
        made = json_array_append_new(names, json_string(o->validation.caa[i])) == 0;
    }
    const char *account = ca_resource_url(x, "account", &x->account.id);
    return json_put(document, "issuer-domain-names", names) && made && account != NULL &&
           json_put(document, "accounturi", json_string(account));
}

static json_t *challenge_json(struct ca_exchange *x, const struct ca_authorization *a,
                              enum challenge_type type) {
    json_t *document = json_object();
    const char *url = challenge_url(x, a, type);
    bool tried = a->challenge == type;
    bool made =
        url != NULL && json_put(document, "type", json_string(challenge_name(type))) &&
        json_put(document, "url", json_string(url)) &&
        json_put(document, "status", json_string(challenge_state(a, type))) &&
        (type == CHALLENGE_DNS_PERSIST_01 ? put_persist(x, document)
                                          : json_put(document, "token", json_string(a->token))) &&
        (!tried || a->validated == 0 || a->problem != NULL ||
         json_put(document, "validated", json_string(ca_time_text(x->arena, a->validated)))) &&
        (!tried || a->problem == NULL ||
         json_put(document, "error", ca_json_stored(a->problem)));
    if (!made) {
        json_decref(document);
        return NULL;
    }
    return document;
}

/* Wildcards are proved by DNS alone (RFC 8555 section 8), addresses never (RFC
 * 8738 section 7); dns-persist-01 needs a name for the CA. */
static bool is_offered(const struct ca_exchange *x, const struct ca_authorization *a,
                       enum challenge_type type) {
    bool by_dns = type == CHALLENGE_DNS_01 || type == CHALLENGE_DNS_ACCOUNT_01 ||
                  type == CHALLENGE_DNS_PERSIST_01;
    if (a->challenge != CHALLENGE_NONE && a->state != CA_AUTHORIZATION_PENDING) {
        return a->challenge == type;
    }
    if (type == CHALLENGE_DNS_PERSIST_01 && x->ca->options->validation.caa_count == 0) {
        return false;
    }
    return a->identifier.type == IDENTIFIER_IP ? !by_dns : !a->wildcard || by_dns;
}

static json_t *authorization_json(struct ca_exchange *x, const struct ca_authorization *a) {
    json_t *document = json_object();
    json_t *challenges = json_array();
    bool made = challenges != NULL;
    for (int type = CHALLENGE_HTTP_01; made && type < CHALLENGE_TYPE_COUNT; type++) {
        if (is_offered(x, a, (enum challenge_type)type)) {
            json_t *challenge = challenge_json(x, a, (enum challenge_type)type);
            made = json_array_append_new(challenges, challenge) == 0;
        }
    }
    made = json_put(document, "challenges", challenges) && made &&
           json_put(document, "identifier", identifier_json(&a->identifier)) &&
           json_put(document, "status", json_string(state_name(a, x->now))) &&
           json_put(document, "expires", json_string(ca_time_text(x->arena, a->expires))) &&
           (!a->wildcard || json_put(document, "wildcard", json_true()));
    if (!made) {
        json_decref(document);
        return NULL;
    }
    return document;
}

/* ---- Finding one ---- */

static struct status read_authorization(struct store_tx *tx, void *argument) {
    struct lookup *lookup = argument;
    return ca_authorization_get(tx, lookup->x->arena, &lookup->id, &lookup->authorization);
}

static struct status look_up(struct store_tx *tx, struct ca_exchange *x) {
    struct lookup *lookup = ARENA_ARRAY(x->arena, struct lookup, 1);
    if (lookup == NULL) {
        return FAIL(NO_MEMORY);
    }
    *lookup = (struct lookup){.x = x};
    x->found = &lookup->authorization;
    TRY(ca_path_id_read(x, "id", &lookup->id));
    return read_authorization(tx, lookup);
}

static struct status find(struct ca_exchange *x, struct ca_authorization **out) {
    TRY(ca_found_check(x, "authorization"));
    *out = x->found;
    return ca_id_equal(&(*out)->account, &x->account.id)
               ? OK
               : ca_fail(x, ACME_UNAUTHORIZED, "this authorization is another account's");
}

static bool is_processing(const struct ca_authorization *a) {
    return a->state == CA_AUTHORIZATION_PENDING && a->challenge != CHALLENGE_NONE;
}

/* ---- An authorization ---- */

static struct status deactivate(struct store_tx *tx, void *argument) {
    struct lookup *lookup = argument;
    TRY(ca_authorization_deactivate(tx, &lookup->id));
    return read_authorization(tx, argument);
}

static struct status reply_authorization(struct ca_exchange *x,
                                         const struct ca_authorization *a) {
    if (is_processing(a)) {
        TRY(ca_header(x, "Retry-After", "1"));
    }
    return ca_reply_json(x, 200, authorization_json(x, a));
}

static void deactivate_run(void *argument, bool cancelled) {
    struct ca_exchange *x = argument;
    struct lookup lookup = {.x = x, .id = x->authorization->id};
    struct status status =
        cancelled ? FAIL(BUSY) : ca_db_write(x->ca->db, deactivate, &lookup);
    if (status_ok(status)) {
        status = reply_authorization(x, &lookup.authorization);
    }
    ca_exchange_end(x, status);
}

static void deactivate_later(struct ca_exchange *x) {
    struct status status = work_queue_submit(x->ca->work, deactivate_run, x);
    if (!status_ok(status)) {
        ca_exchange_end(x, status);
    }
}

static struct status hand_over_about(struct ca_exchange *x, struct ca_authorization *a,
                                     void (*hand_over)(struct ca_exchange *x)) {
    x->authorization = a;
    x->hand_over = hand_over;
    return OK;
}

static struct status authorization(struct ca_exchange *x) {
    struct ca_authorization *a;
    TRY(find(x, &a));
    if (x->payload == NULL) {
        return reply_authorization(x, a);
    }
    const char *state = json_text(x->payload, "status");
    if (state == NULL || strcmp(state, "deactivated") != 0) {
        return ca_fail(x, ACME_MALFORMED,
                       "an authorization's status can become deactivated alone");
    }
    return hand_over_about(x, a, deactivate_later);
}

/* ---- A challenge ---- */

static struct status reply_challenge(struct ca_exchange *x, const struct ca_authorization *a,
                                     enum challenge_type type) {
    const char *url = ca_resource_url(x, "authorization", &a->id);
    if (url == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(ca_header(x, "Link", "<%s>;rel=\"up\"", url));
    if (is_processing(a)) {
        TRY(ca_header(x, "Retry-After", "1"));
    }
    return ca_reply_json(x, 200, challenge_json(x, a, type));
}

void ca_challenge_answer(struct ca_exchange *x, struct status status,
                         const struct ca_authorization *authorization, enum challenge_type type) {
    if (status_ok(status)) {
        status = reply_challenge(x, authorization, type);
    }
    ca_exchange_end(x, status);
}

static void try_later(struct ca_exchange *x) {
    struct status status =
        ca_validation_submit(x->ca, x->authorization, &x->account, x);
    if (!status_ok(status)) {
        ca_exchange_end(x, status);
    }
}

/* Asking again for what is under way or done changes nothing. */
static struct status challenge(struct ca_exchange *x) {
    struct ca_authorization *a;
    struct span name = http_request_parameter(x->request, "type");
    const char *text = arena_printf(x->arena, "%.*s", (int)name.len, (const char *)name.data);
    TRY(find(x, &a));
    enum challenge_type type = text == NULL ? CHALLENGE_NONE : challenge_of_name(text);
    if (type == CHALLENGE_NONE || !is_offered(x, a, type)) {
        struct status status = ca_fail(x, ACME_MALFORMED, "there is no such challenge");
        x->problem.http = 404;
        return status;
    }
    if (x->payload == NULL || a->state != CA_AUTHORIZATION_PENDING ||
        a->challenge != CHALLENGE_NONE || ca_validation_runs(x->ca, &a->id)) {
        return reply_challenge(x, a, type);
    }
    if (a->expires <= x->now) {
        return ca_fail(x, ACME_MALFORMED, "the authorization expired");
    }
    TRY(ca_validation_check_room(x->ca));
    a->challenge = type;
    return hand_over_about(x, a, try_later);
}

const struct ca_endpoint ca_endpoint_authorization = {
    .who = CA_WHO_ACCOUNT, .either = true, .reads = true, .look_up = look_up, .run = authorization};
const struct ca_endpoint ca_endpoint_challenge = {
    .who = CA_WHO_ACCOUNT, .either = true, .reads = true, .look_up = look_up, .run = challenge};
