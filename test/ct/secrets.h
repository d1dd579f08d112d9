/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_CT_SECRETS_H
#define MOIETY_TEST_CT_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/memcheck.h>

/* Memory that valgrind takes for undefined stands for secrets: it reports each
 * branch and each address that depends on it. */
static inline void secret_mark(const void *data, size_t len) {
    (void)VALGRIND_MAKE_MEM_UNDEFINED(data, len);
}

/* From here on public, because the algorithm makes it so; say why. */
static inline void secret_reveal(const void *data, size_t len) {
    (void)VALGRIND_MAKE_MEM_DEFINED(data, len);
}

/* Whether all of it depends on secrets, bit by bit or somewhere in each byte:
 * that what was marked got there at all. */
static inline bool secret_is_marked(const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        uint8_t undefined_bits = 0;
        (void)VALGRIND_GET_VBITS(data + i, &undefined_bits, 1);
        if (undefined_bits == 0) {
            return false;
        }
    }
    return true;
}

static inline void must(bool condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static inline void must_run_on_valgrind(void) { must(RUNNING_ON_VALGRIND, "not under valgrind"); }

#endif
