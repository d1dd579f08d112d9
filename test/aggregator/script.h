/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_AGGREGATOR_SCRIPT_H
#define TEST_AGGREGATOR_SCRIPT_H

#include "aggregator/pair.h"

/*
 * A relay script made of a list: what to do with the first, second, ...
 * request of one kind; whatever comes after the list, or is of another kind, is
 * forwarded. It notes what it saw.
 */
enum { SCRIPT_STEPS_MAX = 16, SCRIPT_SEEN_MAX = 256 };

struct script;
/* Makes a verdict out of the request; what it allocates may leak into `arena`. */
typedef struct relay_verdict script_step(struct script *script,
                                         const struct relay_request *request);

struct script {
    const char *kind; /* "aggregation_jobs" or "aggregate_shares" */
    script_step *steps[SCRIPT_STEPS_MAX];
    struct arena arena;
    /* what came, of that kind */
    unsigned count;
    struct {
        char method[8];
        char path[256];
        uint8_t digest[32]; /* of the body */
        int64_t at_ns;
    } seen[SCRIPT_SEEN_MAX];
    unsigned others; /* of paths that are no resource of the task */
};

void script_init(struct script *script, const char *kind, script_step *const steps[]);
void script_release(struct script *script);
relay_script script_run; /* its argument is the script */

/* Whether all requests by this method had the same body, and how many came. */
unsigned script_same_bodies(const struct script *script, const char *method);

/* Steps. */
script_step step_forward, step_error_500, step_lose_answer, step_strip_body, step_401, step_413,
    step_refuse, step_refuse_repeated, step_redirect, step_html, step_garbage, step_missing,
    step_reversed, step_finish, step_reject_invalid, step_reject_reserved, step_reject_early,
    step_foreign_location, step_retry_date, step_retry_huge, step_poll_404, step_batch_mismatch,
    step_continue_reversed, step_continue_again;

#endif
