/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/moiety-file-XXXXXX";
static char path[64];
static char staged[64];

static void start(void) {
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a", folder);
    snprintf(staged, sizeof(staged), "%s/a.new", folder);
}

static void stop(void) {
    unlink(path);
    unlink(staged);
    rmdir(folder);
}

TestSuite(file, .init = start, .fini = stop);

static void expect(const char *content) {
    struct arena arena = ARENA_INIT;
    struct span read;
    cr_assert(status_ok(file_read(path, 100, &arena, &read)));
    cr_assert(span_equal_vartime(read, span_of_string(content)));
    arena_release(&arena);
}

Test(file, is_made_once_and_replaced_whole) {
    struct stat about;
    cr_assert(status_ok(file_create(path, SPAN_OF_LITERAL("one"), 0600)));
    expect("one");
    cr_assert_eq(file_create(path, SPAN_OF_LITERAL("two"), 0600).code, STATUS_CONFLICT);
    expect("one");
    cr_assert(status_ok(file_create(staged, SPAN_OF_LITERAL("of a crash"), 0644)));
    cr_assert(status_ok(file_replace(path, SPAN_OF_LITERAL("three"), 0600)));
    expect("three");
    cr_assert_neq(access(staged, F_OK), 0);
    cr_assert_eq(stat(path, &about), 0);
    cr_assert_eq(about.st_mode & 0777, 0600);
}

Test(file, that_cannot_be_read_is_told_apart) {
    struct arena arena = ARENA_INIT;
    struct span read;
    cr_assert_eq(file_read(path, 100, &arena, &read).code, STATUS_NOT_FOUND);
    cr_assert_eq(file_read(folder, 100, &arena, &read).code, STATUS_IO);
    cr_assert(status_ok(file_create(path, SPAN_OF_LITERAL("four"), 0600)));
    cr_assert_eq(file_read(path, 3, &arena, &read).code, STATUS_TOO_LARGE);
    cr_assert(status_ok(file_read(path, 4, &arena, &read)));
    arena_release(&arena);
}
