/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/helper_step.h"

#include "aggregator/keyring.h"
#include "aggregator/prepare.h"
#include "aggregator/report_ids.h"

enum { HELPER = 1 }; /* the VDAF's number of this aggregator */

void helper_step_release(struct helper_step *step) {
    verify_batch_free(step->batch);
    step->batch = NULL;
}

/* ---- What the VDAF made of each report ---------------------------------------- */

/* Notes who is rejected and who is ready, and sums up the ready ones. */
static struct status step_settle(struct helper_step *step) {
    step->ready = ARENA_ARRAY(step->arena, struct commit_report, step->count);
    step->ready_at = ARENA_ARRAY(step->arena, size_t, step->count);
    if (step->count > 0 && (step->ready == NULL || step->ready_at == NULL)) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < step->count; i++) {
        struct helper_report *report = &step->reports[i];
        if (report->error != REPORT_VALID) {
            continue;
        }
        enum verify_state state = pingpong_state(step->batch, report->index);
        if (state == VERIFY_REJECTED) {
            report->error = REPORT_ERROR_VDAF_VERIFY_ERROR;
        } else if (state != VERIFY_CONTINUED) {
            struct commit_report *ready = &step->ready[step->ready_count];
            memcpy(ready->id, report->id.bytes, STORE_ID_SIZE);
            ready->time = report->time;
            ready->index = report->index;
            step->ready_at[step->ready_count++] = i;
        }
    }
    return commit_plan_new(step->task, step->agg_param,
                           step->has_batch ? step->batch_id.bytes : NULL, step->batch,
                           step->ready, step->ready_count, step->arena, &step->plan);
}

/* ---- Step 0 --------------------------------------------------------------------- */

struct watermark_read {
    const struct served_task *task;
    uint64_t epoch;
};

static struct status read_watermark(struct store_tx *tx, void *argument) {
    struct watermark_read *read = argument;
    return store_watermark_get(tx, read->task->dap.id.bytes, &read->epoch);
}

/* Opens and validates the report shares; `items` are in the arena. */
static struct status open_shares(const struct helper_step *step,
                                 const struct verify_init_list *inits,
                                 struct prepare_item items[]) {
    const struct aggregator_options *options = &step->aggregator->options;
    struct watermark_read watermark = {.task = step->task};
    const struct keyring *keyring;
    for (size_t i = 0; i < inits->count; i++) {
        const struct report_share *share = &inits->items[i].report_share;
        items[i] = (struct prepare_item){.metadata = &share->report_metadata,
                                         .public_share = share->public_share,
                                         .ciphertext = &share->encrypted_input_share};
    }
    TRY(store_run(options->store, STORE_READ, read_watermark, &watermark));
    TRY(keyring_acquire(step->aggregator, &keyring));
    const struct prepare_context context = {.provider = options->provider,
                                            .keyring = keyring,
                                            .task = step->task,
                                            .mode = PREPARE_NEW,
                                            .now_s = clock_now_s(options->clock),
                                            .skew_s = options->clock_skew_s,
                                            .watermark = watermark.epoch};
    struct status status = prepare_items(&context, items, inits->count, step->arena);
    keyring_release(keyring);
    return status;
}

/* Runs the VDAF over the reports that passed. */
static struct status verify_shares(struct helper_step *step, const struct verify_init_list *inits,
                                   const struct prepare_item items[]) {
    const struct task_verify_key *key = task_verify_key(step->task, step->verify_key_id);
    struct verify_input *inputs = ARENA_ARRAY(step->arena, struct verify_input, inits->count);
    struct span *inbound = ARENA_ARRAY(step->arena, struct span, inits->count);
    if (key == NULL || inputs == NULL || inbound == NULL) {
        return key == NULL ? FAIL(INVALID_MESSAGE) : FAIL(NO_MEMORY);
    }
    TRY(verify_batch_new(step->task->vdaf, HELPER, step->agg_param, inits->count, &step->batch));
    for (size_t i = 0; i < inits->count; i++) {
        const struct verify_init *init = &inits->items[i];
        inputs[i] = (struct verify_input){
            .verify_key = key->key,
            .ctx = step->task->vdaf_context,
            .nonce = init->report_share.report_metadata.report_id.bytes,
            .public_share = init->report_share.public_share,
            .input_share = items[i].payload,
        };
        inbound[i] = init->payload;
        if (items[i].error != REPORT_VALID) {
            verify_batch_refuse(step->batch, i, STATUS_INVALID_MESSAGE);
        }
    }
    return pingpong_helper_init(step->batch, inputs, inbound);
}

