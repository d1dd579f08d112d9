/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/pair.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* Leader and helper together: what is collected is exactly what was uploaded. */

enum { TIMEOUT_MS = 20000 };

static const char async[] = "{\"helper_async\": true, \"allow_small_batches\": true}";

/* Uploads each measurement once, with bad reports in between. */
static void upload_all(struct pair *pair, const char *const measurements[], size_t count,
                       uint64_t time) {
    for (size_t i = 0; i < count; i++) {
        pair_upload(pair, measurements[i], time, PAIR_GOOD);
        if (i < 3) {
            pair_upload(pair, measurements[i], time,
                        (enum pair_spoil)(PAIR_BAD_LEADER_CIPHERTEXT + i));
        }
    }
}

static void check(struct pair *pair, const struct pair_result *result, const uint64_t expected[],
                  size_t count) {
    cr_assert_eq(result->report_count, count, "%llu reports",
                 (unsigned long long)result->report_count);
    for (size_t i = 0; i < vdaf_result_len(pair->vdaf); i++) {
        cr_assert(result->values[i] == expected[i], "value %zu is %llu", i,
                  (unsigned long long)result->values[i]);
    }
}

static void exact_once(const struct pair_options *options, const char *const measurements[],
                       size_t count, const uint64_t expected[]) {
    struct pair pair;
    pair_start(&pair, options);
    upload_all(&pair, measurements, count, pair_time(&pair));
    struct span query = pair_query(&pair, pair_time(&pair) - 2, 5);
    struct pair_result result;
    pair_result(&pair, pair_collect(&pair, query), query, TIMEOUT_MS, &result);
    check(&pair, &result, expected, count);
    cr_assert_eq(result.interval.start, pair_time(&pair));
    cr_assert_eq(result.interval.duration, 1);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "report_rejected_hpke_decrypt_error"), 2);
    cr_assert_eq(pair_counter(&pair, &pair.helper, "report_rejected_hpke_decrypt_error"), 1);
    cr_assert_eq(pair_counter(&pair, &pair.leader, "report_rejected_vdaf_verify_error"), 1);
    pair_stop(&pair);
}

/* In both batch modes, the helper answering at once in one and later in the
 * other. */
static void exact(const struct pair_options *options, const char *const measurements[],
                  size_t count, const uint64_t expected[]) {
    struct pair_options o = *options;
    o.batch_mode = BATCH_MODE_TIME_INTERVAL;
    exact_once(&o, measurements, count, expected);
    o.batch_mode = BATCH_MODE_LEADER_SELECTED;
    o.helper_settings = async;
    exact_once(&o, measurements, count, expected);
}

Test(exact, count) {
    struct pair_options options = {.vdaf = "Prio3Count"};
    const char *measurements[] = {"1", "0", "1", "1", "0", "1"};
    exact(&options, measurements, 6, (uint64_t[]){4});
    options.batch_mode = BATCH_MODE_TIME_INTERVAL;
    options.helper_settings = async;
    exact_once(&options, measurements, 6, (uint64_t[]){4});
    options.batch_mode = BATCH_MODE_LEADER_SELECTED;
    options.helper_settings = NULL;
    exact_once(&options, measurements, 6, (uint64_t[]){4});
}

Test(exact, sum) {
    struct pair_options options = {
        .vdaf = "Prio3Sum", .params = {{"max_measurement", 1000}}, .param_count = 1};
    const char *measurements[] = {"1000", "0", "17", "999"};
    exact(&options, measurements, 4, (uint64_t[]){2016});
}

Test(exact, sum_vec) {
    struct pair_options options = {
        .vdaf = "Prio3SumVec",
        .params = {{"length", 4}, {"max_measurement", 15}, {"chunk_length", 3}},
        .param_count = 3};
    const char *measurements[] = {"1,2,3,4", "0,15,0,1", "15,15,15,15", "0,0,0,0"};
    exact(&options, measurements, 4, (uint64_t[]){16, 32, 18, 20});
}

Test(exact, histogram) {
    struct pair_options options = {
        .vdaf = "Prio3Histogram", .params = {{"length", 5}, {"chunk_length", 2}}, .param_count = 2};
    const char *measurements[] = {"0", "4", "4", "2", "1"};
    exact(&options, measurements, 5, (uint64_t[]){1, 1, 1, 0, 2});
}

Test(exact, multihot) {
    struct pair_options options = {
        .vdaf = "Prio3MultihotCountVec",
        .params = {{"length", 4}, {"max_weight", 2}, {"chunk_length", 2}},
        .param_count = 3};
    const char *measurements[] = {"1,0,0,1", "0,0,0,0", "0,1,0,1", "0,0,0,1"};
    exact(&options, measurements, 4, (uint64_t[]){1, 1, 0, 3});
}
