/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/x25519.h"

#include <string.h>

#include "base/secret.h"

const struct x25519_kernel *x25519_kernel_of(enum simd_type type) {
    if (!simd_supported(type)) {
        return NULL;
    }
#if defined(__x86_64__)
    if (type == SIMD_AVX512) {
        return simd_has_ifma() ? &x25519_avx512 : x25519_kernel_of(SIMD_AVX2);
    }
    if (type == SIMD_AVX2) {
        return &x25519_avx2;
    }
#elif defined(__aarch64__)
    if (type == SIMD_NEON) {
        return &x25519_neon;
    }
#endif
    return &x25519_portable;
}

static bool kernel_built(enum simd_type type) { return x25519_kernel_of(type) != NULL; }

struct status x25519_kernel_pick(const struct x25519_kernel **out) {
    enum simd_type type;
    TRY(simd_pick(kernel_built, &type));
    *out = x25519_kernel_of(type);
    return OK;
}

void x25519_batch(const struct x25519_kernel *kernel, uint8_t out[][X25519_SIZE], bool good[],
                  const uint8_t *const scalars[], const uint8_t *const points[], size_t count) {
    uint8_t products[X25519_PAIRS_MAX][X25519_SIZE];
    const uint8_t *some_scalars[X25519_PAIRS_MAX], *some_points[X25519_PAIRS_MAX];
    const size_t most = (size_t)kernel->lanes * X25519_GROUPS_MAX;
    for (size_t first = 0; first < count; first += most) {
        const size_t left = count - first;
        const size_t used = left < most ? left : most;
        const size_t groups = (used + kernel->lanes - 1) / kernel->lanes;
        for (size_t i = 0; i < groups * kernel->lanes; i++) {
            some_scalars[i] = scalars[first + (i < used ? i : 0)];
            some_points[i] = points[first + (i < used ? i : 0)];
        }
        const uint64_t nonzero =
            kernel->multiply(products, some_scalars, some_points, (unsigned)groups);
        memcpy(out[first], products, used * X25519_SIZE);
        for (size_t i = 0; i < used; i++) {
            good[first + i] = (nonzero >> i & 1) != 0;
        }
    }
    secret_wipe(products, sizeof(products));
}
