/* SPDX-License-Identifier: Apache-2.0 */
#include "moiety/collector.h"

#include <criterion/criterion.h>

#include "client/fixture.h"
#include "dap/binding.h"
#include "hpke/provider/default.h"

#define CREATION_URL \
    "https://leader.example/api/tasks/AQIDBAUGBwgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/collection_jobs"
static const char response_type[] = "application/ppm-dap;message=collection-job-resp";

static struct fixture fixture;
static struct moiety_collector_key *key;
static struct moiety_collector *collector;

static void start(enum moiety_batch_mode mode) {
    struct moiety_task description = fixture_description("https://leader.example/api", mode);
    fixture_setup(&fixture, &description);
    cr_assert_eq(moiety_collector_key_generate(hpke_provider_default(),
                                               MOIETY_KEM_X25519_HKDF_SHA256,
                                               MOIETY_AEAD_AES_128_GCM, 77, &key),
                 MOIETY_OK);
    cr_assert_eq(moiety_collector_new(&description, key, hpke_provider_default(), &collector),
                 MOIETY_OK);
}

static void teardown(void) {
    moiety_collector_free(collector);
    moiety_collector_key_free(key);
    fixture_release(&fixture);
}

TestSuite(collector, .fini = teardown);

static struct hpke_ciphertext seal_share(enum role sender, struct span request,
                                         struct span share) {
    size_t len;
    const uint8_t *encoded = moiety_collector_key_config(key, &len);
    struct hpke_config config;
    struct hpke_ciphertext sealed;
    struct span aad = SPAN_EMPTY;
    cr_assert(status_ok(hpke_config_decode(span_of(encoded, len), &fixture.arena, &config)));
    cr_assert(
        status_ok(aggregate_share_aad_make(&fixture.task, request, &fixture.arena, &aad)));
    sealed.config_id = config.id;
    cr_assert(status_ok(hpke_seal(hpke_provider_default(), &config, aggregate_share_info(sender),
                                  aad, share, &fixture.arena, &sealed.enc, &sealed.payload)));
    return sealed;
}

/* Field128 elements, little-endian: the leader's share is the values less the
 * helper's, which is one each. */
static void share_values(const uint64_t values[BUCKETS], uint8_t leader[BUCKETS * 16],
                         uint8_t helper[BUCKETS * 16]) {
    memset(leader, 0, BUCKETS * 16);
    memset(helper, 0, BUCKETS * 16);
    for (int i = 0; i < BUCKETS; i++) {
        uint64_t rest = values[i] - 1;
        helper[16 * i] = 1;
        for (int byte = 0; byte < 8; byte++) {
            leader[16 * i + byte] = (uint8_t)(rest >> 8 * byte);
        }
    }
}

/* What a leader answers to the collection's request. */
static struct collection_job_resp make_response(struct moiety_collection *collection,
                                                const uint64_t values[BUCKETS]) {
    uint8_t leader[BUCKETS * 16], helper[BUCKETS * 16];
    size_t len;
    const uint8_t *bytes = moiety_collection_request(collection, &len);
    struct span request = span_of(bytes, len);
    share_values(values, leader, helper);
    return (struct collection_job_resp){
        .report_count = 17,
        .interval = {100, 3},
        .leader_encrypted_agg_share = seal_share(ROLE_LEADER, request, SPAN_OF_ARRAY(leader)),
        .helper_encrypted_agg_share = seal_share(ROLE_HELPER, request, SPAN_OF_ARRAY(helper)),
    };
}

static enum moiety_result answer_with(struct moiety_collection *collection,
                                      const struct collection_job_resp *response,
                                      struct moiety_aggregate **out) {
    struct buffer body = BUFFER_INIT;
    cr_assert(status_ok(collection_job_resp_encode(response, &body)));
    enum moiety_result result =
        moiety_collection_answer(collection, 200, CREATION_URL "/job", response_type, body.data,
                                 body.len, out);
    buffer_release(&body);
    return result;
}

static struct moiety_collection *next_batch(void) {
    struct moiety_collection *collection;
    cr_assert_eq(moiety_collector_next_batch(collector, &collection), MOIETY_OK);
    return collection;
}

static const uint64_t counts[BUCKETS] = {4, 1, UINT64_MAX, 12};

