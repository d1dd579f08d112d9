/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/solo.h"

#include "dap/binding.h"
#include "dap/checksum.h"

static struct span encoded(struct solo *solo, struct buffer *buffer) {
    struct span out;
    must(arena_copy(&solo->arena, buffer_span(buffer), &out));
    buffer_release(buffer);
    return out;
}

static struct span context(struct solo *solo) {
    uint8_t *bytes = ARENA_ARRAY(&solo->arena, uint8_t, TASK_VDAF_CONTEXT_SIZE);
    task_vdaf_context(&solo->dap.id, bytes);
    return span_of(bytes, TASK_VDAF_CONTEXT_SIZE);
}

/* ---- Clients ------------------------------------------------------------------ */

static void shard(struct solo *solo, const char *measurement, struct report *report,
                  struct span shares[2]) {
    uint64_t *values = ARENA_ARRAY(&solo->arena, uint64_t, vdaf_measurement_len(solo->vdaf));
    uint8_t *rand = ARENA_ARRAY(&solo->arena, uint8_t, vdaf_rand_size(solo->vdaf));
    must(vdaf_parse_measurement(solo->vdaf, span_of_string(measurement), values));
    cr_assert_eq(hpke_provider_default()->random(rand, vdaf_rand_size(solo->vdaf)), 0);
    struct shard_input input = {context(solo), report->report_metadata.report_id.bytes, rand,
                                values};
    struct shard_output output = {.input_shares = shares};
    must(vdaf_shard(solo->vdaf, &input, 1, &solo->arena, &output));
    report->public_share = output.public_share;
    shares[0] = output.input_shares[0];
    shares[1] = output.input_shares[1];
}

static struct hpke_ciphertext encrypt(struct solo *solo, const struct report *report,
                                      enum role receiver, struct span share, enum spoil spoil) {
    static const struct extension unknown = {.extension_type = (enum extension_type)9};
    const struct hpke_key *key =
        receiver == solo->options.role ? &solo->own_key : &solo->other_key;
    struct hpke_config config = hpke_key_config(key);
    struct hpke_ciphertext out = {.config_id = key->id};
    struct plaintext_input_share plain = {.payload = share};
    struct buffer bytes = BUFFER_INIT;
    struct span aad;
    if (spoil == UNKNOWN_PRIVATE_EXTENSION) {
        plain.private_extensions = (struct extension_list){&unknown, 1};
    }
    must(plaintext_input_share_encode(&plain, &bytes));
    if (spoil == NOT_A_SHARE) {
        bytes.len--;
    }
    must(input_share_aad_make(&solo->dap, &report->report_metadata, report->public_share,
                              &solo->arena, &aad));
    must(hpke_seal(hpke_provider_default(), &config, input_share_info(receiver), aad,
                   buffer_span(&bytes), &solo->arena, &out.enc, &out.payload));
    buffer_release(&bytes);
    return out;
}

static void flip(struct span bytes) { ((uint8_t *)(uintptr_t)bytes.data)[0] ^= 1; }

struct sample solo_sample(struct solo *solo, const char *measurement, uint64_t time,
                          enum spoil spoil) {
    static const struct extension unknown = {.extension_type = (enum extension_type)7};
    struct sample sample = {.report.report_metadata.time = time};
    struct report *report = &sample.report;
    struct span shares[2];
    cr_assert_eq(hpke_provider_default()->random(report->report_metadata.report_id.bytes, 16), 0);
    if (spoil == UNKNOWN_PUBLIC_EXTENSION) {
        report->report_metadata.public_extensions = (struct extension_list){&unknown, 1};
    }
    shard(solo, measurement, report, shares);
    if (spoil == LONG_PUBLIC_SHARE) {
        uint8_t *longer = ARENA_ARRAY(&solo->arena, uint8_t, report->public_share.len + 1);
        memcpy(longer, report->public_share.len > 0 ? report->public_share.data : longer,
               report->public_share.len);
        report->public_share = span_of(longer, report->public_share.len + 1);
    }
    if (spoil == SHORT_SHARE) {
        shares[1].len--;
    }
    report->leader_encrypted_input_share =
        encrypt(solo, report, ROLE_LEADER, shares[0], GOOD);
    report->helper_encrypted_input_share = encrypt(solo, report, ROLE_HELPER, shares[1], spoil);
    if (spoil == UNKNOWN_LEADER_KEY) {
        report->leader_encrypted_input_share.config_id ^= 0x80;
    } else if (spoil == UNKNOWN_HELPER_KEY) {
        report->helper_encrypted_input_share.config_id ^= 0x80;
    } else if (spoil == BAD_LEADER_CIPHERTEXT) {
        flip(report->leader_encrypted_input_share.payload);
    } else if (spoil == BAD_HELPER_CIPHERTEXT) {
        flip(report->helper_encrypted_input_share.payload);
    }
    sample.leader_share = shares[0];
    return sample;
}

struct span solo_encode(struct solo *solo, const struct sample samples[], size_t count) {
    struct buffer bytes = BUFFER_INIT;
    for (size_t i = 0; i < count; i++) {
        must(report_encode(&samples[i].report, &bytes));
    }
    return encoded(solo, &bytes);
}

/* ---- The leader ------------------------------------------------------------------ */

void hand_encode(struct solo *solo, struct hand_job *job) {
    struct buffer bytes = BUFFER_INIT;
    must(aggregation_job_init_req_encode(&job->request, &bytes));
    job->body = encoded(solo, &bytes);
}

