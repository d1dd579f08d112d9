/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/authorization.h"

#include <stdlib.h>

enum { WAIT_MAX_MS = 5000, PATIENCE_MS = 15 * 60 * 1000 };

struct status patience_wait(struct session *session, struct patience *patience,
                            const struct session_answer *answer) {
    uint64_t ms = patience->wait_ms;
    if (answer->has_retry_after && answer->retry_after_s > 0) {
        ms = answer->retry_after_s * 1000;
    } else {
        patience->wait_ms = ms * 2 < WAIT_MAX_MS ? ms * 2 : WAIT_MAX_MS;
    }
    patience->waited_ms += ms;
    if (patience->waited_ms > PATIENCE_MS) {
        return session_fail(session, STATUS_TIMEOUT, "the ACME server has not finished in time");
    }
    return session_pause(session, ms);
}

/* One authorisation under way. */
struct authorization {
    struct acme_identifier identifier;
    struct solver_task task;
    bool wildcard;
    bool valid;
    bool presented;
};

/* ---- Choosing a challenge ---- */

/* The name by which a CA wants to find itself in dns-persist-01's record. */
static const char *issuer_name(const json_t *challenge) {
    return json_string_value(json_array_get(json_object_get(challenge, "issuer-domain-names"), 0));
}

static const json_t *choose(const json_t *challenges, const struct solver *solver,
                            enum challenge_type *type) {
    const json_t *best = NULL;
    unsigned best_rank = 0;
    for (size_t i = 0; i < json_array_size(challenges); i++) {
        const json_t *challenge = json_array_get(challenges, i);
        const char *name = json_text(challenge, "type");
        const enum challenge_type offered =
            name == NULL ? CHALLENGE_NONE : challenge_of_name(name);
        const unsigned rank = solver_rank(solver, offered);
        if (rank > 0 && (best == NULL || rank < best_rank) &&
            json_text(challenge, "url") != NULL &&
            (offered != CHALLENGE_DNS_PERSIST_01 || issuer_name(challenge) != NULL)) {
            best = challenge;
            best_rank = rank;
            *type = offered;
        }
    }
    return best;
}

/* What to show for it. */
static struct status prepare(struct session *session, const json_t *challenge,
                             struct authorization *authorization, struct arena *arena) {
    struct solver_task *task = &authorization->task;
    task->identifier = &authorization->identifier;
    TRY(json_text_copy(challenge, "url", arena, &task->url));
    task->record = challenge_record_name(task->type, task->identifier, session->account_url, arena);
    if (task->type == CHALLENGE_DNS_PERSIST_01) {
        task->token = "";
        task->value = challenge_persist_txt(issuer_name(challenge), session->account_url,
                                            authorization->wildcard, arena);
    } else {
        TRY(json_text_copy(challenge, "token", arena, &task->token));
        if (task->token == NULL || !challenge_token_good(task->token)) {
            return session_fail(session, STATUS_INVALID_MESSAGE,
                                "a challenge's token is malformed");
        }
        TRY(challenge_authorization(task->token, session->config.account_key, arena,
                                    &task->authorization));
        task->value = challenge_txt(task->authorization, arena);
    }
    return task->record == NULL || task->value == NULL ? FAIL(NO_MEMORY) : OK;
}

static struct status read_pending(struct session *session, const struct solver *solver,
                                  const json_t *body, struct authorization *authorization,
                                  struct arena *arena) {
    if (!status_ok(identifier_read(json_object_get(body, "identifier"), arena,
                                   &authorization->identifier))) {
        return session_fail(session, STATUS_INVALID_MESSAGE,
                            "an authorisation's identifier is malformed");
    }
    authorization->wildcard = json_is_true(json_object_get(body, "wildcard"));
    const json_t *challenge =
        choose(json_object_get(body, "challenges"), solver, &authorization->task.type);
    if (challenge == NULL) {
        return session_fail(session, STATUS_FORBIDDEN,
                            "%s: the CA offers no challenge that can be answered here",
                            authorization->identifier.value);
    }
    return prepare(session, challenge, authorization, arena);
}

/* ---- Following one ---- */

