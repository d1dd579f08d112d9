/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/cpu.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

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

bool simd_has_ifma(void) {
#if defined(__x86_64__)
    return simd_supported(SIMD_AVX512) && __builtin_cpu_supports("avx512ifma");
#else
    return false;
#endif
}

static struct status pick_forced(bool (*has)(enum simd_type type), const char *name,
                                 enum simd_type *out) {
    enum simd_type type;
    if (!status_ok(simd_from_name(name, &type))) {
        log_event(LOG_ERROR, "MOIETY_CPU names no lane type: portable, avx2, avx512 or neon",
                  LOG_STRING("value", name));
        return FAIL(INVALID_CONFIG);
    }
    if (!has(type)) {
        log_event(LOG_ERROR, "the lane type that MOIETY_CPU names does not run here",
                  LOG_STRING("value", name),
                  LOG_STRING("lacking", simd_supported(type) ? "build" : "processor"));
        return FAIL(INVALID_CONFIG);
    }
    *out = type;
    return OK;
}

struct status simd_pick(bool (*has)(enum simd_type type), enum simd_type *out) {
    static const enum simd_type best_first[] = {SIMD_AVX512, SIMD_AVX2, SIMD_NEON, SIMD_PORTABLE};
    const char *forced = getenv("MOIETY_CPU");
    if (forced != NULL && forced[0] != '\0') {
        return pick_forced(has, forced, out);
    }
    for (size_t i = 0; i < sizeof(best_first) / sizeof(best_first[0]); i++) {
        if (has(best_first[i])) {
            *out = best_first[i];
            return OK;
        }
    }
    return FAIL(INTERNAL);
}
