/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/kernels.h"

#include <stdlib.h>

#include "base/log.h"

static const struct kernels portable = {
    SIMD_PORTABLE, 1, &keccak_portable, &field64_portable, &field128_portable,
};

/* What this build has. */
static const struct kernels *const built[SIMD_TYPES] = {
    [SIMD_PORTABLE] = &portable,
};

/* Best first. */
static const enum simd_type preference[] = {SIMD_AVX512, SIMD_AVX2, SIMD_NEON, SIMD_PORTABLE};

const struct kernels *kernels_of(enum simd_type type) {
    return simd_supported(type) ? built[type] : NULL;
}

static struct status pick_forced(const char *name, const struct kernels **out) {
    enum simd_type type;
    if (!status_ok(simd_from_name(name, &type))) {
        log_event(LOG_ERROR, "MOIETY_CPU names no lane type: portable, avx2, avx512 or neon",
                  LOG_STRING("value", name));
        return FAIL(INVALID_CONFIG);
    }
    const struct kernels *kernels = kernels_of(type);
    if (kernels == NULL) {
        log_event(LOG_ERROR, "the lane type that MOIETY_CPU names does not run here",
                  LOG_STRING("value", name),
                  LOG_STRING("lacking", simd_supported(type) ? "build" : "processor"));
        return FAIL(INVALID_CONFIG);
    }
    *out = kernels;
    return OK;
}

struct status kernels_pick(const struct kernels **out) {
    const char *forced = getenv("MOIETY_CPU");
    if (forced != NULL && forced[0] != '\0') {
        return pick_forced(forced, out);
    }
    for (size_t i = 0; i < sizeof(preference) / sizeof(preference[0]); i++) {
        if (kernels_of(preference[i]) != NULL) {
            *out = kernels_of(preference[i]);
            return OK;
        }
    }
    return FAIL(INTERNAL);
}
