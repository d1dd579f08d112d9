/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_HPKE_PROVIDER_AEAD_H
#define MOIETY_HPKE_PROVIDER_AEAD_H

#include <stddef.h>
#include <stdint.h>

/*
 * The AEADs of the provider tables over OpenSSL. Algorithms are fetched once
 * and contexts can be used again, since either costs more than a small
 * message. A context is one thread's at a time; it holds the last key.
 */
struct aead_opener;
struct aead_opener *aead_opener_new(void); /* NULL if out of memory */
void aead_opener_free(struct aead_opener *opener);

/* As moiety_provider's aead_open and aead_seal. */
int aead_opener_open(struct aead_opener *opener, uint16_t aead, const uint8_t *key,
                     const uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
                     const uint8_t *ciphertext, size_t len, uint8_t *out);
int aead_open_once(uint16_t aead, const uint8_t *key, const uint8_t nonce[12], const uint8_t *aad,
                   size_t aad_len, const uint8_t *ciphertext, size_t len, uint8_t *out);
int aead_seal_once(uint16_t aead, const uint8_t *key, const uint8_t nonce[12], const uint8_t *aad,
                   size_t aad_len, const uint8_t *plaintext, size_t len, uint8_t *out);

#endif
