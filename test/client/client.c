/* SPDX-License-Identifier: Apache-2.0 */
/* Making reports: what the aggregators find when they open them. */
#include "moiety/client.h"

#include <criterion/criterion.h>

#include "client/fixture.h"
#include "dap/binding.h"
#include "hpke/batch.h"
#include "hpke/provider/default.h"
#include "vdaf/verify.h"

static struct fixture fixture;
static struct moiety_client *client;

static void setup(void) {
    struct moiety_task description =
        fixture_description("https://leader.example/api", MOIETY_TIME_INTERVAL);
    fixture_setup(&fixture, &description);
    cr_assert_eq(moiety_client_new(&description, hpke_provider_default(), &client), MOIETY_OK);
}

static void teardown(void) {
    moiety_client_free(client);
    fixture_release(&fixture);
}

static void configure(void) {
    const struct hpke_key *leader = &fixture.leader;
    const struct hpke_key *helper = &fixture.helper;
    struct span body = fixture_configs(&fixture, &leader, 1);
    cr_assert_eq(moiety_client_set_config(client, MOIETY_LEADER, body.data, body.len), MOIETY_OK);
    body = fixture_configs(&fixture, &helper, 1);
    cr_assert_eq(moiety_client_set_config(client, MOIETY_HELPER, body.data, body.len), MOIETY_OK);
}

TestSuite(client, .init = setup, .fini = teardown);

Test(client, urls_are_the_drafts) {
    cr_assert_str_eq(moiety_client_config_url(client, MOIETY_LEADER),
                     "https://leader.example/api/hpke_config");
    cr_assert_str_eq(moiety_client_config_url(client, MOIETY_HELPER),
                     "https://helper.example/dap/hpke_config");
    cr_assert_null(moiety_client_config_url(client, (enum moiety_role)0));
}

/* Opens one share of a report as its aggregator does. */
static struct span open_share(const struct hpke_key *key, enum role role,
                              const struct report *report,
                              const struct hpke_ciphertext *ciphertext) {
    struct span aad = SPAN_EMPTY;
    cr_assert_eq(ciphertext->config_id, key->id);
    cr_assert(status_ok(input_share_aad_make(&fixture.task, &report->report_metadata,
                                             report->public_share, &fixture.arena, &aad)));
    struct hpke_open_item item = {
        .key = key,
        .info = input_share_info(role),
        .aad = aad,
        .enc = ciphertext->enc,
        .ciphertext = ciphertext->payload,
    };
    cr_assert(status_ok(hpke_open_batch(hpke_provider_default(), &item, 1, &fixture.arena)));
    cr_assert_eq(item.verdict, STATUS_OK);
    struct plaintext_input_share plaintext = {{NULL, 0}, SPAN_EMPTY};
    cr_assert(status_ok(
        plaintext_input_share_decode(item.plaintext, &fixture.arena, &plaintext)));
    cr_assert_eq(plaintext.private_extensions.count, 0);
    return plaintext.payload;
}

/* Runs both sides' verification over one report and adds its output shares. */
static void aggregate(struct vdaf *vdaf, const struct report *report, uint8_t *agg_shares[2]) {
    static const uint8_t key[32] = {9};
    uint8_t context[TASK_VDAF_CONTEXT_SIZE];
    task_vdaf_context(&fixture.task.id, context);
    struct verify_batch *sides[2];
    struct verify_input inputs[2];
    for (unsigned i = 0; i < 2; i++) {
        inputs[i] = (struct verify_input){
            .verify_key = SPAN_OF_ARRAY(key),
            .ctx = SPAN_OF_ARRAY(context),
            .nonce = report->report_metadata.report_id.bytes,
            .public_share = report->public_share,
        };
        cr_assert(status_ok(verify_batch_new(vdaf, i, SPAN_EMPTY, 1, &sides[i])));
    }
    inputs[0].input_share = open_share(&fixture.leader, ROLE_LEADER, report,
                                       &report->leader_encrypted_input_share);
    inputs[1].input_share = open_share(&fixture.helper, ROLE_HELPER, report,
                                       &report->helper_encrypted_input_share);
    cr_assert(status_ok(pingpong_leader_init(sides[0], &inputs[0])));
    struct span outbound = pingpong_outbound(sides[0], 0);
    cr_assert(status_ok(pingpong_helper_init(sides[1], &inputs[1], &outbound)));
    outbound = pingpong_outbound(sides[1], 0);
    cr_assert(status_ok(pingpong_leader_continued(sides[0], &outbound)));
    static const uint32_t bucket = 0;
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(verify_batch_verdict(sides[i], 0), STATUS_OK);
        cr_assert(status_ok(verify_batch_accumulate(sides[i], &bucket, &agg_shares[i], 1)));
        verify_batch_free(sides[i]);
    }
}

