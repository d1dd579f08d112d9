/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BASE_STATUS_H
#define MOIETY_BASE_STATUS_H

#include <stdbool.h>

/*
 * The result of anything that can fail.
 *
 * A status is a struct so that it can't be mistaken for an integer or tested
 * for truth, and every function that returns one must have its result used.
 * The codes, their texts, DAP problem types and HTTP statuses come from one
 * table, status.def. On failure, out-parameters are untouched unless the
 * function says otherwise.
 */
enum status_code {
#define STATUS(name, text, problem, http) STATUS_##name,
#include "base/status.def"
#undef STATUS
    STATUS_COUNT
};

struct [[nodiscard]] status {
    enum status_code code;
};

#define OK ((struct status){STATUS_OK})
#define FAIL(name) ((struct status){STATUS_##name})

/* Returns from the calling function if `expression` failed. Only for functions
 * that own nothing at that point; others go to their single exit. */
#define TRY(expression)                        \
    do {                                       \
        struct status try_status_ = (expression); \
        if (try_status_.code != STATUS_OK) {   \
            return try_status_;                \
        }                                      \
    } while (0)

/* Jumps to `label` with the failure in `status_variable`. */
#define TRY_GOTO(status_variable, expression, label) \
    do {                                             \
        (status_variable) = (expression);            \
        if ((status_variable).code != STATUS_OK) {   \
            goto label;                              \
        }                                            \
    } while (0)

static inline bool status_ok(struct status status) { return status.code == STATUS_OK; }

/* The row of status.def. All strings are static; status_problem() is NULL
 * where DAP registers no problem type. Thread-safe. */
const char *status_name(enum status_code code);
const char *status_text(enum status_code code);
const char *status_problem(enum status_code code);
int status_http(enum status_code code);

#endif
