/* SPDX-License-Identifier: Apache-2.0
 *
 * Between byte strings, one a lane, and lanes side by side, for a kernel:
 * include it after a lane header. Words are little-endian, at any alignment.
 */
#include <stddef.h>

/* words[w * LANES + l] is word w of in[l], for w < n. */
static inline void words_gather(uint64_t words[], const uint8_t *const in[], size_t n) {
    size_t w = 0;
    lane rows[LANES];
    for (; n - w >= LANES; w += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            rows[l] = lane_load_bytes(in[l] + 8 * w);
        }
        lane_transpose(rows);
        for (size_t i = 0; i < LANES; i++) {
            lane_store(words + (w + i) * LANES, rows[i]);
        }
    }
    if (w == n) {
        return;
    }
    for (size_t l = 0; l < LANES; l++) {
        rows[l] = lane_load_bytes_of(in[l] + 8 * w, n - w);
    }
    lane_transpose(rows);
#pragma GCC unroll 8
    for (size_t i = 0; i < LANES; i++) { /* in registers */
        if (i < n - w) {
            lane_store(words + (w + i) * LANES, rows[i]);
        }
    }
}

/* The reverse. */
static inline void words_scatter(uint8_t *const out[], const uint64_t words[], size_t n) {
    size_t w = 0;
    lane rows[LANES];
    for (; n - w >= LANES; w += LANES) {
        for (size_t i = 0; i < LANES; i++) {
            rows[i] = lane_load(words + (w + i) * LANES);
        }
        lane_transpose(rows);
        for (size_t l = 0; l < LANES; l++) {
            lane_store_bytes(out[l] + 8 * w, rows[l]);
        }
    }
    if (w == n) {
        return;
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < LANES; i++) {
        rows[i] = i < n - w ? lane_load(words + (w + i) * LANES) : lane_splat(0);
    }
    lane_transpose(rows);
    for (size_t l = 0; l < LANES; l++) {
        lane_store_bytes_of(out[l] + 8 * w, rows[l], n - w);
    }
}
