/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_STORE_SEAL_H
#define MOIETY_STORE_SEAL_H

#include "base/arena.h"
#include "base/bytes.h"
#include "store/store.h"

/*
 * Encryption of secret columns: XChaCha20-Poly1305 under a data key, bound to
 * the column's name and the row's identity, so that whoever can write to the
 * database can't move a blob elsewhere. What is sealed is
 *
 *     format (1 byte) | data key's number (8) | nonce (24) | ciphertext and tag
 *
 * Data keys lie in the database wrapped the same way under a wrapping key that
 * the database never sees; rotating wrapping keys rewrites only them. Nothing
 * here guards against the return of an older value of the same row.
 */
struct seal_ring;

/* Where a blob lives. Each part of the row's identity is framed by its length. */
struct seal_place {
    const char *column;
    struct span row[4];
};

/* A ring with no data keys yet. The wrapping keys are copied into guarded
 * memory; INVALID_ARGUMENT if there are none. */
struct status seal_ring_new(const struct store_wrapping_key keys[], size_t count,
                            struct seal_ring **out);
void seal_ring_free(struct seal_ring *ring);

/* Takes every data key of the database that the ring lacks; UNKNOWN_KEY if a
 * key opens under no wrapping key. */
struct status seal_ring_load(struct store_tx *tx, struct seal_ring *ring);
/* Writes a fresh data key, wrapped under the first wrapping key. The ring uses
 * it once seal_ring_load() has seen it. */
struct status seal_key_add(struct store_tx *tx, struct seal_ring *ring);
/* Rewraps the data keys that aren't under the first wrapping key. */
struct status seal_rewrap(struct store_tx *tx, struct seal_ring *ring, size_t *rewrapped);
bool seal_ring_is_empty(struct seal_ring *ring);

/* Seals under the newest data key; the blob lives in the transaction's scratch
 * arena. */
struct status seal(struct store_tx *tx, const struct seal_place *place, struct span plaintext,
                   struct span *out);
/* STORE if the blob was tampered with, belongs elsewhere or names a data key
 * that isn't there. */
struct status unseal(struct store_tx *tx, struct arena *arena, const struct seal_place *place,
                     struct span blob, struct span *out);

#endif
