/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "support.h"
#include "vdaf-vectors/vector.h"
#include "vdaf/prio3.h"

/* Reports for which an XOF draws a number outside of Field64, which happens once
 * in 2^32 samples: the seeds took a search. The draft's results, of which the
 * vectors' runner checks that a report by itself gives them, must come out in
 * every lane of every lane type, and leave the other lanes' alone. */

static const struct file {
    const char *name, *type;
    uint64_t params[VDAF_PARAMS_MAX]; /* in the type's order */
    size_t reports;
    enum prio3_usage usage[4]; /* what is drawn again, by report */
} files[] = {
    {"Prio3Sum_rejected",
     "Prio3Sum",
     {2097151},
     4,
     {PRIO3_MEAS_SHARE, PRIO3_PROOF_SHARE, PRIO3_PROVE_RANDOMNESS, PRIO3_QUERY_RANDOMNESS}},
    {"Prio3SumVecWithMultiproof_rejected",
     "Prio3SumVecWithMultiproof",
     {4, 7, 1, 2}, /* two proofs, of which it takes three to be relied on */
     2,
     {PRIO3_JOINT_RANDOMNESS, PRIO3_JOINT_RANDOMNESS}},
};
enum { FILES = sizeof(files) / sizeof(files[0]) };

/* One unlucky report, and what the draft makes of it. */
struct unlucky {
    struct vector vector;
    struct vdaf *vdaf;
    struct span ctx, verify_key, nonce, rand, public_share, input_shares[2];
    struct span verifier_shares[2], message, out_shares[2];
    uint64_t *values;
};

/* The bytes of a key that is printed. */
#define TAKE(report, out, ...) cr_assert(vector_bytes(&(report)->vector, &(out), __VA_ARGS__))

static void load(const struct file *file, size_t i, enum simd_type type, struct unlucky *out) {
    char path[512];
    snprintf(path, sizeof(path), "%s/vdaf/%s.txt", MOIETY_TEST_VECTORS, file->name);
    cr_assert(status_ok(vector_load(path, &out->vector)), "%s", path);
    setenv("MOIETY_CPU", simd_name(type), 1);
    cr_assert(status_ok(vdaf_new_of_type(vdaf_type_by_name(file->type), file->params, 2,
                                         &out->vdaf)));
    unsetenv("MOIETY_CPU");
    TAKE(out, out->ctx, "ctx");
    TAKE(out, out->verify_key, "verify_key");
    TAKE(out, out->nonce, "report.%zu.nonce", i);
    TAKE(out, out->rand, "report.%zu.rand", i);
    TAKE(out, out->public_share, "report.%zu.public_share", i);
    TAKE(out, out->message, "report.%zu.verifier_messages.0", i);
    for (unsigned j = 0; j < 2; j++) {
        TAKE(out, out->input_shares[j], "report.%zu.input_shares.%u", i, j);
        TAKE(out, out->verifier_shares[j], "report.%zu.verifier_shares.0.%u", i, j);
        TAKE(out, out->out_shares[j], "report.%zu.out_shares.%u", i, j);
    }
    const char *measurement = vector_text(&out->vector, "report.%zu.measurement", i);
    cr_assert_eq(vector_numbers(&out->vector, measurement, &out->values),
                 (int64_t)vdaf_measurement_len(out->vdaf));
}

static void release(struct unlucky *report) {
    vdaf_free(report->vdaf);
    vector_release(&report->vector);
}

static void expect(struct span got, struct span expected, const char *what) {
    cr_assert(span_equal_vartime(got, expected), "%s", what);
}