Test(collector, puts_an_aggregate_together) {
    start(MOIETY_LEADER_SELECTED);
    struct moiety_collection *collection = next_batch();
    cr_assert_str_eq(moiety_collection_url(collection), CREATION_URL);
    cr_assert_str_eq(moiety_collection_media_type(collection),
                     "application/ppm-dap;message=collection-job-req");
    struct collection_job_resp response = make_response(collection, counts);
    struct moiety_aggregate *aggregate;
    cr_assert_eq(answer_with(collection, &response, &aggregate), MOIETY_OK);
    cr_assert_eq(moiety_aggregate_report_count(aggregate), 17);
    cr_assert_eq(moiety_aggregate_start_s(aggregate), 100 * PRECISION);
    cr_assert_eq(moiety_aggregate_duration_s(aggregate), 3 * PRECISION);
    cr_assert_eq(moiety_aggregate_len(aggregate), BUCKETS);
    cr_assert_str_eq(moiety_aggregate_value(aggregate, 0)->decimal, "4");
    cr_assert_str_eq(moiety_aggregate_value(aggregate, 2)->decimal, "18446744073709551615");
    for (int i = 0; i < BUCKETS; i++) {
        cr_assert_eq(moiety_aggregate_value(aggregate, i)->number, counts[i]);
        cr_assert_not(moiety_aggregate_value(aggregate, i)->overflows);
    }
    cr_assert_null(moiety_aggregate_value(aggregate, BUCKETS));
    moiety_aggregate_free(aggregate);
    moiety_collection_free(collection);
}

Test(collector, a_value_beyond_64_bits_is_exact_in_decimal) {
    start(MOIETY_LEADER_SELECTED);
    struct moiety_collection *collection = next_batch();
    struct collection_job_resp response = make_response(collection, counts);
    size_t len;
    const uint8_t *request = moiety_collection_request(collection, &len);
    uint8_t share[BUCKETS * 16] = {[8] = 1}; /* 2^64, to which the helper adds 1 */
    response.leader_encrypted_agg_share =
        seal_share(ROLE_LEADER, span_of(request, len), SPAN_OF_ARRAY(share));
    struct moiety_aggregate *aggregate;
    cr_assert_eq(answer_with(collection, &response, &aggregate), MOIETY_OK);
    const struct moiety_value *value = moiety_aggregate_value(aggregate, 0);
    cr_assert_str_eq(value->decimal, "18446744073709551617");
    cr_assert(value->overflows);
    cr_assert_eq(value->number, UINT64_MAX);
    moiety_aggregate_free(aggregate);
    moiety_collection_free(collection);
}

Test(collector, asks_for_intervals_of_whole_time_precisions) {
    start(MOIETY_TIME_INTERVAL);
    struct moiety_collection *collection;
    cr_assert_eq(moiety_collector_interval(collector, 600, 900, &collection), MOIETY_OK);
    size_t len;
    const uint8_t *bytes = moiety_collection_request(collection, &len);
    struct collection_job_req request;
    struct time_interval_query_config config;
    cr_assert(
        status_ok(collection_job_req_decode(span_of(bytes, len), &fixture.arena, &request)));
    cr_assert_eq(request.query.batch_mode, BATCH_MODE_TIME_INTERVAL);
    cr_assert_eq(request.agg_param.len, 0);
    cr_assert_eq(request.extensions.count, 0);
    cr_assert(status_ok(
        time_interval_query_config_decode(request.query.config, &fixture.arena, &config)));
    cr_assert_eq(config.batch_interval.start, 2);
    cr_assert_eq(config.batch_interval.duration, 3);
    moiety_collection_free(collection);

    const uint64_t bad[][2] = {{1, 300}, {300, 1}, {300, 0}, {UINT64_MAX / 300 * 300, 300}};
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(moiety_collector_interval(collector, bad[i][0], bad[i][1], &collection),
                     MOIETY_INVALID_ARGUMENT);
    }
    cr_assert_eq(moiety_collector_next_batch(collector, &collection), MOIETY_INVALID_ARGUMENT);
}

Test(collector, an_interval_is_not_for_leader_selected_tasks) {
    start(MOIETY_LEADER_SELECTED);
    struct moiety_collection *collection;
    cr_assert_eq(moiety_collector_interval(collector, 600, 900, &collection),
                 MOIETY_INVALID_ARGUMENT);
}

