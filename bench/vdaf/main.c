/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "instances.h"
#include "limit.h"
#include "units.h"
#include "vdaf/verify.h"

/* Sharding and verification of batches, in ns a report, each step by itself. */

enum { BATCH_DEFAULT = 256, REPEATS_MIN = 5 };
/* A batch is smaller where its leader shares would be more than this. */
static const size_t LEADER_BYTES_MAX = 64 * 1024 * 1024;
static const double TIME_MIN_NS = 3e8;

static const char usage[] =
    "usage: bench-vdaf [--json] [--batch N] [--lanes portable|avx2|avx512|neon]\n"
    "                  [--instance NAME]\n"
    "Without a choice, all instances on all lane types that run here.\n";

struct options {
    bool json;
    size_t batch;
    const char *lanes, *instance;
};

/* As DAP makes them: "dap-18" and a task ID. */
static const uint8_t ctx_bytes[38] = "dap-18";

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
    SHARD,
    SHARD_ONE,
    STEPS
};

static const char *const step_names[STEPS] = {
    "leader_init", "leader_next",    "leader_accumulate", "leader_total",
    "helper_init", "helper_message", "helper_next",       "helper_accumulate",
    "helper_total", "shard",         "shard_one",
};

struct run {
    const struct vdaf *vdaf;
    size_t count;
    struct arena arena;
    uint8_t verify_key[32];
    struct shard_input *shard_inputs;
    struct shard_output *shards;
    struct verify_input *inputs[2];
    struct span *ctx, *messages, *shares; /* shares: of both, report by report */
    uint32_t *buckets;
    uint8_t *agg_share[2];
    struct bench_min steps[STEPS];
    struct unit_costs unit;
};

static void must(struct status status) {
    if (!status_ok(status)) {
        fprintf(stderr, "bench-vdaf: %s\n", status_text(status.code));
        exit(EXIT_FAILURE);
    }
}

static void fill(uint8_t *bytes, size_t len, uint64_t seed) {
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (uint8_t)(seed >> 56);
    }
}

static void run_init(struct run *run, const struct vdaf *vdaf, size_t count) {
    *run = (struct run){.vdaf = vdaf, .count = count, .arena = ARENA_INIT};
    struct arena *arena = &run->arena;
    run->shard_inputs = ARENA_ARRAY(arena, struct shard_input, count);
    run->shards = ARENA_ARRAY(arena, struct shard_output, count);
    run->ctx = ARENA_ARRAY(arena, struct span, count);
    run->messages = ARENA_ARRAY(arena, struct span, count);
    run->shares = ARENA_ARRAY(arena, struct span, 2 * count);
    run->buckets = ARENA_ARRAY(arena, uint32_t, count);
    uint64_t *values = ARENA_ARRAY(arena, uint64_t, vdaf_measurement_len(vdaf));
    values[0] = 1;
    fill(run->verify_key, sizeof(run->verify_key), 1);
    for (size_t i = 0; i < count; i++) {
        uint8_t *bytes = arena_alloc(arena, vdaf_rand_size(vdaf) + VDAF_NONCE_SIZE, 1);
        fill(bytes, vdaf_rand_size(vdaf) + VDAF_NONCE_SIZE, 100 + i);
        run->ctx[i] = SPAN_OF_ARRAY(ctx_bytes);
        run->shard_inputs[i] =
            (struct shard_input){run->ctx[i], bytes, bytes + VDAF_NONCE_SIZE, values};
    }
    must(vdaf_shard(vdaf, run->shard_inputs, count, arena, run->shards));
    for (unsigned who = 0; who < 2; who++) {
        run->agg_share[who] = arena_alloc(arena, vdaf_agg_share_size(vdaf), 1);
        run->inputs[who] = ARENA_ARRAY(arena, struct verify_input, count);
        for (size_t i = 0; i < count; i++) {
            run->inputs[who][i] = (struct verify_input){
                SPAN_OF_ARRAY(run->verify_key), run->ctx[i], run->shard_inputs[i].nonce,
                run->shards[i].public_share, run->shards[i].input_shares[who]};
        }
    }
}

