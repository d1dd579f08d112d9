/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/x25519.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

/* Every kernel, its scalars and points secret. Under valgrind. */

static uint8_t keys[2][SIMD_LANES_MAX][X25519_SIZE];

static void run(const struct x25519_kernel *kernel) {
    const uint8_t *scalars[SIMD_LANES_MAX], *points[SIMD_LANES_MAX];
    uint8_t out[SIMD_LANES_MAX][X25519_SIZE];
    bool good[SIMD_LANES_MAX];
    for (size_t l = 0; l < SIMD_LANES_MAX; l++) {
        memset(keys[0][l], (int)l + 1, X25519_SIZE);
        memset(keys[1][l], (int)l + 9, X25519_SIZE);
        scalars[l] = keys[0][l];
        points[l] = keys[1][l];
    }
    (void)VALGRIND_MAKE_MEM_UNDEFINED(keys, sizeof(keys));
    x25519_batch(kernel, out, good, scalars, points, kernel->lanes);
    (void)VALGRIND_MAKE_MEM_DEFINED(keys, sizeof(keys));
    (void)VALGRIND_MAKE_MEM_DEFINED(good, sizeof(good));
    for (size_t l = 0; l < kernel->lanes; l++) {
        if (!good[l]) {
            abort();
        }
    }
}

int main(void) {
    if (!RUNNING_ON_VALGRIND) {
        fprintf(stderr, "to be run under valgrind\n");
        return EXIT_FAILURE;
    }
    for (int type = 0; type < SIMD_TYPES; type++) {
        const struct x25519_kernel *kernel = x25519_kernel_of((enum simd_type)type);
        if (kernel == NULL || kernel->type != (enum simd_type)type) {
            fprintf(stderr, "%s: skipped: not under valgrind\n", simd_name((enum simd_type)type));
            continue;
        }
        run(kernel);
    }
    return EXIT_SUCCESS;
}
