/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BASE_SECRET_H
#define MOIETY_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Overwrites memory in a way that the compiler keeps. */
void secret_wipe(void *data, size_t len);

/* Whether two runs of the same public length hold the same bytes, in time that
 * depends on the length alone. */
bool secret_equal(const void *a, const void *b, size_t len);

/*
 * An owned run of secret bytes, wiped when released. Initialise with
 * SECRET_INIT. Never log one, never compare one with memcmp().
 */
struct secret {
    uint8_t *data;
    size_t len;
};

#define SECRET_INIT ((struct secret){NULL, 0})

/* `len` zero bytes. */
struct status secret_new(struct secret *out, size_t len);
struct status secret_copy(struct secret *out, struct span bytes);
void secret_release(struct secret *secret);

static inline struct span secret_span(const struct secret *secret) {
    return span_of(secret->data, secret->len);
}

#endif
