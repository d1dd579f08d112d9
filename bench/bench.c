/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdint.h>
#include <stdio.h>

double bench_cycle_ns(void) {
    /* Many in a row, so that the loop costs nothing beside them. */
    enum { REPEATS = 50, ROUNDS = 1000, ADDITIONS = 128 };
    struct bench_min min = {0};
    uint64_t sum = 0;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        bench_start(&min);
        for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 128
            for (int i = 0; i < ADDITIONS; i++) {
                sum += (uint64_t)round;
                __asm__ volatile("" : "+r"(sum));
            }
        }
        bench_stop(&min);
    }
    return min.least / ROUNDS / ADDITIONS;
}

static void print_json(const struct bench_row *row) {
    printf("{\"instance\":\"%s\",\"step\":\"%s\",\"lanes\":\"%s\",\"ns\":%.2f", row->instance,
           row->step, row->lanes, row->ns);
    if (row->limit_ns > 0) {
        printf(",\"limit_ns\":%.2f,\"ratio\":%.2f", row->limit_ns, row->ns / row->limit_ns);
    }
    if (row->cycles > 0) {
        printf(",\"cycles\":%.1f", row->cycles);
    }
    if (row->share_bytes > 0) {
        printf(",\"share_bytes\":%zu,\"memory_bytes\":%.0f", row->share_bytes, row->memory_bytes);
    }
    printf("}\n");
}

static void print_line(const struct bench_row *row) {
    printf("%-24s %-18s %-9s %14.2f ns", row->instance, row->step, row->lanes, row->ns);
    if (row->cycles > 0) {
        printf(" %12.1f cycles", row->cycles);
    }
    if (row->limit_ns > 0) {
        printf("  limit %14.2f  ratio %6.2f", row->limit_ns, row->ns / row->limit_ns);
    }
    if (row->share_bytes > 0) {
        printf("  share %zu B, memory %.0f B", row->share_bytes, row->memory_bytes);
    }
    printf("\n");
}

void bench_print(const struct bench_row *row, bool json) {
    (json ? print_json : print_line)(row);
    fflush(stdout);
}
