/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "aggregator/solo.h"
#include "wire/base64url.h"

/* Aggregation jobs at a helper, driven by hand. */

static struct solo solo;
static const struct solo_options helper = {.role = ROLE_HELPER};
static const struct solo_options helper_later = {.role = ROLE_HELPER,
                                                 .settings = "{\"helper_async\": true}"};
static const struct batch_id some_batch = {{1, 2, 3}};

/* What most tests are about: a job of some samples, and what comes of it. */
enum { SAMPLES_MAX = 10 };
static struct sample samples[SAMPLES_MAX];
static struct hand_job job;
static struct hand_total total;
static enum report_error errors[SAMPLES_MAX];

static void samples_make(size_t count) {
    for (size_t i = 0; i < count; i++) {
        samples[i] = solo_sample(&solo, "1", SOLO_TIME, GOOD);
    }
}

/* A server, and a job of good reports that is yet to be sent. */
static void start_with_job(const struct solo_options *options, size_t count) {
    solo_start(&solo, options);
    samples_make(count);
    hand_init(&solo, &job, samples, count, NULL);
}

static void stop(void) {
    hand_release(&job);
    solo_stop(&solo);
}

TestSuite(helper, .fini = stop);

static struct answer create(const struct hand_job *made) {
    return solo_post(&solo, "aggregation_jobs", MEDIA_AGGREGATION_JOB_INIT_REQ, made->body);
}

/* A good answer's outcome, from the leader's point of view. */
static void finish(struct hand_job *made, struct answer answer, struct hand_total *sum,
                   enum report_error ends[]) {
    cr_assert_eq(answer.status, 200, "%d %s", answer.status, answer.text);
    cr_assert_str_eq(answer.content_type, "application/ppm-dap;message=aggregation-job-resp");
    cr_assert_not_null(answer.location);
    hand_finish(&solo, made, answer.body, sum, ends);
}

/* One job from one sample, and the error that it ends with. */
static enum report_error outcome(const struct sample *sample) {
    struct hand_job alone;
    struct hand_total sum = {0};
    enum report_error error;
    hand_init(&solo, &alone, sample, 1, NULL);
    finish(&alone, create(&alone), &sum, &error);
    hand_release(&alone);
    return error;
}

Test(helper, answers_every_report_in_order) {
    start_with_job(&helper, 5);
    finish(&job, create(&job), &total, errors);
    cr_assert_eq(total.count, 5);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 5);
}

/* The location stands below the endpoint that the task names. */
Test(helper, gives_a_location_that_can_be_read_again) {
    start_with_job(&helper, 1);
    struct answer made = create(&job);
    cr_assert_null(strchr(made.location, '?'));
    cr_assert_eq(strncmp(made.location, solo_path(&solo, "aggregation_jobs/"),
                         strlen(solo_path(&solo, "aggregation_jobs/"))),
                 0);
    struct answer read =
        solo_at(&solo, "GET", arena_printf(&solo.arena, "%s?step=0", made.location));
    cr_assert_eq(read.status, 200);
    cr_assert(span_equal_vartime(read.body, made.body));
}

Test(helper, gives_the_same_answer_to_the_same_request) {
    start_with_job(&helper, 3);
    struct answer first = create(&job);
    cr_assert_eq(first.status, 200);
    for (int i = 0; i < 3; i++) {
        if (i == 1) {
            solo_restart(&solo);
        }
        struct answer again = create(&job);
        cr_assert_eq(again.status, 200);
        cr_assert_str_eq(again.location, first.location);
        cr_assert(span_equal_vartime(again.body, first.body));
    }
    cr_assert_eq(solo_counter(&solo, "aggregated"), 3);
}

