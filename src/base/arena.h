/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BASE_ARENA_H
#define MOIETY_BASE_ARENA_H

#include <stddef.h>

#include "base/bytes.h"

/*
 * Memory with one lifetime: a request or a job owns an arena, everything it
 * decodes or builds comes from there, and all of it goes at once. Nothing is
 * freed singly. Initialise with ARENA_INIT. Not thread-safe; an arena may be
 * handed from thread to thread.
 */
struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used; /* of the newest block */
    size_t total;
};

#define ARENA_INIT ((struct arena){NULL, 0, 0})

/* `count` elements of `size` bytes, zeroed, aligned to 64 bytes (a vector
 * register); NULL if out of memory or if the product overflows. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);
/* The same, not zeroed: for what is written at once, and big. */
void *arena_reserve(struct arena *arena, size_t count, size_t size);
#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), 1, sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc((arena), (count), sizeof(type)))

/* A copy that lives as long as the arena. */
struct status arena_copy(struct arena *arena, struct span bytes, struct span *out);
/* A formatted, terminated string, or NULL if out of memory. */
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Has the process keep memory that was freed, up to a bound: for a server, whose
 * jobs take the same amounts again and again. To get it from the system anew
 * costs as much as verifying the reports that it holds. Call it once, before
 * there are threads. */
void memory_keep(void);

/* Wipes and frees all of it: a job's arena holds opened shares. The arena can
 * be used again. */
void arena_release(struct arena *arena);

#endif
