/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "rate/rate.h"
#include "units.h"

/* Multiplication in both fields, in ns an element, and the limit of it: the
 * multiplications that a product of that many bits takes by the schoolbook. */

/* An instruction multiplies factor_bits by factor_bits, so it does that square's
 * part of a product's; or half as much, where it gives the low or the high half.
 * Reducing counts for nothing. */
static double limit_ns(const struct field_kernel *field) {
    const struct rate_kernel *rate = rate_of(field->type);
    const bool halves = field->type == SIMD_AVX512 && simd_has_ifma();
    const double bits = (double)field->encoded_size * 8;
    const double parts = bits / (halves ? 52 : rate->factor_bits);
    return parts * parts * (halves ? 2 : 1) * rate_ns(halves ? rate->multiply_52 : rate->multiply) /
           field->lanes;
}

static void measure(const struct field_kernel *field, const char *lanes, bool json) {
    const double limit = limit_ns(field), cycle = bench_cycle_ns();
    struct bench_row row = {.instance = field->name, .lanes = lanes, .limit_ns = limit};
    row.step = "product";
    row.ns = unit_product_ns(field);
    row.cycles = row.ns / cycle;
    bench_print(&row, json);
    row.step = "term";
    row.ns = unit_term_ns(field);
    row.cycles = row.ns / cycle;
    bench_print(&row, json);
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