/* The same request many times at once is one job. */
Test(helper, makes_one_job_of_requests_that_race) {
    struct solo_options options = helper;
    options.threads = 4;
    solo_start(&solo, &options);
    struct crowd crowd;
    struct span bodies[8];
    samples_make(3);
    hand_init(&solo, &job, samples, 3, NULL);
    for (size_t i = 0; i < 8; i++) {
        bodies[i] = job.body;
    }
    crowd_send(&solo, &crowd, "aggregation_jobs", MEDIA_AGGREGATION_JOB_INIT_REQ, bodies, 8);
    crowd_wait(&crowd, 8);
    struct answer again = create(&job);
    for (size_t i = 0; i < 8; i++) {
        struct http_client_response *response = crowd.responses[i];
        cr_assert_eq(response->status, 200);
        cr_assert(span_equal_vartime(buffer_span(&response->body), again.body));
        cr_assert(span_equal_vartime(http_client_response_header(response, "location"),
                                     span_of_string(again.location)));
    }
    cr_assert_eq(solo_counter(&solo, "aggregated"), 3);
    crowd_release(&crowd);
}

/* ---- Per report ------------------------------------------------------------------ */

Test(helper, rejects_bad_reports_and_counts_the_honest_ones) {
    solo_start(&solo, &helper);
    static const struct {
        enum spoil spoil;
        enum report_error error;
    } rows[] = {
        {GOOD, REPORT_ERROR_RESERVED},
        {BAD_HELPER_CIPHERTEXT, REPORT_ERROR_HPKE_DECRYPT_ERROR},
        {GOOD, REPORT_ERROR_RESERVED},
        {UNKNOWN_HELPER_KEY, REPORT_ERROR_HPKE_DECRYPT_ERROR},
        {UNKNOWN_PUBLIC_EXTENSION, REPORT_ERROR_INVALID_MESSAGE},
        {UNKNOWN_PRIVATE_EXTENSION, REPORT_ERROR_INVALID_MESSAGE},
        {SHORT_SHARE, REPORT_ERROR_INVALID_MESSAGE},
        {NOT_A_SHARE, REPORT_ERROR_INVALID_MESSAGE},
        {LONG_PUBLIC_SHARE, REPORT_ERROR_VDAF_VERIFY_ERROR},
        {GOOD, REPORT_ERROR_RESERVED},
    };
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    for (size_t i = 0; i < ROWS; i++) {
        samples[i] = solo_sample(&solo, "1", SOLO_TIME, rows[i].spoil);
    }
    hand_init(&solo, &job, samples, ROWS, NULL);
    finish(&job, create(&job), &total, errors);
    for (size_t i = 0; i < ROWS; i++) {
        cr_assert_eq(errors[i], rows[i].error, "row %zu: %s", i, report_error_name(errors[i]));
    }
    cr_assert_eq(total.count, 3);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 3);
    cr_assert_eq(solo_counter(&solo, "report_rejected_hpke_decrypt_error"), 2);
    cr_assert_eq(solo_counter(&solo, "report_rejected_invalid_message"), 4);
    cr_assert_eq(solo_counter(&solo, "report_rejected_vdaf_verify_error"), 1);
}

/* A leader that alters its proof message spoils that report alone. */
Test(helper, rejects_what_does_not_verify) {
    start_with_job(&helper, 3);
    ((uint8_t *)(uintptr_t)job.inits[1].payload.data)[job.inits[1].payload.len - 1] ^= 0x40;
    hand_encode(&solo, &job);
    finish(&job, create(&job), &total, errors);
    cr_assert_eq(errors[0], REPORT_ERROR_RESERVED);
    cr_assert_eq(errors[1], REPORT_ERROR_VDAF_VERIFY_ERROR);
    cr_assert_eq(errors[2], REPORT_ERROR_RESERVED);
}

/* The public parts are authenticated: changing them makes the share unreadable. */
Test(helper, binds_the_share_to_its_report) {
    solo_start(&solo, &helper);
    samples_make(2);
    samples[0].report.report_metadata.time--;
    cr_assert_eq(outcome(&samples[0]), REPORT_ERROR_HPKE_DECRYPT_ERROR);
    samples[1].report.report_metadata.report_id.bytes[0] ^= 1;
    cr_assert_eq(outcome(&samples[1]), REPORT_ERROR_HPKE_DECRYPT_ERROR);
}

