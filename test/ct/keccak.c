/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "primitive/kernels.h"
#include "primitive/turboshake.h"
#include "secrets.h"

/* TurboSHAKE128 over every Keccak kernel that valgrind runs, what it absorbs
 * being secret. */

enum { LONG = 2 * TURBOSHAKE128_RATE + 5, SHORT = 13 };

static uint8_t input[SIMD_LANES_MAX][LONG], output[SIMD_LANES_MAX][LONG];

static void run(const struct keccak_kernel *keccak) {
    const uint8_t *in[SIMD_LANES_MAX];
    uint8_t *out[SIMD_LANES_MAX];
    struct turboshake sponge;
    for (unsigned lane = 0; lane < keccak->lanes; lane++) {
        in[lane] = input[lane];
        out[lane] = output[lane];
    }
    secret_mark(input, sizeof(input));
    turboshake_init(&sponge, keccak);
    turboshake_absorb(&sponge, in, SHORT); /* the next begin within a word */
    turboshake_absorb_same(&sponge, input, LONG);
    turboshake_absorb(&sponge, in, LONG);
    turboshake_absorb_words(&sponge, (const uint64_t *)(const void *)sponge.input, SHORT);
    turboshake_finish(&sponge, 0x1f);
    turboshake_squeeze(&sponge, out, SHORT);
    turboshake_squeeze(&sponge, out, LONG);
    for (unsigned lane = 0; lane < keccak->lanes; lane++) {
        must(secret_is_marked(output[lane], LONG), "the output doesn't depend on the input");
    }
}

int main(void) {
    must_run_on_valgrind();
    for (int type = 0; type < SIMD_TYPES; type++) {
        const struct kernels *kernels = kernels_of((enum simd_type)type);
        if (kernels != NULL) {
            run(kernels->keccak);
            printf("%s\n", simd_name(kernels->type));
        }
    }
    return EXIT_SUCCESS;
}
