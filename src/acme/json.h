/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_JSON_H
#define MOIETY_ACME_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"

/*
 * JSON (RFC 8259) from who knows where, over jansson: bounded, one object, no
 * member twice, no NUL in a string, nothing after it. Thread-safe.
 */
enum { JSON_BYTES_MAX = 256 * 1024 };

/* The object in `text`, for json_decref(). INVALID_MESSAGE if it is anything
 * else, or longer than JSON_BYTES_MAX. */
struct status json_parse(struct span text, json_t **out);

/* A member that is a string, or NULL; borrowed of the object. */
const char *json_text(const json_t *object, const char *name);
/* The same as a copy in the arena; *out is NULL if there is none. */
struct status json_text_copy(const json_t *object, const char *name, struct arena *arena,
                        const char **out);

/* Removes an object's members that are null, which is how some clients write those
 * that they leave out. NULL is allowed. */
void json_drop_nulls(json_t *object);

/* Sets a member, and takes `value` whether it succeeds or not; false if memory
 * is short, or if `value` is NULL, which is what could not be made. */
bool json_put(json_t *object, const char *name, json_t *value);

/* Compact, ASCII alone, members in the order they were set. Appends. */
struct status json_write(const json_t *value, struct buffer *out);

#endif