Test(helper, looks_at_the_clock_and_the_task_interval) {
    struct solo_options options = helper;
    options.has_interval = true;
    options.interval = (struct interval){SOLO_TIME - 5, 5};
    solo_start(&solo, &options);
    struct sample before = solo_sample(&solo, "1", SOLO_TIME - 6, GOOD);
    struct sample inside = solo_sample(&solo, "1", SOLO_TIME - 5, GOOD);
    struct sample after = solo_sample(&solo, "1", SOLO_TIME, GOOD);
    cr_assert_eq(outcome(&before), REPORT_ERROR_TASK_NOT_STARTED);
    cr_assert_eq(outcome(&inside), REPORT_ERROR_RESERVED);
    cr_assert_eq(outcome(&after), REPORT_ERROR_TASK_EXPIRED);
    solo_stop(&solo);
    solo_start(&solo, &helper);
    struct sample early = solo_sample(&solo, "1", SOLO_TIME + 1, GOOD);
    cr_assert_eq(outcome(&early), REPORT_ERROR_REPORT_TOO_EARLY);
    /* Later it is welcome in another job, since a refusal commits nothing. The
     * same job once more is the same job, until it is deleted. */
    solo.now_us += (int64_t)SOLO_PRECISION * 1000000;
    hand_init(&solo, &job, &early, 1, NULL);
    cr_assert_eq(outcome(&early), REPORT_ERROR_REPORT_TOO_EARLY);
    cr_assert_eq(solo_at(&solo, "DELETE", create(&job).location).status, 200);
    cr_assert_eq(outcome(&early), REPORT_ERROR_RESERVED);
}

static struct status collect_hour(struct store_tx *tx, void *argument) {
    (void)argument;
    return store_collected_interval_put(tx, solo.dap.id.bytes, SOLO_TIME, 1);
}
static struct status expire_old(struct store_tx *tx, void *argument) {
    (void)argument;
    return store_watermark_advance(tx, solo.dap.id.bytes, store_epoch(SOLO_TIME, SOLO_PRECISION));
}

Test(helper, commits_each_report_once_and_none_to_a_collected_batch) {
    solo_start(&solo, &helper);
    samples_make(3);
    hand_init(&solo, &job, samples, 2, NULL);
    finish(&job, create(&job), &total, errors);
    hand_release(&job);
    solo_run(&solo, collect_hour, NULL);
    solo_run(&solo, expire_old, NULL);
    samples[3] = solo_sample(&solo, "1", SOLO_TIME - 1, GOOD);
    samples[4] = solo_sample(&solo, "1", SOLO_TIME - 24 * 8, GOOD);
    samples[5] = solo_sample(&solo, "1", SOLO_TIME - 24 * 8, BAD_HELPER_CIPHERTEXT);
    hand_init(&solo, &job, samples + 1, 5, NULL);
    finish(&job, create(&job), &total, errors);
    cr_assert_eq(errors[0], REPORT_ERROR_BATCH_COLLECTED); /* and a replay */
    cr_assert_eq(errors[1], REPORT_ERROR_BATCH_COLLECTED);
    cr_assert_eq(errors[2], REPORT_ERROR_RESERVED);
    cr_assert_eq(errors[3], REPORT_ERROR_REPORT_DROPPED);
    cr_assert_eq(errors[4], REPORT_ERROR_REPORT_DROPPED); /* not even opened */
    cr_assert_eq(total.count, 3);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 3);
}

