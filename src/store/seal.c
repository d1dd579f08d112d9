/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/internal.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    SEAL_FORMAT = 1,
    SEAL_KEY = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    SEAL_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    SEAL_TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    SEAL_HEADER = 1 + 8 + SEAL_NONCE,
    SEAL_KEYS_MAX = 1024,
};

struct data_key {
    int64_t number;
    uint8_t *key; /* guarded */
};

/* Keys are only ever added, so what a lookup found stays valid. */
struct seal_ring {
    uint8_t *wrapping; /* guarded: wrapping_count keys in a row */
    size_t wrapping_count;
    pthread_mutex_t mutex; /* guards what follows */
    size_t count;
    struct data_key keys[SEAL_KEYS_MAX]; /* by ascending number */
};

struct status seal_ring_new(const struct store_wrapping_key keys[], size_t count,
                            struct seal_ring **out) {
    if (count == 0) {
        return FAIL(INVALID_ARGUMENT);
    }
    if (sodium_init() < 0) {
        return FAIL(CRYPTO);
    }
    struct seal_ring *ring = calloc(1, sizeof *ring);
    uint8_t *wrapping = sodium_allocarray(count, SEAL_KEY);
    if (ring == NULL || wrapping == NULL) {
        free(ring);
        sodium_free(wrapping);
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(wrapping + i * SEAL_KEY, keys[i].key, SEAL_KEY);
    }
    ring->wrapping = wrapping;
    ring->wrapping_count = count;
    pthread_mutex_init(&ring->mutex, NULL);
    *out = ring;
    return OK;
}

void seal_ring_free(struct seal_ring *ring) {
    if (ring == NULL) {
        return;
    }
    for (size_t i = 0; i < ring->count; i++) {
        sodium_free(ring->keys[i].key);
    }
    sodium_free(ring->wrapping);
    pthread_mutex_destroy(&ring->mutex);
    free(ring);
}

bool seal_ring_is_empty(struct seal_ring *ring) {
    pthread_mutex_lock(&ring->mutex);
    bool empty = ring->count == 0;
    pthread_mutex_unlock(&ring->mutex);
    return empty;
}

/* The key with this number, or the newest for -1; NULL if there is none. */
static const uint8_t *ring_find(struct seal_ring *ring, int64_t number, int64_t *found) {
    const uint8_t *key = NULL;
    pthread_mutex_lock(&ring->mutex);
    for (size_t i = ring->count; i-- > 0 && key == NULL;) {
        if (number == -1 || ring->keys[i].number == number) {
            *found = ring->keys[i].number;
            key = ring->keys[i].key;
        }
    }
    pthread_mutex_unlock(&ring->mutex);
    return key;
}

/* Takes over `key`, unless the ring has it or is full. */
static struct status ring_insert(struct seal_ring *ring, int64_t number, uint8_t *key) {
    struct status status = OK;
    pthread_mutex_lock(&ring->mutex);
    size_t at = ring->count;
    while (at > 0 && ring->keys[at - 1].number > number) {
        at--;
    }
    bool known = at > 0 && ring->keys[at - 1].number == number;
    if (!known && ring->count == SEAL_KEYS_MAX) {
        status = FAIL(STORE);
    } else if (!known) {
        memmove(&ring->keys[at + 1], &ring->keys[at], (ring->count - at) * sizeof ring->keys[0]);
        ring->keys[at] = (struct data_key){number, key};
        ring->count++;
        key = NULL;
    }
    pthread_mutex_unlock(&ring->mutex);
    sodium_free(key);
    return status;
}

/* ---- The AEAD ------------------------------------------------------------ */

static struct status place_encode(const struct seal_place *place, struct buffer *out) {
    struct writer writer = writer_to(out);
    writer_vector(&writer, 1, 1, UINT8_MAX, span_of_string(place->column));
    for (size_t i = 0; i < sizeof place->row / sizeof place->row[0]; i++) {
        writer_vector(&writer, 2, 0, UINT16_MAX, place->row[i]);
    }
    return writer_finish(&writer);
}

