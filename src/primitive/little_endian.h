/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PRIMITIVE_LITTLE_ENDIAN_H
#define MOIETY_PRIMITIVE_LITTLE_ENDIAN_H

#include <stdint.h>
#include <string.h>

/* Words of the encodings that VDAF defines, which are little-endian, at any
 * alignment. */
static inline uint64_t load_le64(const uint8_t *from) {
    uint64_t word;
    memcpy(&word, from, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline void store_le64(uint8_t *to, uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(to, &word, sizeof(word));
}

#endif