#define TIMED(run, step, statement)          \
    do {                                     \
        bench_start(&(run)->steps[step]);    \
        statement;                           \
        bench_stop(&(run)->steps[step]);     \
    } while (0)

static struct verify_batch *init(struct run *run, unsigned who, enum step step) {
    struct verify_batch *batch;
    TIMED(run, step, {
        must(verify_batch_new(run->vdaf, who, SPAN_EMPTY, run->count, &batch));
        must(verify_batch_init(batch, run->inputs[who]));
    });
    return batch;
}

static void finish(struct run *run, struct verify_batch *batch, unsigned who, enum step next,
                   enum step accumulate) {
    TIMED(run, next, must(verify_batch_next(batch, run->messages)));
    for (size_t i = 0; i < run->count; i++) {
        must((struct status){verify_batch_verdict(batch, i)});
    }
    TIMED(run, accumulate,
          must(verify_batch_accumulate(batch, run->buckets, &run->agg_share[who], 1)));
}

/* The helper's part, for which it has to have the leader's verifier shares. */
static void run_helper(struct run *run, struct arena *arena) {
    struct arena scratch = ARENA_INIT;
    enum status_code *verdicts = ARENA_ARRAY(&scratch, enum status_code, run->count);
    bench_start(&run->steps[HELPER_TOTAL]);
    struct verify_batch *helper = init(run, 1, HELPER_INIT);
    for (size_t i = 0; i < run->count; i++) {
        run->shares[2 * i + 1] = verify_batch_share(helper, i);
    }
    TIMED(run, HELPER_MESSAGE,
          must(verify_shares_to_message(run->vdaf, SPAN_EMPTY, run->ctx, run->shares, run->count,
                                        arena, run->messages, verdicts)));
    finish(run, helper, 1, HELPER_NEXT, HELPER_ACCUMULATE);
    verify_batch_free(helper);
    bench_stop(&run->steps[HELPER_TOTAL]);
    arena_release(&scratch);
}

/* The leader waits in between; its total is what it does itself. */
static void run_leader(struct run *run) {
    bench_start(&run->steps[LEADER_TOTAL]);
    struct verify_batch *leader = init(run, 0, LEADER_INIT);
    finish(run, leader, 0, LEADER_NEXT, LEADER_ACCUMULATE);
    verify_batch_free(leader);
    bench_stop(&run->steps[LEADER_TOTAL]);
}

static void run_once(struct run *run) {
    struct verify_batch *leader;
    struct arena arena = ARENA_INIT;
    must(verify_batch_new(run->vdaf, 0, SPAN_EMPTY, run->count, &leader));
    must(verify_batch_init(leader, run->inputs[0]));
    for (size_t i = 0; i < run->count; i++) {
        run->shares[2 * i] = verify_batch_share(leader, i);
    }
    run_helper(run, &arena);
    verify_batch_free(leader);
    run_leader(run);
    arena_release(&arena);
}

static void shard_once(struct run *run, enum step step, size_t count) {
    struct arena arena = ARENA_INIT;
    struct shard_output *outputs = ARENA_ARRAY(&run->arena, struct shard_output, count);
    TIMED(run, step, must(vdaf_shard(run->vdaf, run->shard_inputs, count, &arena, outputs)));
    arena_release(&arena);
}

static void keep_least(double *least, double ns) {
    if (*least == 0 || ns < *least) {
        *least = ns;
    }
}

/* Before and after all else, since the machine may be slower for a while. */
static void measure_units(struct run *run) {
    const struct field_kernel *field = run->vdaf->flp.field;
    keep_least(&run->unit.permutation, unit_permutation_ns(run->vdaf->kernels->keccak));
    keep_least(&run->unit.product, unit_product_ns(field));
    keep_least(&run->unit.term, unit_term_ns(field));
}