Test(helper, never_forgets_a_replay) {
    solo_start(&solo, &helper);
    samples_make(2);
    hand_init(&solo, &job, samples, 1, NULL);
    struct answer first = create(&job);
    finish(&job, first, &total, errors);
    hand_release(&job);
    cr_assert_eq(solo_at(&solo, "DELETE", first.location).status, 200);
    solo_restart(&solo);
    hand_init(&solo, &job, samples, 2, NULL);
    finish(&job, create(&job), &total, errors);
    cr_assert_eq(errors[0], REPORT_ERROR_REPORT_REPLAYED);
    cr_assert_eq(errors[1], REPORT_ERROR_RESERVED);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 2);
}

/* ---- The request as a whole --------------------------------------------------------- */

Test(helper, lets_nobody_in_without_the_token) {
    start_with_job(&helper, 1);
    const char *path = solo_path(&solo, "aggregation_jobs");
    const char *one = solo_path(&solo, "aggregation_jobs/AAAAAAAAAAAAAAAAAAAAAA");
    const char *type = media_type_string(MEDIA_AGGREGATION_JOB_INIT_REQ);
    const char *wrong[] = {NULL, "", "wrong", SOLO_TOKEN "x"};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(solo_call(&solo, "POST", path, type, wrong[i], job.body).status, 401);
        cr_assert_eq(solo_call(&solo, "POST", path, "text/plain", wrong[i], job.body).status, 401);
        cr_assert_eq(solo_call(&solo, "POST", one, type, wrong[i], job.body).status, 401);
        cr_assert_eq(solo_call(&solo, "GET", one, NULL, wrong[i], SPAN_EMPTY).status, 401);
        cr_assert_eq(solo_call(&solo, "DELETE", one, NULL, wrong[i], SPAN_EMPTY).status, 401);
    }
    cr_assert_eq(solo_call(&solo, "POST", path, "text/plain", SOLO_TOKEN, job.body).status, 415);
    assert_problem(solo_call(&solo, "POST",
                             "/tasks/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/aggregation_jobs",
                             type, SOLO_TOKEN, job.body),
                   404, "unrecognizedTask");
    cr_assert_eq(solo_counter(&solo, "aggregated"), 0);
}

Test(helper, survives_truncation_at_every_length) {
    solo_start(&solo, &helper);
    struct sample sample = solo_sample(&solo, "1", SOLO_TIME, GOOD);
    enum report_error error;
    hand_init(&solo, &job, &sample, 1, NULL);
    struct span whole = job.body;
    for (size_t len = 0; len < whole.len; len++) {
        job.body = span_of(whole.data, len);
        assert_problem(create(&job), 400, "invalidMessage");
    }
    job.body = whole;
    finish(&job, create(&job), &total, &error);
    cr_assert_eq(error, REPORT_ERROR_RESERVED);
}

Test(helper, survives_flipped_bits) {
    solo_start(&solo, &helper);
    struct sample sample = solo_sample(&solo, "1", SOLO_TIME, GOOD);
    hand_init(&solo, &job, &sample, 1, NULL);
    struct span whole = job.body;
    for (size_t bit = 0; bit < whole.len * 8; bit += 7) {
        must(arena_copy(&solo.arena, whole, &job.body));
        ((uint8_t *)(uintptr_t)job.body.data)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct answer answer = create(&job);
        cr_assert(answer.status == 200 || answer.status == 400, "bit %zu: %d %s", bit,
                  answer.status, answer.text);
    }
    /* Nothing that was altered was committed, so the report still counts. */
    cr_assert_eq(solo_counter(&solo, "aggregated"), 0);
    cr_assert_eq(outcome(&sample), REPORT_ERROR_RESERVED);
}

