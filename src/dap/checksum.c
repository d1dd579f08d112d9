/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/checksum.h"

#include <sodium.h>

void checksum_add(uint8_t checksum[CHECKSUM_SIZE], const struct report_id *id) {
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, id->bytes, sizeof(id->bytes));
    checksum_merge(checksum, digest);
}

void checksum_merge(uint8_t checksum[CHECKSUM_SIZE], const uint8_t other[CHECKSUM_SIZE]) {
    for (size_t i = 0; i < CHECKSUM_SIZE; i++) {
        checksum[i] ^= other[i];
    }
}
