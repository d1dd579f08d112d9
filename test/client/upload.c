/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of reports, from the leader's answers. */
#include <criterion/criterion.h>

#include "client/fixture.h"
#include "hpke/provider/default.h"
#include "moiety/client.h"

enum { REPORTS = 3 };
static const char errors_type[] = "application/ppm-dap;message=upload-errors";

static struct fixture fixture;
static struct moiety_client *client;
static struct moiety_report *reports[REPORTS];
static struct moiety_outcome outcomes[REPORTS];

static void setup(void) {
    struct moiety_task description =
        fixture_description("https://leader.example/api", MOIETY_LEADER_SELECTED);
    fixture_setup(&fixture, &description);
    cr_assert_eq(moiety_client_new(&description, hpke_provider_default(), &client), MOIETY_OK);
    const struct hpke_key *leader = &fixture.leader;
    const struct hpke_key *helper = &fixture.helper;
    struct span body = fixture_configs(&fixture, &leader, 1);
    cr_assert_eq(moiety_client_set_config(client, MOIETY_LEADER, body.data, body.len), MOIETY_OK);
    body = fixture_configs(&fixture, &helper, 1);
    cr_assert_eq(moiety_client_set_config(client, MOIETY_HELPER, body.data, body.len), MOIETY_OK);
    static const uint64_t values[REPORTS] = {0, 1, 2};
    cr_assert_eq(moiety_client_reports(client, values, REPORTS, NOW, reports), MOIETY_OK);
    memset(outcomes, 0x77, sizeof(outcomes));
}

static void teardown(void) {
    for (int i = 0; i < REPORTS; i++) {
        moiety_report_free(reports[i]);
    }
    moiety_client_free(client);
    fixture_release(&fixture);
}

TestSuite(upload, .init = setup, .fini = teardown);

static struct moiety_upload *upload_all(void) {
    struct moiety_upload *upload;
    cr_assert_eq(moiety_client_upload(client, reports, REPORTS, &upload), MOIETY_OK);
    return upload;
}

/* The body of an answer that names reports by their place and error. */
static struct span errors_body(const int places[], const int errors[], size_t count) {
    struct report_upload_status *items =
        ARENA_ARRAY(&fixture.arena, struct report_upload_status, count);
    for (size_t i = 0; i < count; i++) {
        memcpy(items[i].id.bytes, moiety_report_id(reports[places[i]]), 16);
        items[i].error = (enum report_error)errors[i];
    }
    struct upload_errors message = {{items, count}};
    struct buffer encoded = BUFFER_INIT;
    struct span copy = SPAN_EMPTY;
    cr_assert(status_ok(upload_errors_encode(&message, &encoded)));
    cr_assert(status_ok(arena_copy(&fixture.arena, buffer_span(&encoded), &copy)));
    buffer_release(&encoded);
    return copy;
}

/* Sends all three and has the second answered with `error`. */
static struct moiety_outcome answer_second(int error) {
    struct moiety_upload *upload = upload_all();
    const int place = 1;
    struct span body = errors_body(&place, &error, 1);
    cr_assert_eq(moiety_upload_answer(upload, 200, errors_type, body.data, body.len, outcomes),
                 MOIETY_OK);
    cr_assert_eq(outcomes[0].verdict, MOIETY_REPORT_ACCEPTED);
    cr_assert_eq(outcomes[2].verdict, MOIETY_REPORT_ACCEPTED);
    moiety_upload_free(upload);
    return outcomes[1];
}

Test(upload, is_a_post_of_all_reports) {
    struct moiety_upload *upload = upload_all();
    cr_assert_str_eq(moiety_upload_url(upload),
                     "https://leader.example/api/tasks/"
                     "AQIDBAUGBwgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/reports");
    cr_assert_str_eq(moiety_upload_media_type(upload), "application/ppm-dap;message=upload-req");
    size_t len;
    const uint8_t *body = moiety_upload_body(upload, &len);
    struct upload_request request;
    cr_assert(status_ok(upload_request_decode(span_of(body, len), &fixture.arena, &request)));
    cr_assert_eq(request.reports.count, REPORTS);
    for (int i = 0; i < REPORTS; i++) {
        cr_assert_arr_eq(request.reports.items[i].report_metadata.report_id.bytes,
                         moiety_report_id(reports[i]), 16);
    }
    moiety_upload_free(upload);
    cr_assert_eq(moiety_client_upload(client, reports, 0, &upload), MOIETY_INVALID_ARGUMENT);
}

Test(upload, an_empty_success_accepts_all) {
    struct moiety_upload *upload = upload_all();
    cr_assert_eq(moiety_upload_answer(upload, 201, NULL, NULL, 0, outcomes), MOIETY_OK);
    for (int i = 0; i < REPORTS; i++) {
        cr_assert_eq(outcomes[i].verdict, MOIETY_REPORT_ACCEPTED);
        cr_assert_eq(outcomes[i].error, 0);
    }
    moiety_upload_free(upload);
}

Test(upload, each_error_has_its_verdict) {
    const struct {
        int error;
        enum moiety_verdict verdict;
    } known[] = {
        {REPORT_ERROR_BATCH_COLLECTED, MOIETY_REPORT_REJECTED},
        {REPORT_ERROR_REPORT_DROPPED, MOIETY_REPORT_REJECTED},
        {REPORT_ERROR_TASK_EXPIRED, MOIETY_REPORT_REJECTED},
        {REPORT_ERROR_INVALID_MESSAGE, MOIETY_REPORT_REJECTED},
        {REPORT_ERROR_REPORT_TOO_EARLY, MOIETY_REPORT_RETRY},
        {REPORT_ERROR_OUTDATED_CONFIG, MOIETY_REPORT_REMAKE},
        {REPORT_ERROR_HPKE_UNKNOWN_CONFIG_ID, MOIETY_REPORT_REMAKE},
        {200, MOIETY_REPORT_REJECTED}, /* one of a later document */
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct moiety_outcome outcome = answer_second(known[i].error);
        cr_assert_eq(outcome.verdict, known[i].verdict, "error %d", known[i].error);
        cr_assert_eq(outcome.error, known[i].error);
    }
    cr_assert_str_eq(moiety_report_error_name(REPORT_ERROR_REPORT_TOO_EARLY), "report_too_early");
}

