/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_PROBLEM_H
#define MOIETY_ACME_PROBLEM_H

#include "acme/identifier.h"
#include "acme/json.h"

/*
 * Problem documents (RFC 9457) of ACME's types, with subproblems (RFC 8555
 * sections 6.7 and 6.7.1). Thread-safe.
 */
enum acme_error {
    ACME_NONE, /* no problem; in one that was read: a type that ACME doesn't register */
#define PROBLEM(name, type, http, text) ACME_##name,
#include "acme/problem.def"
#undef PROBLEM
    ACME_ERROR_COUNT
};

/* All strings and arrays borrow. When one is written, 0 or NULL takes what the
 * table says, or leaves the member out. */
struct acme_problem {
    enum acme_error error;
    int http;             /* its `status` member */
    const char *type;     /* as it was read; not written */
    const char *title;
    const char *detail;
    const char *instance; /* with userActionRequired: where somebody must go */
    const struct acme_identifier *identifier; /* of a subproblem: whose it is */
    const struct acme_problem *subproblems;   /* which have none themselves */
    size_t subproblem_count;
};

/* "badNonce"; "" for ACME_NONE. */
const char *acme_error_name(enum acme_error error);
const char *acme_error_text(enum acme_error error);
int acme_error_http(enum acme_error error);

/* An object for json_decref(), to be put in a document of a resource or to be
 * sent as application/problem+json. NULL if out of memory, or if a text isn't
 * UTF-8. */
json_t *acme_problem_json(const struct acme_problem *problem);

/* Reads one leniently: what isn't as it should be is left out, as are
 * subproblems beyond the first hundred. INVALID_MESSAGE if it isn't an object. */
struct status acme_problem_read(const json_t *object, struct arena *arena,
                                struct acme_problem *out);

#endif
