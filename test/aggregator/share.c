/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/solo.h"

/* Aggregate shares of a helper, asked for by hand. */

static struct solo solo;
static const struct solo_options helper = {.role = ROLE_HELPER, .min_batch_size = 2};
static const struct batch hour = {.mode = BATCH_MODE_TIME_INTERVAL, .interval = {SOLO_TIME, 1}};
static const struct batch day = {.mode = BATCH_MODE_TIME_INTERVAL,
                                 .interval = {SOLO_TIME - 23, 24}};

static struct answer ask(struct span request) {
    return solo_post(&solo, "aggregate_shares", MEDIA_AGGREGATE_SHARE_REQ, request);
}

/* Runs a job over the samples and adds what was committed to the total. */
static void aggregate(const struct sample samples[], size_t count, const struct batch_id *batch_id,
                      struct hand_total *total, enum report_error errors[]) {
    struct hand_job job;
    hand_init(&solo, &job, samples, count, batch_id);
    struct answer answer =
        solo_post(&solo, "aggregation_jobs", MEDIA_AGGREGATION_JOB_INIT_REQ, job.body);
    cr_assert_eq(answer.status, 200, "%d %s", answer.status, answer.text);
    hand_finish(&solo, &job, answer.body, total, errors);
    hand_release(&job);
}

static void aggregate_good(const char *const measurements[], size_t count, uint64_t time,
                           const struct batch_id *batch_id, struct hand_total *total) {
    struct sample samples[8] = {0};
    enum report_error errors[8];
    for (size_t i = 0; i < count; i++) {
        samples[i] = solo_sample(&solo, measurements[i], time, GOOD);
    }
    aggregate(samples, count, batch_id, total, errors);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(errors[i], REPORT_ERROR_RESERVED);
    }
}

static const char *const three[] = {"1", "0", "1"};

/* Asks for a batch and expects an exact result. */
static struct answer collect(const struct batch *query, const struct batch *batch,
                             const struct hand_total *total, vdaf_value expected) {
    struct span first, request = hand_share_request(&solo, query, batch, total, &first);
    struct answer answer = ask(request);
    vdaf_value value;
    cr_assert_eq(answer.status, 200, "%d %s", answer.status, answer.text);
    cr_assert_str_eq(answer.content_type, "application/ppm-dap;message=aggregate-share");
    hand_result(&solo, first, answer.body, total, &value);
    cr_assert(value == expected);
    return answer;
}

static void refuse(const struct batch *query, const struct batch *batch,
                   const struct hand_total *total, const char *problem) {
    struct span first;
    assert_problem(ask(hand_share_request(&solo, query, batch, total, &first)), 400, problem);
}

Test(share, adds_up_exactly_over_jobs_and_buckets) {
    solo_start(&solo, &helper);
    struct hand_total total = {0};
    aggregate_good(three, 3, SOLO_TIME, NULL, &total);
    aggregate_good(three, 3, SOLO_TIME - 3, NULL, &total);
    aggregate_good(three, 2, SOLO_TIME, NULL, &total);
    struct hand_total outside = {0};
    aggregate_good(three, 3, SOLO_TIME - 24, NULL, &outside);
    collect(&day, &day, &total, 5);
    solo_stop(&solo);
}

/* More jobs than a bucket has shards, so some meet in one. */
Test(share, adds_up_exactly_over_many_jobs) {
    solo_start(&solo, &helper);
    struct hand_total total = {0};
    for (size_t i = 0; i < 20; i++) {
        aggregate_good(&three[i % 3], 1, SOLO_TIME, NULL, &total);
    }
    collect(&hour, &hour, &total, 13);
    solo_stop(&solo);
}

