/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/cpu.h"

#include <string.h>

static const char *const names[SIMD_TYPES] = {
    [SIMD_PORTABLE] = "portable",
    [SIMD_AVX2] = "avx2",
    [SIMD_AVX512] = "avx512",
    [SIMD_NEON] = "neon",
};

const char *simd_name(enum simd_type type) { return names[type]; }

struct status simd_from_name(const char *name, enum simd_type *out) {
    for (int type = 0; type < SIMD_TYPES; type++) {
        if (strcmp(name, names[type]) == 0) {
            *out = (enum simd_type)type;
            return OK;
        }
    }
    return FAIL(INVALID_ARGUMENT);
}

bool simd_supported(enum simd_type type) {
    switch (type) {
    case SIMD_PORTABLE:
        return true;
#if defined(__x86_64__)
    case SIMD_AVX2:
        return __builtin_cpu_supports("avx2");
    case SIMD_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
    case SIMD_NEON:
        return true; /* part of the base architecture */
#endif
    default:
        return false;
    }
}
