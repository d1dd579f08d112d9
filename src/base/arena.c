/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "base/secret.h"

enum { ARENA_ALIGNMENT = 64, ARENA_BLOCK = 16 * 1024, ARENA_BLOCK_MAX = 4 * 1024 * 1024 };

struct arena_block {
    struct arena_block *older;
    size_t capacity; /* of the bytes after the header, which fills one alignment unit */
};

static uint8_t *block_bytes(struct arena_block *block) {
    return (uint8_t *)block + ARENA_ALIGNMENT;
}

/* A block with room for `needed` bytes. One that they fill goes behind the
 * newest, in which there is room left for what is smaller. */
static struct arena_block *block_new(struct arena *arena, size_t needed) {
    size_t capacity = arena->total < ARENA_BLOCK ? ARENA_BLOCK : arena->total;
    if (capacity > ARENA_BLOCK_MAX) {
        capacity = ARENA_BLOCK_MAX;
    }
    const bool filled = capacity <= needed;
    if (filled) {
        capacity = needed;
    }
    struct arena_block *block = aligned_alloc(ARENA_ALIGNMENT, ARENA_ALIGNMENT + capacity);
    if (block == NULL) {
        return NULL;
    }
    struct arena_block *newest = arena->blocks;
    block->capacity = capacity;
    arena->total += capacity;
    if (filled && newest != NULL) {
        block->older = newest->older;
        newest->older = block;
        return block;
    }
    block->older = newest;
    arena->blocks = block;
    arena->used = 0;
    return block;
}

static void *reserve(struct arena *arena, size_t count, size_t size, size_t *taken) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        bytes > SIZE_MAX - 2 * (size_t)ARENA_ALIGNMENT) {
        return NULL;
    }
    bytes = (bytes + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if (bytes == 0) {
        bytes = ARENA_ALIGNMENT;
    }
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->capacity - arena->used < bytes) {
        block = block_new(arena, bytes);
        if (block == NULL) {
            return NULL;
        }
    }
    *taken = bytes;
    if (block != arena->blocks) {
        return block_bytes(block); /* and all of it */
    }
    uint8_t *allocated = block_bytes(block) + arena->used;
    arena->used += bytes;
    return allocated;
}

void *arena_reserve(struct arena *arena, size_t count, size_t size) {
    size_t bytes;
    return reserve(arena, count, size, &bytes);
}

void *arena_alloc(struct arena *arena, size_t count, size_t size) {
    size_t bytes;
    void *allocated = reserve(arena, count, size, &bytes);
    return allocated == NULL ? NULL : memset(allocated, 0, bytes);
}

struct status arena_copy(struct arena *arena, struct span bytes, struct span *out) {
    uint8_t *copy = arena_alloc(arena, bytes.len, 1);
    if (copy == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    *out = span_of(copy, bytes.len);
    return OK;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *string = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1, 1);
    if (string == NULL) {
        return NULL;
    }
    va_start(arguments, format);
    vsnprintf(string, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return string;
}

void memory_keep(void) {
#if defined(__GLIBC__)
    enum { KEEP_MAX = 256 * 1024 * 1024 };
    /* Beyond the library's own bound, blocks are mapped and unmapped singly. */
    (void)mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024 * (int)sizeof(long));
    (void)mallopt(M_TRIM_THRESHOLD, KEEP_MAX);
#endif
}

void arena_release(struct arena *arena) {
    size_t used = arena->used;
    for (struct arena_block *block = arena->blocks; block != NULL;) {
        struct arena_block *older = block->older;
        /* Only the newest block has an untouched tail. */
        secret_wipe(block_bytes(block), used);
        free(block);
        block = older;
        used = block == NULL ? 0 : block->capacity;
    }
    *arena = ARENA_INIT;
}
