/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <criterion/criterion.h>

Test(arena, gives_zeroed_aligned_memory_that_does_not_overlap) {
    struct arena arena = ARENA_INIT;
    uint8_t *blocks[200];
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = arena_alloc(&arena, i, 37);
        cr_assert_not_null(blocks[i]);
        cr_assert_eq((uintptr_t)blocks[i] % 64, 0);
        for (size_t j = 0; j < i * 37; j++) {
            cr_assert_eq(blocks[i][j], 0);
        }
        memset(blocks[i], (int)(i & 0xff), i * 37);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t j = 0; j < i * 37; j++) {
            cr_assert_eq(blocks[i][j], i & 0xff);
        }
    }
    arena_release(&arena);
}

Test(arena, serves_more_than_its_largest_block) {
    struct arena arena = ARENA_INIT;
    size_t size = (size_t)9 * 1024 * 1024;
    uint8_t *large = arena_alloc(&arena, 1, size);
    cr_assert_not_null(large);
    large[0] = large[size - 1] = 1;
    cr_assert_not_null(arena_alloc(&arena, 1, 1));
    arena_release(&arena);
}

Test(arena, keeps_the_rest_of_a_block_when_something_large_comes_between) {
    enum { LARGE = 9 * 1024 * 1024, ROUNDS = 4 };
    struct arena arena = ARENA_INIT;
    uint8_t *large[ROUNDS], *small[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        small[i] = arena_alloc(&arena, 1, 1000);
        large[i] = arena_alloc(&arena, 1, LARGE);
        cr_assert(small[i] != NULL && large[i] != NULL);
        memset(small[i], (int)i + 1, 1000);
        memset(large[i], (int)i + 11, LARGE);
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        cr_assert(small[i][0] == i + 1 && small[i][999] == i + 1);
        cr_assert(large[i][0] == i + 11 && large[i][LARGE - 1] == i + 11);
    }
    cr_assert_lt(arena.total, (size_t)ROUNDS * LARGE + 64 * 1024);
    arena_release(&arena);
}

Test(arena, refuses_a_product_that_overflows) {
    struct arena arena = ARENA_INIT;
    cr_assert_null(arena_alloc(&arena, SIZE_MAX / 2, 3));
    cr_assert_null(arena_alloc(&arena, 1, SIZE_MAX));
    cr_assert_null(arena_alloc(&arena, 1, SIZE_MAX - 64));
    cr_assert_not_null(arena_alloc(&arena, 1, 8));
    arena_release(&arena);
}

Test(arena, can_be_used_again_after_release) {
    struct arena arena = ARENA_INIT;
    for (int round = 0; round < 3; round++) {
        uint64_t *value = ARENA_NEW(&arena, uint64_t);
        cr_assert_eq(*value, 0);
        *value = UINT64_MAX;
        arena_release(&arena);
        cr_assert_null(arena.blocks);
        cr_assert_eq(arena.total, 0);
    }
}

Test(arena, copies_bytes_and_prints_strings) {
    struct arena arena = ARENA_INIT;
    uint8_t original[3] = {1, 2, 3};
    struct span copy = SPAN_EMPTY;
    cr_assert(status_ok(arena_copy(&arena, SPAN_OF_ARRAY(original), &copy)));
    original[0] = 9;
    cr_assert_eq(copy.len, 3);
    cr_assert_eq(copy.data[0], 1);
    cr_assert(status_ok(arena_copy(&arena, SPAN_EMPTY, &copy)));
    cr_assert_eq(copy.len, 0);
    cr_assert_str_eq(arena_printf(&arena, "%s/%d", "tasks", 42), "tasks/42");
    char *longer = arena_printf(&arena, "%0*d", 40000, 7);
    cr_assert_eq(strlen(longer), 40000);
    arena_release(&arena);
}
