/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <stdio.h>

#include "primitive/kernels.h"

/* Every lane type gives byte for byte what the portable one gives, whatever
 * the size of the batch and wherever in it contexts change, with their length or
 * without. */

/* Contexts of one length in two places, and of several lengths in one. */
static const char text[] = "a context of some length";
static const struct {
    size_t at, len;
} contexts[] = {{0, 0}, {0, 1}, {0, 9}, {2, 9}, {2, 22}};

/* Makes the contexts differ: runs of reports share one. */
static void set_contexts(struct shard_input inputs[], size_t count) {
    for (size_t i = 0; i < count; i++) {
        const size_t which = i / 5 % (sizeof(contexts) / sizeof(contexts[0]));
        inputs[i].ctx = span_of(text + contexts[which].at, contexts[which].len);
    }
}

/* What a bucket's share comes to, report by report. */
static void check_bucket(const struct vdaf *vdaf, const struct verify_batch *batch,
                         const uint32_t bucket_of[], uint32_t bucket, const uint8_t got[]) {
    const size_t size = vdaf_agg_share_size(vdaf);
    struct arena arena = ARENA_INIT;
    uint8_t *expected = arena_alloc(&arena, size, 1);
    for (size_t i = 0; i < verify_batch_count(batch); i++) {
        if (bucket_of[i] == bucket && verify_batch_verdict(batch, i) == STATUS_OK) {
            struct span share;
            cr_assert(status_ok(verify_batch_out_share(batch, i, &arena, &share)));
            cr_assert(status_ok(vdaf_agg_merge(vdaf, expected, share)));
        }
    }
    cr_assert_eq(memcmp(got, expected, size), 0, "%s: bucket %u", vdaf_name(vdaf), bucket);
    arena_release(&arena);
}

/* Appends the shares of three buckets, some reports being refused first. */
static void append_buckets(const struct vdaf *vdaf, struct verify_batch *batch,
                           struct buffer *out) {
    const size_t count = verify_batch_count(batch), size = vdaf_agg_share_size(vdaf);
    struct arena arena = ARENA_INIT;
    uint32_t *bucket_of = ARENA_ARRAY(&arena, uint32_t, count);
    uint8_t *shares[3];
    for (size_t i = 0; i < count; i++) {
        bucket_of[i] = (uint32_t)(i * i % 3);
        if (i % 9 == 4) {
            verify_batch_refuse(batch, i, STATUS_VERIFY_FAILED);
        }
    }
    for (int bucket = 0; bucket < 3; bucket++) {
        shares[bucket] = arena_alloc(&arena, size, 1);
    }
    cr_assert(status_ok(verify_batch_accumulate(batch, bucket_of, shares, 3)));
    for (uint32_t bucket = 0; bucket < 3; bucket++) {
        check_bucket(vdaf, batch, bucket_of, bucket, shares[bucket]);
        cr_assert(status_ok(buffer_append(out, span_of(shares[bucket], size))));
    }
    arena_release(&arena);
}

/* Verifies and aggregates on both sides; on the helper's, after the batch was
 * encoded and decoded. */
static void run_pair(const struct vdaf *vdaf, const struct verify_input *const inputs[2],
                     size_t count, struct buffer *out) {
    struct verify_batch *leader, *helper, *decoded;
    struct buffer encoded = BUFFER_INIT;
    struct span *messages = calloc(count, sizeof(*messages));
    cr_assert(status_ok(verify_batch_new(vdaf, 0, SPAN_EMPTY, count, &leader)));
    cr_assert(status_ok(verify_batch_new(vdaf, 1, SPAN_EMPTY, count, &helper)));
    cr_assert(status_ok(pingpong_leader_init(leader, inputs[0])));
    for (size_t i = 0; i < count; i++) {
        messages[i] = pingpong_outbound(leader, i);
    }
    cr_assert(status_ok(pingpong_helper_init(helper, inputs[1], messages)));
    for (size_t i = 0; i < count; i++) {
        messages[i] = pingpong_outbound(helper, i);
    }
    cr_assert(status_ok(pingpong_leader_continued(leader, messages)));
    cr_assert(status_ok(verify_batch_encode(helper, &encoded)));
    cr_assert(status_ok(verify_batch_decode(vdaf, 1, SPAN_EMPTY, buffer_span(&encoded),
                                            &decoded)));
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(pingpong_state(leader, i), VERIFY_FINISHED);
        cr_assert_eq(pingpong_state(decoded, i), VERIFY_FINISHED_WITH_OUTBOUND);
    }
    append_buckets(vdaf, leader, out);
    append_buckets(vdaf, decoded, out);
    verify_batch_free(leader);
    verify_batch_free(helper);
    verify_batch_free(decoded);
    buffer_release(&encoded);
    free(messages);
}