/* XofTurboShake128 (VDAF, section 6.2.1) on one lane, by its letter. */
static void start(struct turboshake *sponge, const struct unlucky *report, enum prio3_usage usage,
                  const uint8_t seed[XOF_SEED_SIZE], struct span binder) {
    const uint32_t codepoint = report->vdaf->type->codepoint;
    const uint8_t prefix[] = {(uint8_t)(8 + report->ctx.len), 0, VDAF_VERSION, 0,
                              (uint8_t)(codepoint >> 24), (uint8_t)(codepoint >> 16),
                              (uint8_t)(codepoint >> 8), (uint8_t)codepoint, 0, (uint8_t)usage};
    const uint8_t seed_size = XOF_SEED_SIZE;
    turboshake_init(sponge, &keccak_portable);
    turboshake_absorb_same(sponge, prefix, sizeof(prefix));
    turboshake_absorb_same(sponge, report->ctx.data, report->ctx.len);
    turboshake_absorb_same(sponge, &seed_size, sizeof(seed_size));
    turboshake_absorb_same(sponge, seed, XOF_SEED_SIZE);
    turboshake_absorb_same(sponge, binder.data, binder.len);
    turboshake_finish(sponge, 1);
}

/* Whether n numbers of the stream under a seed have one outside of the field
 * among them. */
static bool rejects(const struct unlucky *report, enum prio3_usage usage,
                    const uint8_t seed[XOF_SEED_SIZE], struct span binder, size_t n) {
    struct turboshake sponge;
    uint8_t encoded[8];
    bool good = true;
    start(&sponge, report, usage, seed, binder);
    for (size_t i = 0; i < n; i++) {
        turboshake_squeeze(&sponge, (uint8_t *const[]){encoded}, sizeof(encoded));
        good = good && field_is_canonical(&field64_portable, encoded, 1);
    }
    return !good;
}

/* The seed of the joint randomness, from the parts that are the public share. */
static void joint_rand_seed(const struct unlucky *report, uint8_t out[XOF_SEED_SIZE]) {
    const uint8_t zeros[XOF_SEED_SIZE] = {0};
    struct turboshake sponge;
    start(&sponge, report, PRIO3_JOINT_RAND_SEED, zeros, report->public_share);
    turboshake_squeeze(&sponge, (uint8_t *const[]){out}, XOF_SEED_SIZE);
}

static bool is_unlucky(const struct unlucky *report, enum prio3_usage usage) {
    const struct vdaf *vdaf = report->vdaf;
    const struct flp *flp = &vdaf->flp;
    const uint8_t *prove_seed = report->rand.data + report->rand.len - XOF_SEED_SIZE;
    uint8_t binder[2 + VDAF_NONCE_SIZE] = {(uint8_t)vdaf->proofs, 1}, seed[XOF_SEED_SIZE];
    switch (usage) {
    case PRIO3_MEAS_SHARE:
        return rejects(report, usage, report->rand.data, span_of(binder + 1, 1),
                       flp->circuit.meas_len);
    case PRIO3_PROOF_SHARE:
        return rejects(report, usage, report->rand.data, span_of(binder, 2),
                       flp->proof_len * vdaf->proofs);
    case PRIO3_PROVE_RANDOMNESS:
        return rejects(report, usage, prove_seed, span_of(binder, 1),
                       flp->prove_rand_len * vdaf->proofs);
    case PRIO3_QUERY_RANDOMNESS:
        memcpy(binder + 1, report->nonce.data, VDAF_NONCE_SIZE);
        return rejects(report, usage, report->verify_key.data,
                       span_of(binder, 1 + VDAF_NONCE_SIZE), flp->query_rand_len * vdaf->proofs);
    default:
        joint_rand_seed(report, seed);
        return rejects(report, usage, seed, span_of(binder, 1),
                       flp->circuit.joint_rand_len * vdaf->proofs);
    }
}

/* A batch as large as there are lanes, all but one report being lucky. */
struct batch {
    struct arena arena;
    size_t count, at;
    struct shard_input inputs[SIMD_LANES_MAX];
    struct shard_output outputs[SIMD_LANES_MAX];
    struct span ctx[SIMD_LANES_MAX], shares[2 * SIMD_LANES_MAX], messages[SIMD_LANES_MAX];
    struct verify_batch *sides[2];
};

