/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/turboshake.h"

#include <assert.h>
#include <string.h>

#include "primitive/little_endian.h"

void turboshake_init(struct turboshake *sponge, const struct keccak_kernel *kernel) {
    sponge->kernel = kernel;
    sponge->at = 0;
    memset(sponge->state, 0, KECCAK_WORDS * kernel->lanes * sizeof(uint64_t));
}

static uint64_t *word_of(struct turboshake *sponge, size_t byte, unsigned lane) {
    return &sponge->state[byte / 8 * sponge->kernel->lanes + lane];
}

static void xor_byte(struct turboshake *sponge, size_t at, unsigned lane, uint8_t byte) {
    *word_of(sponge, at, lane) ^= (uint64_t)byte << (8 * (at % 8));
}

/* Bytes that fit the current block, to one lane. */
static void xor_bytes(struct turboshake *sponge, unsigned lane, const uint8_t *data, size_t len) {
    size_t at = sponge->at, end = sponge->at + len;
    while (at < end && at % 8 != 0) {
        xor_byte(sponge, at++, lane, *data++);
    }
    for (; end - at >= 8; at += 8, data += 8) {
        *word_of(sponge, at, lane) ^= load_le64(data);
    }
    while (at < end) {
        xor_byte(sponge, at++, lane, *data++);
    }
}

void turboshake_absorb(struct turboshake *sponge, const uint8_t *const data[], size_t len) {
    for (size_t done = 0; done < len;) {
        size_t room = TURBOSHAKE128_RATE - sponge->at;
        size_t take = len - done < room ? len - done : room;
        for (unsigned lane = 0; lane < sponge->kernel->lanes; lane++) {
            xor_bytes(sponge, lane, data[lane] + done, take);
        }
        done += take;
        sponge->at += take;
        if (sponge->at == TURBOSHAKE128_RATE) {
            sponge->kernel->permute(sponge->state);
            sponge->at = 0;
        }
    }
}

void turboshake_absorb_same(struct turboshake *sponge, const void *data, size_t len) {
    const uint8_t *lanes[SIMD_LANES_MAX];
    for (unsigned lane = 0; lane < sponge->kernel->lanes; lane++) {
        lanes[lane] = data;
    }
    turboshake_absorb(sponge, lanes, len);
}

void turboshake_finish(struct turboshake *sponge, uint8_t domain) {
    assert(domain >= 0x01 && domain <= 0x7f);
    for (unsigned lane = 0; lane < sponge->kernel->lanes; lane++) {
        xor_byte(sponge, sponge->at, lane, domain);
        xor_byte(sponge, TURBOSHAKE128_RATE - 1, lane, 0x80);
    }
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
    for (size_t done = 0; done < len; done++, sponge->at++) {
        refill(sponge);
        for (unsigned lane = 0; lane < sponge->kernel->lanes; lane++) {
            uint64_t word = *word_of(sponge, sponge->at, lane);
            out[lane][done] = (uint8_t)(word >> (8 * (sponge->at % 8)));
        }
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
