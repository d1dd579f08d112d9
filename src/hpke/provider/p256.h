/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_HPKE_PROVIDER_P256_H
#define MOIETY_HPKE_PROVIDER_P256_H

#include <stdint.h>

/* P-256 for the provider table: 32-byte big-endian scalars in [1, order) and
 * 65-byte uncompressed points. 0 on success. Thread-safe. */
int p256_keypair(uint8_t private_key[32], uint8_t public_key[65]);
int p256_public_of(const uint8_t private_key[32], uint8_t public_key[65]);
/* The x coordinate of private_key times the point. */
int p256_dh(const uint8_t private_key[32], const uint8_t public_key[65], uint8_t shared[32]);

#endif
