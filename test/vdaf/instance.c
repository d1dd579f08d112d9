/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

/* Making instances: names, parameters, configurations, measurements. */

static const struct {
    const char *name;
    struct vdaf_param params[5];
    size_t count;
    unsigned shares;
} refused[] = {
    {"Prio3Median", {{NULL, 0}}, 0, 2},
    {"Prio3Count", {{"length", 3}}, 1, 2},
    {"Prio3Count", {{NULL, 0}}, 0, 1},
    {"Prio3Count", {{NULL, 0}}, 0, 256},
    {"Prio3Sum", {{NULL, 0}}, 0, 2},
    {"Prio3Sum", {{"max_measurement", 0}}, 1, 2},
    {"Prio3Sum", {{"max_measurement", UINT64_C(1) << 63}}, 1, 2},
    {"Prio3Sum", {{"max_measurement", 3}, {"max_measurement", 3}}, 2, 2},
    {"Prio3SumVec", {{"length", 3}}, 1, 2},
    {"Prio3SumVec", {{"length", UINT32_MAX}, {"max_measurement", 1}}, 2, 2},
    {"Prio3SumVec", {{"length", 1 << 20}, {"max_measurement", UINT64_MAX}}, 2, 2},
    {"Prio3SumVec", {{"length", 1}, {"max_measurement", 1}, {"chunk_length", 1 << 23}}, 3, 2},
    {"Prio3Histogram", {{"chunk_length", 3}}, 1, 2},
    {"Prio3Histogram", {{"length", 3}, {"chunk_length", 0}}, 2, 2},
    {"Prio3Histogram", {{"length", UINT64_MAX}}, 1, 2},
    {"Prio3MultihotCountVec", {{"length", 3}, {"max_weight", 4}}, 2, 2},
    {"Prio3SumVecWithMultiproof",
     {{"length", 3}, {"max_measurement", 1}, {"proofs", 256}},
     3,
     2},
    {"Prio3SumVecWithMultiproof", {{"length", 3}, {"max_measurement", 1}}, 2, 2},
    {"Prio3SumVecWithMultiproof",
     {{"length", 3}, {"max_measurement", UINT64_MAX}, {"proofs", 3}},
     3,
     2},
    {"Prio3SumVecWithMultiproof",
     {{"length", 3}, {"max_measurement", 1}, {"proofs", 2}},
     3,
     2},
    {"Prio3SumVecWithMultiproof",
     {{"length", 1 << 21}, {"max_measurement", 1}, {"chunk_length", 1}, {"proofs", 255}},
     4,
     2},
};

Test(instance, bad_parameters_are_refused) {
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct vdaf *vdaf = NULL;
        cr_assert_eq(vdaf_new(refused[i].name, refused[i].params, refused[i].count,
                              refused[i].shares, &vdaf).code,
                     STATUS_INVALID_ARGUMENT, "%zu: %s", i, refused[i].name);
        cr_assert_null(vdaf);
    }
}

static uint64_t param(const struct vdaf *vdaf, const char *name) {
    const struct vdaf_param *params;
    const size_t count = vdaf_params(vdaf, &params);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(params[i].name, name) == 0) {
            return params[i].value;
        }
    }
    return 0;
}

Test(instance, a_chunk_length_is_chosen) {
    struct vdaf *vdaf;
    cr_assert(status_ok(vdaf_new("Prio3Histogram", &(struct vdaf_param){"length", 100}, 1, 2,
                                 &vdaf)));
    cr_assert_eq(param(vdaf, "chunk_length"), 10);
    vdaf_free(vdaf);
    const struct vdaf_param sum_vec[] = {{"max_measurement", 255}, {"length", 1000}};
    cr_assert(status_ok(vdaf_new("Prio3SumVec", sum_vec, 2, 2, &vdaf)));
    cr_assert_eq(param(vdaf, "chunk_length"), 89);
    vdaf_free(vdaf);
    const struct vdaf_param multihot[] = {{"length", 3}, {"max_weight", 1}};
    cr_assert(status_ok(vdaf_new("Prio3MultihotCountVec", multihot, 2, 2, &vdaf)));
    cr_assert_eq(param(vdaf, "chunk_length"), 2);
    vdaf_free(vdaf);
}

