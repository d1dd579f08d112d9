/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/xof.h"

#include <string.h>

#include "base/secret.h"
#include "primitive/little_endian.h"

enum { XOF_DOMAIN = 0x01 };

/* Whether all lanes have their context in one place, as reports of a task do. */
static bool same_ctx(const struct kernels *kernels, const struct xof_input *input) {
    for (unsigned lane = 1; lane < kernels->lanes; lane++) {
        if (input->ctx[lane] != input->ctx[0]) {
            return false;
        }
    }
    return true;
}

/* The tag, as far as all lanes share it, from its length on; gives its bytes. */
enum { TAG_HEAD = 2 + XOF_PREFIX_SIZE };
static size_t write_tag_head(const struct xof_input *input, uint8_t tag[TAG_HEAD]) {
    const size_t dst_len = input->prefix_len + input->ctx_len;
    tag[0] = (uint8_t)dst_len;
    tag[1] = (uint8_t)(dst_len >> 8);
    memcpy(tag + 2, input->prefix, input->prefix_len);
    return 2 + input->prefix_len;
}

/* Of any length, with a context for each lane: piece by piece. */
static void start_long(struct turboshake *sponge, const struct kernels *kernels,
                       const struct xof_input *input) {
    uint8_t tag[TAG_HEAD];
    const uint8_t seed_len = XOF_SEED_SIZE;
    const size_t len = write_tag_head(input, tag);
    turboshake_init(sponge, kernels->keccak);
    turboshake_absorb_same(sponge, tag, len);
    turboshake_absorb(sponge, input->ctx, input->ctx_len);
    turboshake_absorb_same(sponge, &seed_len, 1);
    turboshake_absorb(sponge, input->seed, XOF_SEED_SIZE);
    turboshake_absorb_same(sponge, input->binder, input->binder_len);
    if (input->nonce != NULL) {
        turboshake_absorb(sponge, input->nonce, XOF_NONCE_SIZE);
    }
}

static void write_tag(const struct xof_input *input, struct xof_tag *tag) {
    uint8_t block[KECCAK_RATE] = {0};
    tag->len = write_tag_head(input, block);
    if (input->prefix_len > 0) {
        block[tag->len - 1] = 0; /* the prefix's last byte */
    }
    if (input->ctx_len > 0) { /* else there may be no bytes to point to */
        memcpy(block + tag->len, input->ctx[0], input->ctx_len);
    }
    tag->len += input->ctx_len;
    block[tag->len++] = XOF_SEED_SIZE;
    for (size_t i = 0; i < KECCAK_RATE / 8; i++) {
        tag->block[i] = load_le64(block + 8 * i);
    }
    tag->ctx = input->ctx[0];
    tag->ctx_len = input->ctx_len;
}

static void put_byte(uint64_t block[], size_t at, uint8_t byte) {
    block[at / 8] |= (uint64_t)byte << (8 * (at % 8));
}

/* All within one block, which is the same in every lane but for seed and nonce: as
 * reports of a task have it. */
static void start_short(struct turboshake *sponge, const struct kernels *kernels,
                        const struct xof_input *input, size_t len) {
    struct xof_tag own = {0}, *tag = input->tag == NULL ? &own : input->tag;
    if (tag->len == 0 || tag->ctx != input->ctx[0] || tag->ctx_len != input->ctx_len) {
        write_tag(input, tag);
    }
    uint64_t block[KECCAK_RATE / 8];
    memcpy(block, tag->block, sizeof(block));
    if (input->prefix_len > 0) {
        put_byte(block, 2 + input->prefix_len - 1, input->prefix[input->prefix_len - 1]);
    }
    const size_t binder_at = tag->len + XOF_SEED_SIZE;
    for (size_t i = 0; i < input->binder_len; i++) {
        put_byte(block, binder_at + i, input->binder[i]);
    }
    turboshake_init_block(sponge, kernels->keccak, block, len);
    turboshake_fill_in(sponge, tag->len, input->seed, XOF_SEED_SIZE / 8);
    if (input->nonce != NULL) {
        turboshake_fill_in(sponge, binder_at + input->binder_len, input->nonce,
                           XOF_NONCE_SIZE / 8);
    }
}

