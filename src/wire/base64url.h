/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_WIRE_BASE64URL_H
#define MOIETY_WIRE_BASE64URL_H

#include "base/arena.h"
#include "base/bytes.h"

/* RFC 4648 sections 5 and 3.2: URL-safe, unpadded. Decoding refuses padding,
 * foreign characters and non-zero trailing bits, so each byte string has one
 * spelling. Thread-safe. */
static inline size_t base64url_len(size_t bytes) { return (bytes * 4 + 2) / 3; }

/* Writes base64url_len(bytes.len) characters and a terminator. */
void base64url_encode(char *out, struct span bytes);
/* As a string of the arena, or NULL if out of memory. */
char *base64url_string(struct arena *arena, struct span bytes);

/* INVALID_MESSAGE if `text` doesn't decode to exactly `len` bytes. */
struct status base64url_decode(void *out, size_t len, struct span text);
struct status base64url_decode_any(struct arena *arena, struct span text, struct span *out);

#endif