Test(client, aggregators_count_what_was_reported) {
    configure();
    static const uint64_t values[] = {3, 0, 3, 1, 3};
    enum { REPORTS = 5 };
    struct moiety_report *reports[REPORTS];
    cr_assert_eq(moiety_client_reports(client, values, REPORTS, NOW, reports), MOIETY_OK);

    struct vdaf *vdaf;
    cr_assert(status_ok(vdaf_from_config(fixture.task.configuration.vdaf_type,
                                         fixture.task.configuration.vdaf_configuration, &vdaf)));
    uint8_t *agg_shares[2];
    struct span spans[2];
    for (int i = 0; i < 2; i++) {
        agg_shares[i] = ARENA_ARRAY(&fixture.arena, uint8_t, vdaf_agg_share_size(vdaf));
        spans[i] = span_of(agg_shares[i], vdaf_agg_share_size(vdaf));
        vdaf_agg_init(vdaf, agg_shares[i]);
    }
    for (int i = 0; i < REPORTS; i++) {
        size_t len;
        const uint8_t *bytes = moiety_report_bytes(reports[i], &len);
        struct report report;
        cr_assert(status_ok(report_decode(span_of(bytes, len), &fixture.arena, &report)));
        cr_assert_arr_eq(report.report_metadata.report_id.bytes, moiety_report_id(reports[i]), 16);
        cr_assert_eq(report.report_metadata.time, NOW / PRECISION);
        cr_assert_eq(report.report_metadata.public_extensions.count, 0);
        aggregate(vdaf, &report, agg_shares);
        for (int j = 0; j < i; j++) {
            cr_assert_arr_neq(moiety_report_id(reports[i]), moiety_report_id(reports[j]), 16);
        }
    }
    vdaf_value result[BUCKETS];
    cr_assert(status_ok(vdaf_unshard(vdaf, SPAN_EMPTY, spans, REPORTS, result)));
    const uint64_t expected[BUCKETS] = {1, 1, 0, 3};
    for (int i = 0; i < BUCKETS; i++) {
        cr_assert(result[i] == expected[i]);
    }
    for (int i = 0; i < REPORTS; i++) {
        moiety_report_free(reports[i]);
    }
    vdaf_free(vdaf);
}

/* The helper's share holds the VDAF's seed: reports made together of the same
 * measurement must not share it, nor their IDs. */
Test(client, each_report_has_randomness_of_its_own) {
    configure();
    static const uint64_t values[3] = {1, 1, 1};
    struct moiety_report *reports[3];
    struct span shares[3];
    cr_assert_eq(moiety_client_reports(client, values, 3, NOW, reports), MOIETY_OK);
    for (int i = 0; i < 3; i++) {
        size_t len;
        const uint8_t *bytes = moiety_report_bytes(reports[i], &len);
        struct report report;
        cr_assert(status_ok(report_decode(span_of(bytes, len), &fixture.arena, &report)));
        shares[i] = open_share(&fixture.helper, ROLE_HELPER, &report,
                               &report.helper_encrypted_input_share);
        for (int j = 0; j < i; j++) {
            cr_assert_arr_neq(moiety_report_id(reports[i]), moiety_report_id(reports[j]), 16);
            /* Both the measurement's seed, which comes first, and the blind. */
            cr_assert_arr_neq(shares[i].data, shares[j].data, 32);
            cr_assert_arr_neq(shares[i].data + shares[i].len - 32,
                              shares[j].data + shares[j].len - 32, 32);
        }
    }
    for (int i = 0; i < 3; i++) {
        moiety_report_free(reports[i]);
    }
}

/* More than are made at once, and none at all. */
Test(client, any_number_of_reports_can_be_made) {
    configure();
    enum { MANY = 130 };
    static uint64_t values[MANY];
    struct moiety_report *reports[MANY];
    cr_assert_eq(moiety_client_reports(client, values, MANY, NOW, reports), MOIETY_OK);
    for (int i = 0; i < MANY; i++) {
        size_t len;
        cr_assert_not_null(moiety_report_bytes(reports[i], &len));
        moiety_report_free(reports[i]);
    }
    cr_assert_eq(moiety_client_reports(client, values, 0, NOW, reports), MOIETY_OK);
}

