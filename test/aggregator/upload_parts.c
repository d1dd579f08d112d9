/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "aggregator/exchange.h"
#include "aggregator/solo.h"

/* Uploads that are longer than what is held of them at one time: the same
 * answers as to short ones, and what came before a failure stays. */

static struct solo solo;
static const struct solo_options leader = {
    .role = ROLE_LEADER, .idle = true, .max_upload_bytes = (size_t)1 << 30};

TestSuite(upload_parts, .timeout = 60);

static struct answer upload(struct span body) {
    return solo_call(&solo, "POST", solo_path(&solo, "reports"),
                     media_type_string(MEDIA_UPLOAD_REQ), NULL, body);
}

/* Reports under IDs of their own, so that there can be many without the work
 * of sharding: nothing is opened at upload. */
struct bulk {
    uint8_t *bytes;
    size_t each;
    size_t count;
};

static struct bulk make_bulk(const struct sample *sample, size_t count, uint64_t first_id) {
    struct span one = solo_encode(&solo, sample, 1);
    struct bulk bulk = {malloc(one.len * count), one.len, count};
    for (size_t i = 0; i < count; i++) {
        uint64_t id = first_id + i; /* the encoding begins with the ID */
        memcpy(bulk.bytes + i * one.len, one.data, one.len);
        memcpy(bulk.bytes + i * one.len, &id, sizeof id);
    }
    return bulk;
}

static struct span bulk_span(const struct bulk *bulk) {
    return span_of(bulk->bytes, bulk->each * bulk->count);
}

/* As many as fill some parts and a piece. */
static size_t enough(const struct sample *sample) {
    return 7 * (size_t)EXCHANGE_PART_BYTES / 2 / solo_encode(&solo, sample, 1).len;
}

static struct sample good(void) { return solo_sample(&solo, "1", SOLO_TIME, GOOD); }

Test(upload_parts, are_stored_whole) {
    solo_start(&solo, &leader);
    struct sample sample = good();
    struct bulk bulk = make_bulk(&sample, enough(&sample), 1);
    struct answer answer = upload(bulk_span(&bulk));
    cr_assert_eq(answer.status, 200, "%d %s", answer.status, answer.text);
    cr_assert_eq(answer.body.len, 0);
    cr_assert_eq(solo_usage(&solo).reports, bulk.count);
    cr_assert_eq(solo_counter(&solo, "upload_accepted"), bulk.count);
    /* Again, with one that is new at the end: it alone counts. */
    uint64_t id = 0;
    memcpy(bulk.bytes + bulk.each * (bulk.count - 1), &id, sizeof id);
    struct upload_errors errors;
    answer = upload(bulk_span(&bulk));
    cr_assert_eq(answer.status, 200);
    must(upload_errors_decode(answer.body, &solo.arena, &errors));
    cr_assert_eq(errors.status.count, bulk.count - 1);
    for (size_t i = 0; i < errors.status.count; i++) {
        cr_assert_arr_eq(errors.status.items[i].id.bytes, bulk.bytes + i * bulk.each, 16);
        cr_assert_eq(errors.status.items[i].error, REPORT_ERROR_REPORT_REPLAYED);
    }
    cr_assert_eq(solo_usage(&solo).reports, bulk.count + 1);
    free(bulk.bytes);
    solo_stop(&solo);
}

/* What is wrong at the end, or in the middle, leaves what came before. */
Test(upload_parts, keep_what_came_before_a_flaw) {
    solo_start(&solo, &leader);
    struct sample sample = good();
    struct bulk bulk = make_bulk(&sample, enough(&sample), 1);
    struct span body = bulk_span(&bulk);
    assert_problem(upload(span_of(body.data, body.len - 1)), 400, "invalidMessage");
    cr_assert_eq(solo_usage(&solo).reports, bulk.count - 1);
    struct answer answer = upload(body); /* as it was meant */
    cr_assert_eq(answer.status, 200);
    cr_assert_eq(solo_usage(&solo).reports, bulk.count);
    free(bulk.bytes);

    bulk = make_bulk(&sample, enough(&sample), 1000000);
    size_t middle = bulk.count / 2;
    /* The public share's length: what follows the ID, the time and no
     * extensions. No report of this task is so long. */
    memset(bulk.bytes + middle * bulk.each + 16 + 8 + 2, 0x7f, 4);
    assert_problem(upload(bulk_span(&bulk)), 400, "invalidMessage");
    cr_assert_eq(solo_usage(&solo).reports - bulk.count, middle);
    free(bulk.bytes);
    solo_stop(&solo);
}

