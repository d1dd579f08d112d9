/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/leader_job.h"

#include <sodium.h>

#include "aggregator/leader_batch.h"
#include "aggregator/prepare.h"
#include "base/log.h"

/* A member, taken apart. */
struct candidate {
    struct report report;
    uint32_t member;
};

struct load {
    struct leader_job *job;
    bool *collected; /* of each member */
    uint64_t watermark;
};

/* Whether reports fell into buckets that were collected (DAP, "Batch Buckets":
 * to be checked before a report joins a job). No later collection can come in
 * between, since it waits for unfinished jobs. */
static struct status load_collected(struct load *load, struct store_tx *tx) {
    const struct leader_job *job = load->job;
    struct batch bucket = {.mode = BATCH_MODE_TIME_INTERVAL};
    for (size_t i = 0; i < job->member_count; i++) {
        uint64_t time = job->members[i].report.time;
        if (i > 0 && time == bucket.interval.start) {
            load->collected[i] = load->collected[i - 1];
            continue;
        }
        bucket.interval = (struct interval){time, 1};
        TRY(commit_is_collected(job->task, tx, &bucket, &load->collected[i]));
    }
    return OK;
}

static struct status load_members(struct store_tx *tx, void *argument) {
    struct load *load = argument;
    struct leader_job *job = load->job;
    TRY(store_job_members(tx, &job->arena, &job->row, &job->members, &job->member_count));
    TRY(store_watermark_get(tx, job->row.task_id, &load->watermark));
    load->collected = ARENA_ARRAY(&job->arena, bool, job->member_count + 1);
    if (load->collected == NULL) {
        return FAIL(NO_MEMORY);
    }
    return job->row.fixed || !task_is_time_interval(job->task) ? OK : load_collected(load, tx);
}

/* ---- Opening and verifying ------------------------------------------------ */

static struct status decode_members(struct leader_job *job, struct candidate candidates[],
                                    struct prepare_item items[], const bool collected[]) {
    for (size_t i = 0; i < job->member_count; i++) {
        struct report *report = &candidates[i].report;
        TRY(report_decode(job->members[i].report.body, &job->arena, report));
        candidates[i].member = (uint32_t)i;
        items[i] = (struct prepare_item){
            .metadata = &report->report_metadata,
            .public_share = report->public_share,
            .ciphertext = &report->leader_encrypted_input_share,
            .error = collected[i] ? REPORT_ERROR_BATCH_COLLECTED : REPORT_VALID,
        };
    }
    return OK;
}

static struct status prepare_members(struct leader_job *job, struct prepare_item items[],
                                     uint64_t watermark) {
    const struct aggregator_options *options = &job->aggregator->options;
    const struct keyring *keyring;
    TRY(keyring_acquire(job->aggregator, &keyring));
    struct prepare_context context = {
        .provider = options->provider,
        .keyring = keyring,
        .task = job->task,
        .mode = job->row.fixed ? PREPARE_REBUILD : PREPARE_NEW,
        .now_s = clock_now_s(options->clock),
        .skew_s = options->clock_skew_s,
        .watermark = job->row.fixed ? 0 : watermark,
    };
    struct status status = prepare_items(&context, items, job->member_count, &job->arena);
    keyring_release(keyring);
    return status;
}

/* Runs the leader's first step of verification for those that were prepared.
 * `candidates` is narrowed to them. */
static struct status verify_members(struct leader_job *job, struct candidate candidates[],
                                    const struct prepare_item items[], size_t *count) {
    const struct task_verify_key *key = task_verify_key(job->task, job->row.verify_key_id);
    struct verify_input *inputs = ARENA_ARRAY(&job->arena, struct verify_input, job->member_count);
    if (key == NULL || inputs == NULL) {
        return key == NULL ? FAIL(UNKNOWN_KEY) : FAIL(NO_MEMORY);
    }
    size_t kept = 0;
    for (size_t i = 0; i < job->member_count; i++) {
        if (items[i].error != REPORT_VALID) {
            job->rejected.by_error[items[i].error]++;
            continue;
        }
        candidates[kept] = candidates[i];
        inputs[kept++] = (struct verify_input){
            .verify_key = key->key,
            .ctx = job->task->vdaf_context,
            .nonce = job->members[i].report.id,
            .public_share = items[i].public_share,
            .input_share = items[i].payload,
        };
    }
    *count = kept;
    if (kept == 0) {
        return OK;
    }
    TRY(verify_batch_new(job->task->vdaf, 0, job->row.agg_param, kept, &job->batch));
    return pingpong_leader_init(job->batch, inputs);
}

