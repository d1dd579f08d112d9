/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_UPLOAD_COMMIT_H
#define MOIETY_AGGREGATOR_UPLOAD_COMMIT_H

#include "aggregator/context.h"

/*
 * Makes uploads durable, many with one commit: whatever comes while a commit is
 * under way goes into the next one, so the cost of a commit is shared exactly
 * when there is load. Who was answered together mostly comes back together, so a
 * group that is smaller than the one before waits a little for the others.
 */
struct pending_upload {
    const struct served_task *task;       /* held by whoever submits */
    const struct store_report *reports;
    size_t count;
    struct report_tally refused;          /* reports refused before, to be counted */

    enum report_error *errors;            /* out: of reports[i]; REPORT_VALID if stored */
    struct status status;                 /* out: TOO_MANY_REQUESTS or the store's failure */
    void (*done)(struct pending_upload *upload); /* may free it */

    struct pending_upload *next;          /* the committer's own */
    int64_t deadline_ns;                  /* of clock_monotonic_ns() */
    bool settled;
};

struct status upload_committer_new(struct aggregator *aggregator, struct upload_committer **out);
void upload_committer_free(struct upload_committer *committer); /* NULL is allowed */

/* Calls done() when it is settled, on a worker. Never waits. */
void upload_commit(struct upload_committer *committer, struct pending_upload *upload);

#endif
