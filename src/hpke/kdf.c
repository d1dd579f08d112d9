/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/kdf.h"

#include <assert.h>

#include "base/secret.h"

static const uint8_t empty[1]; /* a table's functions are never given NULL */

static struct status hmac(const struct moiety_provider *provider, struct span key,
                          const struct span parts[], size_t count, uint8_t out[KDF_SIZE]) {
    const uint8_t *data[8];
    size_t lens[8];
    assert(count <= 8);
    for (size_t i = 0; i < count; i++) {
        data[i] = parts[i].len > 0 ? parts[i].data : empty;
        lens[i] = parts[i].len;
    }
    const uint8_t *key_data = key.len > 0 ? key.data : empty;
    return provider->hmac_sha256(key_data, key.len, data, lens, count, out) == 0 ? OK
                                                                                 : FAIL(CRYPTO);
}

struct status kdf_labeled_extract(const struct moiety_provider *provider, struct span suite_id,
                                  struct span salt, const char *label, struct span key_material,
                                  uint8_t out[KDF_SIZE]) {
    const struct span parts[] = {SPAN_OF_LITERAL("HPKE-v1"), suite_id, span_of_string(label),
                                 key_material};
    return hmac(provider, salt, parts, 4, out);
}

struct status kdf_labeled_expand(const struct moiety_provider *provider, struct span suite_id,
                                 const uint8_t key[KDF_SIZE], const char *label, struct span info,
                                 uint8_t *out, size_t len) {
    assert(len <= KDF_SIZE);
    const uint8_t length[2] = {0, (uint8_t)len};
    static const uint8_t counter[1] = {1}; /* HKDF's first and only block */
    const struct span parts[] = {SPAN_OF_ARRAY(length),
                                 SPAN_OF_LITERAL("HPKE-v1"),
                                 suite_id,
                                 span_of_string(label),
                                 info,
                                 SPAN_OF_ARRAY(counter)};
    uint8_t block[KDF_SIZE];
    TRY(hmac(provider, span_of(key, KDF_SIZE), parts, 6, block));
    memcpy(out, block, len);
    secret_wipe(block, sizeof(block));
    return OK;
}
