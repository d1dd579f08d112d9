/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <unistd.h>

#include "aggregator/solo.h"

/* Uploads to a leader, from the outside: what is answered, what is kept. */

enum { MAX_SAMPLES = 8 };

static struct solo solo;
static const struct solo_options leader = {.role = ROLE_LEADER};

static struct answer upload(struct span body) {
    return solo_call(&solo, "POST", solo_path(&solo, "reports"),
                     media_type_string(MEDIA_UPLOAD_REQ), NULL, body);
}

static struct answer upload_samples(const struct sample samples[], size_t count) {
    return upload(solo_encode(&solo, samples, count));
}

static void expect_accepted(struct answer answer) {
    cr_assert_eq(answer.status, 200, "%d %s", answer.status, answer.text);
    cr_assert_eq(answer.body.len, 0);
}

/* The answer names exactly these reports, in this order, with these errors. */
static void expect_errors(struct answer answer, const struct sample *const failed[],
                          const enum report_error errors[], size_t count) {
    struct upload_errors decoded;
    cr_assert_eq(answer.status, 200, "%d %s", answer.status, answer.text);
    cr_assert_str_eq(answer.content_type, "application/ppm-dap;message=upload-errors");
    must(upload_errors_decode(answer.body, &solo.arena, &decoded));
    cr_assert_eq(decoded.status.count, count);
    for (size_t i = 0; i < count; i++) {
        cr_assert_arr_eq(decoded.status.items[i].id.bytes,
                         failed[i]->report.report_metadata.report_id.bytes, 16);
        cr_assert_eq(decoded.status.items[i].error, errors[i], "error %zu is %s", i,
                     report_error_name(decoded.status.items[i].error));
    }
}

static void expect_error(struct answer answer, const struct sample *sample,
                         enum report_error error) {
    expect_errors(answer, &sample, &error, 1);
}

static struct sample good(void) { return solo_sample(&solo, "1", SOLO_TIME, GOOD); }

Test(upload, accepts_one_and_many) {
    solo_start(&solo, &leader);
    struct sample samples[MAX_SAMPLES];
    for (size_t i = 0; i < MAX_SAMPLES; i++) {
        samples[i] = good();
    }
    expect_accepted(upload_samples(samples, 1));
    expect_accepted(upload_samples(samples + 1, MAX_SAMPLES - 1));
    expect_accepted(upload(SPAN_EMPTY));
    cr_assert_eq(solo_usage(&solo).reports, MAX_SAMPLES);
    cr_assert_eq(solo_counter(&solo, "upload_accepted"), MAX_SAMPLES);
    solo_stop(&solo);
}

Test(upload, again_is_replayed_and_counted_once) {
    solo_start(&solo, &leader);
    struct sample samples[3] = {good(), good(), good()};
    samples[2] = samples[0]; /* twice in one request, too */
    expect_error(upload_samples(samples, 3), &samples[2], REPORT_ERROR_REPORT_REPLAYED);
    expect_errors(upload_samples(samples, 2),
                  (const struct sample *[]){&samples[0], &samples[1]},
                  (enum report_error[]){REPORT_ERROR_REPORT_REPLAYED,
                                        REPORT_ERROR_REPORT_REPLAYED},
                  2);
    cr_assert_eq(solo_usage(&solo).reports, 2);
    cr_assert_eq(solo_counter(&solo, "upload_rejected_report_replayed"), 3);
    solo_stop(&solo);
}

Test(upload, remembers_after_a_restart) {
    solo_start(&solo, &leader);
    struct sample sample = good();
    expect_accepted(upload_samples(&sample, 1));
    solo_restart(&solo);
    cr_assert_eq(solo_usage(&solo).reports, 1);
    expect_error(upload_samples(&sample, 1), &sample, REPORT_ERROR_REPORT_REPLAYED);
    solo_stop(&solo);
}

Test(upload, refuses_each_report_for_its_own_reason) {
    solo_start(&solo, &leader);
    struct sample samples[] = {
        good(),
        solo_sample(&solo, "1", SOLO_TIME, UNKNOWN_LEADER_KEY),
        good(),
        solo_sample(&solo, "1", SOLO_TIME + 1, GOOD),
        solo_sample(&solo, "1", SOLO_TIME, UNKNOWN_PUBLIC_EXTENSION),
        solo_sample(&solo, "1", SOLO_TIME, BAD_LEADER_CIPHERTEXT), /* seen later */
        good(),
    };
    expect_errors(upload_samples(samples, 7),
                  (const struct sample *[]){&samples[1], &samples[3], &samples[4]},
                  (enum report_error[]){REPORT_ERROR_OUTDATED_CONFIG,
                                        REPORT_ERROR_REPORT_TOO_EARLY,
                                        REPORT_ERROR_INVALID_MESSAGE},
                  3);
    cr_assert_eq(solo_usage(&solo).reports, 4);
    cr_assert_eq(solo_counter(&solo, "upload_rejected_outdated_config"), 1);
    cr_assert_eq(solo_counter(&solo, "upload_rejected_report_too_early"), 1);
    cr_assert_eq(solo_counter(&solo, "upload_rejected_invalid_message"), 1);
    solo_stop(&solo);
}