Test(helper, names_what_is_wrong_with_the_job) {
    start_with_job(&helper, 2);

    job.request.agg_param = SPAN_OF_LITERAL("x");
    hand_encode(&solo, &job);
    assert_problem(create(&job), 400, "invalidAggregationParameter");
    job.request.agg_param = SPAN_EMPTY;

    job.request.verification_key_id++;
    hand_encode(&solo, &job);
    assert_problem(create(&job), 400, "invalidMessage");
    job.request.verification_key_id--;

    struct verify_init other = job.inits[1];
    job.inits[1] = job.inits[0];
    hand_encode(&solo, &job);
    assert_problem(create(&job), 400, "invalidMessage");
    job.inits[1] = other;

    const struct aggregation_job_extension extensions[] = {
        {.extension_type = (enum aggregation_job_extension_type)77},
        {.extension_type = (enum aggregation_job_extension_type)3}};
    job.request.extensions = (struct aggregation_job_extension_list){extensions, 2};
    hand_encode(&solo, &job);
    struct answer answer = create(&job);
    assert_problem(answer, 400, "unsupportedExtension");
    cr_assert_not_null(strstr(answer.text, "\"unsupported_extensions\":[77,3]"));

    /* A batch ID has no place in a time-interval task. */
    const struct aggregation_job_extension batch = {
        AGGREGATION_JOB_EXTENSION_TYPE_LEADER_SELECTED_BATCH_ID, batch_id_span(&some_batch)};
    job.request.extensions = (struct aggregation_job_extension_list){&batch, 1};
    hand_encode(&solo, &job);
    assert_problem(create(&job), 400, "invalidMessage");

    job.request.extensions.count = 0;
    hand_encode(&solo, &job);
    cr_assert_eq(create(&job).status, 200);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 2);
}

Test(helper, needs_a_batch_id_in_leader_selected_mode) {
    struct solo_options options = helper;
    options.batch_mode = BATCH_MODE_LEADER_SELECTED;
    solo_start(&solo, &options);
    struct sample sample = solo_sample(&solo, "1", SOLO_TIME, GOOD);
    hand_init(&solo, &job, &sample, 1, NULL);
    assert_problem(create(&job), 400, "invalidMessage");
    hand_release(&job);
    hand_init(&solo, &job, &sample, 1, &some_batch);
    job.extension.extension_data.len--;
    hand_encode(&solo, &job);
    assert_problem(create(&job), 400, "invalidMessage");
    job.extension.extension_data.len++;
    const struct aggregation_job_extension twice[] = {job.extension, job.extension};
    job.request.extensions = (struct aggregation_job_extension_list){twice, 2};
    hand_encode(&solo, &job);
    assert_problem(create(&job), 400, "invalidMessage");
    job.request.extensions.count = 1;
    hand_encode(&solo, &job);
    cr_assert_eq(create(&job).status, 200);
}

/* ---- Reading, deleting, continuing ------------------------------------------------------ */