/* DAP's encodings, written out by hand, with the sizes that follow. */
static const struct {
    uint32_t codepoint;
    const char *name;
    const char *config;
    size_t config_len, public_share, leader_share, helper_share, agg_share;
} configs[] = {
    {1, "Prio3Count", "", 0, 0, 8 * (1 + 5), 32, 8},
    {2, "Prio3Sum", "\0\0\0\0\0\0\0\xff", 8, 0, 8 * (8 + 1 + 31), 32, 8},
    {3, "Prio3SumVec", "\0\0\0\x0a\0\0\0\0\0\0\0\xff\0\0\0\x09", 16, 64,
     16 * (80 + 18 + 31) + 32, 64, 160},
    {4, "Prio3Histogram", "\0\0\0\x04\0\0\0\x02", 8, 64, 16 * (4 + 4 + 7) + 32, 64, 64},
    {5, "Prio3MultihotCountVec", "\0\0\0\x04\0\0\0\x02\0\0\0\0\0\0\0\x02", 16, 64,
     16 * (6 + 4 + 7) + 32, 64, 64},
};

Test(instance, configurations) {
    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        struct vdaf *vdaf;
        const struct span config = span_of(configs[i].config, configs[i].config_len);
        cr_assert(status_ok(vdaf_from_config(configs[i].codepoint, config, &vdaf)));
        cr_assert_str_eq(vdaf_name(vdaf), configs[i].name);
        cr_assert_eq(vdaf_codepoint(vdaf), configs[i].codepoint);
        cr_assert_eq(vdaf_shares(vdaf), 2);
        cr_assert_eq(vdaf_rounds(vdaf), 1);
        cr_assert_eq(vdaf_public_share_size(vdaf), configs[i].public_share);
        cr_assert_eq(vdaf_input_share_size(vdaf, 0), configs[i].leader_share);
        cr_assert_eq(vdaf_input_share_size(vdaf, 1), configs[i].helper_share);
        cr_assert_eq(vdaf_agg_share_size(vdaf), configs[i].agg_share);
        struct buffer encoded = BUFFER_INIT;
        cr_assert(status_ok(vdaf_encode_config(vdaf, &encoded)));
        cr_assert(span_equal_vartime(buffer_span(&encoded), config));
        buffer_release(&encoded);
        vdaf_free(vdaf);
    }
}

Test(instance, bad_configurations_are_refused) {
    struct vdaf *vdaf = NULL;
    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        for (size_t len = 0; len < configs[i].config_len; len++) {
            const struct span prefix = copy_exact(span_of(configs[i].config, len));
            cr_assert_eq(vdaf_from_config(configs[i].codepoint, prefix, &vdaf).code,
                         STATUS_INVALID_MESSAGE);
            free((void *)prefix.data);
        }
        uint8_t longer[32] = {0};
        memcpy(longer, configs[i].config, configs[i].config_len);
        cr_assert_eq(vdaf_from_config(configs[i].codepoint,
                                      span_of(longer, configs[i].config_len + 1), &vdaf).code,
                     STATUS_INVALID_MESSAGE);
        if (configs[i].config_len > 0) {
            memset(longer, 0, sizeof(longer));
            cr_assert_eq(vdaf_from_config(configs[i].codepoint,
                                          span_of(longer, configs[i].config_len), &vdaf).code,
                         STATUS_INVALID_MESSAGE);
            memset(longer, 0xff, sizeof(longer));
            cr_assert_eq(vdaf_from_config(configs[i].codepoint,
                                          span_of(longer, configs[i].config_len), &vdaf).code,
                         STATUS_INVALID_MESSAGE);
        }
    }
    const uint32_t unknown[] = {0, 6, 0xFFFF0000, 0xFFFFFFFF};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(vdaf_from_config(unknown[i], SPAN_EMPTY, &vdaf).code,
                     STATUS_UNSUPPORTED_ALGORITHM);
    }
    struct buffer encoded = BUFFER_INIT;
    vdaf = instance_new(6, 2);
    cr_assert_eq(vdaf_encode_config(vdaf, &encoded).code, STATUS_UNSUPPORTED_ALGORITHM);
    vdaf_free(vdaf);
}