Test(upload, replayed_is_success_on_the_clients_own_retry_alone) {
    cr_assert_eq(answer_second(REPORT_ERROR_REPORT_REPLAYED).verdict, MOIETY_REPORT_REJECTED);
    cr_assert_eq(answer_second(REPORT_ERROR_REPORT_REPLAYED).verdict, MOIETY_REPORT_ACCEPTED);
}

Test(upload, a_report_survives_a_restart_of_the_app) {
    size_t len, again_len;
    const uint8_t *bytes = moiety_report_bytes(reports[1], &len);
    struct moiety_report *loaded;
    cr_assert_eq(moiety_report_load(bytes, len, &loaded), MOIETY_OK);
    cr_assert_arr_eq(moiety_report_id(loaded), moiety_report_id(reports[1]), 16);
    const uint8_t *again = moiety_report_bytes(loaded, &again_len);
    cr_assert(span_equal_vartime(span_of(bytes, len), span_of(again, again_len)));
    /* It may have been sent before the restart. */
    moiety_report_free(reports[1]);
    reports[1] = loaded;
    cr_assert_eq(answer_second(REPORT_ERROR_REPORT_REPLAYED).verdict, MOIETY_REPORT_ACCEPTED);

    bytes = moiety_report_bytes(reports[0], &len);
    for (size_t cut = 0; cut < len; cut++) {
        cr_assert_eq(moiety_report_load(bytes, cut, &loaded), MOIETY_INVALID_MESSAGE);
    }
}

Test(upload, http_statuses_by_class) {
    const struct {
        int status;
        enum moiety_result result;
        enum moiety_verdict verdict;
    } known[] = {
        {0, MOIETY_RETRY_LATER, MOIETY_REPORT_RETRY},
        {503, MOIETY_RETRY_LATER, MOIETY_REPORT_RETRY},
        {599, MOIETY_RETRY_LATER, MOIETY_REPORT_RETRY},
        {408, MOIETY_RETRY_LATER, MOIETY_REPORT_RETRY},
        {425, MOIETY_RETRY_LATER, MOIETY_REPORT_RETRY},
        {429, MOIETY_RETRY_LATER, MOIETY_REPORT_RETRY},
        {400, MOIETY_REFUSED, MOIETY_REPORT_REJECTED},
        {404, MOIETY_REFUSED, MOIETY_REPORT_REJECTED},
        {301, MOIETY_REFUSED, MOIETY_REPORT_REJECTED},
        {101, MOIETY_REFUSED, MOIETY_REPORT_REJECTED},
    };
    struct moiety_upload *upload = upload_all();
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        cr_assert_eq(moiety_upload_answer(upload, known[i].status, "text/html", "<p>", 3, outcomes),
                     known[i].result, "status %d", known[i].status);
        for (int j = 0; j < REPORTS; j++) {
            cr_assert_eq(outcomes[j].verdict, known[i].verdict, "status %d", known[i].status);
        }
    }
    moiety_upload_free(upload);
}

Test(upload, answers_that_make_no_sense_change_nothing) {
    struct moiety_upload *upload = upload_all();
    const int swapped[] = {2, 0}, twice[] = {1, 1}, fine[] = {0, 2};
    const int early[] = {REPORT_ERROR_REPORT_TOO_EARLY, REPORT_ERROR_REPORT_TOO_EARLY};
    const int zero[] = {0, 0};
    uint8_t foreign[17] = {0};
    foreign[16] = REPORT_ERROR_REPORT_DROPPED;
    struct span good = errors_body(fine, early, 2);
    const struct {
        const char *type;
        struct span body;
    } bad[] = {
        {errors_type, errors_body(swapped, early, 2)},
        {errors_type, errors_body(twice, early, 2)},
        {errors_type, errors_body(fine, zero, 2)},
        {errors_type, SPAN_OF_ARRAY(foreign)},
        {errors_type, {good.data, good.len - 1}},
        {NULL, good},
        {"text/plain", good},
        {"application/ppm-dap;message=upload-req", good},
    };
    struct moiety_outcome before[REPORTS];
    memcpy(before, outcomes, sizeof(before));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(moiety_upload_answer(upload, 200, bad[i].type, bad[i].body.data,
                                          bad[i].body.len, outcomes),
                     MOIETY_INVALID_MESSAGE, "case %zu", i);
        cr_assert_arr_eq((const char *)outcomes, (const char *)before, sizeof(before));
    }
    cr_assert_eq(moiety_upload_answer(upload, 200, errors_type, good.data, good.len, outcomes),
                 MOIETY_OK);
    moiety_upload_free(upload);
}

Test(upload, retry_after_is_capped_and_never_an_error) {
    cr_assert_eq(moiety_client_retry_after("120", 0, 600), 120);
    cr_assert_eq(moiety_client_retry_after("120000", 0, 600), 600);
    cr_assert_eq(moiety_client_retry_after("soon", 0, 600), 0);
    cr_assert_eq(moiety_client_retry_after(NULL, 0, 600), 0);
    cr_assert_eq(moiety_client_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111767, 600), 10);
}
