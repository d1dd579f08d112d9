/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

void secret_wipe(void *data, size_t len) {
    if (len > 0) {
        explicit_bzero(data, len);
    }
}

bool secret_equal(const void *a, const void *b, size_t len) {
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < len; i++) {
        difference |= left[i] ^ right[i];
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
