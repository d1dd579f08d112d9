/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/kernels.h"

static const struct kernels portable = {
    SIMD_PORTABLE, 1, &keccak_portable, &field64_portable, &field128_portable,
};

/* What this build has. */
static const struct kernels *const built[SIMD_TYPES] = {
    [SIMD_PORTABLE] = &portable,
};

const struct kernels *kernels_of(enum simd_type type) {
    return simd_supported(type) ? built[type] : NULL;
}

static bool kernels_built(enum simd_type type) { return kernels_of(type) != NULL; }

struct status kernels_pick(const struct kernels **out) {
    enum simd_type type;
    TRY(simd_pick(kernels_built, &type));
    *out = kernels_of(type);
    return OK;
}