static void shard(const struct unlucky *report, struct batch *batch) {
    const size_t rand_size = vdaf_rand_size(report->vdaf);
    for (size_t i = 0; i < batch->count; i++) {
        uint8_t *bytes = arena_alloc(&batch->arena, rand_size + VDAF_NONCE_SIZE, 1);
        fill_bytes(bytes, rand_size + VDAF_NONCE_SIZE, i);
        batch->inputs[i] = (struct shard_input){report->ctx, bytes, bytes + VDAF_NONCE_SIZE,
                                                report->values};
        batch->ctx[i] = report->ctx;
    }
    batch->inputs[batch->at].nonce = report->nonce.data;
    batch->inputs[batch->at].rand = report->rand.data;
    cr_assert(status_ok(vdaf_shard(report->vdaf, batch->inputs, batch->count, &batch->arena,
                                   batch->outputs)));
    const struct shard_output *output = &batch->outputs[batch->at];
    expect(output->public_share, report->public_share, "public share");
    expect(output->input_shares[0], report->input_shares[0], "leader's input share");
    expect(output->input_shares[1], report->input_shares[1], "helper's input share");
}

static void verify_init(const struct unlucky *report, struct batch *batch, unsigned who) {
    struct verify_input inputs[SIMD_LANES_MAX];
    for (size_t i = 0; i < batch->count; i++) {
        inputs[i] = (struct verify_input){report->verify_key, report->ctx, batch->inputs[i].nonce,
                                          batch->outputs[i].public_share,
                                          batch->outputs[i].input_shares[who]};
    }
    struct verify_batch **side = &batch->sides[who];
    cr_assert(status_ok(verify_batch_new(report->vdaf, who, SPAN_EMPTY, batch->count, side)));
    cr_assert(status_ok(verify_batch_init(*side, inputs)));
    for (size_t i = 0; i < batch->count; i++) {
        batch->shares[2 * i + who] = verify_batch_share(*side, i);
    }
    expect(batch->shares[2 * batch->at + who], report->verifier_shares[who], "verifier share");
}

static void verify(const struct unlucky *report, struct batch *batch) {
    enum status_code verdicts[SIMD_LANES_MAX] = {STATUS_OK};
    cr_assert(status_ok(verify_shares_to_message(report->vdaf, SPAN_EMPTY, batch->ctx,
                                                 batch->shares, batch->count, &batch->arena,
                                                 batch->messages, verdicts)));
    expect(batch->messages[batch->at], report->message, "verifier message");
    for (unsigned who = 0; who < 2; who++) {
        struct span out_share;
        cr_assert(status_ok(verify_batch_next(batch->sides[who], batch->messages)));
        for (size_t i = 0; i < batch->count; i++) {
            cr_assert_eq(verify_batch_verdict(batch->sides[who], i), STATUS_OK, "report %zu", i);
        }
        cr_assert(status_ok(verify_batch_out_share(batch->sides[who], batch->at, &batch->arena,
                                                   &out_share)));
        expect(out_share, report->out_shares[who], "output share");
        verify_batch_free(batch->sides[who]);
    }
}

static void run(const struct file *file, size_t i, enum simd_type type) {
    struct unlucky report;
    load(file, i, type, &report);
    cr_assert(is_unlucky(&report, file->usage[i]), "%s: report %zu is not unlucky", file->name, i);
    for (size_t at = 0; at < report.vdaf->kernels->lanes; at++) {
        struct batch batch = {.arena = ARENA_INIT, .count = report.vdaf->kernels->lanes, .at = at};
        shard(&report, &batch);
        verify_init(&report, &batch, 0);
        verify_init(&report, &batch, 1);
        verify(&report, &batch);
        arena_release(&batch.arena);
    }
    release(&report);
}

Test(rejected, reports_come_out_as_the_draft_has_them_in_every_lane) {
    for (int type = 0; type < SIMD_TYPES; type++) {
        if (kernels_of((enum simd_type)type) == NULL) {
            fprintf(stderr, "%s: skipped: not in this build or not on this processor\n",
                    simd_name((enum simd_type)type));
            continue;
        }
        for (size_t file = 0; file < FILES; file++) {
            for (size_t i = 0; i < files[file].reports; i++) {
                run(&files[file], i, (enum simd_type)type);
            }
        }
    }
}