Test(upload, allows_for_some_clock_skew) {
    solo_start(&solo, &leader);
    solo.now_us += (int64_t)(SOLO_PRECISION - 200) * 1000000; /* 300 s are allowed */
    struct sample soon = solo_sample(&solo, "1", SOLO_TIME + 1, GOOD);
    expect_accepted(upload_samples(&soon, 1));
    solo_stop(&solo);
}

Test(upload, aborts_if_no_report_is_free_of_unknown_extensions) {
    solo_start(&solo, &leader);
    struct sample sample = solo_sample(&solo, "1", SOLO_TIME, UNKNOWN_PUBLIC_EXTENSION);
    struct answer answer = upload_samples(&sample, 1);
    assert_problem(answer, 400, "unsupportedExtension");
    cr_assert_not_null(strstr(answer.text, "\"unsupported_extensions\":[7]"));
    cr_assert_eq(solo_usage(&solo).reports, 0);
    solo_stop(&solo);
}

Test(upload, drops_what_is_outside_of_the_task_interval) {
    struct solo_options options = leader;
    options.has_interval = true;
    options.interval = (struct interval){SOLO_TIME - 2, 2};
    solo_start(&solo, &options);
    struct sample early = solo_sample(&solo, "1", SOLO_TIME - 3, GOOD);
    struct sample first = solo_sample(&solo, "1", SOLO_TIME - 2, GOOD);
    struct sample last = solo_sample(&solo, "1", SOLO_TIME - 1, GOOD);
    struct sample late = good();
    expect_error(upload_samples(&early, 1), &early, REPORT_ERROR_REPORT_DROPPED);
    expect_accepted(upload_samples(&first, 1));
    expect_accepted(upload_samples(&last, 1));
    expect_error(upload_samples(&late, 1), &late, REPORT_ERROR_REPORT_DROPPED);
    solo_stop(&solo);
}

static struct status collect_hour(struct store_tx *tx, void *argument) {
    (void)argument;
    return store_collected_interval_put(tx, solo.dap.id.bytes, SOLO_TIME, 1);
}

Test(upload, refuses_what_belongs_to_a_collected_batch) {
    solo_start(&solo, &leader);
    solo_run(&solo, collect_hour, NULL);
    struct sample samples[] = {solo_sample(&solo, "1", SOLO_TIME - 1, GOOD), good(),
                               solo_sample(&solo, "1", SOLO_TIME - 1, GOOD)};
    expect_error(upload_samples(samples, 3), &samples[1], REPORT_ERROR_REPORT_REPLAYED);
    cr_assert_eq(solo_usage(&solo).reports, 2);
    solo_stop(&solo);
}

static struct status expire_old(struct store_tx *tx, void *argument) {
    (void)argument;
    return store_watermark_advance(tx, solo.dap.id.bytes,
                                   store_epoch(SOLO_TIME, SOLO_PRECISION));
}

Test(upload, drops_what_has_expired) {
    solo_start(&solo, &leader);
    solo_run(&solo, expire_old, NULL);
    struct sample old = solo_sample(&solo, "1", SOLO_TIME - 24 * 8, GOOD);
    expect_error(upload_samples(&old, 1), &old, REPORT_ERROR_REPORT_DROPPED);
    solo_stop(&solo);
}

/* ---- Quotas --------------------------------------------------------------------- */

Test(upload, keeps_to_the_quota_of_reports) {
    struct solo_options options = leader;
    options.idle = true;
    options.settings = "{\"max_unaggregated_reports\": 3}";
    solo_start(&solo, &options);
    struct sample samples[4] = {good(), good(), good(), good()};
    expect_accepted(upload_samples(samples, 2));
    struct answer answer = upload_samples(samples + 2, 2); /* all or nothing */
    cr_assert_eq(answer.status, 429, "%d %s", answer.status, answer.text);
    cr_assert_not_null(answer.retry_after);
    cr_assert_eq(solo_usage(&solo).reports, 2);
    expect_accepted(upload_samples(samples + 2, 1));
    cr_assert_eq(upload_samples(samples + 3, 1).status, 429);
    cr_assert_eq(solo_counter(&solo, "upload_rejected_quota"), 3);
    solo_set_settings(&solo, "{}");
    expect_accepted(upload_samples(samples + 3, 1));
    solo_stop(&solo);
}

