/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "aggregator/pair.h"
#include "aggregator/script.h"

/* Reports that the helper calls too early come back later, maybe in a job with
 * the very bytes of the first. A helper must answer the same request as before,
 * so the leader deletes the first job. */

static struct pair pair;
static struct script script;

/* As a helper does it that names the job. */
static struct relay_verdict reject_early_with_location(struct script *seen,
                                                       const struct relay_request *request) {
    struct relay_verdict verdict = step_reject_early(seen, request);
    verdict.location =
        arena_printf(&seen->arena, "%s/AAAAAAAAAAAAAAAAAAAAAA", request->path);
    return verdict;
}

Test(early, job_is_deleted_at_the_helper) {
    static const struct pair_options options = {.vdaf = "Prio3Count",
                                                .batch_mode = BATCH_MODE_TIME_INTERVAL};
    script_step *const steps[] = {reject_early_with_location, NULL};
    pair_start(&pair, &options);
    script_init(&script, "aggregation_jobs", steps);
    pair.script_argument = &script;
    pair.script = script_run;
    pair_upload_many(&pair, "1", 3, pair_time(&pair));
    pair_wait(&script.count, 2);
    cr_assert_str_eq(script.seen[0].method, "POST");
    cr_assert_str_eq(script.seen[1].method, "DELETE");
    cr_assert_not_null(strstr(script.seen[1].path, "/aggregation_jobs/AAAAAAAAAAAAAAAAAAAAAA"));
    pair_stop(&pair);
    script_release(&script);
}
