/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/commit.h"

#include <sodium.h>
#include <stdlib.h>

#include "dap/binding.h"
#include "dap/checksum.h"

/* What a batch bucket gains from one job. */
struct bucket_delta {
    struct batch batch;  /* the bucket as a batch of its own */
    uint8_t key[STORE_BATCH_ID_SIZE];
    size_t key_len;
    uint8_t *agg_share;  /* all reports of the plan, as if none were refused */
    size_t first, count; /* its reports: order[first .. first + count) */
};

struct commit_plan {
    const struct served_task *task;
    const struct verify_batch *batch;
    const struct commit_report *reports;
    size_t count;
    uint32_t *bucket_of; /* of reports[i] */
    size_t *order;       /* the reports' indices, bucket after bucket */
    struct bucket_delta *buckets;
    size_t bucket_count;
    size_t share_size;
    uint8_t param_digest[STORE_DIGEST_SIZE];
    unsigned shard;
};

void commit_bucket_key_time(uint64_t time, uint8_t key[8]) {
    for (int i = 7; i >= 0; i--) {
        key[i] = (uint8_t)time;
        time >>= 8;
    }
}

void commit_param_digest(struct span agg_param, uint8_t digest[STORE_DIGEST_SIZE]) {
    crypto_hash_sha256(digest, agg_param.data, agg_param.len);
}

/* ---- The plan ------------------------------------------------------------- */

static int compare_times(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The distinct times of the plan's reports, in order. */
static struct status distinct_times(const struct commit_plan *plan, struct arena *arena,
                                    uint64_t **out, size_t *distinct) {
    uint64_t *times = ARENA_ARRAY(arena, uint64_t, plan->count);
    if (times == NULL && plan->count > 0) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < plan->count; i++) {
        times[i] = plan->reports[i].time;
    }
    size_t kept = 0;
    if (plan->count > 0) {
        qsort(times, plan->count, sizeof(times[0]), compare_times);
        for (size_t i = 0; i < plan->count; i++) {
            if (kept == 0 || times[kept - 1] != times[i]) {
                times[kept++] = times[i];
            }
        }
    }
    *out = times;
    *distinct = kept;
    return OK;
}

static struct status plan_time_buckets(struct commit_plan *plan, struct arena *arena) {
    uint64_t *times;
    TRY(distinct_times(plan, arena, &times, &plan->bucket_count));
    plan->buckets = ARENA_ARRAY(arena, struct bucket_delta, plan->bucket_count);
    if (plan->buckets == NULL && plan->bucket_count > 0) {
        return FAIL(NO_MEMORY);
    }
    for (size_t b = 0; b < plan->bucket_count; b++) {
        plan->buckets[b].batch = (struct batch){.mode = BATCH_MODE_TIME_INTERVAL,
                                                .interval = {.start = times[b], .duration = 1}};
        plan->buckets[b].key_len = 8;
        commit_bucket_key_time(times[b], plan->buckets[b].key);
    }
    for (size_t i = 0; i < plan->count; i++) {
        const uint64_t *at = bsearch(&plan->reports[i].time, times, plan->bucket_count,
                                     sizeof(times[0]), compare_times);
        plan->bucket_of[i] = (uint32_t)(at - times);
    }
    return OK;
}

static struct status plan_one_bucket(struct commit_plan *plan, const uint8_t *batch_id,
                                     struct arena *arena) {
    plan->bucket_count = plan->count > 0 ? 1 : 0;
    plan->buckets = ARENA_NEW(arena, struct bucket_delta);
    if (plan->buckets == NULL) {
        return FAIL(NO_MEMORY);
    }
    plan->buckets->batch.mode = BATCH_MODE_LEADER_SELECTED;
    plan->buckets->key_len = STORE_BATCH_ID_SIZE;
    memcpy(plan->buckets->batch.id.bytes, batch_id, STORE_BATCH_ID_SIZE);
    memcpy(plan->buckets->key, batch_id, STORE_BATCH_ID_SIZE);
    return OK;
}