static void repeat(struct run *run) {
    measure_units(run);
    const double started = bench_now_ns();
    for (int i = 0; i < REPEATS_MIN || bench_now_ns() - started < TIME_MIN_NS; i++) {
        run_once(run);
    }
    const double sharded = bench_now_ns();
    for (int i = 0; i < 2 || bench_now_ns() - sharded < TIME_MIN_NS / 4; i++) {
        shard_once(run, SHARD, run->count < 64 ? run->count : 64);
        for (int j = 0; j < 8; j++) {
            shard_once(run, SHARD_ONE, 1);
        }
    }
    measure_units(run);
}

static void report(const struct run *run, const char *instance, const char *lanes, bool json) {
    const struct vdaf *vdaf = run->vdaf;
    const struct unit_costs unit = run->unit;
    const double leader = arithmetic_ns(limit_leader(vdaf, sizeof(ctx_bytes)), unit);
    const double helper = arithmetic_ns(limit_helper(vdaf, sizeof(ctx_bytes)), unit);
    for (int step = 0; step < STEPS; step++) {
        const size_t sharded = run->count < 64 ? run->count : 64;
        const size_t count = step == SHARD ? sharded : step == SHARD_ONE ? 1 : run->count;
        const struct bench_row row = {
            instance, step_names[step], lanes, run->steps[step].least / (double)count,
            step == LEADER_TOTAL ? leader : step == HELPER_TOTAL ? helper : 0};
        bench_print(&row, json);
    }
    const double units[] = {unit.permutation, unit.product, unit.term};
    const char *const names[] = {"unit_permutation", "unit_product", "unit_term"};
    for (int i = 0; i < 3; i++) {
        bench_print(&(struct bench_row){instance, names[i], lanes, units[i], 0}, json);
    }
}

static void bench_instance(const struct options *options, size_t i, enum simd_type type) {
    struct vdaf *vdaf;
    struct run run;
    setenv("MOIETY_CPU", simd_name(type), 1);
    must(vdaf_new(instances[i].type, instances[i].params, instances[i].count, 2, &vdaf));
    const size_t fit = LEADER_BYTES_MAX / vdaf_input_share_size(vdaf, 0) / SIMD_LANES_MAX *
                       SIMD_LANES_MAX;
    run_init(&run, vdaf, options->batch > fit ? fit : options->batch);
    repeat(&run);
    report(&run, instances[i].name, simd_name(type), options->json);
    arena_release(&run.arena);
    vdaf_free(vdaf);
}

static int parse(int argc, char *argv[], struct options *out) {
    static const struct option known[] = {
        {"json", no_argument, NULL, 'j'},         {"batch", required_argument, NULL, 'b'},
        {"lanes", required_argument, NULL, 'l'},  {"instance", required_argument, NULL, 'i'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 'j':
            out->json = true;
            break;
        case 'b':
            out->batch = strtoul(optarg, NULL, 10);
            break;
        case 'l':
            out->lanes = optarg;
            break;
        case 'i':
            out->instance = optarg;
            break;
        default:
            fputs(usage, option == 'h' ? stdout : stderr);
            exit(option == 'h' ? EXIT_SUCCESS : 2);
        }
    }
    return optind == argc && out->batch > 0 ? 0 : -1;
}

int main(int argc, char *argv[]) {
    struct options options = {.batch = BATCH_DEFAULT};
    if (parse(argc, argv, &options) != 0) {
        fputs(usage, stderr);
        return 2;
    }
    memory_keep(); /* as moietyd does */
    for (int type = 0; type < SIMD_TYPES; type++) {
        const char *name = simd_name((enum simd_type)type);
        if (options.lanes != NULL && strcmp(options.lanes, name) != 0) {
            continue;
        }
        if (kernels_of((enum simd_type)type) == NULL) {
            fprintf(stderr, "%s: skipped: not in this build or not on this processor\n", name);
            continue;
        }
        for (size_t i = 0; i < INSTANCES; i++) {
            if (options.instance == NULL || strcmp(options.instance, instances[i].name) == 0) {
                bench_instance(&options, i, (enum simd_type)type);
            }
        }
    }
    return 0;
}
