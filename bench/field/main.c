/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "units.h"

/* Multiplication in both fields, in ns an element. */

static void measure(const struct field_kernel *field, const char *lanes, bool json) {
    bench_print(&(struct bench_row){.instance = field->name, .step = "product", .lanes = lanes,
                                    .ns = unit_product_ns(field)},
                json);
    bench_print(&(struct bench_row){.instance = field->name, .step = "term", .lanes = lanes,
                                    .ns = unit_term_ns(field)},
                json);
}

int main(int argc, char *argv[]) {
    const bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !json) {
        fputs("usage: bench-field [--json]\n", stderr);
        return 2;
    }
    for (int type = 0; type < SIMD_TYPES; type++) {
        const char *lanes = simd_name((enum simd_type)type);
        const struct kernels *kernels = kernels_of((enum simd_type)type);
        if (kernels == NULL) {
            fprintf(stderr, "%s: skipped: not in this build or not on this processor\n", lanes);
            continue;
        }
        measure(kernels->field64, lanes, json);
        measure(kernels->field128, lanes, json);
    }
    return 0;
}
