/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BASE_FILE_H
#define MOIETY_BASE_FILE_H

#include "base/arena.h"

/* Whole files, durable when the call returns: the bytes and the name in its
 * folder. Thread-safe for different paths. */

/* CONFLICT if it exists, NOT_FOUND if its folder doesn't, PERMISSION_DENIED, IO;
 * a failure leaves nothing behind. */
struct status file_create(const char *path, struct span content, unsigned mode);

/* Replaces a file, or makes it: under "<path>.new" first, then renamed, so that
 * whoever looks, also after a crash, sees the old one or the new one whole. */
struct status file_replace(const char *path, struct span content, unsigned mode);

/* Reads a file of at most `max` bytes into the arena. NOT_FOUND, PERMISSION_DENIED,
 * TOO_LARGE, IO (a folder too). */
struct status file_read(const char *path, size_t max, struct arena *arena, struct span *out);

#endif