struct status helper_step_init(struct helper_step *step,
                               const struct aggregation_job_init_req *request,
                               const struct batch_id *batch_id) {
    const struct verify_init_list *inits = &request->verify_inits;
    struct prepare_item *items = ARENA_ARRAY(step->arena, struct prepare_item, inits->count);
    step->reports = ARENA_ARRAY(step->arena, struct helper_report, inits->count);
    if (items == NULL || step->reports == NULL) {
        return FAIL(NO_MEMORY);
    }
    step->count = inits->count;
    step->verify_key_id = request->verification_key_id;
    step->agg_param = request->agg_param;
    step->has_batch = !task_is_time_interval(step->task);
    if (step->has_batch) {
        step->batch_id = *batch_id;
    }
    TRY(open_shares(step, inits, items));
    TRY(verify_shares(step, inits, items));
    for (size_t i = 0; i < inits->count; i++) {
        const struct report_metadata *metadata = items[i].metadata;
        step->reports[i] = (struct helper_report){.id = metadata->report_id,
                                                  .time = metadata->time,
                                                  .index = i,
                                                  .error = items[i].error};
    }
    return step_settle(step);
}

/* ---- The state between steps ------------------------------------------------------ */

bool helper_step_goes_on(const struct helper_step *step) {
    for (size_t i = 0; i < step->count; i++) {
        if (step->reports[i].error == REPORT_VALID &&
            pingpong_state(step->batch, step->reports[i].index) == VERIFY_CONTINUED) {
            return true;
        }
    }
    return false;
}

/* Key id, aggregation parameter, batch ID, the candidates as a vector of (ID,
 * time, index), then the verify batch to the end. */
struct status helper_step_state(const struct helper_step *step, struct buffer *out) {
    struct writer writer = writer_to(out);
    writer_u8(&writer, step->verify_key_id);
    writer_vector(&writer, 4, 0, UINT32_MAX, step->agg_param);
    writer_vector(&writer, 1, 0, STORE_BATCH_ID_SIZE,
                  step->has_batch ? batch_id_span(&step->batch_id) : SPAN_EMPTY);
    size_t mark = writer_begin(&writer, 4);
    for (size_t i = 0; i < step->count; i++) {
        const struct helper_report *report = &step->reports[i];
        if (report->error == REPORT_VALID &&
            pingpong_state(step->batch, report->index) == VERIFY_CONTINUED) {
            writer_bytes(&writer, report_id_span(&report->id));
            writer_u64(&writer, report->time);
            writer_u32(&writer, (uint32_t)report->index);
        }
    }
    writer_end(&writer, 4, 0, UINT32_MAX, mark);
    TRY(writer_finish(&writer));
    return verify_batch_encode(step->batch, out);
}

static struct status candidates_read(struct helper_step *step, struct span encoded) {
    enum { CANDIDATE = 16 + 8 + 4 };
    struct reader reader = reader_of(encoded);
    step->count = encoded.len / CANDIDATE;
    step->reports = ARENA_ARRAY(step->arena, struct helper_report, step->count);
    if (step->reports == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < step->count; i++) {
        reader_copy(&reader, step->reports[i].id.bytes, sizeof(step->reports[i].id.bytes));
        step->reports[i].time = reader_u64(&reader);
        step->reports[i].index = reader_u32(&reader);
    }
    return reader_finish(&reader);
}

static struct status state_read(struct helper_step *step, struct span state) {
    struct reader reader = reader_of(state);
    step->verify_key_id = reader_u8(&reader);
    step->agg_param = reader_vector(&reader, 4, 0, UINT32_MAX);
    struct span batch_id = reader_vector(&reader, 1, 0, STORE_BATCH_ID_SIZE);
    struct span candidates = reader_vector(&reader, 4, 0, UINT32_MAX);
    struct span batch = reader_rest(&reader);
    TRY(reader_finish(&reader));
    step->has_batch = batch_id.len == STORE_BATCH_ID_SIZE;
    if (step->has_batch) {
        memcpy(step->batch_id.bytes, batch_id.data, STORE_BATCH_ID_SIZE);
    }
    TRY(candidates_read(step, candidates));
    return verify_batch_decode(step->task->vdaf, HELPER, step->agg_param, batch, &step->batch);
}

