/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "instances.h"
#include "limit.h"
#include "run.h"
#include "steps.h"
#include "units.h"

/* Sharding and verification of batches, in ns a report, each step by itself. */

enum { BATCH_DEFAULT = 256, REPEATS_MIN = 10 };
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

/* One instance on one lane type. */
struct measured {
    struct run run;
    struct unit_costs unit;
};

static void keep_least(double *least, double ns) {
    if (*least == 0 || ns < *least) {
        *least = ns;
    }
}

/* Before and after all else, since the machine may be slower for a while. */
static void measure_units(const struct vdaf *vdaf, struct unit_costs *unit) {
    const struct field_kernel *field = vdaf->flp.field;
    keep_least(&unit->permutation, unit_permutation_ns(vdaf->kernels->keccak));
    keep_least(&unit->product, unit_product_ns(field));
    keep_least(&unit->term, unit_term_ns(field));
    keep_least(&unit->cycle, bench_cycle_ns());
}

static size_t sharded(const struct run *run) { return run->count < 64 ? run->count : 64; }

static void repeat(struct measured *measured) {
    struct run *run = &measured->run;
    measure_units(run->vdaf, &measured->unit);
    const double started = bench_now_ns();
    for (int i = 0; i < REPEATS_MIN || bench_now_ns() - started < TIME_MIN_NS; i++) {
        run->whole = i % 2 == 0;
        run_helper(run);
        run_leader(run);
    }
    run->whole = false;
    struct steps *steps = steps_new(run);
    const double stepping = bench_now_ns();
    for (int i = 0; i < REPEATS_MIN || bench_now_ns() - stepping < TIME_MIN_NS / 2; i++) {
        steps_run(steps);
    }
    steps_free(steps);
    const double sharding = bench_now_ns();
    for (int i = 0; i < 2 || bench_now_ns() - sharding < TIME_MIN_NS / 4; i++) {
        run_shard(run, SHARD, sharded(run));
        for (int j = 0; j < 8; j++) {
            run_shard(run, SHARD_ONE, 1);
        }
    }
    measure_units(run->vdaf, &measured->unit);
}

/* A step's row; those of the totals have the limit and the bytes too. */
static struct bench_row row_of(const struct measured *measured, enum step step) {
    const struct run *run = &measured->run;
    const struct vdaf *vdaf = run->vdaf;
    const size_t count = step == SHARD ? sharded(run) : step == SHARD_ONE ? 1 : run->count;
    struct bench_row row = {.step = step_names[step],
                            .ns = run->steps[step].least / (double)count};
    row.cycles = row.ns / measured->unit.cycle;
    if (step == LEADER_TOTAL || step == HELPER_TOTAL) {
        const unsigned who = step == HELPER_TOTAL;
        const struct arithmetic limit =
            who == 0 ? limit_leader(vdaf, RUN_CTX_SIZE) : limit_helper(vdaf, RUN_CTX_SIZE);
        row.limit_ns = arithmetic_ns(limit, measured->unit);
        row.share_bytes = vdaf_public_share_size(vdaf) + vdaf_input_share_size(vdaf, who);
        row.memory_bytes = (double)run->memory[who] / (double)run->count;
    }
    return row;
}

static void report(const struct measured *measured, const char *instance, const char *lanes,
                   bool json) {
    const struct unit_costs unit = measured->unit;
    for (int step = 0; step < STEPS; step++) {
        struct bench_row row = row_of(measured, (enum step)step);
        row.instance = instance;
        row.lanes = lanes;
        if (row.ns > 0) { /* else the instance has no such step */
            bench_print(&row, json);
        }
    }
    const double units[] = {unit.permutation, unit.product, unit.term, unit.cycle};
    const char *const names[] = {"unit_permutation", "unit_product", "unit_term", "unit_cycle"};
    for (int i = 0; i < 4; i++) {
        bench_print(&(struct bench_row){.instance = instance, .step = names[i], .lanes = lanes,
                                        .ns = units[i]},
                    json);
    }
}

static void bench_instance(const struct options *options, size_t i, enum simd_type type) {
    struct vdaf *vdaf;
    struct measured measured = {0};
    setenv("MOIETY_CPU", simd_name(type), 1);
    run_must(vdaf_new(instances[i].type, instances[i].params, instances[i].count, 2, &vdaf));
    const size_t fit = LEADER_BYTES_MAX / vdaf_input_share_size(vdaf, 0) / SIMD_LANES_MAX *
                       SIMD_LANES_MAX;
    run_init(&measured.run, vdaf, options->batch > fit ? fit : options->batch);
    repeat(&measured);
    report(&measured, instances[i].name, simd_name(type), options->json);
    run_release(&measured.run);
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
