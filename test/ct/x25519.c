/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/x25519.h"

#include <string.h>

#include "secrets.h"

/* Every kernel that valgrind runs, its scalars and points secret. */

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
    secret_mark(keys, sizeof(keys));
    x25519_batch(kernel, out, good, scalars, points, kernel->lanes);
    secret_reveal(keys, sizeof(keys));
    must(secret_is_marked(out[0], kernel->lanes * X25519_SIZE), "the output is no secret");
    secret_reveal(good, sizeof(good)); /* whether a point is refused */
    for (size_t l = 0; l < kernel->lanes; l++) {
        must(good[l], "a point was refused");
    }
}

int main(void) {
    must_run_on_valgrind();
    for (int type = 0; type < SIMD_TYPES; type++) {
        const struct x25519_kernel *kernel = x25519_kernel_of((enum simd_type)type);
        if (kernel != NULL && kernel->type == (enum simd_type)type) {
            run(kernel);
            printf("%s\n", simd_name(kernel->type));
        }
    }
    return EXIT_SUCCESS;
}
