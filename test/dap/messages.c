/* SPDX-License-Identifier: Apache-2.0
 *
 * The generated decoders and encoders against bytes written by hand.
 */
#include <criterion/criterion.h>

#include "dap/golden.h"
#include "dap/janus.h"
#include "fuzz/fuzz.h"

static bool ends_in_sequence(const char *name) {
    static const char *const names[] = {"upload_request", "upload_errors",
                                        "aggregation_job_init_req", "aggregation_job_resp",
                                        "aggregation_job_continue_req"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* How many of the proper prefixes decode. */
static size_t good_prefixes(const struct fuzz_target *target, struct span golden) {
    size_t good = 0;
    for (size_t len = 0; len < golden.len; len++) {
        uint8_t *prefix = malloc(len + 1);
        memcpy(prefix, golden.data, len);
        /* At the end of the memory, so that reading on is seen. */
        memmove(prefix + 1, prefix, len);
        good += target->run(span_of(prefix + 1, len));
        free(prefix);
    }
    return good;
}

static void check(const struct fuzz_target *target) {
    struct span golden = golden_bytes(target->name);
    cr_expect(target->run(golden), "%s does not decode", target->name);

    /* A message of n elements to the end has n shorter ones in front of it. */
    size_t good = good_prefixes(target, golden);
    if (strcmp(target->name, "aggregation_job_resp") == 0) {
        cr_expect_eq(good, 3);
    } else {
        cr_expect_eq(good, ends_in_sequence(target->name) ? 2u : 0u, "%s: %zu prefixes decode",
                     target->name, good);
    }
    uint8_t *longer = malloc(golden.len + 1);
    memcpy(longer, golden.data, golden.len);
    for (int last = 0; last < 256; last++) {
        longer[golden.len] = (uint8_t)last;
        cr_expect_not(target->run(span_of(longer, golden.len + 1)), "%s with %02x behind it",
                      target->name, (unsigned)last);
    }
    free(longer);
    golden_free(golden);
}

Test(messages, goldens_round_trip_and_their_prefixes_and_extensions_fail) {
    for (const struct fuzz_target *target = fuzz_targets_messages; target->name; target++) {
        check(target);
    }
    for (const struct fuzz_target *target = fuzz_targets_janus; target->name; target++) {
        check(target);
    }
}

/* ---- Fields are where the draft has them ---- */

static struct arena arena;
static struct span golden;

#define DECODE(message, value)                                                  \
    struct message value;                                                       \
    golden = golden_bytes(#message);                                            \
    cr_assert(status_ok(message##_decode(golden, &arena, &value)))

static void release(void) {
    golden_free(golden);
    arena_release(&arena);
}

static void expect_bytes(struct span actual, const char *hex) {
    struct span wanted = golden_hex(hex);
    cr_expect(span_equal_vartime(actual, wanted), "expected %s", hex);
    golden_free(wanted);
}

static void expect_metadata(const struct report_metadata *metadata) {
    expect_bytes(report_id_span(&metadata->report_id), "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
    cr_expect_eq(metadata->time, 123456789);
    cr_assert_eq(metadata->public_extensions.count, 2);
    cr_expect_eq((int)metadata->public_extensions.items[0].extension_type, 23);
    expect_bytes(metadata->public_extensions.items[0].extension_data, "aabbcc");
    cr_expect_eq((int)metadata->public_extensions.items[1].extension_type, 42);
    expect_bytes(metadata->public_extensions.items[1].extension_data, "");
}

static void expect_ciphertext(const struct hpke_ciphertext *ciphertext) {
    cr_expect_eq(ciphertext->config_id, 1);
    expect_bytes(ciphertext->enc, "0f0e0d");
    expect_bytes(ciphertext->payload, "0b0a");
}

static void expect_ciphertext_2(const struct hpke_ciphertext *ciphertext) {
    cr_expect_eq(ciphertext->config_id, 2);
    expect_bytes(ciphertext->enc, "0c");
    expect_bytes(ciphertext->payload, "08000a0b");
}

static void expect_interval(const struct interval *interval) {
    cr_expect_eq(interval->start, 123456789);
    cr_expect_eq(interval->duration, 11);
}

Test(messages, hpke_config_list_fields, .fini = release) {
    DECODE(hpke_config_list, list);
    cr_assert_eq(list.count, 2);
    cr_expect_eq(list.items[0].id, 194);
    cr_expect_eq(list.items[0].suite.kem_id, 0x0010);
    cr_expect_eq(list.items[0].suite.kdf_id, 1);
    cr_expect_eq(list.items[0].suite.aead_id, 1);
    expect_bytes(list.items[0].public_key, "01020304");
    cr_expect_eq(list.items[1].id, 17);
    cr_expect_eq(list.items[1].suite.kem_id, 0x0020);
    cr_expect_eq(list.items[1].suite.aead_id, 3);
}

Test(messages, task_configuration_fields, .fini = release) {
    DECODE(task_configuration, task);
    expect_bytes(task.task_info, "696e666f");
    expect_bytes(task.leader_aggregator_endpoint, "68747470733a2f2f6c2f");
    expect_bytes(task.helper_aggregator_endpoint, "68747470733a2f2f682f");
    cr_expect_eq(task.time_precision, 3600);
    cr_expect_eq(task.min_batch_size, 100);
    cr_expect_eq(task.batch_mode, BATCH_MODE_TIME_INTERVAL);
    cr_expect_eq(task.batch_config.len, 0);
    cr_expect_eq(task.vdaf_type, 2);
    expect_bytes(task.vdaf_configuration, "0000000000000007");
    cr_assert_eq(task.extensions.count, 1);
    cr_expect_eq(task.extensions.items[0].extension_type, TASK_EXTENSION_TYPE_TASK_INTERVAL);
    struct task_interval_task_extension extension;
    cr_assert(status_ok(task_interval_task_extension_decode(
        task.extensions.items[0].extension_data, NULL, &extension)));
    expect_interval(&extension.task_interval);
}

Test(messages, upload_request_fields, .fini = release) {
    DECODE(upload_request, upload);
    cr_assert_eq(upload.reports.count, 2);
    const struct report *report = &upload.reports.items[0];
    expect_metadata(&report->report_metadata);
    expect_bytes(report->public_share, "7075626c69");
    expect_ciphertext(&report->leader_encrypted_input_share);
    expect_ciphertext_2(&report->helper_encrypted_input_share);
    cr_expect_eq(upload.reports.items[1].public_share.len, 0);
}

Test(messages, upload_errors_keep_unknown_values, .fini = release) {
    DECODE(upload_errors, errors);
    cr_assert_eq(errors.status.count, 2);
    cr_expect_eq(errors.status.items[0].error, REPORT_ERROR_REPORT_REPLAYED);
    cr_expect_eq((int)errors.status.items[1].error, 200);
    cr_expect_str_eq(report_error_name(errors.status.items[0].error), "report_replayed");
    cr_expect_str_eq(report_error_name(errors.status.items[1].error), "unknown");
}

Test(messages, input_share_fields, .fini = release) {
    DECODE(plaintext_input_share, share);
    cr_assert_eq(share.private_extensions.count, 2);
    expect_bytes(share.payload, "736872");
    golden_free(golden);
    DECODE(input_share_aad, aad);
    cr_expect_eq(aad.task_id.bytes[0], 0xf0);
    cr_expect_eq(aad.task_configuration.time_precision, 3600);
    expect_metadata(&aad.report_metadata);
    expect_bytes(aad.public_share, "7075626c69");
}

Test(messages, aggregation_job_init_req_fields, .fini = release) {
    DECODE(aggregation_job_init_req, req);
    cr_expect_eq(req.verification_key_id, 42);
    expect_bytes(req.agg_param, "010203");
    cr_assert_eq(req.extensions.count, 1);
    cr_expect_eq(req.extensions.items[0].extension_type,
                 AGGREGATION_JOB_EXTENSION_TYPE_LEADER_SELECTED_BATCH_ID);
    cr_expect_eq(req.extensions.items[0].extension_data.len, 32);
    cr_assert_eq(req.verify_inits.count, 2);
    const struct verify_init *init = &req.verify_inits.items[0];
    expect_metadata(&init->report_share.report_metadata);
    expect_bytes(init->report_share.public_share, "7075626c69");
    expect_ciphertext_2(&init->report_share.encrypted_input_share);
    expect_bytes(init->payload, "010203");
}

Test(messages, aggregation_job_resp_has_all_three_types, .fini = release) {
    DECODE(aggregation_job_resp, resp);
    cr_assert_eq(resp.verify_resps.count, 3);
    const struct verify_resp *items = resp.verify_resps.items;
    cr_expect_eq(items[0].verify_resp_type, VERIFY_RESP_TYPE_CONTINUE);
    expect_bytes(items[0].payload, "beef");
    cr_expect_eq(items[1].verify_resp_type, VERIFY_RESP_TYPE_FINISH);
    expect_bytes(report_id_span(&items[1].report_id), "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf");
    cr_expect_eq(items[2].verify_resp_type, VERIFY_RESP_TYPE_REJECT);
    cr_expect_eq(items[2].report_error, REPORT_ERROR_VDAF_VERIFY_ERROR);
}

Test(messages, aggregation_job_continue_req_fields, .fini = release) {
    DECODE(aggregation_job_continue_req, req);
    cr_expect_eq(req.step, 1);
    cr_assert_eq(req.verify_continues.count, 2);
    expect_bytes(req.verify_continues.items[0].payload, "cafe");
    expect_bytes(req.verify_continues.items[1].payload, "00");
}

Test(messages, collection_fields, .fini = release) {
    DECODE(collection_job_resp, resp);
    cr_expect_eq(resp.report_count, 1000);
    expect_interval(&resp.interval);
    expect_ciphertext(&resp.leader_encrypted_agg_share);
    expect_ciphertext_2(&resp.helper_encrypted_agg_share);
    golden_free(golden);
    DECODE(aggregate_share_req, req);
    cr_expect_eq(req.collection_job_req.query.batch_mode, BATCH_MODE_TIME_INTERVAL);
    cr_expect_eq(req.collection_job_req.query.config.len, 16);
    expect_bytes(req.collection_job_req.agg_param, "0001");
    cr_assert_eq(req.collection_job_req.extensions.count, 1);
    cr_expect_eq((int)req.collection_job_req.extensions.items[0].extension_type, 3);
    cr_expect_eq(req.batch_selector.batch_mode, BATCH_MODE_LEADER_SELECTED);
    cr_expect_eq(req.report_count, 1000);
    cr_expect_eq(req.checksum[0], 0x0a);
    cr_expect_eq(req.checksum[31], 0x19);
    golden_free(golden);
    DECODE(aggregate_share_aad, aad);
    cr_expect_eq(aad.task_configuration.min_batch_size, 100);
    expect_bytes(aad.collection_job_req.agg_param, "0001");
}

Test(messages, janus_fields, .fini = release) {
    DECODE(janus_aggregation_job_init_req, req);
    cr_expect_eq(req.verification_key_id, 42);
    expect_bytes(req.agg_param, "010203");
    cr_expect_eq(req.partial_batch_selector.batch_mode, BATCH_MODE_LEADER_SELECTED);
    cr_expect_eq(req.partial_batch_selector.config.len, 32);
    cr_assert_eq(req.verify_inits.count, 2);
    expect_metadata(&req.verify_inits.items[0].report_share.report_metadata);
}

/* ---- What must be refused ---- */

#define EXPECT_REFUSED(message, hex)                                                   \
    do {                                                                               \
        struct span bytes_ = golden_hex(hex);                                          \
        struct message value_;                                                         \
        cr_expect_eq(message##_decode(bytes_, &arena, &value_).code,                   \
                     STATUS_INVALID_MESSAGE, "%s", hex);                               \
        golden_free(bytes_);                                                           \
        arena_release(&arena);                                                         \
    } while (0)

Test(messages, unknown_batch_modes_and_response_types_are_refused) {
    EXPECT_REFUSED(query, "00 0000");
    EXPECT_REFUSED(query, "03 0000");
    EXPECT_REFUSED(batch_selector, "ff 0000");
    EXPECT_REFUSED(verify_resp, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 03");
    EXPECT_REFUSED(verify_resp, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf ff 00000001 00");
}

Test(messages, vectors_below_their_minimum_are_refused) {
    EXPECT_REFUSED(hpke_ciphertext, "01 0000 00000002 0b0a");
    EXPECT_REFUSED(hpke_ciphertext, "01 0003 0f0e0d 00000000");
    EXPECT_REFUSED(hpke_config, "c2 0010 0001 0001 0000");
    EXPECT_REFUSED(hpke_config_list, "0000");
    EXPECT_REFUSED(plaintext_input_share, "0000 00000000");
    EXPECT_REFUSED(verify_continue, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 00000000");
    EXPECT_REFUSED(verify_resp, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 00 00000000");
}

Test(messages, lengths_that_lie_are_refused) {
    /* A vector longer than its message, by one and by nearly 4 GiB. */
    EXPECT_REFUSED(query, "01 0001");
    EXPECT_REFUSED(plaintext_input_share, "0000 ffffffff 00");
    /* An element that crosses the end of its vector. */
    EXPECT_REFUSED(plaintext_input_share, "0003 0017 00 00000001 00");
    EXPECT_REFUSED(hpke_config_list, "000c c2 0010 0001 0001 0004 010203");
    /* A Janus sequence that ends within an element. */
    EXPECT_REFUSED(janus_aggregation_job_resp, "00000010 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 01");
}

/* ---- What can't be encoded ---- */

Test(messages, vectors_outside_their_bounds_are_not_encoded) {
    struct buffer out = BUFFER_INIT;
    uint8_t *large = calloc(1, 65536);
    struct query query = {BATCH_MODE_TIME_INTERVAL, span_of(large, 65536)};
    cr_assert(status_ok(buffer_append_u8(&out, 7)));
    cr_expect_eq(query_encode(&query, &out).code, STATUS_INVALID_ARGUMENT);
    cr_expect_eq(out.len, 1, "a failure leaves bytes behind");
    query.config.len = 65535;
    cr_expect(status_ok(query_encode(&query, &out)));
    cr_expect_eq(out.len, 1 + 1 + 2 + 65535);

    struct hpke_ciphertext empty = {1, span_of(large, 1), SPAN_EMPTY};
    cr_expect_eq(hpke_ciphertext_encode(&empty, &out).code, STATUS_INVALID_ARGUMENT);
    struct extension extensions[] = {{1, span_of(large, 65531)}, {2, SPAN_EMPTY}};
    struct report_metadata metadata = {.public_extensions = {extensions, 2}};
    cr_expect_eq(report_metadata_encode(&metadata, &out).code, STATUS_INVALID_ARGUMENT);
    metadata.public_extensions.count = 1;
    cr_expect(status_ok(report_metadata_encode(&metadata, &out)));
    free(large);
    buffer_release(&out);
}

Test(messages, enums_outside_their_list_are_not_encoded) {
    struct buffer out = BUFFER_INIT;
    struct query query = {(enum batch_mode)3, SPAN_EMPTY};
    cr_expect_eq(query_encode(&query, &out).code, STATUS_INVALID_ARGUMENT);
    struct verify_resp resp = {.verify_resp_type = (enum verify_resp_type)3};
    cr_expect_eq(verify_resp_encode(&resp, &out).code, STATUS_INVALID_ARGUMENT);
    struct report_upload_status status = {.error = (enum report_error)256};
    cr_expect_eq(report_upload_status_encode(&status, &out).code, STATUS_INVALID_ARGUMENT);
    cr_expect_eq(out.len, 0);
    buffer_release(&out);
}

/* ---- Walking ---- */

Test(messages, upload_request_is_walked_without_an_array, .fini = release) {
    golden = golden_bytes("upload_request");
    struct reader reader = reader_of(golden);
    struct report report;
    bool found;
    size_t count = 0;
    for (;;) {
        cr_assert(status_ok(upload_request_next(&reader, &arena, &report, &found)));
        if (!found) {
            break;
        }
        cr_expect_eq(report.report_metadata.report_id.bytes[0], count == 0 ? 0xa0 : 0xb0);
        count++;
    }
    cr_expect_eq(count, 2);
}

Test(messages, a_walk_stops_at_a_broken_element, .fini = release) {
    golden = golden_bytes("aggregation_job_init_req");
    struct reader reader = reader_of(span_of(golden.data, golden.len - 1));
    struct aggregation_job_init_req req;
    struct verify_init init;
    bool found;
    cr_assert(status_ok(aggregation_job_init_req_begin(&reader, &arena, &req)));
    cr_expect_eq(req.verification_key_id, 42);
    cr_expect(status_ok(aggregation_job_init_req_next(&reader, &arena, &init, &found)));
    cr_expect_eq(aggregation_job_init_req_next(&reader, &arena, &init, &found).code,
                 STATUS_INVALID_MESSAGE);
    cr_expect_eq(aggregation_job_init_req_next(&reader, &arena, &init, &found).code,
                 STATUS_INVALID_MESSAGE);
}

Test(messages, checking_without_an_arena_counts) {
    golden = golden_bytes("upload_request");
    struct upload_request upload;
    cr_assert(status_ok(upload_request_decode(golden, NULL, &upload)));
    cr_expect_eq(upload.reports.count, 2);
    cr_expect_null(upload.reports.items);
    golden_free(golden);
}

Test(messages, a_failure_leaves_the_output_alone) {
    struct interval interval = {1, 2};
    cr_expect_eq(interval_decode(SPAN_OF_LITERAL("short"), NULL, &interval).code,
                 STATUS_INVALID_MESSAGE);
    cr_expect_eq(interval.start, 1);
    cr_expect_eq(interval.duration, 2);
}
