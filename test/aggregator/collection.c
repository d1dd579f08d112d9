/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/pair.h"
#include "aggregator/script.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "dap/media_type.h"

/* Collection jobs as a collector sees them. */

enum { TIMEOUT_MS = 20000 };

static struct pair pair;

static void start(enum batch_mode mode, uint64_t min_batch_size, const char *settings) {
    struct pair_options options = {.vdaf = "Prio3Count",
                                   .batch_mode = mode,
                                   .min_batch_size = min_batch_size,
                                   .leader_settings = settings};
    pair_start(&pair, &options);
}

static void expect(const char *job, struct span query, uint64_t reports) {
    struct pair_result result;
    pair_result(&pair, job, query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, reports, "%llu reports",
                 (unsigned long long)result.report_count);
    cr_assert(result.values[0] == reports);
}

static void stays_pending(const char *job) {
    struct span body;
    usleep(500000);
    cr_assert_eq(pair_poll(&pair, job, &body), 0);
}

/* ---- Time intervals --------------------------------------------------------- */

Test(collection, waits_for_the_minimum_batch_size) {
    start(BATCH_MODE_TIME_INTERVAL, 3, NULL);
    struct span query = pair_query(&pair, pair_time(&pair), 1);
    pair_upload_many(&pair, "1", 2, pair_time(&pair));
    const char *job = pair_collect(&pair, query);
    stays_pending(job);
    pair_upload_many(&pair, "1", 1, pair_time(&pair));
    expect(job, query, 3);
    pair_stop(&pair);
}

Test(collection, gives_the_smallest_interval) {
    start(BATCH_MODE_TIME_INTERVAL, 1, NULL);
    uint64_t now = pair_time(&pair);
    pair_upload_many(&pair, "1", 2, now - 4);
    pair_upload_many(&pair, "1", 1, now - 2);
    pair_upload_many(&pair, "1", 5, now); /* outside */
    struct span query = pair_query(&pair, now - 9, 9);
    struct pair_result result;
    pair_result(&pair, pair_collect(&pair, query), query, TIMEOUT_MS, &result);
    cr_assert_eq(result.report_count, 3);
    cr_assert_eq(result.interval.start, now - 4);
    cr_assert_eq(result.interval.duration, 3);
    pair_stop(&pair);
}

Test(collection, takes_an_identical_request_for_the_same_job) {
    start(BATCH_MODE_TIME_INTERVAL, 2, NULL);
    struct span query = pair_query(&pair, pair_time(&pair), 1);
    const char *job = pair_collect(&pair, query);
    cr_assert_str_eq(pair_collect(&pair, query), job);
    pair_upload_many(&pair, "1", 2, pair_time(&pair));
    expect(job, query, 2);
    cr_assert_str_eq(pair_collect(&pair, query), job);
    struct span first, second;
    cr_assert_eq(pair_poll(&pair, job, &first), 200);
    cr_assert_eq(pair_poll(&pair, job, &second), 200);
    cr_assert(span_equal_vartime(first, second)); /* sealed once */
    pair_stop(&pair);
}

static struct status mark_run(struct store_tx *tx, void *argument) {
    const uint64_t *time = argument;
    return store_collected_interval_put(tx, pair.dap.id.bytes, *time, 1);
}

/* However it came about: such a report joins no job. */
Test(collection, keeps_reports_of_collected_batches_out_of_jobs) {
    start(BATCH_MODE_TIME_INTERVAL, 1, "{\"job_linger_ms\": 700}");
    uint64_t now = pair_time(&pair);
    pair_upload_many(&pair, "1", 2, now - 1);
    pair_upload_many(&pair, "1", 3, now);
    cr_assert(status_ok(store_run(pair.leader.store, STORE_WRITE, mark_run, &now)));
    pair_settle(&pair, TIMEOUT_MS);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "report_rejected_batch_collected"), 3);
    cr_assert_eq(pair_counter(&pair, &pair.helper, "aggregated"), 2);
    pair_stop(&pair);
}

/* Some of the batch is aggregated, the rest under way. */
static void waits_for_jobs(enum batch_mode mode) {
    struct script script;
    start(mode, 1, NULL);
    script_init(&script, "aggregation_jobs",
                (script_step *const[]){step_forward, step_error_500, step_lose_answer, NULL});
    pair.script_argument = &script;
    pair.script = script_run;
    pair_upload_many(&pair, "1", 3, pair_time(&pair));
    pair_settle(&pair, TIMEOUT_MS);
    pair_upload_many(&pair, "1", 4, pair_time(&pair));
    pair_wait(&script.count, 2);
    struct span query = pair_query(&pair, pair_time(&pair), 1);
    expect(pair_collect(&pair, query), query, 7);
    pair_stop(&pair);
    script_release(&script);
}
Test(collection, waits_for_an_intervals_jobs) { waits_for_jobs(BATCH_MODE_TIME_INTERVAL); }
Test(collection, waits_for_a_batchs_jobs) { waits_for_jobs(BATCH_MODE_LEADER_SELECTED); }

