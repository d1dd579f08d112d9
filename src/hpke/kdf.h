/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_HPKE_KDF_H
#define MOIETY_HPKE_KDF_H

#include "base/bytes.h"
#include "hpke/batch.h"

/*
 * LabeledExtract and LabeledExpand (RFC 9180, section 4) over HKDF-SHA256.
 * Inside this layer only. `suite_id` is "KEM" || kem_id or "HPKE" || kem_id ||
 * kdf_id || aead_id. CRYPTO if the provider fails. Thread-safe.
 */
enum { KDF_SIZE = 32 };

/* An HMAC key, ready to be used several times. Secret if its bytes are, which
 * are borrowed. */
struct kdf_key {
    struct span bytes;
    struct hmac_key absorbed; /* if the provider does that */
};

struct status kdf_key_init(const struct moiety_provider *provider, struct span bytes,
                           struct kdf_key *out);

struct status kdf_labeled_extract(const struct moiety_provider *provider, struct span suite_id,
                                  const struct kdf_key *salt, const char *label,
                                  struct span key_material, uint8_t out[KDF_SIZE]);

/* `len` is at most KDF_SIZE, which is all that HPKE's base mode asks of one
 * call, so a single HMAC does it. */
struct status kdf_labeled_expand(const struct moiety_provider *provider, struct span suite_id,
                                 const struct kdf_key *key, const char *label, struct span info,
                                 uint8_t *out, size_t len);

#endif
