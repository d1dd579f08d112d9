/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_HPKE_DHKEM_H
#define MOIETY_HPKE_DHKEM_H

#include "hpke/hpke.h"
#include "hpke/kdf.h"

/* DHKEM (RFC 9180, section 4.1). Inside this layer only; thread-safe. */
enum { DHKEM_PRIVATE_SIZE = 32, DHKEM_PUBLIC_MAX = 65 };

/* "KEM" || kem_id */
struct dhkem_id {
    uint8_t bytes[5];
};
struct dhkem_id dhkem_id(uint16_t kem_id);

/* Encap of several, X25519 together. `enc` has the size of a public key.
 * INVALID_ARGUMENT if a recipient's public key has the wrong size or is
 * refused; CRYPTO. `shared` is to be wiped, after a failure too. */
enum { DHKEM_ENCAP_MAX = 64 };
struct dhkem_encap {
    uint16_t kem_id;
    struct span public_key;
    uint8_t enc[DHKEM_PUBLIC_MAX]; /* out */
    uint8_t shared[KDF_SIZE];      /* out */
};
struct status dhkem_encap_batch(const struct moiety_provider *provider,
                                struct dhkem_encap items[],
                                size_t count /* at most DHKEM_ENCAP_MAX */);

/* Decap of several, X25519 together. `good` is false if `enc` has the wrong
 * size or is refused, or if the provider fails. Nothing else in the project
 * puts a private key to use. */
enum { DHKEM_DECAP_MAX = 64 };
struct dhkem_decap {
    const struct hpke_key *key;
    struct span enc;
    uint8_t shared[KDF_SIZE]; /* out */
    bool good;                /* out */
};
void dhkem_decap_batch(const struct moiety_provider *provider, struct dhkem_decap items[],
                       size_t count /* at most DHKEM_DECAP_MAX */);

#endif