static enum report_error error_of_verdict(enum status_code verdict) {
    return verdict == STATUS_INVALID_MESSAGE ? REPORT_ERROR_INVALID_MESSAGE
                                             : REPORT_ERROR_VDAF_VERIFY_ERROR;
}

/* Those that verification went on with stay in the job. */
static struct status select_reports(struct leader_job *job, struct candidate candidates[],
                                    size_t count) {
    job->reports = ARENA_ARRAY(&job->arena, struct job_report, count + 1);
    if (job->reports == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        if (pingpong_state(job->batch, i) == VERIFY_REJECTED) {
            job->rejected.by_error[error_of_verdict(verify_batch_verdict(job->batch, i))]++;
            continue;
        }
        candidates[job->report_count] = candidates[i];
        job->reports[job->report_count++] = (struct job_report){
            candidates[i].member, (uint32_t)i, candidates[i].report.report_metadata.report_id};
    }
    return OK;
}

static struct status encode_init(struct leader_job *job, const struct candidate candidates[]) {
    struct verify_init *inits = ARENA_ARRAY(&job->arena, struct verify_init, job->report_count + 1);
    if (inits == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < job->report_count; i++) {
        const struct report *report = &candidates[i].report;
        inits[i] = (struct verify_init){
            .report_share = {report->report_metadata, report->public_share,
                             report->helper_encrypted_input_share},
            .payload = pingpong_outbound(job->batch, job->reports[i].index),
        };
    }
    struct batch batch = {.mode = job->task->dap.configuration.batch_mode};
    memcpy(batch.id.bytes, job->row.batch_id, sizeof batch.id.bytes);
    struct job_init init = {
        .verification_key_id = job->row.verify_key_id,
        .agg_param = job->row.agg_param,
        .batch = &batch,
        .verify_inits = {inits, job->report_count},
    };
    return job->dialect->encode_init(&init, &job->arena, &job->body);
}

/* ---- Fixing --------------------------------------------------------------- */

struct fix {
    const struct leader_job *job;
    bool *keep;
    uint8_t digest[STORE_DIGEST_SIZE];
};

/* After this the request may have been sent, and can't change. */
static struct status fix_members(struct store_tx *tx, void *argument) {
    struct fix *fix = argument;
    const struct leader_job *job = fix->job;
    TRY(store_job_fix(tx, &job->row, fix->keep, job->member_count, fix->digest));
    TRY(tally_store(&job->rejected, tx, job->row.task_id, "aggregated", "report_rejected"));
    return job->row.has_batch ? leader_batch_shrink(job->task, tx, job->row.batch_id,
                                                    job->member_count - job->report_count)
                              : OK;
}

/* What is durable by now is counted, and the members are those that stayed. */
static void members_fixed(struct leader_job *job) {
    tally_count(&job->rejected, job->aggregator->counts.reports, job->task->id_text, "leader",
                "aggregated");
    job->rejected = (struct report_tally){0};
    for (size_t i = 0; i < job->report_count; i++) {
        job->members[i] = job->members[job->reports[i].member];
        job->reports[i].member = (uint32_t)i;
    }
    job->member_count = job->report_count;
    job->row.fixed = true;
}

static struct status fix_job(struct leader_job *job, const uint8_t digest[STORE_DIGEST_SIZE]) {
    struct fix fix = {.job = job, .keep = ARENA_ARRAY(&job->arena, bool, job->member_count + 1)};
    if (fix.keep == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < job->report_count; i++) {
        fix.keep[job->reports[i].member] = true;
    }
    memcpy(fix.digest, digest, sizeof fix.digest);
    TRY(store_run(job->aggregator->options.store, STORE_WRITE, fix_members, &fix));
    memcpy(job->row.digest, digest, sizeof job->row.digest);
    members_fixed(job);
    return OK;
}