static struct status blob_seal(const uint8_t *key, int64_t number, struct span aad,
                               struct span plaintext, struct arena *arena, struct span *out) {
    uint8_t *blob = arena_alloc(arena, SEAL_HEADER + plaintext.len + SEAL_TAG, 1);
    if (blob == NULL) {
        return FAIL(NO_MEMORY);
    }
    blob[0] = SEAL_FORMAT;
    for (int i = 0; i < 8; i++) {
        blob[1 + i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
    }
    randombytes_buf(blob + 9, SEAL_NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(blob + SEAL_HEADER, NULL, plaintext.data,
                                               plaintext.len, aad.data, aad.len, NULL, blob + 9,
                                               key);
    *out = span_of(blob, SEAL_HEADER + plaintext.len + SEAL_TAG);
    return OK;
}

/* DECRYPT_FAILED. `out` has room for what is left without header and tag. */
static struct status blob_open(const uint8_t *key, struct span aad, struct span blob,
                               uint8_t *out) {
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
        out, NULL, NULL, blob.data + SEAL_HEADER, blob.len - SEAL_HEADER, aad.data, aad.len,
        blob.data + 9, key);
    return failed == 0 ? OK : FAIL(DECRYPT_FAILED);
}

static struct status blob_key(struct span blob, int64_t *number) {
    struct reader reader = reader_of(blob);
    uint8_t format = reader_u8(&reader);
    uint64_t key = reader_u64(&reader);
    if (format != SEAL_FORMAT || blob.len < SEAL_HEADER + SEAL_TAG) {
        return FAIL(STORE);
    }
    *number = (int64_t)key;
    return OK;
}

struct status seal(struct store_tx *tx, const struct seal_place *place, struct span plaintext,
                   struct span *out) {
    int64_t number;
    const uint8_t *key = ring_find(tx->store->ring, -1, &number);
    if (key == NULL) {
        return FAIL(STORE);
    }
    struct buffer aad = BUFFER_INIT;
    struct status status = place_encode(place, &aad);
    if (status_ok(status)) {
        status = blob_seal(key, number, buffer_span(&aad), plaintext, &tx->scratch, out);
    }
    buffer_release(&aad);
    return status;
}

/* Another process may have added the key since the ring was loaded. */
static struct status ring_find_or_load(struct store_tx *tx, int64_t number, const uint8_t **key) {
    *key = ring_find(tx->store->ring, number, &number);
    if (*key == NULL) {
        TRY(seal_ring_load(tx, tx->store->ring));
        *key = ring_find(tx->store->ring, number, &number);
    }
    return *key == NULL ? FAIL(STORE) : OK;
}

struct status unseal(struct store_tx *tx, struct arena *arena, const struct seal_place *place,
                     struct span blob, struct span *out) {
    int64_t number;
    const uint8_t *key;
    TRY(blob_key(blob, &number));
    TRY(ring_find_or_load(tx, number, &key));
    size_t len = blob.len - SEAL_HEADER - SEAL_TAG;
    uint8_t *plaintext = arena_alloc(arena, len, 1);
    if (plaintext == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct buffer aad = BUFFER_INIT;
    struct status status = place_encode(place, &aad);
    if (status_ok(status) && !status_ok(blob_open(key, buffer_span(&aad), blob, plaintext))) {
        log_event(LOG_ERROR, "a sealed column was altered", LOG_STRING("column", place->column));
        status = FAIL(STORE);
    }
    buffer_release(&aad);
    TRY(status);
    *out = span_of(plaintext, len);
    return OK;
}

/* ---- Wrapped data keys ----------------------------------------------------- */

struct wrapped_key {
    int64_t number;
    struct span wrapped;
};

static struct status wrapped_decode(const struct sql_rows *rows, struct arena *arena, void *out) {
    struct wrapped_key *key = out;
    key->number = sql_int(rows, 0);
    return sql_copy_span(rows, 1, arena, &key->wrapped);
}

static struct status wrapped_list(struct store_tx *tx, struct wrapped_key **keys, size_t *count) {
    return sql_list(tx, &tx->scratch, wrapped_decode, sizeof **keys, (void **)keys, count,
                    "SELECT number, wrapped FROM data_key ORDER BY number", SQL_NO_VALUES);
}

/* The number is bound, so that wrapped keys can't change places. */
static struct status wrapped_aad(int64_t number, struct buffer *out) {
    uint8_t bytes[8];
    memcpy(bytes, &number, sizeof bytes);
    struct seal_place place = {"data_key.wrapped", {SPAN_OF_ARRAY(bytes)}};
    return place_encode(&place, out);
}

static struct status key_wrap(struct store_tx *tx, const struct seal_ring *ring, int64_t number,
                              const uint8_t *key, struct span *out) {
    struct buffer aad = BUFFER_INIT;
    struct status status = wrapped_aad(number, &aad);
    if (status_ok(status)) {
        status = blob_seal(ring->wrapping, 0, buffer_span(&aad), span_of(key, SEAL_KEY),
                           &tx->scratch, out);
    }
    buffer_release(&aad);
    return status;
}

/* Tries each wrapping key and says which opened it; UNKNOWN_KEY if none. */
static struct status key_unwrap(const struct seal_ring *ring, const struct wrapped_key *wrapped,
                                uint8_t *key, size_t *under) {
    if (wrapped->wrapped.len != SEAL_HEADER + SEAL_KEY + SEAL_TAG) {
        return FAIL(STORE);
    }
    struct buffer aad = BUFFER_INIT;
    struct status status = wrapped_aad(wrapped->number, &aad);
    bool opened = false;
    for (size_t i = 0; i < ring->wrapping_count && status_ok(status) && !opened; i++) {
        opened = status_ok(blob_open(ring->wrapping + i * SEAL_KEY, buffer_span(&aad),
                                     wrapped->wrapped, key));
        *under = i;
    }
    buffer_release(&aad);
    return status_ok(status) && !opened ? FAIL(UNKNOWN_KEY) : status;
}

static struct status ring_take(struct seal_ring *ring, const struct wrapped_key *wrapped) {
    int64_t number;
    if (ring_find(ring, wrapped->number, &number) != NULL) {
        return OK;
    }
    uint8_t *key = sodium_malloc(SEAL_KEY);
    if (key == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t under;
    struct status status = key_unwrap(ring, wrapped, key, &under);
    if (!status_ok(status)) {
        sodium_free(key);
        return status;
    }
    return ring_insert(ring, wrapped->number, key);
}

struct status seal_ring_load(struct store_tx *tx, struct seal_ring *ring) {
    struct wrapped_key *keys;
    size_t count;
    TRY(wrapped_list(tx, &keys, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(ring_take(ring, &keys[i]));
    }
    return OK;
}

struct status seal_key_add(struct store_tx *tx, struct seal_ring *ring) {
    uint8_t key[SEAL_KEY];
    int64_t number; /* whatever the clock says, the newest key has the greatest */
    struct span wrapped;
    TRY(sql_get_int(tx, &number, "SELECT COALESCE(MAX(number), 0) + 1 FROM data_key",
                    SQL_NO_VALUES));
    randombytes_buf(key, sizeof key);
    struct status status = key_wrap(tx, ring, number, key, &wrapped);
    sodium_memzero(key, sizeof key);
    TRY(status);
    return sql_run(tx, NULL, "INSERT INTO data_key (number, wrapped, created_at) VALUES ($1, $2, $3)",
                   SQL_VALUES(sql_of_int(number), sql_of_bytes(wrapped),
                              sql_of_int(clock_now_us(tx->store->clock))));
}

static struct status key_rewrap(struct store_tx *tx, struct seal_ring *ring,
                                const struct wrapped_key *wrapped, size_t *rewrapped) {
    uint8_t key[SEAL_KEY];
    size_t under;
    struct span again = SPAN_EMPTY;
    struct status status = key_unwrap(ring, wrapped, key, &under);
    if (status_ok(status) && under != 0) {
        status = key_wrap(tx, ring, wrapped->number, key, &again);
    }
    sodium_memzero(key, sizeof key);
    TRY(status);
    if (again.len == 0) {
        return OK;
    }
    ++*rewrapped;
    return sql_run(tx, NULL, "UPDATE data_key SET wrapped = $1 WHERE number = $2",
                   SQL_VALUES(sql_of_bytes(again), sql_of_int(wrapped->number)));
}

struct status seal_rewrap(struct store_tx *tx, struct seal_ring *ring, size_t *rewrapped) {
    struct wrapped_key *keys;
    size_t count;
    size_t done = 0;
    TRY(wrapped_list(tx, &keys, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(key_rewrap(tx, ring, &keys[i], &done));
    }
    *rewrapped = done;
    return OK;
}