void hand_init(struct solo *solo, struct hand_job *job, const struct sample samples[],
               size_t count, const struct batch_id *batch_id) {
    struct verify_input *inputs = ARENA_ARRAY(&solo->arena, struct verify_input, count);
    *job = (struct hand_job){.samples = samples, .count = count};
    must(verify_batch_new(solo->vdaf, 0, SPAN_EMPTY, count, &job->batch));
    for (size_t i = 0; i < count; i++) {
        inputs[i] = (struct verify_input){
            .verify_key = span_of(solo->verify_key, vdaf_verify_key_size(solo->vdaf)),
            .ctx = context(solo),
            .nonce = samples[i].report.report_metadata.report_id.bytes,
            .public_share =
                span_of(samples[i].report.public_share.data, vdaf_public_share_size(solo->vdaf)),
            .input_share = samples[i].leader_share};
    }
    must(pingpong_leader_init(job->batch, inputs));
    job->inits = ARENA_ARRAY(&solo->arena, struct verify_init, count);
    for (size_t i = 0; i < count; i++) {
        const struct report *report = &samples[i].report;
        struct span outbound;
        cr_assert_eq(pingpong_state(job->batch, i), VERIFY_CONTINUED);
        must(arena_copy(&solo->arena, pingpong_outbound(job->batch, i), &outbound));
        job->inits[i] = (struct verify_init){
            {report->report_metadata, report->public_share, report->helper_encrypted_input_share},
            outbound};
    }
    job->request = (struct aggregation_job_init_req){
        .verification_key_id = SOLO_VERIFY_KEY_ID, .verify_inits = {job->inits, count}};
    if (batch_id != NULL) {
        job->extension.extension_type = AGGREGATION_JOB_EXTENSION_TYPE_LEADER_SELECTED_BATCH_ID;
        must(arena_copy(&solo->arena, batch_id_span(batch_id), &job->extension.extension_data));
        job->request.extensions = (struct aggregation_job_extension_list){&job->extension, 1};
    }
    hand_encode(solo, job);
}

void hand_release(struct hand_job *job) {
    verify_batch_free(job->batch);
    job->batch = NULL;
}

void hand_finish(struct solo *solo, struct hand_job *job, struct span response,
                 struct hand_total *total, enum report_error errors[]) {
    struct aggregation_job_resp resp;
    struct span *inbound = ARENA_ARRAY(&solo->arena, struct span, job->count);
    uint32_t *bucket_of = ARENA_ARRAY(&solo->arena, uint32_t, job->count);
    must(aggregation_job_resp_decode(response, &solo->arena, &resp));
    cr_assert_eq(resp.verify_resps.count, job->count);
    for (size_t i = 0; i < job->count; i++) {
        const struct verify_resp *item = &resp.verify_resps.items[i];
        cr_assert_arr_eq(item->report_id.bytes,
                         job->samples[i].report.report_metadata.report_id.bytes, 16);
        cr_assert_neq(item->verify_resp_type, VERIFY_RESP_TYPE_FINISH);
        errors[i] = REPORT_ERROR_RESERVED;
        if (item->verify_resp_type == VERIFY_RESP_TYPE_REJECT) {
            errors[i] = item->report_error;
            verify_batch_refuse(job->batch, i, STATUS_VERIFY_FAILED);
        }
        inbound[i] = item->payload;
    }
    must(pingpong_leader_continued(job->batch, inbound));
    if (total->agg_share == NULL) {
        total->agg_share = ARENA_ARRAY(&solo->arena, uint8_t, vdaf_agg_share_size(solo->vdaf));
        vdaf_agg_init(solo->vdaf, total->agg_share);
    }
    must(verify_batch_accumulate(job->batch, bucket_of, &total->agg_share, 1));
    for (size_t i = 0; i < job->count; i++) {
        if (errors[i] == REPORT_ERROR_RESERVED) {
            cr_assert_eq(pingpong_state(job->batch, i), VERIFY_FINISHED);
            total->count++;
            checksum_add(total->checksum, &job->samples[i].report.report_metadata.report_id);
        }
    }
}

struct span hand_share_request(struct solo *solo, const struct batch *query_batch,
                               const struct batch *batch, const struct hand_total *total,
                               struct span *collection_job_req) {
    struct aggregate_share_req request = {.report_count = total->count};
    struct buffer first = BUFFER_INIT, all = BUFFER_INIT;
    memcpy(request.checksum, total->checksum, sizeof(request.checksum));
    must(batch_to_query(query_batch, &solo->arena, &request.collection_job_req.query));
    must(batch_to_selector(batch, &solo->arena, &request.batch_selector));
    must(collection_job_req_encode(&request.collection_job_req, &first));
    must(aggregate_share_req_encode(&request, &all));
    *collection_job_req = encoded(solo, &first);
    return encoded(solo, &all);
}

void hand_result(struct solo *solo, struct span collection_job_req, struct span response,
                 const struct hand_total *total, vdaf_value values[]) {
    struct aggregate_share share;
    struct hpke_open_item item = {.key = &solo->collector_key,
                                  .info = aggregate_share_info(ROLE_HELPER)};
    must(aggregate_share_decode(response, &solo->arena, &share));
    cr_assert_eq(share.encrypted_aggregate_share.config_id, solo->collector_key.id);
    item.enc = share.encrypted_aggregate_share.enc;
    item.ciphertext = share.encrypted_aggregate_share.payload;
    must(aggregate_share_aad_make(&solo->dap, collection_job_req, &solo->arena, &item.aad));
    must(hpke_open_batch(hpke_provider_default(), &item, 1, &solo->arena));
    cr_assert_eq(item.verdict, STATUS_OK);
    const struct span shares[2] = {
        span_of(total->agg_share, vdaf_agg_share_size(solo->vdaf)), item.plaintext};
    must(vdaf_unshard(solo->vdaf, SPAN_EMPTY, shares, total->count, values));
}