Test(helper, knows_its_jobs) {
    start_with_job(&helper, 1);
    const char *unknown = solo_path(&solo, "aggregation_jobs/AAAAAAAAAAAAAAAAAAAAAA?step=0");
    assert_problem(solo_at(&solo, "GET", unknown), 404, "unrecognizedAggregationJob");
    assert_problem(solo_at(&solo, "DELETE", unknown), 404, "unrecognizedAggregationJob");
    assert_problem(solo_at(&solo, "GET", solo_path(&solo, "aggregation_jobs/x?step=0")), 404,
                   "unrecognizedAggregationJob");
    const char *location = create(&job).location;
    static const struct {
        const char *query, *problem;
    } rows[] = {{"", "invalidMessage"},         {"?step=", "invalidMessage"},
                {"?step=x", "invalidMessage"},  {"?step=65536", "invalidMessage"},
                {"?step=-1", "invalidMessage"}, {"?step=1", "stepMismatch"},
                {"?other=0", "invalidMessage"}, {"?step=99999999999999999999", "invalidMessage"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *at = arena_printf(&solo.arena, "%s%s", location, rows[i].query);
        assert_problem(solo_at(&solo, "GET", at), 400, rows[i].problem);
    }
    cr_assert_eq(solo_at(&solo, "DELETE", location).status, 200);
    cr_assert_eq(solo_at(&solo, "DELETE", location).status, 200);
    location = arena_printf(&solo.arena, "%s?step=0", location);
    assert_problem(solo_at(&solo, "GET", location), 404, "unrecognizedAggregationJob");
}

static struct answer continue_at(const char *location, uint16_t step,
                                 const struct verify_continue items[], size_t count) {
    const struct aggregation_job_continue_req request = {.step = step,
                                                         .verify_continues = {items, count}};
    struct buffer body = BUFFER_INIT;
    must(aggregation_job_continue_req_encode(&request, &body));
    struct answer answer =
        solo_call(&solo, "POST", location, media_type_string(MEDIA_AGGREGATION_JOB_CONTINUE_REQ),
                  SOLO_TOKEN, buffer_span(&body));
    buffer_release(&body);
    return answer;
}

/* Prio3 is done after one exchange: no continuation fits. */
Test(helper, continues_no_finished_job) {
    solo_start(&solo, &helper);
    struct sample sample = solo_sample(&solo, "1", SOLO_TIME, GOOD);
    hand_init(&solo, &job, &sample, 1, NULL);
    struct answer made = create(&job);
    const struct verify_continue item = {sample.report.report_metadata.report_id,
                                         SPAN_OF_LITERAL("x")};
    assert_problem(continue_at(made.location, 0, &item, 1), 400, "invalidMessage");
    assert_problem(continue_at(made.location, 1, &item, 1), 400, "invalidMessage");
    assert_problem(continue_at(made.location, 1, NULL, 0), 400, "stepMismatch");
    assert_problem(continue_at(made.location, 2, &item, 1), 400, "stepMismatch");
    assert_problem(
        continue_at(solo_path(&solo, "aggregation_jobs/AAAAAAAAAAAAAAAAAAAAAA"), 1, &item, 1), 404,
        "unrecognizedAggregationJob");
    assert_problem(continue_at("/tasks/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                               "/aggregation_jobs/AAAAAAAAAAAAAAAAAAAAAA",
                               1, &item, 1),
                   404, "unrecognizedTask");
    assert_problem(solo_call(&solo, "POST", made.location,
                             media_type_string(MEDIA_AGGREGATION_JOB_CONTINUE_REQ), SOLO_TOKEN,
                             SPAN_OF_LITERAL("x")),
                   400, "invalidMessage");
    cr_assert_eq(solo_call(&solo, "POST", made.location,
                           media_type_string(MEDIA_AGGREGATION_JOB_INIT_REQ), SOLO_TOKEN, job.body)
                     .status,
                 415);
    struct answer again = create(&job); /* unharmed */
    cr_assert(span_equal_vartime(again.body, made.body));
}

/* ---- Later ---------------------------------------------------------------------------- */

/* Polls until the job is ready. */
static struct answer poll(const char *location) {
    struct answer answer = solo_at(&solo, "GET", location);
    for (int i = 0; answer.status == 200 && answer.body.len == 0; i++) {
        cr_assert_lt(i, 1000, "the job never became ready");
        cr_assert_str_eq(answer.location, location);
        cr_assert_not_null(answer.retry_after);
        usleep(5000);
        answer = solo_at(&solo, "GET", location);
    }
    return answer;
}

static struct answer create_later(const struct hand_job *made) {
    struct answer answer = create(made);
    cr_assert_eq(answer.status, 200, "%d %s", answer.status, answer.text);
    cr_assert_eq(answer.body.len, 0);
    cr_assert_not_null(answer.retry_after);
    cr_assert_not_null(strstr(answer.location, "?step=0"));
    return answer;
}

Test(helper, answers_later) {
    solo_start(&solo, &helper_later);
    samples_make(3);
    samples[3] = solo_sample(&solo, "1", SOLO_TIME, BAD_HELPER_CIPHERTEXT);
    hand_init(&solo, &job, samples, 4, NULL);
    struct answer ready = poll(create_later(&job).location);
    hand_finish(&solo, &job, ready.body, &total, errors);
    cr_assert_eq(total.count, 3);
    cr_assert_eq(errors[3], REPORT_ERROR_HPKE_DECRYPT_ERROR);
    cr_assert(span_equal_vartime(create(&job).body, ready.body));
    cr_assert_eq(solo_counter(&solo, "aggregated"), 3);
}

/* What can be told from the request is told at once, not when somebody asks. */
Test(helper, accepts_no_job_that_is_wrong) {
    struct solo_options options = helper_later;
    options.idle = true;
    start_with_job(&options, 2);
    job.request.agg_param = SPAN_OF_LITERAL("x");
    hand_encode(&solo, &job);
    assert_problem(create(&job), 400, "invalidAggregationParameter");
    job.request.agg_param = SPAN_EMPTY;
    job.inits[1] = job.inits[0];
    hand_encode(&solo, &job);
    assert_problem(create(&job), 400, "invalidMessage");
}

/* What was accepted is worked off after a restart; a retry finds the same job. */
Test(helper, keeps_what_it_accepted) {
    struct solo_options options = helper_later;
    options.idle = true;
    start_with_job(&options, 2);
    aggregator_drain(solo.aggregator); /* nothing is claimed any more */
    struct answer made = create_later(&job);
    cr_assert_str_eq(create_later(&job).location, made.location);
    assert_problem(
        continue_at(strtok(arena_printf(&solo.arena, "%s", made.location), "?"), 1, NULL, 0), 400,
        "stepMismatch");
    cr_assert_eq(solo_counter(&solo, "aggregated"), 0);
    solo.options.idle = false;
    solo_restart(&solo);
    struct answer ready = poll(made.location);
    hand_finish(&solo, &job, ready.body, &total, errors);
    cr_assert_eq(total.count, 2);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 2);
}

