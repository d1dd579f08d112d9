/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "units.h"

/* The permutation under TurboSHAKE128, in ns a state. */

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
        bench_print(&(struct bench_row){.instance = "Keccak-p[1600,12]", .step = "permutation",
                                        .lanes = lanes,
                                        .ns = unit_permutation_ns(kernels->keccak)},
                    json);
    }
    return 0;
}
