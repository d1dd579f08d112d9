/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "hpke/hpke.h"
#include "hpke/provider/default.h"
#include "primitive/kernels.h"
#include "primitive/x25519.h"
#include "vdaf/run.h"

/* What is counted, on the lane type that MOIETY_CPU names; in callgrind, which
 * writes a profile for each by its name. All inputs are fixed. */

#define COUNTED(name, statement)        \
    do {                                \
        CALLGRIND_TOGGLE_COLLECT;       \
        statement;                      \
        CALLGRIND_TOGGLE_COLLECT;       \
        CALLGRIND_DUMP_STATS_AT(name);  \
    } while (0)

static const struct {
    const char *name, *type;
    struct vdaf_param params[4];
    size_t count;
} instances[] = {
    {"Count", "Prio3Count", {{NULL, 0}}, 0},
    {"Sum_max255", "Prio3Sum", {{"max_measurement", 255}}, 1},
    {"Histogram_100_c10", "Prio3Histogram", {{"length", 100}, {"chunk_length", 10}}, 2},
    {"SumVec_8b_len10_c9",
     "Prio3SumVec",
     {{"length", 10}, {"max_measurement", 255}, {"chunk_length", 9}},
     3},
};
enum { INSTANCES = sizeof(instances) / sizeof(instances[0]), BATCH = 32, MESSAGES = 8 };

/* The name of a count: callgrind takes it at once. */
static const char *named(const char *instance, const char *step) {
    static char name[64];
    snprintf(name, sizeof(name), "%s/%s", instance, step);
    return name;
}

static void count_vdaf(size_t i) {
    struct vdaf *vdaf;
    struct run run;
    run_must(vdaf_new(instances[i].type, instances[i].params, instances[i].count, 2, &vdaf));
    run_init(&run, vdaf, BATCH);
    COUNTED(named(instances[i].name, "leader_total"), run_leader(&run));
    COUNTED(named(instances[i].name, "helper_total"), run_helper(&run));
    COUNTED(named(instances[i].name, "shard_one"), run_shard(&run, SHARD_ONE, 1));
    run_release(&run);
    vdaf_free(vdaf);
}

static void count_field(const struct field_kernel *field) {
    enum { LENGTH = 64, WORDS = LENGTH * FIELD_LIMBS_MAX * SIMD_LANES_MAX };
    static _Alignas(64) uint64_t a[WORDS], b[WORDS], out[WORDS];
    for (size_t i = 0; i < LENGTH; i++) {
        field->splat(a + i * field->words, field->modulus - 1 - i);
        field->splat(b + i * field->words, field->modulus / 3 + i);
    }
    COUNTED(named(field->name, "products"), field->mul(out, a, b, LENGTH));
    COUNTED(named(field->name, "terms"), field->dot(out, a, 1, b, 1, LENGTH));
}

static void count_primitives(const struct kernels *kernels) {
    static _Alignas(64) uint64_t state[KECCAK_WORDS * SIMD_LANES_MAX];
    static uint8_t keys[2][SIMD_LANES_MAX][X25519_SIZE], out[SIMD_LANES_MAX][X25519_SIZE];
    const struct x25519_kernel *x25519 = x25519_kernel_of(kernels->type);
    const uint8_t *scalars[SIMD_LANES_MAX], *points[SIMD_LANES_MAX];
    bool good[SIMD_LANES_MAX];
    for (size_t i = 0; i < SIMD_LANES_MAX; i++) {
        memset(keys[0][i], (int)i + 1, X25519_SIZE);
        memset(keys[1][i], (int)i + 9, X25519_SIZE);
        scalars[i] = keys[0][i];
        points[i] = keys[1][i];
    }
    COUNTED("Keccak/permutation", kernels->keccak->permute(state));
    count_field(kernels->field64);
    count_field(kernels->field128);
    COUNTED("X25519/8_pairs", x25519_batch(x25519, out, good, scalars, points, SIMD_LANES_MAX));
}

static void count_hpke(void) {
    static const uint8_t material[32] = {1}, plaintext[184], aad[90];
    const struct moiety_provider *provider = hpke_provider_default();
    const struct hpke_suite suite = {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256,
                                     MOIETY_AEAD_AES_128_GCM};
    struct hpke_open_item items[MESSAGES];
    struct arena arena = ARENA_INIT, opened = ARENA_INIT;
    struct hpke_key key;
    memset(items, 0, sizeof(items));
    run_must(hpke_key_derive(provider, suite, 1, SPAN_OF_ARRAY(material), &key));
    const struct hpke_config config = hpke_key_config(&key);
    for (size_t i = 0; i < MESSAGES; i++) {
        items[i].key = &key;
        items[i].info = SPAN_OF_LITERAL("info");
        items[i].aad = SPAN_OF_ARRAY(aad);
        run_must(hpke_seal(provider, &config, items[i].info, items[i].aad,
                           SPAN_OF_ARRAY(plaintext), &arena, &items[i].enc,
                           &items[i].ciphertext));
    }
    COUNTED("HPKE/open_8", run_must(hpke_open_batch(provider, items, MESSAGES, &opened)));
    for (size_t i = 0; i < MESSAGES; i++) {
        run_must((struct status){items[i].verdict});
    }
    arena_release(&opened);
    arena_release(&arena);
    hpke_key_release(&key);
}

int main(void) {
    const struct kernels *kernels;
    if (!status_ok(kernels_pick(&kernels))) {
        return 77; /* the log says why */
    }
    count_primitives(kernels);
    count_hpke();
    for (size_t i = 0; i < INSTANCES; i++) {
        count_vdaf(i);
    }
    return EXIT_SUCCESS;
}