Test(client, the_same_task_either_way) {
    struct moiety_task encoded = {
        .size = sizeof(encoded),
        .task_id = fixture.description.task_id,
        .configuration = fixture.task.encoded.data,
        .configuration_len = fixture.task.encoded.len,
    };
    moiety_client_free(client);
    cr_assert_eq(moiety_client_new(&encoded, hpke_provider_default(), &client), MOIETY_OK);
    configure();
    uint64_t bucket = 1;
    struct moiety_report *made;
    cr_assert_eq(moiety_client_report(client, &bucket, 1, NOW, &made), MOIETY_OK);
    size_t len;
    const uint8_t *bytes = moiety_report_bytes(made, &len);
    struct report report;
    cr_assert(status_ok(report_decode(span_of(bytes, len), &fixture.arena, &report)));
    /* It opens with the other's idea of the task. */
    open_share(&fixture.leader, ROLE_LEADER, &report, &report.leader_encrypted_input_share);
    moiety_report_free(made);
}

Test(client, nothing_is_made_before_both_configurations_are_known) {
    uint64_t bucket = 0;
    struct moiety_report *report = NULL;
    cr_assert_eq(moiety_client_report(client, &bucket, 1, NOW, &report), MOIETY_NO_CONFIG);
    const struct hpke_key *leader = &fixture.leader;
    struct span body = fixture_configs(&fixture, &leader, 1);
    cr_assert_eq(moiety_client_set_config(client, MOIETY_LEADER, body.data, body.len), MOIETY_OK);
    cr_assert_eq(moiety_client_report(client, &bucket, 1, NOW, &report), MOIETY_NO_CONFIG);
    cr_assert_null(report);
}

Test(client, takes_the_first_configuration_that_it_can_use) {
    struct hpke_key foreign = fixture.leader;
    foreign.id = 1;
    foreign.suite.kem_id = 0x0021;
    struct hpke_key second = fixture_key(MOIETY_KEM_P256_HKDF_SHA256, 2);
    const struct hpke_key *keys[] = {&foreign, &second, &fixture.leader};
    configure();
    struct span body = fixture_configs(&fixture, keys, 3);
    cr_assert_eq(moiety_client_set_config(client, MOIETY_LEADER, body.data, body.len), MOIETY_OK);
    uint64_t bucket = 0;
    struct moiety_report *made;
    cr_assert_eq(moiety_client_report(client, &bucket, 1, NOW, &made), MOIETY_OK);
    size_t len;
    const uint8_t *bytes = moiety_report_bytes(made, &len);
    struct report report;
    cr_assert(status_ok(report_decode(span_of(bytes, len), &fixture.arena, &report)));
    open_share(&second, ROLE_LEADER, &report, &report.leader_encrypted_input_share);
    moiety_report_free(made);

    cr_assert_eq(moiety_client_set_config(client, MOIETY_LEADER, body.data, 0),
                 MOIETY_INVALID_MESSAGE);
    for (size_t cut = 1; cut < body.len; cut++) {
        cr_assert_eq(moiety_client_set_config(client, MOIETY_LEADER, body.data, cut),
                     MOIETY_INVALID_MESSAGE);
    }
    static const uint8_t none[] = {0, 0};
    cr_assert_eq(moiety_client_set_config(client, MOIETY_LEADER, none, 2), MOIETY_INVALID_MESSAGE);
    body = fixture_configs(&fixture, keys, 1);
    cr_assert_eq(moiety_client_set_config(client, MOIETY_LEADER, body.data, body.len),
                 MOIETY_UNSUPPORTED);
    cr_assert_eq(moiety_client_set_config(client, (enum moiety_role)0, body.data, body.len),
                 MOIETY_INVALID_ARGUMENT);
    /* What was set before stays. */
    cr_assert_eq(moiety_client_report(client, &bucket, 1, NOW, &made), MOIETY_OK);
    moiety_report_free(made);
}