static struct status build_init(struct leader_job *job) {
    struct load load = {.job = job};
    TRY(store_run(job->aggregator->options.store, STORE_READ, load_members, &load));
    struct candidate *candidates =
        ARENA_ARRAY(&job->arena, struct candidate, job->member_count + 1);
    struct prepare_item *items =
        ARENA_ARRAY(&job->arena, struct prepare_item, job->member_count + 1);
    if (candidates == NULL || items == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t count = 0;
    TRY(decode_members(job, candidates, items, load.collected));
    TRY(prepare_members(job, items, load.watermark));
    TRY(verify_members(job, candidates, items, &count));
    TRY(select_reports(job, candidates, count));
    if (job->report_count == 0 && !job->row.fixed) {
        return OK;
    }
    TRY(encode_init(job, candidates));
    uint8_t digest[STORE_DIGEST_SIZE];
    crypto_hash_sha256(digest, job->body.data, job->body.len);
    if (!job->row.fixed) {
        return fix_job(job, digest);
    }
    if (memcmp(digest, job->row.digest, sizeof digest) != 0) {
        log_event(LOG_ERROR, "an aggregation job's request can't be rebuilt as it was",
                  LOG_STRING("task", job->task->id_text),
                  LOG_BYTES("job", SPAN_OF_ARRAY(job->row.id)),
                  LOG_INT("members", job->member_count), LOG_INT("valid", job->report_count));
        return FAIL(INTERNAL);
    }
    return OK;
}

/* ---- Later steps ---------------------------------------------------------- */

/* The stored state: for each report of the verify batch the member that it is,
 * or none if it was refused, and the batch. */
#define STATE_NO_MEMBER UINT32_MAX

struct status leader_job_encode_state(const struct leader_job *job, struct buffer *out) {
    size_t count = verify_batch_count(job->batch);
    struct writer writer = writer_to(out);
    writer_u32(&writer, (uint32_t)count);
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        bool live = next < job->report_count && job->reports[next].index == i;
        writer_u32(&writer, live ? job->reports[next++].member : STATE_NO_MEMBER);
    }
    TRY(writer_finish(&writer));
    return verify_batch_encode(job->batch, out);
}

static struct status decode_state(struct leader_job *job) {
    struct reader reader = reader_of(job->row.state);
    uint32_t count = reader_u32(&reader);
    if (count > reader_left(&reader) / sizeof(uint32_t)) {
        return FAIL(INTERNAL);
    }
    job->reports = ARENA_ARRAY(&job->arena, struct job_report, count + 1u);
    if (job->reports == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t member = reader_u32(&reader);
        if (member == STATE_NO_MEMBER) {
            continue;
        }
        if (member >= job->member_count) {
            return FAIL(INTERNAL);
        }
        struct job_report *report = &job->reports[job->report_count++];
        *report = (struct job_report){.member = member, .index = i};
        memcpy(report->id.bytes, job->members[member].report.id, sizeof report->id.bytes);
    }
    return verify_batch_decode(job->task->vdaf, 0, job->row.agg_param, reader_rest(&reader),
                               &job->batch);
}

static struct status build_continue(struct leader_job *job) {
    struct load load = {.job = job};
    TRY(store_run(job->aggregator->options.store, STORE_READ, load_members, &load));
    TRY(decode_state(job));
    struct verify_continue *items =
        ARENA_ARRAY(&job->arena, struct verify_continue, job->report_count + 1);
    if (items == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < job->report_count; i++) {
        items[i] = (struct verify_continue){job->reports[i].id,
                                            pingpong_outbound(job->batch, job->reports[i].index)};
    }
    struct verify_continue_list list = {items, job->report_count};
    return job->dialect->encode_continue(job->row.step, &list, &job->body);
}

struct status leader_job_build(struct leader_job *job) {
    return job->row.step == 0 ? build_init(job) : build_continue(job);
}
