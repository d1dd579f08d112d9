/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PROVIDER_H
#define MOIETY_PROVIDER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The cryptography that the client and collector libraries need and do not
 * bring: an app hands over a table of functions, so that it can use what its
 * platform has. `moiety_provider_openssl` in libmoiety-client-curl is one.
 *
 * Every function returns 0 on success and another value on failure, touches no
 * output on failure, and must be callable from several threads at once.
 */

/* RFC 9180, section 7: identifiers. */
enum moiety_hpke_kem { MOIETY_KEM_P256_HKDF_SHA256 = 0x0010, MOIETY_KEM_X25519_HKDF_SHA256 = 0x0020 };
enum moiety_hpke_kdf { MOIETY_KDF_HKDF_SHA256 = 0x0001 };
enum moiety_hpke_aead {
    MOIETY_AEAD_AES_128_GCM = 0x0001,
    MOIETY_AEAD_AES_256_GCM = 0x0002,
    MOIETY_AEAD_CHACHA20_POLY1305 = 0x0003,
};

struct moiety_provider_batch;

struct moiety_provider {
    /* Fills `out` from a cryptographically secure generator. */
    int (*random)(void *out, size_t len);

    /* Key pairs of a KEM's group: X25519 has 32-byte keys on both sides, P-256
     * a 32-byte scalar and a 65-byte uncompressed point. `keypair` makes a
     * random pair; `public_of` derives the public key, and must refuse a
     * scalar that is zero or not below the group's order. */
    int (*keypair)(uint16_t kem, uint8_t *private_key, uint8_t *public_key);
    int (*public_of)(uint16_t kem, const uint8_t *private_key, uint8_t *public_key);
    /* The 32-byte Diffie-Hellman result. Must refuse an all-zero X25519 result
     * and a P-256 point that is not on the curve. */
    int (*dh)(uint16_t kem, const uint8_t *private_key, const uint8_t *public_key,
              uint8_t shared[32]);

    /* HMAC-SHA256 over the concatenation of `count` parts. */
    int (*hmac_sha256)(const uint8_t *key, size_t key_len, const uint8_t *const parts[],
                       const size_t part_lens[], size_t count, uint8_t out[32]);

    /* AEADs with a 12-byte nonce and a 16-byte tag at the end of the
     * ciphertext. `out` has room for len + 16 (seal) or len - 16 (open). */
    int (*aead_seal)(uint16_t aead, const uint8_t *key, const uint8_t nonce[12],
                     const uint8_t *aad, size_t aad_len, const uint8_t *plaintext, size_t len,
                     uint8_t *out);
    int (*aead_open)(uint16_t aead, const uint8_t *key, const uint8_t nonce[12],
                     const uint8_t *aad, size_t aad_len, const uint8_t *ciphertext, size_t len,
                     uint8_t *out);

    /* NULL in an app's table. The servers' has faster ways to open many
     * ciphertexts here, behind a type that the libraries keep to themselves. */
    const struct moiety_provider_batch *batch;
};

#ifdef __cplusplus
}
#endif

#endif