Test(collection, says_when_to_ask_again) {
    start(BATCH_MODE_TIME_INTERVAL, 1, NULL);
    const char *job = pair_collect(&pair, pair_query(&pair, pair_time(&pair), 1));
    struct http_client_response *response =
        pair_call(&pair, "GET", job, "the-collector's-token", NULL, SPAN_EMPTY);
    cr_assert_eq(response->status, 200);
    cr_assert_eq(response->body.len, 0);
    cr_assert(span_equal_vartime(http_client_response_header(response, "retry-after"),
                                 SPAN_OF_LITERAL("1")));
    http_client_response_free(response);
    pair_stop(&pair);
}

/* ---- What is refused -------------------------------------------------------- */

struct refusal {
    int status;
    const char *problem; /* NULL: none of DAP's */
};

static void refuses(struct span request, const char *token, const char *type,
                    struct refusal expected) {
    struct http_client_response *response =
        pair_call(&pair, "POST", pair_leader_url(&pair, "collection_jobs"), token, type, request);
    cr_assert_eq(response->status, expected.status, "%d: %.*s", response->status,
                 (int)response->body.len, (const char *)response->body.data);
    if (expected.problem != NULL) {
        cr_assert(memmem(response->body.data, response->body.len, expected.problem,
                         strlen(expected.problem)) != NULL,
                  "%.*s", (int)response->body.len, (const char *)response->body.data);
        cr_assert_not_null(memmem(response->body.data, response->body.len, "taskid", 6));
    }
    http_client_response_free(response);
}

#define TOKEN "the-collector's-token"
#define TYPE media_type_string(MEDIA_COLLECTION_JOB_REQ)

static struct span encode(const struct collection_job_req *request) {
    struct buffer bytes = BUFFER_INIT;
    struct span out;
    cr_assert(status_ok(collection_job_req_encode(request, &bytes)));
    cr_assert(status_ok(arena_copy(&pair.arena, buffer_span(&bytes), &out)));
    buffer_release(&bytes);
    return out;
}

Test(collection, names_what_is_wrong_with_a_request) {
    start(BATCH_MODE_TIME_INTERVAL, 1, NULL);
    struct span good = pair_query(&pair, pair_time(&pair), 1);
    refuses(good, NULL, TYPE, (struct refusal){401, NULL});
    refuses(good, "wrong", TYPE, (struct refusal){401, NULL});
    refuses(good, TOKEN, "text/plain", (struct refusal){415, NULL});
    for (size_t len = 0; len < good.len; len++) {
        refuses(span_of(good.data, len), TOKEN, TYPE, (struct refusal){400, "invalidMessage"});
    }
    refuses(pair_query(&pair, pair_time(&pair), 0), TOKEN, TYPE,
            (struct refusal){400, "batchInvalid"});
    refuses(pair_query(&pair, UINT64_MAX, 2), TOKEN, TYPE, (struct refusal){400, "batchInvalid"});
    refuses(pair_query(&pair, UINT64_C(1) << 63, 2), TOKEN, TYPE,
            (struct refusal){400, "batchInvalid"});

    struct collection_job_req request;
    cr_assert(status_ok(collection_job_req_decode(good, &pair.arena, &request)));
    struct collection_job_req other = request;
    other.query = (struct query){.batch_mode = BATCH_MODE_LEADER_SELECTED};
    refuses(encode(&other), TOKEN, TYPE, (struct refusal){400, "invalidMessage"});
    other = request;
    other.agg_param = SPAN_OF_LITERAL("x");
    refuses(encode(&other), TOKEN, TYPE, (struct refusal){400, "invalidAggregationParameter"});
    struct collection_job_extension extensions[2] = {
        {(enum collection_job_extension_type)7, SPAN_EMPTY},
        {(enum collection_job_extension_type)9, SPAN_EMPTY}};
    other = request;
    other.extensions = (struct collection_job_extension_list){extensions, 2};
    refuses(encode(&other), TOKEN, TYPE, (struct refusal){400, "unsupportedExtension"});
    extensions[1].extension_type = extensions[0].extension_type;
    refuses(encode(&other), TOKEN, TYPE, (struct refusal){400, "invalidExtension"});
    pair_stop(&pair);
}

Test(collection, knows_no_other_task) {
    start(BATCH_MODE_TIME_INTERVAL, 1, NULL);
    pair.dap.id.bytes[0] ^= 1;
    refuses(pair_query(&pair, pair_time(&pair), 1), TOKEN, TYPE,
            (struct refusal){404, "unrecognizedTask"});
    pair.dap.id.bytes[0] ^= 1;
    pair_stop(&pair);
}

