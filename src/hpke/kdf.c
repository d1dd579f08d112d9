/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/kdf.h"

#include <assert.h>

#include "base/secret.h"

/* A table's functions are never given NULL. */
static const uint8_t *data_of(struct span bytes) {
    static const uint8_t empty[1];
    return bytes.len > 0 ? bytes.data : empty;
}

struct status kdf_key_init(const struct moiety_provider *provider, struct span bytes,
                           struct kdf_key *out) {
    out->bytes = bytes;
    if (provider->batch != NULL &&
        provider->batch->hmac_absorb_key(data_of(bytes), bytes.len, &out->absorbed) != 0) {
        return FAIL(CRYPTO);
    }
    return OK;
}

static struct status hmac(const struct moiety_provider *provider, const struct kdf_key *key,
                          const struct span parts[], size_t count, uint8_t out[KDF_SIZE]) {
    const uint8_t *data[8];
    size_t lens[8];
    assert(count <= 8);
    for (size_t i = 0; i < count; i++) {
        data[i] = data_of(parts[i]);
        lens[i] = parts[i].len;
    }
    const int result =
        provider->batch != NULL
            ? provider->batch->hmac_sha256(&key->absorbed, data, lens, count, out)
            : provider->hmac_sha256(data_of(key->bytes), key->bytes.len, data, lens, count, out);
    return result == 0 ? OK : FAIL(CRYPTO);
}

struct status kdf_labeled_extract(const struct moiety_provider *provider, struct span suite_id,
                                  const struct kdf_key *salt, const char *label,
                                  struct span key_material, uint8_t out[KDF_SIZE]) {
    const struct span parts[] = {SPAN_OF_LITERAL("HPKE-v1"), suite_id, span_of_string(label),
                                 key_material};
    return hmac(provider, salt, parts, 4, out);
}

struct status kdf_labeled_expand(const struct moiety_provider *provider, struct span suite_id,
                                 const struct kdf_key *key, const char *label, struct span info,
                                 uint8_t *out, size_t len) {
    assert(len <= KDF_SIZE);
    const uint8_t length[2] = {0, (uint8_t)len};
    static const uint8_t counter[1] = {1}; /* HKDF's first and only block */
    const struct span parts[] = {
        SPAN_OF_ARRAY(length), SPAN_OF_LITERAL("HPKE-v1"), suite_id, span_of_string(label), info,
        SPAN_OF_ARRAY(counter)};
    uint8_t block[KDF_SIZE];
    TRY(hmac(provider, key, parts, 6, block));
    memcpy(out, block, len);
    secret_wipe(block, sizeof(block));
    return OK;
}