/* ---- Later steps --------------------------------------------------------------------- */

/* Keeps the candidates that the leader names, which stand in the same order;
 * the others it has rejected. */
static struct status step_select(struct helper_step *step,
                                 const struct verify_continue_list *continues,
                                 struct span inbound[]) {
    size_t kept = 0;
    for (size_t i = 0; i < step->count; i++) {
        struct helper_report report = step->reports[i];
        if (kept < continues->count &&
            report_id_compare(&report.id, &continues->items[kept].report_id) == 0) {
            inbound[report.index] = continues->items[kept].payload;
            step->reports[kept++] = report;
        } else {
            verify_batch_refuse(step->batch, report.index, STATUS_INVALID_MESSAGE);
        }
    }
    step->count = kept;
    /* What is left over occurs twice, is out of order or is no candidate. */
    return kept == continues->count ? OK : FAIL(INVALID_MESSAGE);
}

struct status helper_step_continue(struct helper_step *step, struct span state,
                                   const struct aggregation_job_continue_req *request) {
    if (!status_ok(state_read(step, state))) {
        return FAIL(STORE); /* we wrote it ourselves */
    }
    size_t in_batch = verify_batch_count(step->batch);
    struct span *inbound = ARENA_ARRAY(step->arena, struct span, in_batch);
    if (inbound == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(step_select(step, &request->verify_continues, inbound));
    TRY(pingpong_helper_continued(step->batch, inbound));
    return step_settle(step);
}

/* ---- The answer ------------------------------------------------------------------------ */

static struct verify_resp report_answer(const struct helper_step *step,
                                        const struct helper_report *report,
                                        enum report_error error) {
    struct verify_resp resp = {.report_id = report->id};
    if (error != REPORT_VALID) {
        resp.verify_resp_type = VERIFY_RESP_TYPE_REJECT;
        resp.report_error = error;
    } else if (pingpong_state(step->batch, report->index) == VERIFY_FINISHED) {
        resp.verify_resp_type = VERIFY_RESP_TYPE_FINISH;
    } else {
        resp.verify_resp_type = VERIFY_RESP_TYPE_CONTINUE;
        resp.payload = pingpong_outbound(step->batch, report->index);
    }
    return resp;
}

static struct status answer_encode(const struct helper_step *step,
                                   const enum report_error errors[], struct arena *arena,
                                   struct span *out) {
    struct verify_resp *resps = ARENA_ARRAY(arena, struct verify_resp, step->count);
    struct buffer encoded = BUFFER_INIT;
    struct status status;
    if (step->count > 0 && resps == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < step->count; i++) {
        resps[i] = report_answer(step, &step->reports[i], errors[i]);
    }
    const struct aggregation_job_resp response = {.verify_resps = {resps, step->count}};
    TRY_GOTO(status, aggregation_job_resp_encode(&response, &encoded), end);
    status = arena_copy(arena, buffer_span(&encoded), out);
end:
    buffer_release(&encoded);
    return status;
}

struct status helper_step_commit(const struct helper_step *step, struct store_tx *tx,
                                 struct arena *arena, struct report_tally *tally,
                                 struct span *response) {
    enum report_error *errors = ARENA_ARRAY(arena, enum report_error, step->count);
    enum report_error *ready_errors = ARENA_ARRAY(arena, enum report_error, step->ready_count);
    if (errors == NULL || ready_errors == NULL) {
        return FAIL(NO_MEMORY);
    }
    *tally = (struct report_tally){0};
    TRY(commit_apply(step->plan, tx, ready_errors));
    for (size_t i = 0; i < step->count; i++) {
        errors[i] = step->reports[i].error;
        tally->by_error[errors[i]] += errors[i] != REPORT_VALID;
    }
    for (size_t r = 0; r < step->ready_count; r++) {
        errors[step->ready_at[r]] = ready_errors[r];
        tally->by_error[ready_errors[r]]++;
    }
    return answer_encode(step, errors, arena, response);
}
