/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_VDAF_XOF_H
#define MOIETY_VDAF_XOF_H

#include "primitive/kernels.h"
#include "primitive/turboshake.h"

enum {
    XOF_SEED_SIZE = 32,
    XOF_PREFIX_SIZE = 8,
    XOF_DST_MAX = 65535,
    XOF_BINDER_MAX = 16,
    XOF_NONCE_SIZE = 16,
};

/* The block that inputs with one context and one prefix, but for its last byte, begin
 * with: kept from one to the next. All zeros before the first. */
struct xof_tag {
    const uint8_t *ctx;
    size_t ctx_len;
    size_t len; /* of the tag, and of the seed's length after it */
    uint64_t block[KECCAK_RATE / 8];
};

/*
 * XofTurboShake128 (VDAF, section 6.2.1) in every lane at once. The domain
 * separation tag is a prefix that all lanes share and a context for each. The
 * binder begins with bytes that all lanes share, after which there may be 16
 * for each, and more by turboshake_absorb().
 */
struct xof_input {
    uint8_t prefix[XOF_PREFIX_SIZE];
    size_t prefix_len;
    const uint8_t *const *ctx;
    size_t ctx_len;             /* prefix_len + ctx_len <= XOF_DST_MAX */
    const uint8_t *const *seed; /* XOF_SEED_SIZE bytes */
    uint8_t binder[XOF_BINDER_MAX];
    size_t binder_len;
    const uint8_t *const *nonce; /* XOF_NONCE_SIZE bytes; or NULL */
    struct xof_tag *tag;         /* or NULL */
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
