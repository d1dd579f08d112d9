/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_HPKE_VECTORS_H
#define MOIETY_TEST_HPKE_VECTORS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/bytes.h"

/*
 * Reads the format that tools/import-crypto-vectors writes, case by case.
 * A file that doesn't open or a field that doesn't parse fails the test.
 */
enum { VECTOR_FIELDS_MAX = 16 };

struct vectors {
    FILE *file;
    char *line;
    size_t capacity;
    char *fields[VECTOR_FIELDS_MAX];
    uint8_t *bytes[VECTOR_FIELDS_MAX];
    size_t field_count;
    size_t case_count;
};

struct vectors vectors_open(const char *path);
/* False at the end. The case's spans live until the next call. */
bool vectors_next(struct vectors *vectors);
/* Also checks that there were cases at all. */
void vectors_close(struct vectors *vectors);

unsigned vectors_number(const struct vectors *vectors, size_t field);
struct span vectors_bytes(struct vectors *vectors, size_t field);

#endif
