/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_COUNTS_H
#define MOIETY_AGGREGATOR_COUNTS_H

#include "base/metrics.h"
#include "dap/messages.h"
#include "store/store.h"

/*
 * What happens in tasks, counted twice: as metrics of this process, and for
 * ever in the store, in the transaction in which it happens, under the name
 * "<event>" or "<event>_<reason>".
 */
struct counts {
    struct metric_family *uploads;      /* task, outcome */
    struct metric_family *reports;      /* task, role, outcome: aggregated or rejected_<reason> */
    struct metric_family *jobs;         /* task, role, outcome */
    struct metric_family *collections;  /* task, role, outcome */
    struct metric_family *waiting;      /* task: gauge */
    struct metric_family *seconds;      /* endpoint: histogram */
    struct metric_family *commit_seconds; /* histogram */
    struct metric_family *commit_uploads; /* requests in one commit: histogram */
};

/* `metrics` may be NULL. */
struct status counts_init(struct counts *counts, struct metrics *metrics);
void counts_add(struct metric_family *family, const char *task, const char *role,
                const char *outcome, uint64_t amount);

/* How many reports ended how: filled outside of a transaction, written in one. */
struct report_tally {
    uint64_t by_error[256]; /* [0]: accepted or aggregated */
};
/* Durable: `<accepted>` and `<rejected>_<reason>`, where zero is left out. */
struct status tally_store(const struct report_tally *tally, struct store_tx *tx,
                          const uint8_t task_id[STORE_TASK_ID_SIZE], const char *accepted,
                          const char *rejected);
/* Metrics, after the commit. `role` NULL: the family has no such label. */
void tally_count(const struct report_tally *tally, struct metric_family *family, const char *task,
                 const char *role, const char *accepted);

#endif