/* Refused reports leave no trace in the share. */
Test(share, takes_refused_reports_out_again) {
    solo_start(&solo, &helper);
    struct hand_total total = {0};
    struct sample samples[6];
    enum report_error errors[6];
    for (size_t i = 0; i < 6; i++) {
        samples[i] = solo_sample(&solo, "1", SOLO_TIME - i % 2, i == 3 ? SHORT_SHARE : GOOD);
    }
    aggregate(samples, 3, NULL, &total, errors);
    aggregate(samples + 1, 5, NULL, &total, errors);
    cr_assert_eq(errors[0], REPORT_ERROR_REPORT_REPLAYED);
    cr_assert_eq(errors[1], REPORT_ERROR_REPORT_REPLAYED);
    cr_assert_eq(errors[2], REPORT_ERROR_INVALID_MESSAGE);
    cr_assert_eq(total.count, 5);
    collect(&day, &day, &total, 5);
    solo_stop(&solo);
}

Test(share, adds_up_a_vector) {
    struct solo_options options = helper;
    options.vdaf = "Prio3Histogram";
    options.params[0] = (struct vdaf_param){"length", 4};
    options.params[1] = (struct vdaf_param){"chunk_length", 2};
    options.param_count = 2;
    options.batch_mode = BATCH_MODE_LEADER_SELECTED;
    solo_start(&solo, &options);
    const struct batch batch = {.mode = BATCH_MODE_LEADER_SELECTED, .id = {{4, 5}}};
    const struct batch other = {.mode = BATCH_MODE_LEADER_SELECTED, .id = {{4, 6}}};
    const char *const measurements[] = {"0", "3", "3", "2", "3"};
    struct hand_total total = {0}, beside = {0};
    aggregate_good(measurements, 5, SOLO_TIME, &batch.id, &total);
    aggregate_good(measurements, 2, SOLO_TIME, &other.id, &beside);
    struct span first, request = hand_share_request(&solo, &batch, &batch, &total, &first);
    struct answer answer = ask(request);
    cr_assert_eq(answer.status, 200, "%d %s", answer.status, answer.text);
    vdaf_value values[4];
    hand_result(&solo, first, answer.body, &total, values);
    cr_assert(values[0] == 1 && values[1] == 0 && values[2] == 1 && values[3] == 3);
    solo_stop(&solo);
}

/* ---- Once ------------------------------------------------------------------------ */

Test(share, gives_the_same_ciphertext_to_the_same_request) {
    solo_start(&solo, &helper);
    struct hand_total total = {0};
    aggregate_good(three, 3, SOLO_TIME, NULL, &total);
    struct answer first = collect(&hour, &hour, &total, 2);
    struct answer again = collect(&hour, &hour, &total, 2);
    cr_assert_str_eq(again.location, first.location);
    cr_assert(span_equal_vartime(again.body, first.body));
    solo_restart(&solo);
    again = collect(&hour, &hour, &total, 2);
    cr_assert(span_equal_vartime(again.body, first.body));
    cr_assert(span_equal_vartime(solo_at(&solo, "GET", first.location).body, first.body));
    solo_stop(&solo);
}

Test(share, collects_a_batch_once_even_if_the_share_is_deleted) {
    solo_start(&solo, &helper);
    struct hand_total total = {0}, more = {0};
    struct sample late = solo_sample(&solo, "1", SOLO_TIME, GOOD);
    enum report_error error;
    aggregate_good(three, 3, SOLO_TIME, NULL, &total);
    aggregate_good(three, 3, SOLO_TIME - 1, NULL, &more);
    struct answer answer = collect(&hour, &hour, &total, 2);
    refuse(&day, &day, &total, "batchOverlap");
    refuse(&day, &hour, &total, "batchOverlap"); /* another query, the same batch */
    cr_assert_eq(solo_at(&solo, "DELETE", answer.location).status, 200);
    cr_assert_eq(solo_at(&solo, "GET", answer.location).status, 404);
    refuse(&hour, &hour, &total, "batchOverlap");
    aggregate(&late, 1, NULL, &total, &error);
    cr_assert_eq(error, REPORT_ERROR_BATCH_COLLECTED);
    const struct batch before = {.mode = BATCH_MODE_TIME_INTERVAL, .interval = {SOLO_TIME - 1, 1}};
    collect(&day, &before, &more, 2);
    solo_stop(&solo);
}

