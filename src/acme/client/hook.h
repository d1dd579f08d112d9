/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_HOOK_H
#define MOIETY_ACME_CLIENT_HOOK_H

#include "base/status.h"

/*
 * The operator's own program that sets and removes DNS records:
 *
 *   PROGRAM present TYPE IDENTIFIER RECORD VALUE
 *   PROGRAM clean   TYPE IDENTIFIER RECORD VALUE
 *
 * for instance `present dns-01 example.org _acme-challenge.example.org <43 characters>`.
 * `present` returns when the record can be seen everywhere; there may be several
 * values at one name. It gets no standard input and is ended after ten minutes.
 */
struct hook_call {
    const char *action; /* "present" or "clean" */
    const char *type;
    const char *identifier;
    const char *record;
    const char *value;
};

/* Runs it and waits. IO if it can't be started or doesn't exit with 0, TIMEOUT. */
struct status hook_run(const char *program, const struct hook_call *call);

#endif
