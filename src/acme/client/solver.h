/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_SOLVER_H
#define MOIETY_ACME_CLIENT_SOLVER_H

#include "acme/client/responder.h"

/* How challenges are answered here: by listeners of ours, or by the hook
 * program for what stands in the DNS. */
struct solver {
    enum challenge_type types[CHALLENGE_TYPE_COUNT]; /* the preferred first; NONE ends them */
    struct responder *responder; /* NULL: no http-01 and tls-alpn-01 */
    struct vault *vault;         /* through which other replicas answer too; NULL: none do */
    const struct clock *clock;   /* with a vault */
    const char *hook;            /* NULL: nothing in the DNS */
};

/* One challenge that a server offered. Strings borrow. */
struct solver_task {
    enum challenge_type type; /* NONE: none that can be answered here */
    const struct acme_identifier *identifier; /* without "*." */
    const char *url;
    const char *token;         /* "" for dns-persist-01 */
    const char *authorization; /* NULL for dns-persist-01 */
    const char *record;        /* name and value, for those in the DNS */
    const char *value;
};

/* Whether this type is wanted and can be answered; the lower the better, 0 if not. */
unsigned solver_rank(const struct solver *solver, enum challenge_type type);

/* How long to wait until what was presented can be seen wherever a server looks. */
unsigned solver_settle_ms(const struct solver *solver, const struct solver_task *task);

/* Makes the answer visible; and takes it away again, unless it is dns-persist-01's,
 * which is to stay. NO_MEMORY, CRYPTO, and what hook_run() or the vault says. */
struct status solver_present(const struct solver *solver, const struct solver_task *task);
void solver_clean(const struct solver *solver, const struct solver_task *task);

#endif
