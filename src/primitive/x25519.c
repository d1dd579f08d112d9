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
    uint8_t products[SIMD_LANES_MAX][X25519_SIZE];
    for (size_t first = 0; first < count; first += kernel->lanes) {
        const size_t left = count - first;
        const size_t used = left < kernel->lanes ? left : kernel->lanes;
        const uint8_t *lane_scalars[SIMD_LANES_MAX], *lane_points[SIMD_LANES_MAX];
        for (size_t l = 0; l < kernel->lanes; l++) {
            const size_t i = first + (l < used ? l : 0);
            lane_scalars[l] = scalars[i];
            lane_points[l] = points[i];
        }
        const uint64_t nonzero = kernel->multiply(products, lane_scalars, lane_points);
        memcpy(out[first], products, used * X25519_SIZE);
        for (size_t l = 0; l < used; l++) {
            good[first + l] = (nonzero >> l & 1) != 0;
        }
    }
    secret_wipe(products, sizeof(products));
}
