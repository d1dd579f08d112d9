/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_SIMD_CPU_H
#define MOIETY_SIMD_CPU_H

#include <stdbool.h>

#include "base/status.h"

/*
 * The lane types that kernels are compiled for. Each is described by one
 * header of this folder, named as simd_name() says. Thread-safe, all of it.
 */
enum simd_type {
    SIMD_PORTABLE, /* one 64-bit lane, plain C */
    SIMD_AVX2,     /* four */
    SIMD_AVX512,   /* eight; F, DQ and VL, and IFMA where the processor has it */
    SIMD_NEON,     /* two */
    SIMD_TYPES
};

/* No lane type has more lanes than this. */
enum { SIMD_LANES_MAX = 8 };

/* "portable", "avx2", "avx512" or "neon", as MOIETY_CPU spells it. */
const char *simd_name(enum simd_type type);
/* INVALID_ARGUMENT if no lane type has this name. */
struct status simd_from_name(const char *name, enum simd_type *out);

/* Whether this processor, under this operating system, runs it. */
bool simd_supported(enum simd_type type);
/* Whether AVX-512 here has the 52-bit multiply-add too. */
bool simd_has_ifma(void);

/* The best lane type that `has` says there are kernels for, or the one that
 * the environment variable MOIETY_CPU names. INVALID_CONFIG, with a line in the
 * log, if it names none or one that there are no kernels for. */
struct status simd_pick(bool (*has)(enum simd_type type), enum simd_type *out);

#endif
