/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_VDAF_XOF_H
#define MOIETY_VDAF_XOF_H

#include "primitive/kernels.h"
#include "primitive/turboshake.h"

enum { XOF_SEED_SIZE = 32, XOF_PREFIX_SIZE = 8, XOF_DST_MAX = 65535 };

/*
 * XofTurboShake128 (VDAF, section 6.2.1) in every lane at once. The domain
 * separation tag is a prefix that all lanes share and a context for each; the
 * pieces may differ from lane to lane, their lengths may not. A seed is given
 * as XOF_SEED_SIZE bytes, the binder as the bytes that are known beforehand.
 */
struct xof_input {
    uint8_t prefix[XOF_PREFIX_SIZE];
    size_t prefix_len;
    const uint8_t *ctx[SIMD_LANES_MAX];
    size_t ctx_len; /* prefix_len + ctx_len <= XOF_DST_MAX */
    const uint8_t *seed[SIMD_LANES_MAX];
    const uint8_t *binder[SIMD_LANES_MAX];
    size_t binder_len;
};

/* Starts the sponge with all of the input. More of the binder may follow with
 * turboshake_absorb(). The sponge holds secrets afterwards. */
void xof_start(struct turboshake *sponge, const struct kernels *kernels,
               const struct xof_input *input);

/* Ends the binder and gives each lane's seed. */
void xof_derive_seed(struct turboshake *sponge, uint8_t *const out[]);

/* expand_into_vec: `n` elements a lane, for an input with the whole binder. A
 * lane that draws a number outside of the field is drawn again by itself. */
void xof_expand(struct turboshake *sponge, const struct kernels *kernels,
                const struct xof_input *input, const struct field_kernel *field, uint64_t out[],
                size_t n);

#endif