/* A job that was deleted before it was computed commits nothing. */
Test(helper, forgets_a_job_that_is_deleted_in_time) {
    struct solo_options options = helper_later;
    options.idle = true;
    start_with_job(&options, 1);
    aggregator_drain(solo.aggregator);
    const char *location = create_later(&job).location;
    cr_assert_eq(solo_at(&solo, "DELETE", location).status, 200);
    solo.options.idle = false;
    solo_restart(&solo);
    assert_problem(solo_at(&solo, "GET", location), 404, "unrecognizedAggregationJob");
    usleep(100000);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 0);
    poll(create_later(&job).location);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 1);
}

static const uint8_t broken_id[STORE_ID_SIZE] = {1, 2, 3};

static struct status accept_nonsense(struct store_tx *tx, void *argument) {
    struct store_resource nonsense = {.kind = STORE_AGGREGATION_JOB,
                                      .state = STORE_RESOURCE_PENDING,
                                      .request = SPAN_OF_LITERAL("nonsense"),
                                      .digest = {1},
                                      .created_at = solo.now_us,
                                      .retry_at = solo.now_us};
    struct store_resource row;
    bool found;
    (void)argument;
    memcpy(nonsense.task_id, solo.dap.id.bytes, sizeof(nonsense.task_id));
    memcpy(nonsense.id, broken_id, sizeof(nonsense.id));
    return store_resource_create(tx, &solo.arena, &nonsense, 0, &row, &found);
}

/* Who asks about a job that failed after it was accepted is told why. */
Test(helper, hands_on_what_made_a_job_fail) {
    solo_start(&solo, &helper_later);
    solo_run(&solo, accept_nonsense, NULL);
    const char *location =
        solo_path(&solo, arena_printf(&solo.arena, "aggregation_jobs/%s",
                                      base64url_string(&solo.arena, SPAN_OF_ARRAY(broken_id))));
    struct answer answer = {.status = 200};
    for (int i = 0; i < 1000 && answer.status == 200; i++) {
        usleep(5000);
        answer = solo_at(&solo, "GET", arena_printf(&solo.arena, "%s?step=0", location));
    }
    assert_problem(answer, 400, "invalidMessage");
    assert_problem(continue_at(location, 1, NULL, 0), 400, "invalidMessage");
}
