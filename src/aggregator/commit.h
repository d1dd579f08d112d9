/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_COMMIT_H
#define MOIETY_AGGREGATOR_COMMIT_H

#include "aggregator/task.h"
#include "dap/batch.h"
#include "dap/report_check.h"
#include "store/store.h"
#include "vdaf/verify.h"

/*
 * Committing output shares to batch buckets (DAP, "Batch Buckets"), by either
 * role, in two steps:
 *
 * commit_plan_new() sums, outside of any transaction, all reports of a batch
 * that finished into scratch shares, one for each bucket. commit_apply(), in the
 * transaction that ends the job, commits the IDs, takes out again what is
 * refused (replayed, bucket collected, expired) and merges the scratch into the
 * store's buckets. It changes nothing of the plan, so a transaction may run it
 * any number of times.
 */
struct commit_plan;

struct commit_report {
    uint8_t id[STORE_ID_SIZE];
    uint64_t time;  /* in time_precision units */
    size_t index;   /* in the verify batch */
};

/* `reports` are all those of the batch that reached an output share (others are
 * refused in it first), with distinct IDs. `batch_id` is
 * NULL in time-interval mode. `batch`, `reports` and the task are borrowed by
 * the plan, which lives in the arena (with secrets: the scratch). */
struct status commit_plan_new(const struct served_task *task, struct span agg_param,
                              const uint8_t *batch_id, const struct verify_batch *batch,
                              const struct commit_report reports[], size_t count,
                              struct arena *arena, struct commit_plan **out);

/* Commits. `errors[i]` says for report i: REPORT_VALID if committed,
 * else batch_collected, report_replayed or report_dropped. The transaction's
 * scratch memory is its own. */
struct status commit_apply(const struct commit_plan *plan, struct store_tx *tx,
                           enum report_error errors[]);

/* What the draft calls the store's outcome for a report's ID. */
enum report_error commit_outcome_error(enum store_outcome outcome);

/* Bucket keys (store_bucket.key) and the digest of an aggregation parameter. */
enum { COMMIT_SHARDS = 8 };
void commit_bucket_key_time(uint64_t time, uint8_t key[8]);
void commit_param_digest(struct span agg_param, uint8_t digest[STORE_DIGEST_SIZE]);

/* into += from: count, checksum and times, but not the shares. */
void commit_add_counts(struct store_bucket *into, const struct store_bucket *from);

/* Whether reports can have the times of an interval: the store's end before
 * 2^63. Other batches are always fit. */
bool commit_batch_fits(const struct batch *batch);

/* What a batch holds: its buckets and shards, combined. */
struct batch_total {
    struct span agg_share; /* secret; encoded; agg_init() if the batch is empty */
    uint64_t report_count;
    uint8_t checksum[32];
    uint64_t time_min, time_max; /* inclusive; meaningless if report_count is 0 */
};
struct status commit_total(const struct served_task *task, struct store_tx *tx,
                           struct arena *arena, struct span agg_param, const struct batch *batch,
                           struct batch_total *out);
/* Whether any of it was aggregated under another parameter. */
struct status commit_other_param(const struct served_task *task, struct store_tx *tx,
                                 struct span agg_param, const struct batch *batch, bool *found);
/* Whether any of it was collected, and the mark that it is. */
struct status commit_is_collected(const struct served_task *task, struct store_tx *tx,
                                  const struct batch *batch, bool *found);
struct status commit_mark_collected(const struct served_task *task, struct store_tx *tx,
                                    const struct batch *batch);

/* Seals an aggregate share to the collector (DAP, "Aggregate Share Encryption")
 * and appends the encoded HpkeCiphertext. `collection_job_req` is the exact
 * encoding. */
struct status commit_seal(const struct moiety_provider *provider, const struct served_task *task,
                          struct span collection_job_req, struct span agg_share,
                          struct buffer *out);

#endif