Test(collector, polls_the_job_that_the_leader_made) {
    start(MOIETY_LEADER_SELECTED);
    struct moiety_collection *collection = next_batch();
    struct moiety_aggregate *aggregate;
    cr_assert_not(moiety_collection_created(collection));
    /* An answer to the POST must say where the job is. */
    cr_assert_eq(moiety_collection_answer(collection, 200, NULL, NULL, NULL, 0, &aggregate),
                 MOIETY_INVALID_MESSAGE);
    cr_assert_eq(moiety_collection_answer(collection, 503, NULL, NULL, NULL, 0, &aggregate),
                 MOIETY_RETRY_LATER);
    cr_assert_eq(moiety_collection_answer(collection, 0, NULL, NULL, NULL, 0, &aggregate),
                 MOIETY_RETRY_LATER);
    cr_assert_eq(moiety_collection_answer(collection, 400, NULL, "application/problem+json", "{}",
                                          2, &aggregate),
                 MOIETY_REFUSED);
    cr_assert_not(moiety_collection_created(collection));
    cr_assert_eq(moiety_collection_answer(collection, 201, CREATION_URL "/job1", NULL, NULL, 0,
                                          &aggregate),
                 MOIETY_PENDING);
    cr_assert(moiety_collection_created(collection));
    cr_assert_str_eq(moiety_collection_url(collection), CREATION_URL "/job1");
    cr_assert_eq(moiety_collection_answer(collection, 202, NULL, NULL, NULL, 0, &aggregate),
                 MOIETY_PENDING);
    moiety_collection_free(collection);
}

Test(collector, credentials_stay_with_the_leader) {
    start(MOIETY_LEADER_SELECTED);
    static const char *const elsewhere[] = {
        "https://evil.example/api/tasks/AQIDBAUGBwgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/"
        "collection_jobs/job",
        "http://leader.example/api/tasks/AQIDBAUGBwgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/"
        "collection_jobs/job",
        "https://leader.example/other",
        "//evil.example/job",
        CREATION_URL "/../../../secret",
        CREATION_URL,
        "",
    };
    struct moiety_collection *collection = next_batch();
    struct moiety_aggregate *aggregate;
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        enum moiety_result result = moiety_collection_answer(collection, 201, elsewhere[i], NULL,
                                                             NULL, 0, &aggregate);
        cr_assert(result == MOIETY_BAD_LOCATION || result == MOIETY_INVALID_MESSAGE ||
                      result == MOIETY_INVALID_ARGUMENT,
                  "%s: %d", elsewhere[i], result);
        cr_assert_not(moiety_collection_created(collection));
    }
    moiety_collection_free(collection);
}

Test(collector, goes_on_after_a_crash) {
    start(MOIETY_LEADER_SELECTED);
    struct moiety_collection *collection = next_batch();
    struct collection_job_resp response = make_response(collection, counts);
    size_t len, loaded_len;
    const uint8_t *bytes = moiety_collection_request(collection, &len);
    struct moiety_collection *loaded;
    cr_assert_eq(moiety_collection_load(collector, bytes, len, NULL, &loaded), MOIETY_OK);
    cr_assert_not(moiety_collection_created(loaded));
    moiety_collection_free(loaded);
    cr_assert_eq(moiety_collection_load(collector, bytes, len, CREATION_URL "/j", &loaded),
                 MOIETY_OK);
    cr_assert_str_eq(moiety_collection_url(loaded), CREATION_URL "/j");
    const uint8_t *loaded_bytes = moiety_collection_request(loaded, &loaded_len);
    cr_assert(span_equal_vartime(span_of(bytes, len), span_of(loaded_bytes, loaded_len)));
    struct moiety_aggregate *aggregate;
    cr_assert_eq(answer_with(loaded, &response, &aggregate), MOIETY_OK);
    moiety_aggregate_free(aggregate);
    moiety_collection_free(loaded);

    for (size_t cut = 0; cut < len; cut++) {
        cr_assert_eq(moiety_collection_load(collector, bytes, cut, NULL, &loaded),
                     MOIETY_INVALID_MESSAGE);
    }
    cr_assert_eq(moiety_collection_load(collector, bytes, len, "https://evil.example/", &loaded),
                 MOIETY_BAD_LOCATION);
    moiety_collection_free(collection);
}