Test(upload, keeps_to_the_quota_of_bytes) {
    struct solo_options options = leader;
    options.idle = true;
    options.settings = "{\"max_unaggregated_bytes\": 600}";
    solo_start(&solo, &options);
    struct sample samples[4] = {good(), good(), good(), good()};
    cr_assert_eq(upload_samples(samples, 4).status, 429);
    cr_assert_eq(solo_usage(&solo).reports, 0);
    expect_accepted(upload_samples(samples, 1));
    solo_stop(&solo);
}

/* ---- Requests that are wrong as a whole --------------------------------------------- */

Test(upload, names_what_is_wrong_with_the_request) {
    struct solo_options options = leader;
    options.max_upload_bytes = 4096;
    solo_start(&solo, &options);
    struct sample sample = good();
    struct span body = solo_encode(&solo, &sample, 1);
    const char *type = media_type_string(MEDIA_UPLOAD_REQ);
    const char *unknown =
        "/tasks/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/reports";
    struct answer answer = solo_call(&solo, "POST", unknown, type, NULL, body);
    assert_problem(answer, 404, "unrecognizedTask");
    cr_assert_not_null(strstr(answer.text, "\"taskid\":\"AAAAAAAA"));
    assert_problem(solo_call(&solo, "POST", "/tasks/short/reports", type, NULL, body), 404,
                   "unrecognizedTask");
    cr_assert_eq(solo_call(&solo, "POST", solo_path(&solo, "reports"), "text/plain", NULL, body)
                     .status,
                 415);
    cr_assert_eq(solo_call(&solo, "POST", solo_path(&solo, "reports"),
                           media_type_string(MEDIA_COLLECTION_JOB_REQ), NULL, body)
                     .status,
                 415);
    cr_assert_eq(solo_call(&solo, "GET", solo_path(&solo, "reports"), NULL, NULL, SPAN_EMPTY)
                     .status,
                 405);
    uint8_t *large = ARENA_ARRAY(&solo.arena, uint8_t, 4097);
    cr_assert_eq(upload(span_of(large, 4097)).status, 413);
    cr_assert_eq(solo_usage(&solo).reports, 0);
    expect_accepted(upload(body));
    solo_stop(&solo);
}

Test(upload, puts_the_task_into_the_problem) {
    solo_start(&solo, &leader);
    struct answer answer = upload(SPAN_OF_LITERAL("nonsense"));
    assert_problem(answer, 400, "invalidMessage");
    cr_assert_not_null(strstr(answer.text, "\"taskid\""));
    cr_assert_not_null(strstr(answer.text, "\"detail\""));
    solo_stop(&solo);
}

Test(upload, is_no_business_of_a_helper) {
    struct solo_options options = {.role = ROLE_HELPER};
    solo_start(&solo, &options);
    struct sample sample = good();
    assert_problem(upload_samples(&sample, 1), 404, "unrecognizedTask");
    solo_stop(&solo);
}

/* Cut anywhere, a request is refused; whole reports before the cut may count,
 * and the request as it was meant is welcome afterwards. */
Test(upload, survives_truncation_at_every_length) {
    struct solo_options options = leader;
    options.idle = true;
    solo_start(&solo, &options);
    struct sample samples[2] = {good(), good()};
    struct span body = solo_encode(&solo, samples, 2);
    size_t first = solo_encode(&solo, samples, 1).len;
    for (size_t len = 1; len < body.len; len++) {
        struct answer answer = upload(span_of(body.data, len));
        if (len == first) {
            expect_accepted(answer);
        } else {
            assert_problem(answer, 400, "invalidMessage");
        }
        cr_assert_eq(solo_usage(&solo).reports, len >= first ? 1 : 0);
    }
    expect_error(upload(body), &samples[0], REPORT_ERROR_REPORT_REPLAYED);
    cr_assert_eq(solo_usage(&solo).reports, 2);
    solo_stop(&solo);
}

Test(upload, survives_flipped_bits) {
    struct solo_options options = leader;
    options.idle = true;
    solo_start(&solo, &options);
    struct sample samples[2] = {good(), good()};
    struct span body = solo_encode(&solo, samples, 2);
    for (size_t bit = 0; bit < body.len * 8; bit += 5) {
        struct span copy;
        must(arena_copy(&solo.arena, body, &copy));
        ((uint8_t *)(uintptr_t)copy.data)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct answer answer = upload(copy);
        cr_assert(answer.status == 200 || answer.status == 400, "bit %zu: %d %s", bit,
                  answer.status, answer.text);
    }
    struct sample honest = good();
    expect_accepted(upload_samples(&honest, 1));
    solo_stop(&solo);
}

