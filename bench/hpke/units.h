/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_HPKE_UNITS_H
#define MOIETY_BENCH_HPKE_UNITS_H

#include "primitive/x25519.h"

/*
 * What opening is made of, in ns each, and what other libraries take for the
 * same. An open in base mode is one ladder, one AEAD pass and 19 blocks of
 * SHA-256 where keys are absorbed once and what a batch shares is kept:
 *
 *   eae_prk         2  inner and outer; the empty salt's states are kept
 *   shared_secret   5  absorbing the key 2, 92 bytes 2, outer 1
 *   secret          4  absorbing the key 2, 23 bytes 1, outer 1
 *   key             5  absorbing the key 2, 88 bytes 2, outer 1
 *   base_nonce      3  the same key, 95 bytes 2, outer 1
 */
enum { OPEN_HASH_BLOCKS = 19 };

double unit_ladder_ns(const struct x25519_kernel *kernel); /* a lane */
double unit_hash_block_ns(void);
/* AES-128-GCM of `len` bytes with `aad_len` more in a context used again. */
double unit_aead_ns(size_t len, size_t aad_len);
/* HMAC-SHA256 of `len` bytes under a key that was absorbed before. */
double unit_hmac_ns(size_t len);

/* Single X25519 of others. */
double peer_libsodium_ns(void);
double peer_openssl_ns(void);
/* The same HMAC and AEAD by EVP as it is mostly used: an EVP_MAC context that is
 * copied with its key in it, and a cipher context for each message. */
double peer_evp_hmac_ns(size_t len);
double peer_evp_aead_ns(size_t len, size_t aad_len);

#endif
