/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/jws.h"

#define URN "urn:ietf:params:acme:error:"

enum { SUBPROBLEMS_MAX = 100 };

static const struct row {
    const char *name;
    int http;
    const char *text;
} rows[ACME_ERROR_COUNT] = {
    [ACME_NONE] = {"", 500, "the server gave no reason that ACME knows"},
#define PROBLEM(name, type, http, text) [ACME_##name] = {type, http, text},
#include "acme/problem.def"
#undef PROBLEM
};

const char *acme_error_name(enum acme_error error) { return rows[error].name; }
const char *acme_error_text(enum acme_error error) { return rows[error].text; }
int acme_error_http(enum acme_error error) { return rows[error].http; }

static enum acme_error error_of(const char *type) {
    const size_t prefix = sizeof(URN) - 1;
    if (type != NULL && strncmp(type, URN, prefix) == 0) {
        for (int error = 1; error < ACME_ERROR_COUNT; error++) {
            if (strcmp(rows[error].name, type + prefix) == 0) {
                return (enum acme_error)error;
            }
        }
    }
    return ACME_NONE;
}

/* ---- Writing ---- */

static bool put_text(json_t *object, const char *name, const char *text) {
    return text == NULL || json_put(object, name, json_string(text));
}

static bool put_subproblems(json_t *object, const struct acme_problem *problem) {
    if (problem->subproblem_count == 0) {
        return true;
    }
    json_t *list = json_array();
    bool good = list != NULL;
    for (size_t i = 0; good && i < problem->subproblem_count; i++) {
        good = json_array_append_new(list, acme_problem_json(&problem->subproblems[i])) == 0;
    }
    if (!good) {
        json_decref(list);
        return false;
    }
    return json_put(object, "subproblems", list);
}

/* What is acceptable has to be said (RFC 8555 section 6.2). */
static bool put_algorithms(json_t *object, const struct acme_problem *problem) {
    if (problem->error != ACME_BAD_SIGNATURE_ALGORITHM) {
        return true;
    }
    json_t *list = json_array();
    bool good = list != NULL;
    for (int algorithm = JWS_ES256; good && algorithm < JWS_HS256; algorithm++) {
        good = json_array_append_new(
                   list, json_string(jws_algorithm_name((enum jws_algorithm)algorithm))) == 0;
    }
    return json_put(object, "algorithms", list) && good;
}

json_t *acme_problem_json(const struct acme_problem *problem) {
    const struct row *row = &rows[problem->error];
    const char *detail = problem->detail != NULL ? problem->detail : row->text;
    const int http = problem->http != 0 ? problem->http : row->http;
    char type[sizeof(URN) + 64];
    snprintf(type, sizeof(type), "%s%s", URN, row->name);
    json_t *object = json_object();
    const bool good =
        object != NULL &&
        put_text(object, "type", problem->error == ACME_NONE ? "about:blank" : type) &&
        put_text(object, "title", problem->title) && put_text(object, "detail", detail) &&
        json_put(object, "status", json_integer(http)) &&
        put_text(object, "instance", problem->instance) &&
        (problem->identifier == NULL ||
         json_put(object, "identifier", identifier_json(problem->identifier))) &&
        put_algorithms(object, problem) && put_subproblems(object, problem);
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* ---- Reading ---- */

static struct status read_members(const json_t *object, struct arena *arena,
                                  struct acme_problem *out) {
    const json_int_t http = json_integer_value(json_object_get(object, "status"));
    out->http = http >= 100 && http <= 599 ? (int)http : 0;
    TRY(json_text_copy(object, "type", arena, &out->type));
    TRY(json_text_copy(object, "title", arena, &out->title));
    TRY(json_text_copy(object, "detail", arena, &out->detail));
    TRY(json_text_copy(object, "instance", arena, &out->instance));
    out->error = error_of(out->type);
    struct acme_identifier *identifier = ARENA_NEW(arena, struct acme_identifier);
    if (identifier == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (status_ok(identifier_read(json_object_get(object, "identifier"), arena, identifier))) {
        out->identifier = identifier;
    }
    return OK;
}

static struct status read_subproblems(const json_t *list, struct arena *arena,
                                      struct acme_problem *out) {
    size_t count = json_array_size(list);
    count = count < SUBPROBLEMS_MAX ? count : SUBPROBLEMS_MAX;
    if (count == 0) {
        return OK;
    }
    struct acme_problem *problems = ARENA_ARRAY(arena, struct acme_problem, count);
    if (problems == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        if (json_is_object(item)) {
            TRY(read_members(item, arena, &problems[kept]));
            kept++;
        }
    }
    out->subproblems = problems;
    out->subproblem_count = kept;
    return OK;
}

struct status acme_problem_read(const json_t *object, struct arena *arena,
                                struct acme_problem *out) {
    struct acme_problem problem = {0};
    if (!json_is_object(object)) {
        return FAIL(INVALID_MESSAGE);
    }
    TRY(read_members(object, arena, &problem));
    TRY(read_subproblems(json_object_get(object, "subproblems"), arena, &problem));
    *out = problem;
    return OK;
}