void xof_start(struct turboshake *sponge, const struct kernels *kernels,
               const struct xof_input *input) {
    const size_t len = 2 + input->prefix_len + input->ctx_len + 1 + XOF_SEED_SIZE +
                       input->binder_len + (input->nonce == NULL ? 0 : XOF_NONCE_SIZE);
    if (len < KECCAK_RATE && same_ctx(kernels, input)) {
        start_short(sponge, kernels, input, len);
    } else {
        start_long(sponge, kernels, input);
    }
}

void xof_derive_seed(struct turboshake *sponge, uint8_t *const out[]) {
    turboshake_finish(sponge, XOF_DOMAIN);
    turboshake_squeeze(sponge, out, XOF_SEED_SIZE);
}

/* Takes elements straight from the sponge. Gives the lanes that drew a number
 * outside of the field, whose elements are useless from there on. */
static lane_mask expand_fast(struct turboshake *sponge, const struct field_kernel *field,
                             uint64_t out[], size_t n) {
    const size_t size = field->limbs;
    uint64_t split[FIELD_LIMBS_MAX * SIMD_LANES_MAX]; /* an element across two blocks */
    size_t split_words = 0;
    lane_mask bad = 0;
    for (size_t done = 0; done < n;) {
        size_t got;
        const size_t wanted = split_words > 0 ? size - split_words : (n - done) * size;
        const uint64_t *words = turboshake_words(sponge, wanted, &got);
        if (split_words == 0 && got >= size) {
            const size_t whole = got / size;
            bad |= field->sample(field_at(field, out, done), words, whole);
            done += whole;
            words += whole * size * field->lanes;
            got -= whole * size;
        }
        if (got > 0) {
            memcpy(split + split_words * field->lanes, words, got * field->lanes * sizeof(*words));
            split_words += got;
        }
        if (split_words == size) {
            bad |= field->sample(field_at(field, out, done++), split, 1);
            split_words = 0;
        }
    }
    if (size > 1) {
        secret_wipe(split, sizeof(split));
    }
    return bad;
}

/* Replaces element i of one lane. */
static void put_lane(const struct field_kernel *field, uint64_t out[], size_t i, unsigned lane,
                     const uint8_t encoded[]) {
    uint8_t bytes[SIMD_LANES_MAX][FIELD_BYTES_MAX];
    uint8_t *to[SIMD_LANES_MAX];
    const uint8_t *from[SIMD_LANES_MAX];
    for (unsigned l = 0; l < field->lanes; l++) {
        to[l] = bytes[l];
        from[l] = l == lane ? encoded : bytes[l];
    }
    field->encode(to, field_at(field, out, i), 1);
    (void)field->decode(field_at(field, out, i), from, 1);
    secret_wipe(bytes, sizeof(bytes));
}

/* One lane by the letter of the standard: numbers outside of the field are
 * skipped. Its time tells that there was one, which the seed alone decides. */
static void expand_slow(const struct xof_input *input, unsigned lane,
                        const struct field_kernel *field, uint64_t out[], size_t n) {
    struct xof_input single = *input;
    single.ctx = &input->ctx[lane];
    single.seed = &input->seed[lane];
    single.nonce = input->nonce == NULL ? NULL : &input->nonce[lane];
    struct turboshake sponge;
    xof_start(&sponge, kernels_of(SIMD_PORTABLE), &single);
    turboshake_finish(&sponge, XOF_DOMAIN);
    uint8_t encoded[FIELD_BYTES_MAX];
    uint8_t *const to[] = {encoded};
    for (size_t i = 0; i < n;) {
        turboshake_squeeze(&sponge, to, field->encoded_size);
        if (field_is_canonical(field, encoded, 1)) {
            put_lane(field, out, i++, lane, encoded);
        }
    }
    secret_wipe(encoded, sizeof(encoded));
    secret_wipe(&sponge, sizeof(sponge));
}

void xof_expand(struct turboshake *sponge, const struct kernels *kernels,
                const struct xof_input *input, const struct field_kernel *field, uint64_t out[],
                size_t n) {
    xof_start(sponge, kernels, input);
    turboshake_finish(sponge, XOF_DOMAIN);
    lane_mask bad = expand_fast(sponge, field, out, n);
    for (unsigned lane = 0; lane < field->lanes; lane++) {
        if (bad >> lane & 1) {
            expand_slow(input, lane, field, out, n);
        }
    }
}