Test(collector, answers_that_are_not_this_collections_are_refused) {
    start(MOIETY_TIME_INTERVAL);
    struct moiety_collection *collection, *other;
    struct moiety_aggregate *aggregate = NULL;
    cr_assert_eq(moiety_collector_interval(collector, 0, 300, &collection), MOIETY_OK);
    cr_assert_eq(moiety_collector_interval(collector, 300, 300, &other), MOIETY_OK);
    const struct collection_job_resp good = make_response(collection, counts);

    /* Of another query, as a leader that shows the wrong batch would send. */
    cr_assert_eq(answer_with(other, &good, &aggregate), MOIETY_DECRYPT_FAILED);
    /* Both shares of one aggregator. */
    struct collection_job_resp bad = good;
    bad.helper_encrypted_agg_share = good.leader_encrypted_agg_share;
    cr_assert_eq(answer_with(collection, &bad, &aggregate), MOIETY_DECRYPT_FAILED);
    bad = good;
    bad.leader_encrypted_agg_share.config_id++;
    cr_assert_eq(answer_with(collection, &bad, &aggregate), MOIETY_WRONG_KEY);
    bad = good;
    bad.interval.start = UINT64_MAX;
    cr_assert_eq(answer_with(collection, &bad, &aggregate), MOIETY_INVALID_MESSAGE);
    /* A share of the wrong length, and one that isn't field elements. */
    uint8_t share[BUCKETS * 16];
    memset(share, 0xff, sizeof(share));
    size_t len;
    const uint8_t *request = moiety_collection_request(collection, &len);
    for (size_t size = sizeof(share) - 1; size <= sizeof(share); size++) {
        bad = good;
        bad.helper_encrypted_agg_share =
            seal_share(ROLE_HELPER, span_of(request, len), span_of(share, size));
        cr_assert_eq(answer_with(collection, &bad, &aggregate), MOIETY_INVALID_MESSAGE);
    }
    cr_assert_eq(moiety_collection_answer(collection, 200, NULL, "text/html", "x", 1, &aggregate),
                 MOIETY_INVALID_MESSAGE);
    cr_assert_eq(moiety_collection_answer(collection, 200, NULL, response_type, "x", 1,
                                          &aggregate),
                 MOIETY_INVALID_MESSAGE);
    cr_assert_null(aggregate);
    cr_assert_eq(answer_with(collection, &good, &aggregate), MOIETY_OK);
    moiety_aggregate_free(aggregate);
    moiety_collection_free(collection);
    moiety_collection_free(other);
}

Test(collector, a_key_survives_its_export) {
    start(MOIETY_LEADER_SELECTED);
    uint8_t exported[MOIETY_COLLECTOR_KEY_SIZE + 1] = {0}, again[MOIETY_COLLECTOR_KEY_SIZE];
    struct moiety_collector_key *imported = NULL;
    moiety_collector_key_export(key, exported);
    for (size_t len = 0; len <= sizeof(exported); len++) {
        cr_assert_eq(
            moiety_collector_key_import(hpke_provider_default(), exported, len, &imported),
            len == MOIETY_COLLECTOR_KEY_SIZE ? MOIETY_OK : MOIETY_INVALID_MESSAGE);
    }
    moiety_collector_key_export(imported, again);
    cr_assert_arr_eq(exported, again, sizeof(again));
    size_t len, again_len;
    const uint8_t *config = moiety_collector_key_config(key, &len);
    const uint8_t *config_again = moiety_collector_key_config(imported, &again_len);
    cr_assert(span_equal_vartime(span_of(config, len), span_of(config_again, again_len)));
    moiety_collector_key_free(imported);

    exported[0] = 2; /* another version */
    cr_assert_eq(moiety_collector_key_import(hpke_provider_default(), exported, sizeof(again),
                                             &imported),
                 MOIETY_INVALID_MESSAGE);
    exported[0] = 1;
    exported[3] = 0x21; /* another KEM */
    cr_assert_eq(moiety_collector_key_import(hpke_provider_default(), exported, sizeof(again),
                                             &imported),
                 MOIETY_UNSUPPORTED);
    cr_assert_eq(moiety_collector_key_generate(hpke_provider_default(), 0x21, 1, 0, &imported),
                 MOIETY_UNSUPPORTED);
}
