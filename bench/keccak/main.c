/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "rate/rate.h"
#include "units.h"

/* The permutation under TurboSHAKE128, in ns a state, and the limit of it: the
 * instructions that twelve rounds take at least, each in the time of an
 * addition, of which processors do as many at once as of anything. */

/*
 * Instructions of one round (FIPS 202, section 3.2), on lanes with logic of two
 * or three operands and rotations of `rotation` instructions.
 *   theta: the parities of five columns of five words, each turned by one bit,
 *     and two of them added to each of the 25 words: of two operands, to each
 *     other first;
 *   rho, pi: 24 rotations;
 *   chi: and-not, then exclusive or, for each word: one instruction of three;
 *   iota: one exclusive or.
 */
static double round_instructions(unsigned operands, unsigned rotation) {
    const unsigned logic = operands == 3 ? 5 * 2 + 25 + 25 + 1 : 5 * 4 + 5 + 25 + 2 * 25 + 1;
    return logic + (5 + 24) * rotation;
}

static double limit_ns(enum simd_type type, unsigned lanes) {
    static const struct {
        unsigned operands, rotation;
    } machines[SIMD_TYPES] = {
        [SIMD_PORTABLE] = {2, 1}, /* as if and-not were one, too */
        [SIMD_AVX2] = {2, 3},     /* two shifts and an or */
        [SIMD_AVX512] = {3, 1},
        [SIMD_NEON] = {2, 2}, /* a shift, and one that inserts */
    };
    return 12 * round_instructions(machines[type].operands, machines[type].rotation) *
           rate_ns(rate_of(type)->simple) / lanes;
}

int main(int argc, char *argv[]) {
    const bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !json) {
        fputs("usage: bench-keccak [--json]\n", stderr);
        return 2;
    }
    for (int type = 0; type < SIMD_TYPES; type++) {
        const char *lanes = simd_name((enum simd_type)type);
        const struct kernels *kernels = kernels_of((enum simd_type)type);
        if (kernels == NULL) {
            fprintf(stderr, "%s: skipped: not in this build or not on this processor\n", lanes);
            continue;
        }
        const double ns = unit_permutation_ns(kernels->keccak);
        bench_print(&(struct bench_row){.instance = "Keccak-p[1600,12]", .step = "permutation",
                                        .lanes = lanes, .ns = ns,
                                        .cycles = ns / bench_cycle_ns(),
                                        .limit_ns = limit_ns((enum simd_type)type, kernels->lanes)},
                    json);
    }
    return 0;
}