/* Puts the reports' indices in the order of their buckets. */
static void plan_order(struct commit_plan *plan) {
    size_t first = 0;
    for (size_t i = 0; i < plan->count; i++) {
        plan->buckets[plan->bucket_of[i]].count++;
    }
    for (size_t b = 0; b < plan->bucket_count; b++) {
        plan->buckets[b].first = first;
        first += plan->buckets[b].count;
        plan->buckets[b].count = 0;
    }
    for (size_t i = 0; i < plan->count; i++) {
        struct bucket_delta *bucket = &plan->buckets[plan->bucket_of[i]];
        plan->order[bucket->first + bucket->count++] = i;
    }
}

static struct status plan_sum(struct commit_plan *plan, struct arena *arena) {
    size_t in_batch = verify_batch_count(plan->batch);
    uint32_t *bucket_of = ARENA_ARRAY(arena, uint32_t, in_batch);
    uint8_t **shares = ARENA_ARRAY(arena, uint8_t *, plan->bucket_count);
    if (bucket_of == NULL || shares == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t b = 0; b < plan->bucket_count; b++) {
        shares[b] = plan->buckets[b].agg_share = ARENA_ARRAY(arena, uint8_t, plan->share_size);
        if (shares[b] == NULL) {
            return FAIL(NO_MEMORY);
        }
        vdaf_agg_init(plan->task->vdaf, shares[b]);
    }
    for (size_t i = 0; i < plan->count; i++) {
        bucket_of[plan->reports[i].index] = plan->bucket_of[i];
    }
    return verify_batch_accumulate(plan->batch, bucket_of, shares, plan->bucket_count);
}

struct status commit_plan_new(const struct served_task *task, struct span agg_param,
                              const uint8_t *batch_id, const struct verify_batch *batch,
                              const struct commit_report reports[], size_t count,
                              struct arena *arena, struct commit_plan **out) {
    struct commit_plan *plan = ARENA_NEW(arena, struct commit_plan);
    uint32_t *bucket_of = ARENA_ARRAY(arena, uint32_t, count);
    size_t *order = ARENA_ARRAY(arena, size_t, count);
    if (plan == NULL || (count > 0 && (bucket_of == NULL || order == NULL))) {
        return FAIL(NO_MEMORY);
    }
    *plan = (struct commit_plan){.task = task,
                                 .batch = batch,
                                 .reports = reports,
                                 .count = count,
                                 .bucket_of = bucket_of,
                                 .order = order,
                                 .share_size = vdaf_agg_share_size(task->vdaf),
                                 .shard = count > 0 ? reports[0].id[0] % COMMIT_SHARDS : 0};
    commit_param_digest(agg_param, plan->param_digest);
    TRY(batch_id == NULL ? plan_time_buckets(plan, arena)
                         : plan_one_bucket(plan, batch_id, arena));
    if (count > 0) {
        plan_order(plan);
        TRY(plan_sum(plan, arena));
    }
    *out = plan;
    return OK;
}

/* ---- In the transaction ---------------------------------------------------- */

static struct status refuse_collected(const struct commit_plan *plan, struct store_tx *tx,
                                      struct arena *arena, enum report_error errors[]) {
    bool *collected = ARENA_ARRAY(arena, bool, plan->bucket_count);
    if (collected == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t b = 0; b < plan->bucket_count; b++) {
        TRY(commit_is_collected(plan->task, tx, &plan->buckets[b].batch, &collected[b]));
    }
    for (size_t i = 0; i < plan->count; i++) {
        errors[i] = collected[plan->bucket_of[i]] ? REPORT_ERROR_BATCH_COLLECTED : REPORT_VALID;
    }
    return OK;
}

enum report_error commit_outcome_error(enum store_outcome outcome) {
    switch (outcome) {
    case STORE_NEW: return REPORT_VALID;
    case STORE_REPLAYED: return REPORT_ERROR_REPORT_REPLAYED;
    case STORE_EXPIRED: break;
    }
    return REPORT_ERROR_REPORT_DROPPED;
}

