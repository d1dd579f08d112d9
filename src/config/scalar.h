/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CONFIG_SCALAR_H
#define MOIETY_CONFIG_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers as people write them in configuration files and on command lines.
 * All read the whole text or return false and leave the output alone. */
bool scalar_integer(const char *text, uint64_t *out);
/* Microseconds: a number and one of us, ms, s, m, h, d. A bare 0 is 0. */
bool scalar_duration(const char *text, uint64_t *out);
/* Bytes: a number and nothing, B, KiB, MiB, GiB. */
bool scalar_size(const char *text, uint64_t *out);
/* true, false, yes, no, on, off. */
bool scalar_bool(const char *text, bool *out);

/* Of the `count` words the one nearest to `word`, or NULL if none is near
 * enough to have been meant. `stride` is the distance in bytes from one pointer
 * to a word to the next. */
const char *scalar_nearest(const char *word, const void *words, size_t stride, size_t count);

#endif
