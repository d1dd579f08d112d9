/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/kernels.h"

static const struct kernels portable = {
    SIMD_PORTABLE, 1, &keccak_portable, &field64_portable, &field128_portable,
};

#if defined(__x86_64__)
static const struct kernels avx2 = {
    SIMD_AVX2, 4, &keccak_avx2, &field64_avx2, &field128_avx2,
};
static const struct kernels avx512 = {
    SIMD_AVX512, 8, &keccak_avx512, &field64_avx512, &field128_avx512,
};
static const struct kernels avx512_ifma = {
    SIMD_AVX512, 8, &keccak_avx512, &field64_ifma_avx512, &field128_ifma_avx512,
};
#elif defined(__aarch64__)
static const struct kernels neon = {
    SIMD_NEON, 2, &keccak_neon, &field64_neon, &field128_neon,
};
#endif

const struct kernels *kernels_of(enum simd_type type) {
    if (!simd_supported(type)) {
        return NULL;
    }
    switch (type) { /* what this build has */
    case SIMD_PORTABLE:
        return &portable;
#if defined(__x86_64__)
    case SIMD_AVX2:
        return &avx2;
    case SIMD_AVX512:
        return simd_has_ifma() ? &avx512_ifma : &avx512;
#elif defined(__aarch64__)
    case SIMD_NEON:
        return &neon;
#endif
    default:
        return NULL;
    }
}

static bool kernels_built(enum simd_type type) { return kernels_of(type) != NULL; }

struct status kernels_pick(const struct kernels **out) {
    enum simd_type type;
    TRY(simd_pick(kernels_built, &type));
    *out = kernels_of(type);
    return OK;
}