/* A report that reaches over the end of a part. */
Test(upload_parts, may_end_within_a_report) {
    solo_start(&solo, &leader);
    struct sample samples[3] = {good(), good(), good()};
    struct span long_payload = span_of(calloc(1, 200 << 10), 200 << 10);
    for (int i = 0; i < 3; i++) {
        samples[i].report.helper_encrypted_input_share.payload = long_payload;
    }
    struct bulk bulk = make_bulk(&samples[0], 33, 1);
    cr_assert_eq(upload(bulk_span(&bulk)).status, 200);
    cr_assert_eq(solo_usage(&solo).reports, 33);
    free(bulk.bytes);
    free((void *)(uintptr_t)long_payload.data);
    solo_stop(&solo);
}

Test(upload_parts, keep_to_the_quota) {
    struct solo_options options = leader;
    options.settings = "{\"max_unaggregated_reports\": 5000}";
    solo_start(&solo, &options);
    struct sample sample = good();
    struct bulk bulk = make_bulk(&sample, enough(&sample), 1);
    cr_assert_gt(bulk.count, 10000);
    struct answer answer = upload(bulk_span(&bulk));
    cr_assert_eq(answer.status, 429, "%d %s", answer.status, answer.text);
    cr_assert_not_null(answer.retry_after);
    cr_assert_gt(solo_usage(&solo).reports, 0); /* some parts fitted */
    cr_assert_leq(solo_usage(&solo).reports, 5000);
    free(bulk.bytes);
    solo_stop(&solo);
}

Test(upload_parts, name_unknown_extensions_if_all_have_them) {
    solo_start(&solo, &leader);
    struct sample sample = solo_sample(&solo, "1", SOLO_TIME, UNKNOWN_PUBLIC_EXTENSION);
    struct bulk bulk = make_bulk(&sample, enough(&sample), 1);
    struct answer answer = upload(bulk_span(&bulk));
    assert_problem(answer, 400, "unsupportedExtension");
    cr_assert_not_null(strstr(answer.text, "\"unsupported_extensions\":[7]"));
    struct sample honest = good();
    struct bulk more = make_bulk(&honest, 1, 77);
    bulk.bytes = realloc(bulk.bytes, bulk.each * bulk.count + more.each);
    memcpy(bulk.bytes + bulk.each * bulk.count, more.bytes, more.each);
    answer = upload(span_of(bulk.bytes, bulk.each * bulk.count + more.each));
    cr_assert_eq(answer.status, 200);
    cr_assert_eq(solo_usage(&solo).reports, 1);
    free(bulk.bytes);
    free(more.bytes);
    solo_stop(&solo);
}

Test(upload_parts, are_refused_at_the_first) {
    solo_start(&solo, &leader);
    struct sample sample = good();
    struct bulk bulk = make_bulk(&sample, enough(&sample), 1);
    cr_assert_eq(solo_call(&solo, "POST", solo_path(&solo, "reports"), "text/plain", NULL,
                           bulk_span(&bulk))
                     .status,
                 415);
    assert_problem(solo_call(&solo, "POST", "/tasks/short/reports",
                             media_type_string(MEDIA_UPLOAD_REQ), NULL, bulk_span(&bulk)),
                   404, "unrecognizedTask");
    cr_assert_eq(solo_usage(&solo).reports, 0);
    free(bulk.bytes);
    solo_stop(&solo);
}
