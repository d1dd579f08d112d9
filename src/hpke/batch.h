/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_HPKE_BATCH_H
#define MOIETY_HPKE_BATCH_H

#include <stdbool.h>

#include "moiety/provider.h"

/*
 * What a provider table may have besides (`batch`), so that sealing and
 * opening many costs less than each by itself. Only the servers' table
 * has one; without it the same is done by the table's other functions.
 *
 * All functions may be called from several threads at once, and return 0 on
 * success.
 */

/* HMAC-SHA256 with its key absorbed. Secret if the key is. */
struct hmac_key {
    uint64_t state[32];
};

/* Contexts for AEADs, for one thread at a time; they hold the last keys. */
struct aead_opener;

struct moiety_provider_batch {
    /* X25519 of `count` pairs. good[i] is false where shared[i] is all zeros,
     * which must be refused. NULL if `dh` one by one is as fast. */
    void (*x25519)(uint8_t shared[][32], bool good[], const uint8_t *const private_keys[],
                   const uint8_t *const public_keys[], size_t count);

    int (*hmac_absorb_key)(const uint8_t *key, size_t key_len, struct hmac_key *out);
    int (*hmac_sha256)(const struct hmac_key *key, const uint8_t *const parts[],
                       const size_t part_lens[], size_t count, uint8_t out[32]);

    /* NULL if out of memory. Freeing wipes. */
    struct aead_opener *(*opener_new)(void);
    void (*opener_free)(struct aead_opener *opener);
    /* As `aead_open`. */
    int (*opener_open)(struct aead_opener *opener, uint16_t aead, const uint8_t *key,
                       const uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
                       const uint8_t *ciphertext, size_t len, uint8_t *out);
};

#endif
