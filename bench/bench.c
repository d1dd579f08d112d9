/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdio.h>

void bench_print(const struct bench_row *row, bool json) {
    if (json) {
        printf("{\"instance\":\"%s\",\"step\":\"%s\",\"lanes\":\"%s\",\"ns\":%.2f", row->instance,
               row->step, row->lanes, row->ns);
        if (row->limit_ns > 0) {
            printf(",\"limit_ns\":%.2f,\"ratio\":%.2f", row->limit_ns, row->ns / row->limit_ns);
        }
        printf("}\n");
    } else if (row->limit_ns > 0) {
        printf("%-24s %-18s %-9s %14.2f ns  limit %14.2f  ratio %6.2f\n", row->instance, row->step,
               row->lanes, row->ns, row->limit_ns, row->ns / row->limit_ns);
    } else {
        printf("%-24s %-18s %-9s %14.2f ns\n", row->instance, row->step, row->lanes, row->ns);
    }
    fflush(stdout);
}
