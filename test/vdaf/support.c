/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "primitive/kernels.h"

static const struct {
    const char *name;
    struct vdaf_param params[4];
    size_t count;
} instances[INSTANCES] = {
    {"Prio3Count", {{NULL, 0}}, 0},
    {"Prio3Sum", {{"max_measurement", 1000}}, 1},
    {"Prio3Sum", {{"max_measurement", 1}}, 1},
    {"Prio3SumVec", {{"length", 4}, {"max_measurement", 6}, {"chunk_length", 5}}, 3},
    {"Prio3Histogram", {{"length", 11}, {"chunk_length", 3}}, 2},
    {"Prio3MultihotCountVec", {{"length", 9}, {"max_weight", 3}, {"chunk_length", 4}}, 3},
    {"Prio3SumVecWithMultiproof",
     {{"length", 3}, {"max_measurement", 9}, {"chunk_length", 2}, {"proofs", 3}},
     4},
};

struct vdaf *instance_new(int i, unsigned shares) {
    struct vdaf *vdaf = NULL;
    cr_assert(status_ok(
        vdaf_new(instances[i].name, instances[i].params, instances[i].count, shares, &vdaf)));
    return vdaf;
}

struct vdaf *instance_on(enum simd_type type, int i) {
    if (kernels_of(type) == NULL) {
        return NULL;
    }
    setenv("MOIETY_CPU", simd_name(type), 1);
    struct vdaf *vdaf = instance_new(i, 2);
    unsetenv("MOIETY_CPU");
    return vdaf;
}

void fill_bytes(uint8_t *out, size_t len, uint64_t seed) {
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out[i] = (uint8_t)(seed >> 56);
    }
}

/* A measurement that depends on i; the bounds of all instances allow it. */
static void make_measurement(const struct vdaf *vdaf, size_t i, uint64_t values[]) {
    for (size_t j = 0; j < vdaf_measurement_len(vdaf); j++) {
        values[j] = (i + j) % 4 == 1;
    }
}

void reports_new(struct reports *reports, const struct vdaf *vdaf, size_t count) {
    const size_t len = vdaf_measurement_len(vdaf);
    *reports = (struct reports){
        .vdaf = vdaf, .count = count, .ctx = SPAN_OF_LITERAL("a context"), .arena = ARENA_INIT};
    struct arena *arena = &reports->arena;
    reports->nonces = arena_alloc(arena, count, VDAF_NONCE_SIZE);
    reports->values = ARENA_ARRAY(arena, uint64_t, count * len);
    reports->outputs = ARENA_ARRAY(arena, struct shard_output, count);
    struct shard_input *inputs = ARENA_ARRAY(arena, struct shard_input, count);
    fill_bytes(reports->verify_key, sizeof(reports->verify_key), 99);
    for (size_t i = 0; i < count; i++) {
        uint8_t *rand = arena_alloc(arena, vdaf_rand_size(vdaf), 1);
        fill_bytes(rand, vdaf_rand_size(vdaf), 1000 + i);
        fill_bytes(reports->nonces[i], VDAF_NONCE_SIZE, 2000 + i);
        make_measurement(vdaf, i, reports->values + i * len);
        inputs[i] = (struct shard_input){reports->ctx, reports->nonces[i], rand,
                                         reports->values + i * len};
    }
    cr_assert(status_ok(vdaf_shard(vdaf, inputs, count, arena, reports->outputs)));
}

void reports_release(struct reports *reports) { arena_release(&reports->arena); }

struct verify_input *reports_inputs(struct reports *reports, unsigned aggregator) {
    struct verify_input *inputs =
        ARENA_ARRAY(&reports->arena, struct verify_input, reports->count);
    for (size_t i = 0; i < reports->count; i++) {
        inputs[i] = (struct verify_input){
            SPAN_OF_ARRAY(reports->verify_key), reports->ctx, reports->nonces[i],
            reports->outputs[i].public_share, reports->outputs[i].input_shares[aggregator]};
    }
    return inputs;
}

struct span copy_exact(struct span bytes) {
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return span_of(copy, bytes.len);
}
