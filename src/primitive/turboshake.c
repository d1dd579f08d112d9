/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/turboshake.h"

#include <assert.h>
#include <string.h>

#include "primitive/little_endian.h"

/* Bytes as words, little-endian, the last one filled up with zeros. */
static void load_words(uint64_t words[], const uint8_t *data, size_t len) {
    for (; len >= 8; len -= 8, data += 8) {
        *words++ = load_le64(data);
    }
    if (len > 0) {
        uint8_t last[8] = {0};
        memcpy(last, data, len);
        *words = load_le64(last);
    }
}

void turboshake_init(struct turboshake *sponge, const struct keccak_kernel *kernel) {
    static const uint64_t empty[KECCAK_RATE / 8];
    turboshake_init_block(sponge, kernel, empty, 0);
}

void turboshake_init_block(struct turboshake *sponge, const struct keccak_kernel *kernel,
                           const uint64_t block[KECCAK_RATE / 8], size_t len) {
    assert(len < KECCAK_RATE);
    sponge->kernel = kernel;
    sponge->at = len;
    kernel->begin(sponge->state, block);
}

void turboshake_fill_in(struct turboshake *sponge, size_t at, const uint8_t *const data[],
                        size_t n) {
    assert(at + 8 * n < KECCAK_RATE);
    sponge->kernel->gather(sponge->input, data, n);
    (void)sponge->kernel->absorb(sponge->state, at, sponge->input, 8 * n);
}

static uint64_t *word_of(struct turboshake *sponge, size_t byte, unsigned lane) {
    return &sponge->state[byte / 8 * sponge->kernel->lanes + lane];
}

void turboshake_absorb_words(struct turboshake *sponge, const uint64_t words[], size_t len) {
    sponge->at = sponge->kernel->absorb(sponge->state, sponge->at, words, len);
}

void turboshake_absorb(struct turboshake *sponge, const uint8_t *const data[], size_t len) {
    enum { PIECE = KECCAK_RATE };
    const unsigned lanes = sponge->kernel->lanes;
    uint64_t *words = sponge->input;
    for (size_t done = 0; done < len; done += PIECE) {
        const size_t take = len - done < PIECE ? len - done : PIECE, whole = take / 8;
        const uint8_t *at[SIMD_LANES_MAX];
        for (unsigned lane = 0; lane < lanes; lane++) {
            at[lane] = data[lane] + done;
        }
        sponge->kernel->gather(words, at, whole);
        for (unsigned lane = 0; lane < lanes && take % 8 != 0; lane++) {
            load_words(&words[whole * lanes + lane], at[lane] + 8 * whole, take % 8);
        }
        turboshake_absorb_words(sponge, words, take);
    }
}

void turboshake_absorb_same(struct turboshake *sponge, const void *data, size_t len) {
    enum { PIECE = KECCAK_RATE };
    const uint8_t *bytes = data;
    uint64_t words[PIECE / 8];
    for (size_t done = 0; done < len; done += PIECE) {
        const size_t take = len - done < PIECE ? len - done : PIECE;
        load_words(words, bytes + done, take);
        sponge->at = sponge->kernel->absorb_same(sponge->state, sponge->at, words, take);
    }
}

void turboshake_finish(struct turboshake *sponge, uint8_t domain) {
    assert(domain >= 0x01 && domain <= 0x7f);
    sponge->kernel->pad(sponge->state, sponge->at, domain);
    sponge->kernel->permute(sponge->state);
    sponge->at = 0;
}

static void refill(struct turboshake *sponge) {
    if (sponge->at == TURBOSHAKE128_RATE) {
        sponge->kernel->permute(sponge->state);
        sponge->at = 0;
    }
}

void turboshake_squeeze(struct turboshake *sponge, uint8_t *const out[], size_t len) {
    const unsigned lanes = sponge->kernel->lanes;
    for (size_t done = 0; done < len;) {
        refill(sponge);
        const size_t left = TURBOSHAKE128_RATE - sponge->at;
        const size_t words = sponge->at % 8 == 0 ? (len - done < left ? len - done : left) / 8 : 0;
        uint8_t *at[SIMD_LANES_MAX];
        for (unsigned lane = 0; lane < lanes; lane++) {
            at[lane] = out[lane] + done;
        }
        if (words > 0) {
            sponge->kernel->scatter(at, word_of(sponge, sponge->at, 0), words);
        } else {
            for (unsigned lane = 0; lane < lanes; lane++) {
                *at[lane] = (uint8_t)(*word_of(sponge, sponge->at, lane) >> (8 * (sponge->at % 8)));
            }
        }
        done += words > 0 ? 8 * words : 1;
        sponge->at += words > 0 ? 8 * words : 1;
    }
}

const uint64_t *turboshake_words(struct turboshake *sponge, size_t wanted, size_t *got) {
    assert(sponge->at % 8 == 0);
    refill(sponge);
    size_t left = (TURBOSHAKE128_RATE - sponge->at) / 8;
    *got = wanted < left ? wanted : left;
    const uint64_t *words = word_of(sponge, sponge->at, 0);
    sponge->at += *got * 8;
    return words;
}
