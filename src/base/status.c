/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <assert.h>
#include <stddef.h>

static const struct {
    const char *name;
    const char *text;
    const char *problem;
    int http;
} rows[] = {
#define STATUS(name, text, problem, http) {#name, text, problem, http},
#include "base/status.def"
#undef STATUS
};

const char *status_name(enum status_code code) {
    assert(code < STATUS_COUNT);
    return rows[code].name;
}

const char *status_text(enum status_code code) {
    assert(code < STATUS_COUNT);
    return rows[code].text;
}

const char *status_problem(enum status_code code) {
    assert(code < STATUS_COUNT);
    return rows[code].problem;
}

int status_http(enum status_code code) {
    assert(code < STATUS_COUNT);
    return rows[code].http;
}
