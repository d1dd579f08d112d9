/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/provider/default.h"

#include <sodium.h>
#include <stdlib.h>
#include <threads.h>

#include "hpke/provider/batch.h"
#include "moiety/provider_openssl.h"

static struct moiety_provider table;
static once_flag table_made = ONCE_FLAG_INIT;

static int random_bytes(void *out, size_t len) {
    randombytes_buf(out, len);
    return 0;
}

static int public_of(uint16_t kem, const uint8_t *private_key, uint8_t *public_key) {
    if (kem != MOIETY_KEM_X25519_HKDF_SHA256) {
        return moiety_provider_openssl.public_of(kem, private_key, public_key);
    }
    return crypto_scalarmult_base(public_key, private_key);
}

static int keypair(uint16_t kem, uint8_t *private_key, uint8_t *public_key) {
    if (kem != MOIETY_KEM_X25519_HKDF_SHA256) {
        return moiety_provider_openssl.keypair(kem, private_key, public_key);
    }
    randombytes_buf(private_key, crypto_scalarmult_SCALARBYTES);
    return crypto_scalarmult_base(public_key, private_key);
}

static int dh(uint16_t kem, const uint8_t *private_key, const uint8_t *public_key,
              uint8_t shared[32]) {
    if (kem != MOIETY_KEM_X25519_HKDF_SHA256) {
        return moiety_provider_openssl.dh(kem, private_key, public_key, shared);
    }
    /* Refuses an all-zero result. */
    return crypto_scalarmult(shared, private_key, public_key);
}

static void make_table(void) {
    if (sodium_init() < 0) {
        abort();
    }
    table = moiety_provider_openssl;
    table.random = random_bytes;
    table.keypair = keypair;
    table.public_of = public_of;
    table.dh = dh;
    table.batch = provider_batch_make();
}

const struct moiety_provider *hpke_provider_default(void) {
    call_once(&table_made, make_table);
    return &table;
}