static struct status commit_ids(const struct commit_plan *plan, struct store_tx *tx,
                                struct arena *arena, enum report_error errors[]) {
    struct store_committed *ids = ARENA_ARRAY(arena, struct store_committed, plan->count);
    enum store_outcome *outcomes = ARENA_ARRAY(arena, enum store_outcome, plan->count);
    size_t *report_of = ARENA_ARRAY(arena, size_t, plan->count);
    uint64_t precision = plan->task->dap.configuration.time_precision;
    size_t count = 0;
    if (ids == NULL || outcomes == NULL || report_of == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < plan->count; i++) {
        if (errors[i] == REPORT_VALID) {
            memcpy(ids[count].id, plan->reports[i].id, STORE_ID_SIZE);
            ids[count].epoch = store_epoch(plan->reports[i].time, precision);
            report_of[count++] = i;
        }
    }
    if (count == 0) {
        return OK;
    }
    TRY(plan->task->role == ROLE_LEADER
            ? store_ids_note(tx, plan->task->dap.id.bytes, ids, count, outcomes)
            : store_ids_commit(tx, plan->task->dap.id.bytes, ids, count, outcomes));
    for (size_t j = 0; j < count; j++) {
        errors[report_of[j]] = commit_outcome_error(outcomes[j]);
    }
    return OK;
}

/* What bucket b gains once the refused reports are out: its share is a copy in
 * the arena. */
static struct status bucket_gain(const struct commit_plan *plan, size_t b,
                                 const enum report_error errors[], struct arena *arena,
                                 struct store_bucket *gain, uint8_t **share) {
    const struct bucket_delta *bucket = &plan->buckets[b];
    *share = ARENA_ARRAY(arena, uint8_t, plan->share_size);
    if (*share == NULL) {
        return FAIL(NO_MEMORY);
    }
    memcpy(*share, bucket->agg_share, plan->share_size);
    *gain = (struct store_bucket){.key = span_of(bucket->key, bucket->key_len),
                                  .agg_share = span_of(*share, plan->share_size),
                                  .time_min = UINT64_MAX};
    for (size_t i = 0; i < bucket->count; i++) {
        size_t r = plan->order[bucket->first + i];
        const struct commit_report *report = &plan->reports[r];
        if (errors[r] != REPORT_VALID) {
            TRY(verify_batch_subtract(plan->batch, report->index, *share));
            continue;
        }
        struct report_id id;
        memcpy(id.bytes, report->id, sizeof(id.bytes));
        checksum_add(gain->checksum, &id);
        gain->report_count++;
        gain->time_min = report->time < gain->time_min ? report->time : gain->time_min;
        gain->time_max = report->time > gain->time_max ? report->time : gain->time_max;
    }
    return OK;
}

static struct status bucket_merge(const struct commit_plan *plan, struct store_tx *tx, size_t b,
                                  const enum report_error errors[], struct arena *arena) {
    struct store_bucket gain, stored;
    const uint8_t *task_id = plan->task->dap.id.bytes;
    uint8_t *share;
    TRY(bucket_gain(plan, b, errors, arena, &gain, &share));
    if (gain.report_count == 0) {
        return OK;
    }
    struct status status = store_bucket_get(tx, arena, task_id, gain.key, plan->param_digest,
                                            plan->shard, &stored);
    if (status_ok(status)) {
        TRY(vdaf_agg_merge(plan->task->vdaf, share, stored.agg_share));
        commit_add_counts(&gain, &stored);
    } else if (status.code != STATUS_NOT_FOUND) {
        return status;
    }
    return store_bucket_put(tx, task_id, plan->param_digest, plan->shard, &gain);
}

static struct status apply(const struct commit_plan *plan, struct store_tx *tx,
                           struct arena *arena, enum report_error errors[]) {
    TRY(refuse_collected(plan, tx, arena, errors));
    TRY(commit_ids(plan, tx, arena, errors));
    for (size_t b = 0; b < plan->bucket_count; b++) {
        TRY(bucket_merge(plan, tx, b, errors, arena));
    }
    return OK;
}

struct status commit_apply(const struct commit_plan *plan, struct store_tx *tx,
                           enum report_error errors[]) {
    struct arena arena = ARENA_INIT;
    struct status status = plan->count > 0 ? apply(plan, tx, &arena, errors) : OK;
    arena_release(&arena);
    return status;
}