/* All outputs of both aggregators for a batch, one after the other. */
static void run_batch(const struct vdaf *vdaf, size_t count, struct buffer *out) {
    struct arena arena = ARENA_INIT;
    const size_t len = vdaf_measurement_len(vdaf), rand_size = vdaf_rand_size(vdaf);
    uint64_t *values = ARENA_ARRAY(&arena, uint64_t, len * count);
    uint8_t *bytes = arena_alloc(&arena, count, rand_size + VDAF_NONCE_SIZE);
    uint8_t key[32];
    struct shard_input *inputs = ARENA_ARRAY(&arena, struct shard_input, count);
    struct shard_output *outputs = ARENA_ARRAY(&arena, struct shard_output, count);
    fill_bytes(bytes, count * (rand_size + VDAF_NONCE_SIZE), count);
    fill_bytes(key, sizeof(key), 5);
    for (size_t i = 0; i < count; i++) {
        uint8_t *own = bytes + i * (rand_size + VDAF_NONCE_SIZE);
        uint64_t *measurement = values + i * len;
        measurement[i % len] = i % 7 == 1;
        inputs[i] = (struct shard_input){SPAN_EMPTY, own, own + VDAF_NONCE_SIZE, measurement};
    }
    set_contexts(inputs, count);
    cr_assert(status_ok(vdaf_shard(vdaf, inputs, count, &arena, outputs)));
    const struct verify_input *both[2];
    for (unsigned aggregator = 0; aggregator < 2; aggregator++) {
        struct verify_batch *batch;
        struct verify_input *verify = ARENA_ARRAY(&arena, struct verify_input, count);
        for (size_t i = 0; i < count; i++) {
            verify[i] = (struct verify_input){SPAN_OF_ARRAY(key), inputs[i].ctx, inputs[i].nonce,
                                              outputs[i].public_share,
                                              outputs[i].input_shares[aggregator]};
            cr_assert(status_ok(buffer_append(out, outputs[i].input_shares[aggregator])));
            cr_assert(status_ok(buffer_append(out, outputs[i].public_share)));
        }
        cr_assert(status_ok(verify_batch_new(vdaf, aggregator, SPAN_EMPTY, count, &batch)));
        cr_assert(status_ok(verify_batch_init(batch, verify)));
        cr_assert(status_ok(verify_batch_encode(batch, out)));
        verify_batch_free(batch);
        both[aggregator] = verify;
    }
    run_pair(vdaf, both, count, out);
    arena_release(&arena);
}

/* An instance: one of support.c, or if `type` is given, one of any shape. */
struct shape {
    int instance;
    const char *type;
    struct vdaf_param params[4];
    size_t count;
};

/* The batch on one lane type. */
static void run_on(enum simd_type type, const struct shape *shape, size_t count,
                   struct buffer *out) {
    struct vdaf *vdaf;
    setenv("MOIETY_CPU", simd_name(type), 1);
    if (shape->type == NULL) {
        vdaf = instance_new(shape->instance, 2);
    } else {
        cr_assert(status_ok(vdaf_new(shape->type, shape->params, shape->count, 2, &vdaf)));
    }
    run_batch(vdaf, count, out);
    vdaf_free(vdaf);
    unsetenv("MOIETY_CPU");
}

/* A batch of `count` on all lane types. */
static void compare(const struct shape *shape, size_t count) {
    struct buffer expected = BUFFER_INIT;
    run_on(SIMD_PORTABLE, shape, count, &expected);
    for (int type = SIMD_PORTABLE + 1; type < SIMD_TYPES; type++) {
        struct buffer got = BUFFER_INIT;
        if (kernels_of((enum simd_type)type) != NULL) {
            run_on((enum simd_type)type, shape, count, &got);
            cr_assert(span_equal_vartime(buffer_span(&got), buffer_span(&expected)),
                      "%s, %zu reports", simd_name((enum simd_type)type), count);
        }
        buffer_release(&got);
    }
    buffer_release(&expected);
}