static const struct {
    int instance; /* of support.c */
    const char *text;
    bool valid;
} measurements[] = {
    {0, "1", true},         {0, " 0 ", true},       {0, "[1]", true},
    {0, "2", false},        {0, "", false},         {0, "1,0", false},
    {0, "-1", false},       {0, "1x", false},       {0, "[1", false},
    {0, "1]", false},       {1, "1000", true},      {1, "1001", false},
    {1, "18446744073709551616", false},             {2, "1", true},
    {2, "2", false},        {3, "0,6,1,2", true},   {3, "[ 0 , 6,1 ,2 ]", true},
    {3, "0,6,1", false},    {3, "0,6,1,2,3", false}, {3, "0,7,1,2", false},
    {3, "0,,1,2", false},   {3, "0 6 1 2", false},  {4, "10", true},
    {4, "11", false},       {4, "18446744073709551615", false},
    {5, "1,1,1,0,0,0,0,0,0", true},                 {5, "1,1,1,0,0,0,0,0,1", false},
    {5, "2,0,0,0,0,0,0,0,0", false},                {6, "9,0,9", true},
    {6, "9,0,10", false},
};

Test(instance, measurements) {
    for (size_t i = 0; i < sizeof(measurements) / sizeof(measurements[0]); i++) {
        struct vdaf *vdaf = instance_new(measurements[i].instance, 2);
        uint64_t values[16];
        cr_assert_eq(vdaf_parse_measurement(vdaf, span_of_string(measurements[i].text), values)
                         .code,
                     measurements[i].valid ? STATUS_OK : STATUS_INVALID_ARGUMENT, "%zu: %s", i,
                     measurements[i].text);
        vdaf_free(vdaf);
    }
    struct vdaf *vdaf = instance_new(3, 2);
    uint64_t values[4];
    cr_assert(status_ok(vdaf_parse_measurement(vdaf, span_of_string("0,6,1,2"), values)));
    cr_assert_eq(values[1], 6);
    cr_assert_eq(values[3], 2);
    cr_assert_eq(vdaf_check_measurement(vdaf, values, 3).code, STATUS_INVALID_ARGUMENT);
    vdaf_free(vdaf);
}

Test(instance, values_are_printed) {
    const struct {
        vdaf_value value;
        const char *text;
    } figures[] = {
        {0, "0"},
        {10, "10"},
        {UINT64_MAX, "18446744073709551615"},
        {~(vdaf_value)0, "340282366920938463463374607431768211455"},
    };
    for (size_t i = 0; i < 4; i++) {
        struct buffer text = BUFFER_INIT;
        cr_assert(status_ok(vdaf_print_value(figures[i].value, &text)));
        cr_assert(span_equal_vartime(buffer_span(&text), span_of_string(figures[i].text)));
        buffer_release(&text);
    }
}

Test(instance, only_the_empty_aggregation_parameter_is_valid) {
    struct vdaf *vdaf = instance_new(0, 2);
    struct verify_batch *batch = NULL;
    cr_assert(status_ok(vdaf_check_agg_param(vdaf, SPAN_EMPTY)));
    cr_assert_eq(vdaf_check_agg_param(vdaf, SPAN_OF_LITERAL("x")).code,
                 STATUS_INVALID_AGGREGATION_PARAMETER);
    cr_assert_eq(verify_batch_new(vdaf, 0, SPAN_OF_LITERAL("x"), 1, &batch).code,
                 STATUS_INVALID_AGGREGATION_PARAMETER);
    cr_assert_null(batch);
    vdaf_free(vdaf);
}

Test(instance, a_context_may_be_empty) {
    struct vdaf *vdaf = instance_new(0, 2);
    struct arena arena = ARENA_INIT;
    const uint8_t nonce[VDAF_NONCE_SIZE] = {1};
    const uint64_t *values = ARENA_ARRAY(&arena, uint64_t, vdaf_measurement_len(vdaf));
    const uint8_t *rand = arena_alloc(&arena, vdaf_rand_size(vdaf), 1);
    const struct shard_input inputs[] = {{SPAN_EMPTY, nonce, rand, values},
                                         {SPAN_OF_LITERAL(""), nonce, rand, values}};
    struct shard_output outputs[2];
    cr_assert(status_ok(vdaf_shard(vdaf, inputs, 2, &arena, outputs)));
    cr_assert(span_equal_vartime(outputs[0].input_shares[0], outputs[1].input_shares[0]));
    arena_release(&arena);
    vdaf_free(vdaf);
}