Test(share, collects_a_selected_batch_once) {
    struct solo_options options = helper;
    options.batch_mode = BATCH_MODE_LEADER_SELECTED;
    solo_start(&solo, &options);
    const struct batch batch = {.mode = BATCH_MODE_LEADER_SELECTED, .id = {{8}}};
    struct hand_total total = {0};
    aggregate_good(three, 3, SOLO_TIME, &batch.id, &total);
    collect(&batch, &batch, &total, 2);
    struct sample late = solo_sample(&solo, "1", SOLO_TIME, GOOD);
    enum report_error error;
    struct hand_total after = total;
    aggregate(&late, 1, &batch.id, &after, &error);
    cr_assert_eq(error, REPORT_ERROR_BATCH_COLLECTED);
    total.count++;
    refuse(&batch, &batch, &total, "batchOverlap");
    solo_stop(&solo);
}

/* ---- Refusals ---------------------------------------------------------------------- */

Test(share, refuses_what_is_no_batch) {
    solo_start(&solo, &helper);
    struct hand_total total = {0};
    aggregate_good(three, 3, SOLO_TIME, NULL, &total);
    const struct interval wrong[] = {{SOLO_TIME, 0}, {UINT64_MAX, 2}, {SOLO_TIME, UINT64_MAX}};
    for (size_t i = 0; i < 3; i++) {
        const struct batch batch = {.mode = BATCH_MODE_TIME_INTERVAL, .interval = wrong[i]};
        refuse(&batch, &batch, &total, "batchInvalid");
    }
    /* Not within the query. */
    refuse(&hour, &day, &total, "batchInvalid");
    const struct batch endless = {.mode = BATCH_MODE_TIME_INTERVAL,
                                  .interval = {0, UINT64_MAX - 1}};
    refuse(&endless, &endless, &total, "batchInvalid");
    const struct batch other_mode = {.mode = BATCH_MODE_LEADER_SELECTED};
    refuse(&other_mode, &other_mode, &total, "invalidMessage");
    refuse(&hour, &other_mode, &total, "invalidMessage");
    collect(&hour, &hour, &total, 2);
    solo_stop(&solo);
}

Test(share, wants_enough_reports) {
    solo_start(&solo, &helper);
    struct hand_total total = {0};
    refuse(&hour, &hour, &total, "invalidBatchSize");
    aggregate_good(three, 1, SOLO_TIME, NULL, &total);
    refuse(&hour, &hour, &total, "invalidBatchSize");
    aggregate_good(three, 1, SOLO_TIME, NULL, &total);
    collect(&hour, &hour, &total, 2);
    solo_stop(&solo);
}

Test(share, compares_counts_and_checksums) {
    solo_start(&solo, &helper);
    struct hand_total total = {0};
    aggregate_good(three, 3, SOLO_TIME, NULL, &total);
    struct hand_total wrong = total;
    wrong.count++;
    refuse(&hour, &hour, &wrong, "batchMismatch");
    wrong = total;
    wrong.checksum[31] ^= 1;
    refuse(&hour, &hour, &wrong, "batchMismatch");
    collect(&hour, &hour, &total, 2); /* a mismatch doesn't collect */
    solo_stop(&solo);
}

static struct span changed_request(const struct hand_total *total, struct span agg_param,
                                   const struct collection_job_extension extensions[],
                                   size_t count) {
    struct aggregate_share_req request = {.report_count = total->count};
    struct buffer bytes = BUFFER_INIT;
    struct span out;
    memcpy(request.checksum, total->checksum, sizeof(request.checksum));
    request.collection_job_req.agg_param = agg_param;
    request.collection_job_req.extensions =
        (struct collection_job_extension_list){extensions, count};
    must(batch_to_query(&hour, &solo.arena, &request.collection_job_req.query));
    must(batch_to_selector(&hour, &solo.arena, &request.batch_selector));
    must(aggregate_share_req_encode(&request, &bytes));
    must(arena_copy(&solo.arena, buffer_span(&bytes), &out));
    buffer_release(&bytes);
    return out;
}

