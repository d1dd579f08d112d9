/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>

#include "vdaf/verify.h"

const char *const step_names[STEPS] = {
    "leader_init",       "leader_next",       "leader_accumulate", "leader_total",
    "helper_init",       "helper_message",    "helper_next",       "helper_accumulate",
    "helper_total",      "leader_decode",     "leader_joint_rand", "leader_query_rand",
    "leader_query",      "leader_encode",     "leader_truncate",   "helper_expand",
    "helper_joint_rand", "helper_query_rand", "helper_query",      "helper_encode",
    "helper_truncate",   "shard",             "shard_one",
};

static const uint8_t ctx_bytes[RUN_CTX_SIZE] = "dap-18";

void run_must(struct status status) {
    if (!status_ok(status)) {
        fprintf(stderr, "bench: %s\n", status_text(status.code));
        exit(EXIT_FAILURE);
    }
}

static void fill(uint8_t *bytes, size_t len, uint64_t seed) {
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (uint8_t)(seed >> 56);
    }
}

/* Asking for the time takes as long as a few reports. */
static bool is_timed(const struct run *run, enum step step) {
    return run->whole == (step == LEADER_TOTAL || step == HELPER_TOTAL);
}

#define TIMED(run, step, statement)              \
    do {                                         \
        if (is_timed(run, step)) {               \
            bench_start(&(run)->steps[step]);    \
        }                                        \
        statement;                               \
        if (is_timed(run, step)) {               \
            bench_stop(&(run)->steps[step]);     \
        }                                        \
    } while (0)

static struct verify_batch *init(struct run *run, unsigned who, enum step step) {
    struct verify_batch *batch;
    TIMED(run, step, {
        run_must(verify_batch_new(run->vdaf, who, SPAN_EMPTY, run->count, &batch));
        run_must(verify_batch_init(batch, run->inputs[who]));
    });
    return batch;
}

static void finish(struct run *run, struct verify_batch *batch, unsigned who, enum step next,
                   enum step accumulate) {
    const struct span *messages = who == 0 ? run->messages : run->made;
    TIMED(run, next, run_must(verify_batch_next(batch, messages)));
    for (size_t i = 0; i < run->count; i++) {
        run_must((struct status){verify_batch_verdict(batch, i)});
    }
    TIMED(run, accumulate,
          run_must(verify_batch_accumulate(batch, run->buckets, &run->agg_share[who], 1)));
}

static void make_messages(struct run *run, struct arena *arena, struct span messages[]) {
    struct arena scratch = ARENA_INIT;
    enum status_code *verdicts = ARENA_ARRAY(&scratch, enum status_code, run->count);
    TIMED(run, HELPER_MESSAGE,
          run_must(verify_shares_to_message(run->vdaf, SPAN_EMPTY, run->ctx, run->shares,
                                            run->count, arena, messages, verdicts)));
    arena_release(&scratch);
}

static void leader(struct run *run) {
    struct verify_batch *batch = init(run, 0, LEADER_INIT);
    finish(run, batch, 0, LEADER_NEXT, LEADER_ACCUMULATE);
    verify_batch_free(batch);
}

static void helper(struct run *run) {
    struct arena arena = ARENA_INIT;
    struct verify_batch *batch = init(run, 1, HELPER_INIT);
    for (size_t i = 0; i < run->count; i++) {
        run->shares[2 * i + 1] = verify_batch_share(batch, i);
    }
    make_messages(run, &arena, run->made);
    finish(run, batch, 1, HELPER_NEXT, HELPER_ACCUMULATE);
    verify_batch_free(batch);
    arena_release(&arena);
}

void run_leader(struct run *run) { TIMED(run, LEADER_TOTAL, leader(run)); }
void run_helper(struct run *run) { TIMED(run, HELPER_TOTAL, helper(run)); }

void run_shard(struct run *run, enum step step, size_t count) {
    struct arena arena = ARENA_INIT, outputs = ARENA_INIT;
    struct shard_output *shards = ARENA_ARRAY(&outputs, struct shard_output, count);
    TIMED(run, step, run_must(vdaf_shard(run->vdaf, run->shard_inputs, count, &arena, shards)));
    arena_release(&arena);
    arena_release(&outputs);
}

static void shard_all(struct run *run) {
    struct arena *arena = &run->arena;
    const struct vdaf *vdaf = run->vdaf;
    uint64_t *values = ARENA_ARRAY(arena, uint64_t, vdaf_measurement_len(vdaf));
    values[0] = 1;
    for (size_t i = 0; i < run->count; i++) {
        uint8_t *bytes = arena_alloc(arena, vdaf_rand_size(vdaf) + VDAF_NONCE_SIZE, 1);
        fill(bytes, vdaf_rand_size(vdaf) + VDAF_NONCE_SIZE, 100 + i);
        run->ctx[i] = SPAN_OF_ARRAY(ctx_bytes);
        run->shard_inputs[i] =
            (struct shard_input){run->ctx[i], bytes, bytes + VDAF_NONCE_SIZE, values};
    }
    run_must(vdaf_shard(vdaf, run->shard_inputs, run->count, arena, run->shards));
}

/* What each has from the other: the helper the leader's verifier shares, the
 * leader the messages. */
static void exchange(struct run *run) {
    for (unsigned who = 0; who < 2; who++) {
        struct verify_batch *batch = init(run, who, who == 0 ? LEADER_INIT : HELPER_INIT);
        for (size_t i = 0; i < run->count; i++) {
            run_must(arena_copy(&run->arena, verify_batch_share(batch, i),
                                &run->shares[2 * i + who]));
        }
        run->memory[who] = batch->arena.total;
        verify_batch_free(batch);
    }
    make_messages(run, &run->arena, run->messages);
}

void run_init(struct run *run, const struct vdaf *vdaf, size_t count) {
    *run = (struct run){.vdaf = vdaf, .count = count, .arena = ARENA_INIT};
    struct arena *arena = &run->arena;
    run->shard_inputs = ARENA_ARRAY(arena, struct shard_input, count);
    run->shards = ARENA_ARRAY(arena, struct shard_output, count);
    run->ctx = ARENA_ARRAY(arena, struct span, count);
    run->messages = ARENA_ARRAY(arena, struct span, count);
    run->made = ARENA_ARRAY(arena, struct span, count);
    run->shares = ARENA_ARRAY(arena, struct span, 2 * count);
    run->buckets = ARENA_ARRAY(arena, uint32_t, count);
    fill(run->verify_key, sizeof(run->verify_key), 1);
    shard_all(run);
    for (unsigned who = 0; who < 2; who++) {
        run->agg_share[who] = arena_alloc(arena, vdaf_agg_share_size(vdaf), 1);
        run->inputs[who] = ARENA_ARRAY(arena, struct verify_input, count);
        for (size_t i = 0; i < count; i++) {
            run->inputs[who][i] = (struct verify_input){
                SPAN_OF_ARRAY(run->verify_key), run->ctx[i], run->shard_inputs[i].nonce,
                run->shards[i].public_share, run->shards[i].input_shares[who]};
        }
    }
    exchange(run);
}

void run_release(struct run *run) { arena_release(&run->arena); }