Test(lanes, equal_the_portable_ones) {
    for (int type = SIMD_PORTABLE + 1; type < SIMD_TYPES; type++) {
        if (kernels_of((enum simd_type)type) == NULL) {
            fprintf(stderr, "%s: skipped: not in this build or not on this processor\n",
                    simd_name((enum simd_type)type));
        }
    }
    for (int instance = 0; instance < INSTANCES; instance++) {
        for (size_t count = 1; count <= 67; count++) {
            compare(&(struct shape){.instance = instance}, count);
        }
    }
}

/* Shapes of a fixed random sequence: short and long chunks, one call and many,
 * more calls than a kernel sums up at once. */
Test(lanes, equal_the_portable_ones_in_random_shapes) {
    for (unsigned i = 0; i < 60; i++) {
        uint8_t random[6];
        fill_bytes(random, sizeof(random), 31 * i + 7);
        const uint64_t length = 1 + random[0] % 90, max = 1 + random[1] * (uint64_t)random[2];
        const uint64_t chunk = 1 + random[3] % (i % 3 == 0 ? 2 : length + 3);
        const struct shape shapes[] = {
            {0, "Prio3Sum", {{"max_measurement", max}}, 1},
            {0, "Prio3Histogram", {{"length", length}, {"chunk_length", chunk}}, 2},
            {0,
             "Prio3SumVec",
             {{"length", 1 + length / 8}, {"max_measurement", max}, {"chunk_length", chunk}},
             3},
            {0,
             "Prio3MultihotCountVec",
             {{"length", length}, {"max_weight", 1 + random[4] % length}, {"chunk_length", chunk}},
             3},
        };
        compare(&shapes[i % 4], 1 + random[5] % 67);
    }
}

/* A batch gives what its reports give one by one. */
Test(lanes, a_batch_equals_its_reports) {
    for (int instance = 0; instance < INSTANCES; instance++) {
        struct vdaf *vdaf = instance_new(instance, 2);
        struct reports reports;
        struct verify_batch *whole, *single;
        reports_new(&reports, vdaf, 11);
        for (unsigned aggregator = 0; aggregator < 2; aggregator++) {
            const struct verify_input *inputs = reports_inputs(&reports, aggregator);
            cr_assert(status_ok(verify_batch_new(vdaf, aggregator, SPAN_EMPTY, 11, &whole)));
            cr_assert(status_ok(verify_batch_init(whole, inputs)));
            for (size_t i = 0; i < 11; i++) {
                cr_assert(status_ok(verify_batch_new(vdaf, aggregator, SPAN_EMPTY, 1, &single)));
                cr_assert(status_ok(verify_batch_init(single, inputs + i)));
                cr_assert(span_equal_vartime(verify_batch_share(whole, i),
                                             verify_batch_share(single, 0)));
                verify_batch_free(single);
            }
            verify_batch_free(whole);
        }
        reports_release(&reports);
        vdaf_free(vdaf);
    }
}

/* Output shares longer than the piece that is summed at once. */
Test(lanes, equal_the_portable_ones_in_long_outputs) {
    compare(&(struct shape){0, "Prio3Histogram", {{"length", 600}, {"chunk_length", 24}}, 2}, 11);
}

/* As small as Count, yet with joint randomness: not for Count's own query. */
Test(lanes, equal_the_portable_ones_in_the_smallest_shapes) {
    const struct vdaf_param length = {"length", 1}, max = {"max_measurement", 1};
    const struct vdaf_param chunk = {"chunk_length", 1}, proofs = {"proofs", 3};
    const struct shape shapes[] = {
        {0, "Prio3SumVec", {length, max, chunk}, 3},
        {0, "Prio3SumVecWithMultiproof", {length, max, chunk, proofs}, 4},
        {0, "Prio3MultihotCountVec", {length, {"max_weight", 1}, chunk}, 3},
        {0, "Prio3Histogram", {{"length", 2}, chunk}, 2},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        compare(&shapes[i], 11);
    }
}