static struct status other_param_run(struct store_tx *tx, void *argument) {
    uint64_t time = *(uint64_t *)argument;
    uint8_t key[8], share[8] = {0}, digest[STORE_DIGEST_SIZE] = {1};
    for (int i = 0; i < 8; i++) {
        key[i] = (uint8_t)(time >> (56 - 8 * i));
    }
    struct store_bucket bucket = {.key = SPAN_OF_ARRAY(key),
                                  .agg_share = SPAN_OF_ARRAY(share),
                                  .report_count = 1,
                                  .time_min = time,
                                  .time_max = time};
    return store_bucket_put(tx, pair.dap.id.bytes, digest, 0, &bucket);
}

Test(collection, refuses_a_parameter_other_than_the_jobs) {
    start(BATCH_MODE_TIME_INTERVAL, 1, NULL);
    uint64_t now = pair_time(&pair);
    cr_assert(status_ok(store_run(pair.leader.store, STORE_WRITE, other_param_run, &now)));
    refuses(pair_query(&pair, now - 1, 3), TOKEN, TYPE, (struct refusal){400, "invalidMessage"});
    pair_stop(&pair);
}

Test(collection, refuses_what_overlaps) {
    start(BATCH_MODE_TIME_INTERVAL, 1, NULL);
    uint64_t now = pair_time(&pair);
    pair_upload_many(&pair, "1", 2, now);
    struct span query = pair_query(&pair, now - 1, 3);
    const char *job = pair_collect(&pair, query);
    expect(job, query, 2);
    refuses(pair_query(&pair, now + 1, 5), TOKEN, TYPE, (struct refusal){400, "batchOverlap"});
    refuses(pair_query(&pair, now, 1), TOKEN, TYPE, (struct refusal){400, "batchOverlap"});
    cr_assert_eq(pair_delete(&pair, job), 200);
    refuses(query, TOKEN, TYPE, (struct refusal){400, "batchOverlap"});
    cr_assert_neq(pair_upload_error(&pair, "1", now), REPORT_ERROR_RESERVED);
    cr_assert_eq(pair_upload_error(&pair, "1", now - 2), REPORT_ERROR_RESERVED);
    struct span body;
    cr_assert_eq(pair_poll(&pair, job, &body), 410);
    cr_assert_eq(
        pair_poll(&pair, pair_leader_url(&pair, "collection_jobs/AAAAAAAAAAAAAAAAAAAAAA"), &body),
        404);
    pair_stop(&pair);
}

/* Two jobs that overlap may wait together; the first to be ready wins. */
Test(collection, fails_the_second_of_two_that_overlap) {
    start(BATCH_MODE_TIME_INTERVAL, 2, NULL);
    uint64_t now = pair_time(&pair);
    struct span small = pair_query(&pair, now, 1), large = pair_query(&pair, now - 3, 4);
    const char *jobs[2] = {pair_collect(&pair, small), pair_collect(&pair, large)};
    pair_upload_many(&pair, "1", 2, now);
    int statuses[2] = {0, 0};
    struct span body;
    for (int i = 0; i < 500 && (statuses[0] == 0 || statuses[1] == 0); i++) {
        usleep(20000);
        statuses[0] = pair_poll(&pair, jobs[0], &body);
        statuses[1] = pair_poll(&pair, jobs[1], &body);
    }
    cr_assert_eq(statuses[0] + statuses[1], 600, "%d and %d", statuses[0], statuses[1]);
    pair_stop(&pair);
}

/* ---- Batches that the leader selects ----------------------------------------- */

Test(collection, gives_the_next_batch_after_each_delete) {
    start(BATCH_MODE_LEADER_SELECTED, 2, NULL);
    struct span query = pair_query(&pair, 0, 0);
    const char *last = "";
    for (size_t batch = 2; batch < 5; batch++) {
        pair_upload_many(&pair, "1", batch, pair_time(&pair));
        const char *job = pair_collect(&pair, query);
        cr_assert_str_neq(job, last);
        cr_assert_str_eq(pair_collect(&pair, query), job);
        expect(job, query, batch);
        cr_assert_str_eq(pair_collect(&pair, query), job);
        cr_assert_eq(pair_delete(&pair, job), 200);
        last = job;
    }
    stays_pending(pair_collect(&pair, query));
    pair_stop(&pair);
}

