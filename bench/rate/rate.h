/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_RATE_H
#define MOIETY_BENCH_RATE_H

#include <stddef.h>

#include "simd/cpu.h"

/*
 * How fast the processor does what the units of the arithmetic limit are made
 * of: single instructions on all lanes, in so many chains that none has to wait.
 * Each function does RATE_OPERATIONS a round.
 */
enum { RATE_CHAINS = 12, RATE_OPERATIONS = 8 * RATE_CHAINS };

struct rate_kernel {
    void (*simple)(size_t rounds);      /* an addition; no other is done more often */
    void (*multiply)(size_t rounds);    /* to the whole product of two factors... */
    unsigned factor_bits;               /* ...of this size */
    void (*multiply_52)(size_t rounds); /* to half of a product of 52 bits, added; or NULL */
};

extern const struct rate_kernel rate_portable, rate_avx2, rate_avx512, rate_neon;

/* That of a lane type of this processor. */
const struct rate_kernel *rate_of(enum simd_type type);
/* Nanoseconds of one operation on all lanes. */
double rate_ns(void (*operations)(size_t rounds));

#endif
