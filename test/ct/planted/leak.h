/* SPDX-License-Identifier: Apache-2.0
 *
 * A leak to plant in a kernel, which the tests must find: include it after a
 * lane header. PLANTED_INDEX makes it an address that depends on the first lane,
 * PLANTED_GATHER (AVX-512) one for each lane; otherwise it is a branch.
 */
static volatile uint64_t planted_table[256];

static inline void planted_leak(lane secret) {
#ifdef PLANTED_INDEX
    uint64_t words[LANES];
    lane_store(words, secret);
    (void)planted_table[words[0] & 255];
#elif defined(PLANTED_GATHER)
    const lane index = lane_and(secret, lane_splat(255));
    lane_store((uint64_t *)planted_table, _mm512_i64gather_epi64(index, (void *)planted_table, 8));
#else
    if (lane_nonzero(secret) != 0) {
        planted_table[0] = 1;
    }
#endif
}