Test(collection, fills_batches_to_their_target) {
    start(BATCH_MODE_LEADER_SELECTED, 2,
          "{\"job_linger_ms\": 20, \"batch_target_size\": 4, \"max_job_size\": 3}");
    struct span query = pair_query(&pair, 0, 0);
    pair_upload_many(&pair, "1", 11, pair_time(&pair));
    for (int batch = 0; batch < 2; batch++) {
        const char *job = pair_collect(&pair, query);
        expect(job, query, 4);
        cr_assert_eq(pair_delete(&pair, job), 200);
    }
    const char *job = pair_collect(&pair, query); /* three are left */
    stays_pending(job);
    pair_upload_many(&pair, "1", 1, pair_time(&pair));
    expect(job, query, 4);
    pair_stop(&pair);
}

static struct status count_run(struct store_tx *tx, void *argument) {
    size_t *counts = argument;
    for (int state = STORE_BATCH_OPEN; state <= STORE_BATCH_COLLECTED; state++) {
        struct store_batch *batches;
        TRY(store_batch_list(tx, &pair.arena, pair.dap.id.bytes, (enum store_batch_state)state,
                             &batches, &counts[state]));
    }
    return OK;
}

static void expect_batches(size_t open, size_t closed) {
    size_t counts[4] = {0};
    cr_assert(status_ok(store_run(pair.leader.store, STORE_READ, count_run, counts)));
    cr_assert(counts[STORE_BATCH_OPEN] == open && counts[STORE_BATCH_CLOSED] == closed,
              "%zu open, %zu closed", counts[STORE_BATCH_OPEN], counts[STORE_BATCH_CLOSED]);
}

/* Rejected reports make room for others. */
Test(collection, refills_a_batch_that_shrank) {
    start(BATCH_MODE_LEADER_SELECTED, 4, "{\"job_linger_ms\": 20, \"batch_target_size\": 4}");
    struct span query = pair_query(&pair, 0, 0);
    pair_upload_many(&pair, "1", 2, pair_time(&pair));
    pair_upload(&pair, "1", pair_time(&pair), PAIR_BAD_LEADER_CIPHERTEXT);
    pair_upload(&pair, "1", pair_time(&pair), PAIR_BAD_HELPER_CIPHERTEXT);
    pair_settle(&pair, TIMEOUT_MS);
    expect_batches(1, 0);
    const char *job = pair_collect(&pair, query);
    stays_pending(job);
    pair_upload_many(&pair, "1", 2, pair_time(&pair));
    expect(job, query, 4);
    pair_stop(&pair);
}

/* Not even if its collection job was deleted before it had a result. */
Test(collection, gives_a_batch_to_one_job_only) {
    struct script script;
    start(BATCH_MODE_LEADER_SELECTED, 2, NULL);
    script_init(&script, "aggregate_shares", (script_step *const[]){step_error_500, NULL});
    pair.script_argument = &script;
    pair.script = script_run;
    struct span query = pair_query(&pair, 0, 0);
    pair_upload_many(&pair, "1", 3, pair_time(&pair));
    const char *job = pair_collect(&pair, query);
    pair_wait(&script.count, 1);
    cr_assert_eq(pair_delete(&pair, job), 200);
    job = pair_collect(&pair, query);
    stays_pending(job);
    pair_upload_many(&pair, "1", 2, pair_time(&pair));
    expect(job, query, 2);
    pair_stop(&pair);
    script_release(&script);
}

static struct status inflate_run(struct store_tx *tx, void *argument) {
    struct arena *arena = argument;
    struct store_batch *batches;
    size_t count;
    TRY(store_batch_list(tx, arena, pair.dap.id.bytes, STORE_BATCH_OPEN, &batches, &count));
    cr_assert_eq(count, 1);
    batches[0].assigned = 10;
    return store_batch_put(tx, pair.dap.id.bytes, &batches[0]);
}

/* What counts is what was aggregated, whatever was assigned. */
Test(collection, never_gives_a_batch_below_the_minimum) {
    start(BATCH_MODE_LEADER_SELECTED, 4, NULL);
    struct span query = pair_query(&pair, 0, 0);
    pair_upload_many(&pair, "1", 2, pair_time(&pair));
    pair_settle(&pair, TIMEOUT_MS);
    cr_assert(status_ok(store_run(pair.leader.store, STORE_WRITE, inflate_run, &pair.arena)));
    const char *job = pair_collect(&pair, query);
    stays_pending(job);
    pair_upload_many(&pair, "1", 2, pair_time(&pair));
    expect(job, query, 4);
    pair_stop(&pair);
}

Test(collection, closes_a_batch_at_its_deadline) {
    start(BATCH_MODE_LEADER_SELECTED, 2,
          "{\"job_linger_ms\": 20, \"batch_target_size\": 100, \"batch_deadline_s\": 2}");
    struct span query = pair_query(&pair, 0, 0);
    pair_upload_many(&pair, "1", 3, pair_time(&pair));
    const char *job = pair_collect(&pair, query);
    stays_pending(job);
    expect(job, query, 3);
    pair_stop(&pair);
}
