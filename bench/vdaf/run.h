/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_VDAF_RUN_H
#define MOIETY_BENCH_VDAF_RUN_H

#include "bench.h"
#include "vdaf/internal.h"

/* What a batch of reports of one instance goes through, step by step. */
enum step {
    LEADER_INIT,
    LEADER_NEXT,
    LEADER_ACCUMULATE,
    LEADER_TOTAL,
    HELPER_INIT,
    HELPER_MESSAGE,
    HELPER_NEXT,
    HELPER_ACCUMULATE,
    HELPER_TOTAL,
    /* Of verify_init: steps.h. */
    LEADER_DECODE,
    LEADER_JOINT_RAND,
    LEADER_QUERY_RAND,
    LEADER_QUERY,
    LEADER_ENCODE,
    LEADER_TRUNCATE,
    HELPER_EXPAND,
    HELPER_JOINT_RAND,
    HELPER_QUERY_RAND,
    HELPER_QUERY,
    HELPER_ENCODE,
    HELPER_TRUNCATE,
    SHARD,
    SHARD_ONE,
    STEPS
};

extern const char *const step_names[STEPS];

/* As DAP makes contexts: "dap-18" and a task ID. */
enum { RUN_CTX_SIZE = 38 };

/* Everything is made from `count` and fixed seeds, so that all runs of an
 * instance compute the same. */
struct run {
    const struct vdaf *vdaf;
    size_t count;
    struct arena arena;
    uint8_t verify_key[32];
    struct shard_input *shard_inputs;
    struct shard_output *shards;
    struct verify_input *inputs[2];
    struct span *ctx, *messages, *made; /* made: what the helper makes, the same again */
    struct span *shares;                /* verifier shares of both, report by report */
    uint32_t *buckets;
    uint8_t *agg_share[2];
    bool whole; /* time the totals, and not the steps that they are made of */
    size_t memory[2];              /* bytes that a batch holds after verify_init */
    struct bench_min steps[STEPS]; /* of all `count` reports, or as many as were sharded */
};

/* Exits the process if anything fails. */
void run_must(struct status status);

void run_init(struct run *run, const struct vdaf *vdaf, size_t count);
void run_release(struct run *run);

/* Each times its steps, or its total if run->whole. The leader waits between
 * verify_init and verify_next; its total is what it does itself. */
void run_leader(struct run *run);
void run_helper(struct run *run);
/* `step` is SHARD or SHARD_ONE; `count` is at most the run's. */
void run_shard(struct run *run, enum step step, size_t count);

#endif
