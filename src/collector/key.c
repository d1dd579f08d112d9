/* SPDX-License-Identifier: Apache-2.0 */
/* The collector's key pair, and its exported form: a version, the
 * configuration's ID, KEM, KDF and AEAD, and the private key. */
#include <assert.h>
#include <stdlib.h>

#include "base/secret.h"
#include "collector/collector.h"
#include "dap/messages.h"

enum { EXPORT_VERSION = 1, PRIVATE_SIZE = 32 };

/* Takes over what `key` holds, which is wiped. */
static struct status wrap_key(struct hpke_key *key, struct moiety_collector_key **out) {
    struct moiety_collector_key *wrapped = calloc(1, sizeof(*wrapped));
    struct status status = wrapped == NULL ? FAIL(NO_MEMORY) : OK;
    if (status_ok(status)) {
        wrapped->key = *key;
        struct hpke_config config = hpke_key_config(&wrapped->key);
        status = hpke_config_encode(&config, &wrapped->config);
    }
    hpke_key_release(key);
    if (status_ok(status)) {
        *out = wrapped;
    } else {
        moiety_collector_key_free(wrapped);
    }
    return status;
}

enum moiety_result moiety_collector_key_generate(const struct moiety_provider *provider,
                                                 uint16_t kem, uint16_t aead, uint8_t config_id,
                                                 struct moiety_collector_key **out) {
    struct hpke_suite suite = {kem, MOIETY_KDF_HKDF_SHA256, aead};
    struct hpke_key key;
    if (provider == NULL || out == NULL) {
        return MOIETY_INVALID_ARGUMENT;
    }
    struct status status = hpke_key_generate(provider, suite, config_id, &key);
    return result_of(status_ok(status) ? wrap_key(&key, out) : status);
}

void moiety_collector_key_export(const struct moiety_collector_key *key,
                                 uint8_t out[MOIETY_COLLECTOR_KEY_SIZE]) {
    const struct hpke_suite *suite = &key->key.suite;
    const uint8_t head[] = {
        EXPORT_VERSION,
        key->key.id,
        (uint8_t)(suite->kem_id >> 8),
        (uint8_t)suite->kem_id,
        (uint8_t)(suite->kdf_id >> 8),
        (uint8_t)suite->kdf_id,
        (uint8_t)(suite->aead_id >> 8),
        (uint8_t)suite->aead_id,
    };
    static_assert(sizeof(head) + PRIVATE_SIZE == MOIETY_COLLECTOR_KEY_SIZE);
    memcpy(out, head, sizeof(head));
    memcpy(out + sizeof(head), key->key.private_key, PRIVATE_SIZE);
}

enum moiety_result moiety_collector_key_import(const struct moiety_provider *provider,
                                               const void *bytes, size_t len,
                                               struct moiety_collector_key **out) {
    if (provider == NULL || out == NULL || (bytes == NULL && len > 0)) {
        return MOIETY_INVALID_ARGUMENT;
    }
    struct reader reader = reader_of(span_of(bytes, len));
    uint8_t version = reader_u8(&reader);
    uint8_t id = reader_u8(&reader);
    struct hpke_suite suite;
    suite.kem_id = reader_u16(&reader);
    suite.kdf_id = reader_u16(&reader);
    suite.aead_id = reader_u16(&reader);
    struct span private_key = reader_bytes(&reader, PRIVATE_SIZE);
    if (!status_ok(reader_finish(&reader)) || version != EXPORT_VERSION) {
        return MOIETY_INVALID_MESSAGE;
    }
    struct hpke_key key;
    struct status status = hpke_key_from_private(provider, suite, id, private_key, &key);
    if (status.code == STATUS_INVALID_ARGUMENT) {
        return MOIETY_INVALID_MESSAGE;
    }
    return result_of(status_ok(status) ? wrap_key(&key, out) : status);
}

const uint8_t *moiety_collector_key_config(const struct moiety_collector_key *key, size_t *len) {
    *len = key->config.len;
    return key->config.data;
}

void moiety_collector_key_free(struct moiety_collector_key *key) {
    if (key != NULL) {
        buffer_release(&key->config);
        hpke_key_release(&key->key);
        free(key);
    }
}
