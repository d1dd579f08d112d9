/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by OpenSSL's own functions rather than EVP: a state is copied by an
 * assignment, and most of what HPKE hashes is a block or two. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "hpke/provider/batch.h"

#include <assert.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/secret.h"
#include "hpke/provider/aead.h"
#include "primitive/x25519.h"

static const struct x25519_kernel *kernel;
static struct moiety_provider_batch table;

static void x25519(uint8_t shared[][32], bool good[], const uint8_t *const private_keys[],
                   const uint8_t *const public_keys[], size_t count) {
    x25519_batch(kernel, shared, good, private_keys, public_keys, count);
}

/* The states of the inner and the outer hash after the padded key
 * (RFC 2104). */
struct hmac_state {
    SHA256_CTX inner, outer;
};
static_assert(sizeof(struct hmac_state) <= sizeof(struct hmac_key));

static bool absorb_block(SHA256_CTX *hash, const uint8_t key[SHA256_CBLOCK], uint8_t pad) {
    uint8_t block[SHA256_CBLOCK];
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = key[i] ^ pad;
    }
    const bool good = SHA256_Init(hash) == 1 && SHA256_Update(hash, block, sizeof(block)) == 1;
    secret_wipe(block, sizeof(block));
    return good;
}

static int hmac_absorb_key(const uint8_t *key, size_t key_len, struct hmac_key *out) {
    uint8_t block[SHA256_CBLOCK] = {0};
    struct hmac_state state;
    if (key_len <= sizeof(block)) {
        memcpy(block, key, key_len);
    } else {
        SHA256(key, key_len, block);
    }
    const bool good =
        absorb_block(&state.inner, block, 0x36) && absorb_block(&state.outer, block, 0x5c);
    memcpy(out->state, &state, sizeof(state));
    secret_wipe(block, sizeof(block));
    secret_wipe(&state, sizeof(state));
    return good ? 0 : -1;
}

static int hmac_sha256(const struct hmac_key *key, const uint8_t *const parts[],
                       const size_t part_lens[], size_t count, uint8_t out[32]) {
    struct hmac_state state;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    memcpy(&state, key->state, sizeof(state));
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        good = SHA256_Update(&state.inner, parts[i], part_lens[i]) == 1;
    }
    good = good && SHA256_Final(digest, &state.inner) == 1 &&
           SHA256_Update(&state.outer, digest, sizeof(digest)) == 1 &&
           SHA256_Final(digest, &state.outer) == 1;
    if (good) {
        memcpy(out, digest, sizeof(digest));
    }
    secret_wipe(digest, sizeof(digest));
    secret_wipe(&state, sizeof(state));
    return good ? 0 : -1;
}

const struct moiety_provider_batch *provider_batch_make(void) {
    table = (struct moiety_provider_batch){
        .hmac_absorb_key = hmac_absorb_key,
        .hmac_sha256 = hmac_sha256,
        .opener_new = aead_opener_new,
        .opener_free = aead_opener_free,
        .opener_open = aead_opener_open,
    };
    /* Where MOIETY_CPU can't be obeyed, whoever starts the program hears of it
     * from the other kernels. A single lane has nothing to gain. */
    if (status_ok(x25519_kernel_pick(&kernel)) && kernel->lanes > 1) {
        table.x25519 = x25519;
    }
    return &table;
}
