/* SPDX-License-Identifier: Apache-2.0 */
#include "rate/rate.h"

#include "bench.h"

const struct rate_kernel *rate_of(enum simd_type type) {
    switch (type) {
#if defined(__x86_64__)
    case SIMD_AVX2:
        return &rate_avx2;
    case SIMD_AVX512:
        return &rate_avx512;
#elif defined(__aarch64__)
    case SIMD_NEON:
        return &rate_neon;
#endif
    default:
        return &rate_portable;
    }
}

double rate_ns(void (*operations)(size_t rounds)) {
    enum { REPEATS = 60, ROUNDS = 4000 };
    struct bench_min min = {0};
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        bench_start(&min);
        operations(ROUNDS);
        bench_stop(&min);
    }
    return min.least / ROUNDS / RATE_OPERATIONS;
}
