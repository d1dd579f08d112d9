/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_SUPPORT_CRITERION_H
#define MOIETY_TEST_SUPPORT_CRITERION_H

#include <stddef.h>
#include <string.h>

/*
 * As much of Criterion's interface as the tests of the hot core use, with the
 * same meaning, for machines that Criterion isn't to be had for: see
 * ../CMakeLists.txt. criterion.c has main(), which runs each test in a process
 * of its own.
 */
struct criterion_test {
    const char *suite, *name;
    void (*run)(void);
    double timeout; /* seconds; 0 is none */
    struct criterion_test *next;
};

/* Appends a test to those that main() runs. */
void criterion_register(struct criterion_test *test);

/* What follows the name are fields of the struct, such as `.timeout = 600`. */
#define Test(suite_, name_, ...)                                                               \
    static void suite_##_##name_##_run(void);                                                  \
    __attribute__((constructor)) static void suite_##_##name_##_register(void) {               \
        static struct criterion_test test = {                                                  \
            .suite = #suite_, .name = #name_, .run = suite_##_##name_##_run, __VA_ARGS__};     \
        criterion_register(&test);                                                             \
    }                                                                                          \
    static void suite_##_##name_##_run(void)

/* Says what failed, and `format` printed, and ends the test's process. */
void criterion_fail(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((noreturn, format(printf, 4, 5)));

/* What follows the operands, if anything, is a format and its arguments. */
#define cr_assert(condition, ...) \
    ((condition) ? (void)0        \
                 : criterion_fail(__FILE__, __LINE__, #condition, " " __VA_ARGS__))
#define cr_assert_not(condition, ...) cr_assert(!(condition), __VA_ARGS__)
#define cr_assert_eq(a, b, ...) cr_assert((a) == (b), __VA_ARGS__)
#define cr_assert_neq(a, b, ...) cr_assert((a) != (b), __VA_ARGS__)
#define cr_assert_lt(a, b, ...) cr_assert((a) < (b), __VA_ARGS__)
#define cr_assert_leq(a, b, ...) cr_assert((a) <= (b), __VA_ARGS__)
#define cr_assert_gt(a, b, ...) cr_assert((a) > (b), __VA_ARGS__)
#define cr_assert_null(a, ...) cr_assert((a) == NULL, __VA_ARGS__)
#define cr_assert_not_null(a, ...) cr_assert((a) != NULL, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) cr_assert(strcmp(a, b) == 0, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, size, ...) cr_assert(memcmp(a, b, size) == 0, __VA_ARGS__)

#endif
