/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_HPKE_HPKE_H
#define MOIETY_HPKE_HPKE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/secret.h"
#include "moiety/provider.h"

/*
 * Hybrid public key encryption in base mode (RFC 9180, sections 5.1.1 and
 * 6.1), single-shot. DHKEM(X25519, HKDF-SHA256) and DHKEM(P-256, HKDF-SHA256),
 * HKDF-SHA256, AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305. All functions
 * are thread-safe. The provider is borrowed; hpke_provider_default() is the
 * one over libsodium and OpenSSL that servers use (hpke/provider/default.h, in
 * the library moiety_provider).
 */

struct hpke_suite {
    uint16_t kem_id;
    uint16_t kdf_id;
    uint16_t aead_id;
};

/* DAP's HpkeConfig (draft 18, section "HPKE Configuration Request"). */
struct hpke_config {
    uint8_t id;
    struct hpke_suite suite;
    struct span public_key; /* borrowed */
};

/* A key pair. Release with hpke_key_release(), which wipes it. */
struct hpke_key {
    uint8_t id;
    struct hpke_suite suite;
    uint8_t public_key[65];
    uint8_t public_key_len;
    uint8_t private_key[32];
};

bool hpke_suite_supported(struct hpke_suite suite);
size_t hpke_public_key_size(uint16_t kem_id); /* 0 if unsupported */
static inline struct hpke_config hpke_key_config(const struct hpke_key *key) {
    return (struct hpke_config){key->id, key->suite, {key->public_key, key->public_key_len}};
}

/* A random pair. UNSUPPORTED_ALGORITHM, CRYPTO. */
struct status hpke_key_generate(const struct moiety_provider *provider, struct hpke_suite suite,
                                uint8_t id, struct hpke_key *out);
/* RFC 9180 section 7.1.3: the pair derived from key material of at least 32
 * bytes. */
struct status hpke_key_derive(const struct moiety_provider *provider, struct hpke_suite suite,
                              uint8_t id, struct span key_material, struct hpke_key *out);
/* From a 32-byte private key, recomputing the public one. */
struct status hpke_key_from_private(const struct moiety_provider *provider,
                                    struct hpke_suite suite, uint8_t id, struct span private_key,
                                    struct hpke_key *out);
void hpke_key_release(struct hpke_key *key);

/* SealBase: `enc` and `ciphertext` (16 bytes longer than the plaintext) live
 * in the arena. UNSUPPORTED_ALGORITHM, INVALID_ARGUMENT for a public key of the
 * wrong size or not on the curve, CRYPTO. */
struct status hpke_seal(const struct moiety_provider *provider, const struct hpke_config *config,
                        struct span info, struct span aad, struct span plaintext,
                        struct arena *arena, struct span *enc, struct span *ciphertext);

/* SealBase for a batch, which costs less than one by one where the provider has
 * lanes. Fails as hpke_seal() does, for all of them. */
struct hpke_seal_item {
    const struct hpke_config *config;
    struct span info;
    struct span aad;
    struct span plaintext;
    struct span enc;        /* out; means nothing after a failure */
    struct span ciphertext; /* out; likewise */
};
struct status hpke_seal_batch(const struct moiety_provider *provider,
                              struct hpke_seal_item items[], size_t count, struct arena *arena);

/*
 * OpenBase for a batch. Each item carries its own key, so keys and tasks mix.
 * Opening is the larger cost of small reports, which is why it takes many at
 * once. `key` NULL skips the item with verdict STATUS_UNKNOWN_KEY. The
 * plaintext lives in the arena, and is secret. The call fails only with
 * NO_MEMORY.
 */
struct hpke_open_item {
    const struct hpke_key *key;
    struct span info;
    struct span aad;
    struct span enc;
    struct span ciphertext;
    struct span plaintext;    /* out */
    enum status_code verdict; /* out: OK, UNKNOWN_KEY or DECRYPT_FAILED */
};
struct status hpke_open_batch(const struct moiety_provider *provider,
                              struct hpke_open_item items[], size_t count, struct arena *arena);

#endif
