/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

void secret_wipe(void *data, size_t len) {
    if (len > 0) {
        explicit_bzero(data, len);
    }
}

/* Keeps the compiler from seeing what is known of the bits so far. */
static inline uint64_t opaque(uint64_t bits) {
    __asm__ volatile("" : "+r"(bits));
    return bits;
}

bool secret_equal(const void *a, const void *b, size_t len) {
    const uint8_t *left = a, *right = b;
    uint64_t difference = 0;
    for (; len >= sizeof(uint64_t); len -= 8, left += 8, right += 8) {
        uint64_t words[2];
        memcpy(&words[0], left, sizeof(words[0]));
        memcpy(&words[1], right, sizeof(words[1]));
        difference = opaque(difference | (words[0] ^ words[1]));
    }
    for (; len > 0; len--) {
        difference = opaque(difference | (uint64_t)(*left++ ^ *right++));
    }
    return difference == 0;
}

struct status secret_new(struct secret *out, size_t len) {
    uint8_t *data = calloc(1, len > 0 ? len : 1);
    if (data == NULL) {
        return FAIL(NO_MEMORY);
    }
    *out = (struct secret){data, len};
    return OK;
}

struct status secret_copy(struct secret *out, struct span bytes) {
    struct secret copy;
    TRY(secret_new(&copy, bytes.len));
    if (bytes.len > 0) {
        memcpy(copy.data, bytes.data, bytes.len);
    }
    *out = copy;
    return OK;
}

void secret_release(struct secret *secret) {
    if (secret->data != NULL) {
        secret_wipe(secret->data, secret->len);
        free(secret->data);
    }
    *secret = SECRET_INIT;
}
