/* SPDX-License-Identifier: Apache-2.0 */
#include "criterion.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct criterion_test *first;
static struct criterion_test **end = &first;

void criterion_register(struct criterion_test *test) {
    *end = test;
    end = &test->next;
}

void criterion_fail(const char *file, int line, const char *what, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "%s:%d: %s", file, line, what);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static bool passes(const struct criterion_test *test) {
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        alarm((unsigned)test->timeout);
        test->run();
        exit(0);
    }
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* Takes Criterion's options, which are about how it runs tests, and ignores
 * them. Exit status 0 only if there were tests and none failed. */
int main(void) {
    unsigned passed = 0, failed = 0;
    for (const struct criterion_test *test = first; test != NULL; test = test->next) {
        const bool good = passes(test);
        printf("%s %s::%s\n", good ? "pass" : "FAIL", test->suite, test->name);
        passed += good;
        failed += !good;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return passed > 0 && failed == 0 ? 0 : 1;
}