Test(share, checks_the_collectors_request_too) {
    solo_start(&solo, &helper);
    struct hand_total total = {0};
    aggregate_good(three, 3, SOLO_TIME, NULL, &total);
    assert_problem(ask(changed_request(&total, SPAN_OF_LITERAL("other"), NULL, 0)), 400,
                   "invalidMessage");
    const struct collection_job_extension extensions[] = {
        {.extension_type = (enum collection_job_extension_type)5},
        {.extension_type = (enum collection_job_extension_type)4}};
    assert_problem(ask(changed_request(&total, SPAN_EMPTY, extensions, 1)), 400,
                   "unsupportedExtension");
    assert_problem(ask(changed_request(&total, SPAN_EMPTY, extensions, 2)), 400,
                   "invalidExtension");
    collect(&hour, &hour, &total, 2);
    solo_stop(&solo);
}

Test(share, survives_truncation_and_flipped_bits) {
    solo_start(&solo, &helper);
    struct hand_total total = {0};
    aggregate_good(three, 3, SOLO_TIME, NULL, &total);
    struct span first, request = hand_share_request(&solo, &hour, &hour, &total, &first);
    for (size_t len = 0; len < request.len; len++) {
        assert_problem(ask(span_of(request.data, len)), 400, "invalidMessage");
    }
    for (size_t bit = 0; bit < request.len * 8; bit++) {
        struct span copy;
        must(arena_copy(&solo.arena, request, &copy));
        ((uint8_t *)(uintptr_t)copy.data)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct answer answer = ask(copy);
        /* Some flips widen the query, which is another question with the same
         * answer: they may collect, and then everything after overlaps. */
        cr_assert(answer.status == 200 || answer.status == 400, "bit %zu: %d %s", bit,
                  answer.status, answer.text);
    }
    cr_assert_leq(solo_counter(&solo, "batch_collected"), 1);
    solo_stop(&solo);
}

Test(share, lets_nobody_in_without_the_token) {
    solo_start(&solo, &helper);
    struct hand_total total = {0};
    aggregate_good(three, 3, SOLO_TIME, NULL, &total);
    struct span first, request = hand_share_request(&solo, &hour, &hour, &total, &first);
    const char *path = solo_path(&solo, "aggregate_shares");
    const char *type = media_type_string(MEDIA_AGGREGATE_SHARE_REQ);
    cr_assert_eq(solo_call(&solo, "POST", path, type, NULL, request).status, 401);
    cr_assert_eq(solo_call(&solo, "POST", path, type, "wrong", request).status, 401);
    cr_assert_eq(solo_call(&solo, "POST", path, "text/plain", SOLO_TOKEN, request).status, 415);
    assert_problem(solo_call(&solo, "POST",
                             "/tasks/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                             "/aggregate_shares",
                             type, SOLO_TOKEN, request),
                   404, "unrecognizedTask");
    struct answer answer = collect(&hour, &hour, &total, 2);
    cr_assert_eq(solo_call(&solo, "GET", answer.location, NULL, "wrong", SPAN_EMPTY).status, 401);
    cr_assert_eq(solo_call(&solo, "DELETE", answer.location, NULL, NULL, SPAN_EMPTY).status, 401);
    solo_stop(&solo);
}

Test(share, knows_no_other_task) {
    solo_start(&solo, &helper);
    struct hand_total total = {0};
    aggregate_good(three, 3, SOLO_TIME, NULL, &total);
    struct span first, request = hand_share_request(&solo, &hour, &hour, &total, &first);
    solo.dap.id.bytes[0] ^= 1;
    assert_problem(ask(request), 404, "unrecognizedTask");
    solo.dap.id.bytes[0] ^= 1;
    collect(&hour, &hour, &total, 2);
    solo_stop(&solo);
}