/* Says why an authorisation didn't become valid: the challenge's own error. */
static struct status refused(struct session *session, const json_t *body, const char *name) {
    const json_t *challenges = json_object_get(body, "challenges");
    struct arena arena = ARENA_INIT;
    struct acme_problem problem = {0};
    for (size_t i = 0; i < json_array_size(challenges) && problem.detail == NULL; i++) {
        const json_t *error = json_object_get(json_array_get(challenges, i), "error");
        struct status ignored = acme_problem_read(error, &arena, &problem);
        (void)ignored; /* most have none */
    }
    const char *state = json_text(body, "status");
    struct status status = session_fail(session, STATUS_FORBIDDEN, "%s is %s: %s %s", name,
                                        state == NULL ? "in no state" : state,
                                        acme_error_name(problem.error),
                                        problem.detail == NULL ? "" : problem.detail);
    session->failure.error = problem.error;
    arena_release(&arena);
    return status;
}

static struct status begin(struct session *session, const struct solver *solver, const char *url,
                           struct authorization *authorization, struct arena *arena) {
    struct session_answer answer;
    TRY(session_post(session, url, NULL, &answer));
    const char *state = json_text(answer.body, "status");
    struct status status = OK;
    authorization->valid = state != NULL && strcmp(state, "valid") == 0;
    if (state == NULL || (!authorization->valid && strcmp(state, "pending") != 0)) {
        status = refused(session, answer.body, url);
    } else if (!authorization->valid) {
        status = read_pending(session, solver, answer.body, authorization, arena);
    }
    session_answer_release(&answer);
    TRY(status);
    if (!authorization->valid) {
        TRY(solver_present(solver, &authorization->task));
        authorization->presented = true;
    }
    return OK;
}

/* An empty object says that the answer stands. */
static struct status respond(struct session *session, const struct authorization *authorization) {
    struct session_answer answer;
    TRY(session_post(session, authorization->task.url, json_object(), &answer));
    session_answer_release(&answer);
    return OK;
}

static struct status wait_valid(struct session *session, const char *url,
                                const struct authorization *authorization) {
    struct patience patience = PATIENCE_INIT;
    for (;;) {
        struct session_answer answer;
        TRY(session_post(session, url, NULL, &answer));
        const char *state = json_text(answer.body, "status");
        const bool valid = state != NULL && strcmp(state, "valid") == 0;
        struct status status = OK;
        if (!valid && (state == NULL || strcmp(state, "pending") != 0)) {
            status = refused(session, answer.body, authorization->identifier.value);
        } else if (!valid) {
            status = patience_wait(session, &patience, &answer);
        }
        session_answer_release(&answer);
        TRY(status);
        if (valid) {
            return OK;
        }
    }
}

/* ---- All of them ---- */

static struct status solve(struct session *session, const struct solver *solver,
                           const json_t *urls, struct authorization *list, size_t count,
                           struct arena *arena) {
    unsigned settle_ms = 0;
    for (size_t i = 0; i < count; i++) {
        TRY(begin(session, solver, json_string_value(json_array_get(urls, i)), &list[i], arena));
        if (list[i].presented) {
            const unsigned ms = solver_settle_ms(solver, &list[i].task);
            settle_ms = ms > settle_ms ? ms : settle_ms;
        }
    }
    TRY(settle_ms > 0 ? session_pause(session, settle_ms) : OK);
    for (size_t i = 0; i < count; i++) {
        if (!list[i].valid) {
            TRY(respond(session, &list[i]));
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!list[i].valid) {
            TRY(wait_valid(session, json_string_value(json_array_get(urls, i)), &list[i]));
        }
    }
    return OK;
}

struct status authorizations_solve(struct session *session, const struct solver *solver,
                                   const json_t *urls) {
    struct arena arena = ARENA_INIT;
    const size_t count = json_array_size(urls);
    struct authorization *list = ARENA_ARRAY(&arena, struct authorization, count + 1);
    struct status status = list == NULL ? FAIL(NO_MEMORY) : OK;
    for (size_t i = 0; i < count && status_ok(status); i++) {
        if (!json_is_string(json_array_get(urls, i)) || count > IDENTIFIERS_MAX) {
            status = session_fail(session, STATUS_INVALID_MESSAGE,
                                  "the order's authorisations are malformed");
        }
    }
    if (status_ok(status)) {
        status = solve(session, solver, urls, list, count, &arena);
        for (size_t i = 0; i < count; i++) {
            if (list[i].presented) {
                solver_clean(solver, &list[i].task);
            }
        }
    }
    arena_release(&arena);
    return status;
}