Test(client, measurements_out_of_range_are_refused) {
    configure();
    cr_assert_eq(moiety_client_measurement_len(client), 1);
    uint64_t values[2] = {BUCKETS, 0};
    struct moiety_report *reports[2] = {NULL, NULL};
    cr_assert_eq(moiety_client_report(client, values, 1, NOW, reports), MOIETY_INVALID_ARGUMENT);
    values[0] = 0;
    cr_assert_eq(moiety_client_report(client, values, 0, NOW, reports), MOIETY_INVALID_ARGUMENT);
    cr_assert_eq(moiety_client_report(client, values, 2, NOW, reports), MOIETY_INVALID_ARGUMENT);
    cr_assert_eq(moiety_client_report(client, NULL, 1, NOW, reports), MOIETY_INVALID_ARGUMENT);
    values[1] = UINT64_MAX;
    cr_assert_eq(moiety_client_reports(client, values, 2, NOW, reports), MOIETY_INVALID_ARGUMENT);
    cr_assert_null(reports[0]);

    uint64_t parsed = 0;
    cr_assert_eq(moiety_client_parse(client, "3", &parsed), MOIETY_OK);
    cr_assert_eq(parsed, 3);
    cr_assert_eq(moiety_client_parse(client, "4", &parsed), MOIETY_INVALID_ARGUMENT);
    cr_assert_eq(moiety_client_parse(client, "three", &parsed), MOIETY_INVALID_ARGUMENT);
}

Test(client, a_task_has_its_time) {
    struct moiety_task limited = fixture.description;
    limited.has_interval = 1;
    limited.interval_start = NOW / PRECISION;
    limited.interval_duration = 2;
    moiety_client_free(client);
    cr_assert_eq(moiety_client_new(&limited, hpke_provider_default(), &client), MOIETY_OK);
    configure();
    uint64_t bucket = 0;
    uint64_t start_s = limited.interval_start * PRECISION;
    struct moiety_report *report;
    cr_assert_eq(moiety_client_report(client, &bucket, 1, start_s - 1, &report),
                 MOIETY_TASK_INACTIVE);
    cr_assert_eq(moiety_client_report(client, &bucket, 1, start_s + 2 * PRECISION, &report),
                 MOIETY_TASK_INACTIVE);
    cr_assert_eq(moiety_client_report(client, &bucket, 1, start_s, &report), MOIETY_OK);
    moiety_report_free(report);
    cr_assert_eq(moiety_client_report(client, &bucket, 1, start_s + 2 * PRECISION - 1, &report),
                 MOIETY_OK);
    moiety_report_free(report);
}

Test(client, badly_described_tasks_are_refused) {
    struct moiety_client *none = NULL;
    const struct moiety_provider *provider = hpke_provider_default();
#define REFUSED(change, result)                                                \
    do {                                                                       \
        struct moiety_task bad = fixture.description;                          \
        change;                                                                \
        cr_expect_eq(moiety_client_new(&bad, provider, &none), (result), #change); \
    } while (0)
    REFUSED(bad.size = 0, MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.size = 1 << 20, MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.task_id = NULL, MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.task_info_len = 0, MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.leader_url = NULL, MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.leader_url = "ftp://leader.example", MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.helper_url = "helper.example", MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.time_precision = 0, MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.min_batch_size = 0, MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.batch_mode = (enum moiety_batch_mode)9, MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.vdaf = NULL, MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.vdaf = "Prio3Guess", MOIETY_INVALID_ARGUMENT);
    REFUSED(bad.params = NULL, MOIETY_INVALID_ARGUMENT);
    REFUSED((bad.configuration = (const uint8_t *)"x", bad.configuration_len = 1),
            MOIETY_INVALID_ARGUMENT);
    cr_assert_eq(moiety_client_new(NULL, provider, &none), MOIETY_INVALID_ARGUMENT);
    cr_assert_eq(moiety_client_new(&fixture.description, NULL, &none), MOIETY_INVALID_ARGUMENT);
    cr_assert_null(none);
}

/* Random calls that still succeed. */
static int random_calls_left;

static int scarce_random(void *out, size_t len) {
    return random_calls_left-- > 0 ? hpke_provider_default()->random(out, len) : -1;
}

Test(client, without_randomness_there_is_no_report) {
    struct moiety_provider broken = *hpke_provider_default();
    broken.random = scarce_random;
    moiety_client_free(client);
    cr_assert_eq(moiety_client_new(&fixture.description, &broken, &client), MOIETY_OK);
    configure();
    uint64_t bucket = 0;
    struct moiety_report *report = NULL;
    enum moiety_result result = MOIETY_CRYPTO;
    int needed = -1;
    while (result == MOIETY_CRYPTO) {
        cr_assert_null(report);
        random_calls_left = ++needed;
        result = moiety_client_report(client, &bucket, 1, NOW, &report);
    }
    cr_assert_eq(result, MOIETY_OK);
    /* The report's ID and the VDAF's randomness; where X25519 goes in lanes, the
     * ephemeral keys too, which keypair() makes otherwise. */
    cr_assert_eq(needed, broken.batch->x25519 != NULL ? 3 : 2);
    moiety_report_free(report);
}
