/* SPDX-License-Identifier: Apache-2.0
 *
 * Between byte strings, one a lane, and lanes side by side, for a kernel:
 * include it after a lane header. Words are little-endian, at any alignment.
 */
#include <stddef.h>

/* words[w * LANES + l] is word w of in[l], for w < n. */
static inline void words_gather(uint64_t words[], const uint8_t *const in[], size_t n) {
    for (size_t w = 0; w < n; w += LANES) {
        const size_t some = n - w < LANES ? n - w : LANES;
        lane rows[LANES];
        for (size_t l = 0; l < LANES; l++) {
            rows[l] = some == LANES ? lane_load_bytes(in[l] + 8 * w)
                                    : lane_load_bytes_of(in[l] + 8 * w, some);
        }
        lane_transpose(rows);
        for (size_t i = 0; i < some; i++) {
            lane_store(words + (w + i) * LANES, rows[i]);
        }
    }
}

/* The reverse. */
static inline void words_scatter(uint8_t *const out[], const uint64_t words[], size_t n) {
    for (size_t w = 0; w < n; w += LANES) {
        const size_t some = n - w < LANES ? n - w : LANES;
        lane rows[LANES];
        for (size_t i = 0; i < LANES; i++) {
            rows[i] = i < some ? lane_load(words + (w + i) * LANES) : lane_splat(0);
        }
        lane_transpose(rows);
        for (size_t l = 0; l < LANES; l++) {
            if (some == LANES) {
                lane_store_bytes(out[l] + 8 * w, rows[l]);
            } else {
                lane_store_bytes_of(out[l] + 8 * w, rows[l], some);
            }
        }
    }
}
