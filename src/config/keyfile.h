/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CONFIG_KEYFILE_H
#define MOIETY_CONFIG_KEYFILE_H

#include "config/schema.h"

/* Files that hold one secret: 64 hexadecimal digits and a line's end, readable
 * by nobody but their owner and group. */
enum { KEYFILE_KEY_SIZE = 32 };

/* INVALID_CONFIG says in `errors` what is wrong with the file. The key is a
 * secret: the caller wipes it. */
struct status keyfile_read(const char *path, uint8_t key[KEYFILE_KEY_SIZE], struct buffer *errors);

/* Makes a new file with the key, for its owner's eyes only. CONFLICT if the
 * file exists, IO, PERMISSION_DENIED. */
struct status keyfile_create(const char *path, const uint8_t key[KEYFILE_KEY_SIZE]);

#endif