/* ---- Load ---------------------------------------------------------------------------- */

static struct crowd crowd;

static void crowd_upload(size_t requests) {
    struct span *bodies = ARENA_ARRAY(&solo.arena, struct span, requests);
    for (size_t i = 0; i < requests; i++) {
        struct sample sample = good();
        bodies[i] = solo_encode(&solo, &sample, 1);
    }
    crowd_send(&solo, &crowd, "reports", MEDIA_UPLOAD_REQ, bodies, requests);
}

Test(upload, many_at_once_share_commits) {
    struct solo_options options = leader;
    options.idle = true;
    options.threads = 4;
    solo_start(&solo, &options);
    crowd_upload(200);
    crowd_wait(&crowd, 200);
    cr_assert_eq(crowd_with_status(&crowd, 200), 200);
    cr_assert_eq(solo_usage(&solo).reports, 200);
    cr_assert_eq(solo_counter(&solo, "upload_accepted"), 200);
    crowd_release(&crowd);
    solo_stop(&solo);
}

static void hold_worker(void *argument, bool cancelled) {
    (void)cancelled;
    pthread_mutex_lock(argument);
    pthread_mutex_unlock(argument);
}

/* When the queue is full the answer is 503, and nothing is lost: what was
 * accepted is there, what wasn't can be sent again. */
Test(upload, pushes_back_when_the_queue_is_full) {
    static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct solo_options options = leader;
    options.idle = true;
    options.threads = 1;
    options.queue_capacity = 4;
    solo_start(&solo, &options);
    pthread_mutex_lock(&gate);
    must(work_queue_submit(solo.queue, hold_worker, &gate));
    while (work_queue_depth(solo.queue) > 0) {
        usleep(1000); /* until the only worker stands at the gate */
    }
    crowd_upload(40);
    crowd_wait(&crowd, 36); /* at most 4 wait behind the gate */
    cr_assert_eq(crowd_with_status(&crowd, 503), 36);
    struct answer answer = upload(SPAN_EMPTY);
    cr_assert_eq(answer.status, 503);
    cr_assert_not_null(answer.retry_after);
    pthread_mutex_unlock(&gate);
    crowd_wait(&crowd, 40);
    cr_assert_eq(crowd_with_status(&crowd, 200), 4);
    cr_assert_eq(solo_usage(&solo).reports, 4);
    crowd_release(&crowd);
    solo_stop(&solo);
}

/* ---- hpke_config ----------------------------------------------------------------------- */

Test(upload, shows_its_keys_for_a_day) {
    solo_start(&solo, &leader);
    struct answer answer = solo_call(&solo, "GET", "/hpke_config", NULL, NULL, SPAN_EMPTY);
    cr_assert_eq(answer.status, 200);
    cr_assert_str_eq(answer.content_type, "application/ppm-dap;message=hpke-config-list");
    cr_assert_str_eq(answer.cache_control, "max-age=86400");
    solo_stop(&solo);
}

/* What a browser is told when a page of this origin wants the keys. */
static struct span allowed_origin(const char *origin) {
    struct address address = http_server_address(solo.server);
    struct http_header header = HTTP_HEADER("Origin", span_of_string(origin));
    const struct http_client_request request = {
        .method = "GET",
        .url = arena_printf(&solo.arena, "http://127.0.0.1:%u/hpke_config",
                            address_port(&address)),
        .headers = &header,
        .header_count = 1};
    struct http_client_response *response;
    struct span out;
    must(http_client_call(solo.client, &request, &response));
    must(arena_copy(&solo.arena,
                    http_client_response_header(response, "access-control-allow-origin"), &out));
    http_client_response_free(response);
    return out;
}

Test(upload, shows_its_keys_to_pages_that_may_see_them) {
    struct solo_options options = leader;
    options.cors_origins = "https://app.example, https://other.example";
    solo_start(&solo, &options);
    static const char *const allowed[] = {"https://app.example", "https://other.example"};
    for (size_t i = 0; i < 2; i++) {
        cr_assert(span_equal_vartime(allowed_origin(allowed[i]), span_of_string(allowed[i])));
    }
    cr_assert_eq(allowed_origin("https://evil.example").len, 0);
    solo_stop(&solo);
    solo_start(&solo, &leader);
    cr_assert_eq(allowed_origin("https://app.example").len, 0);
    solo_stop(&solo);
}
