/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "aggregator/commit.h"
#include "dap/binding.h"
#include "dap/checksum.h"
#include "dap/interval.h"

/* The keys of the first and the last bucket of a batch. */
struct key_range {
    uint8_t first[STORE_BATCH_ID_SIZE], last[STORE_BATCH_ID_SIZE];
    size_t len;
};

static struct key_range batch_keys(const struct batch *batch) {
    struct key_range range = {.len = STORE_BATCH_ID_SIZE};
    if (batch->mode == BATCH_MODE_TIME_INTERVAL) {
        commit_bucket_key_time(batch->interval.start, range.first);
        commit_bucket_key_time(interval_end(&batch->interval) - 1, range.last);
        range.len = sizeof(uint64_t);
    } else {
        memcpy(range.first, batch->id.bytes, STORE_BATCH_ID_SIZE);
        memcpy(range.last, batch->id.bytes, STORE_BATCH_ID_SIZE);
    }
    return range;
}

bool commit_batch_fits(const struct batch *batch) {
    return batch->mode != BATCH_MODE_TIME_INTERVAL ||
           interval_end(&batch->interval) <= INT64_MAX;
}

void commit_add_counts(struct store_bucket *into, const struct store_bucket *from) {
    if (into->report_count == 0 || from->time_min < into->time_min) {
        into->time_min = from->time_min;
    }
    if (into->report_count == 0 || from->time_max > into->time_max) {
        into->time_max = from->time_max;
    }
    into->report_count += from->report_count;
    checksum_merge(into->checksum, from->checksum);
}

struct status commit_total(const struct served_task *task, struct store_tx *tx,
                           struct arena *arena, struct span agg_param, const struct batch *batch,
                           struct batch_total *out) {
    struct key_range range = batch_keys(batch);
    size_t share_size = vdaf_agg_share_size(task->vdaf);
    uint8_t *share = ARENA_ARRAY(arena, uint8_t, share_size);
    struct store_bucket total = {0};
    uint8_t digest[STORE_DIGEST_SIZE];
    struct store_bucket *buckets;
    size_t count;
    if (share == NULL) {
        return FAIL(NO_MEMORY);
    }
    commit_param_digest(agg_param, digest);
    TRY(store_bucket_range(tx, arena, task->dap.id.bytes, span_of(range.first, range.len),
                           span_of(range.last, range.len), digest, &buckets, &count));
    vdaf_agg_init(task->vdaf, share);
    for (size_t i = 0; i < count; i++) {
        TRY(vdaf_agg_merge(task->vdaf, share, buckets[i].agg_share));
        commit_add_counts(&total, &buckets[i]);
    }
    *out = (struct batch_total){.agg_share = span_of(share, share_size),
                                .report_count = total.report_count,
                                .time_min = total.time_min,
                                .time_max = total.time_max};
    memcpy(out->checksum, total.checksum, sizeof(out->checksum));
    return OK;
}

struct status commit_other_param(const struct served_task *task, struct store_tx *tx,
                                 struct span agg_param, const struct batch *batch, bool *found) {
    struct key_range range = batch_keys(batch);
    uint8_t digest[STORE_DIGEST_SIZE];
    commit_param_digest(agg_param, digest);
    return store_bucket_other_param(tx, task->dap.id.bytes, span_of(range.first, range.len),
                                    span_of(range.last, range.len), digest, found);
}

struct status commit_is_collected(const struct served_task *task, struct store_tx *tx,
                                  const struct batch *batch, bool *found) {
    const uint8_t *task_id = task->dap.id.bytes;
    return batch->mode == BATCH_MODE_TIME_INTERVAL
               ? store_collected_interval_overlaps(tx, task_id, batch->interval.start,
                                                   batch->interval.duration, found)
               : store_collected_batch_has(tx, task_id, batch->id.bytes, found);
}

struct status commit_mark_collected(const struct served_task *task, struct store_tx *tx,
                                    const struct batch *batch) {
    const uint8_t *task_id = task->dap.id.bytes;
    return batch->mode == BATCH_MODE_TIME_INTERVAL
               ? store_collected_interval_put(tx, task_id, batch->interval.start,
                                              batch->interval.duration)
               : store_collected_batch_put(tx, task_id, batch->id.bytes);
}

struct status commit_seal(const struct moiety_provider *provider, const struct served_task *task,
                          struct span collection_job_req, struct span agg_share,
                          struct buffer *out) {
    struct arena arena = ARENA_INIT;
    struct hpke_ciphertext sealed = {.config_id = task->collector_config.id};
    struct span aad;
    struct status status;
    TRY_GOTO(status, aggregate_share_aad_make(&task->dap, collection_job_req, &arena, &aad), end);
    TRY_GOTO(status,
             hpke_seal(provider, &task->collector_config, aggregate_share_info(task->role), aad,
                       agg_share, &arena, &sealed.enc, &sealed.payload),
             end);
    status = hpke_ciphertext_encode(&sealed, out);
end:
    arena_release(&arena);
    return status;
}
