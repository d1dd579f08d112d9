/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "reveal.h"
#include "secrets.h"
#include "vdaf/internal.h"

/* Sharding as clients do it, one report by itself, and in batches on every lane
 * type that valgrind runs; measurement and randomness being secret. */

static const struct {
    const char *type;
    uint64_t params[VDAF_PARAMS_MAX];
} instances[] = {
    {"Prio3Count", {0}},
    {"Prio3Sum", {1}},
    {"Prio3Sum", {1000}},
    {"Prio3SumVec", {5, 255, 3}},
    {"Prio3SumVec", {4, 10, 16}},
    {"Prio3Histogram", {10, 4}},
    {"Prio3MultihotCountVec", {7, 3, 2}},
    {"Prio3SumVecWithMultiproof", {3, 7, 2, 2}},
};
enum { INSTANCES = sizeof(instances) / sizeof(instances[0]), COUNT_MAX = SIMD_LANES_MAX };
enum { VALUES_MAX = 16, RAND_MAX_SIZE = 256 };

static uint64_t values[COUNT_MAX][VALUES_MAX];
static uint8_t rand_bytes[COUNT_MAX][RAND_MAX_SIZE];
static uint8_t nonces[COUNT_MAX][VDAF_NONCE_SIZE];

/* The type with its check() revealing the verdict. */
static struct vdaf_type revealing;
static const struct vdaf_type *real;

static bool check(const struct circuit *circuit, const uint64_t params[], const uint64_t in[]) {
    bool valid = real->check(circuit, params, in);
    secret_reveal(&valid, sizeof(valid));
    return valid;
}

#ifdef PLANTED_ENCODE
/* A branch on the measurement. */
static void planted_encode(const struct circuit *circuit, const uint64_t in[], uint64_t meas[]) {
    if (in[0] != 0) {
        puts("the first value is not zero");
    }
    real->encode(circuit, in, meas);
}
#endif

static struct vdaf *make(size_t instance) {
    struct vdaf *vdaf;
    real = vdaf_type_by_name(instances[instance].type);
    must(real != NULL, "there is no such type");
    revealing = *real;
    revealing.check = check;
#ifdef PLANTED_ENCODE
    revealing.encode = planted_encode;
#endif
    must(status_ok(vdaf_new_of_type(&revealing, instances[instance].params, 2, &vdaf)),
         "the instance can't be made");
    must(vdaf_measurement_len(vdaf) <= VALUES_MAX && vdaf_rand_size(vdaf) <= RAND_MAX_SIZE,
         "the instance is too large");
    return vdaf;
}

static void run(const struct vdaf *vdaf, size_t count) {
    struct arena arena = ARENA_INIT;
    struct shard_input inputs[COUNT_MAX];
    struct shard_output outputs[COUNT_MAX];
    for (size_t i = 0; i < count; i++) {
        memset(values[i], 0, sizeof(values[i]));
        values[i][0] = i % 2;
        memset(rand_bytes[i], (int)i + 1, sizeof(rand_bytes[i]));
        inputs[i] = (struct shard_input){SPAN_OF_LITERAL("context"), nonces[i], rand_bytes[i],
                                         values[i]};
    }
    secret_mark(values, sizeof(values));
    secret_mark(rand_bytes, sizeof(rand_bytes));
    must(status_ok(vdaf_shard(vdaf, inputs, count, &arena, outputs)), "sharding failed");
    for (size_t i = 0; i < count; i++) {
        const struct span *shares = outputs[i].input_shares;
        must(secret_is_marked(shares[0].data, shares[0].len), "a leader's share is no secret");
        must(secret_is_marked(shares[1].data, shares[1].len), "a helper's share is no secret");
    }
    arena_release(&arena);
}

static void run_lanes(enum simd_type type) {
    setenv("MOIETY_CPU", simd_name(type), 1);
    for (size_t instance = 0; instance < INSTANCES; instance++) {
        struct vdaf *vdaf = make(instance);
        for (int reject = 0; reject < 2; reject++) {
            reveal_reject_first = reject == 1;
            run(vdaf, 1);
            run(vdaf, COUNT_MAX - 1);
        }
        vdaf_free(vdaf);
    }
    printf("%s\n", simd_name(type));
}

int main(void) {
    must_run_on_valgrind();
    for (int type = 0; type < SIMD_TYPES; type++) {
        if (kernels_of((enum simd_type)type) != NULL) {
            run_lanes((enum simd_type)type);
        }
    }
    return EXIT_SUCCESS;
}
