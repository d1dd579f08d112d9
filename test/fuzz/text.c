/* SPDX-License-Identifier: Apache-2.0
 *
 * What peers send as text, mutated: URLs, headers, problem documents.
 */
#include <criterion/criterion.h>

#include "dap/media_type.h"
#include "dap/problem.h"
#include "dap/url.h"
#include "fuzz/mutator.h"
#include "wire/retry_after.h"

enum { ROUNDS = 20000, MAX_SIZE = 512 };

#define BASE "https://example.com/api/dap"
#define TASK "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define JOBS "/tasks/" TASK "/aggregation_jobs"

/* Calls `check` with mutants of each seed. */
static void fuzz(const char *const seeds[], void (*check)(struct span mutant)) {
    for (; *seeds != NULL; seeds++) {
        for (int round = 0; round < ROUNDS; round++) {
            struct span mutant = mutant_of(span_of_string(*seeds), MAX_SIZE);
            check(mutant);
            mutant_free(mutant);
        }
    }
}

/* Whatever a peer answers, a token never leaves the task's own folder. */
static void check_location(struct span location) {
    static const char folder[] = BASE JOBS "/";
    struct arena arena = ARENA_INIT;
    struct task_id task = {{0}};
    char *url = NULL;
    if (status_ok(location_resolve(SPAN_OF_LITERAL(BASE), RESOURCE_AGGREGATION_JOBS, &task,
                                   SPAN_OF_LITERAL(BASE JOBS), location, &arena, &url))) {
        cr_assert_eq(strncmp(url, folder, sizeof(folder) - 1), 0);
        const char *name = url + sizeof(folder) - 1;
        size_t len = strcspn(name, "?");
        cr_assert_gt(len, 0);
        cr_assert_geq(strcspn(name, "/%#@:\\"), len);
    }
    arena_release(&arena);
}

Test(fuzz, mutated_locations_stay_within_the_task) {
    static const char *const seeds[] = {BASE JOBS "/name?step=0", "/api/dap" JOBS "/name",
                                        JOBS "/name?step=1", "aggregation_jobs/name", NULL};
    fuzz(seeds, check_location);
}

static void check_header(struct span header) {
    uint64_t wait = 0;
    struct url url;
    if (status_ok(retry_after_parse(header, 784111777, 3600, &wait))) {
        cr_assert_leq(wait, 3600);
    }
    if (status_ok(url_parse(header, &url))) {
        cr_assert_gt(url.authority.len, 0);
        cr_assert_leq(url.query.len + url.path.len + url.authority.len, header.len);
    }
    (void)media_type_matches(header, MEDIA_UPLOAD_REQ);
}

Test(fuzz, mutated_headers_are_harmless) {
    static const char *const seeds[] = {
        "120", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "application/ppm-dap; message=\"upload-req\"; version=18",
        "https://h.example:8080/a?b", NULL};
    fuzz(seeds, check_header);
}

static void check_problem(struct span body) {
    struct arena arena = ARENA_INIT;
    struct problem problem;
    if (status_ok(problem_decode(body, &arena, &problem))) {
        struct buffer out = BUFFER_INIT;
        cr_assert_neq(problem.code, STATUS_OK);
        cr_assert(status_ok(problem_encode(&problem, &out)));
        buffer_release(&out);
    }
    arena_release(&arena);
}

Test(fuzz, mutated_problems_are_harmless) {
    static const char *const seeds[] = {
        "{\"type\":\"urn:ietf:params:ppm:dap:error:invalidMessage\",\"status\":400,\"detail\":\"x\","
        "\"taskid\":\"" TASK "\",\"unsupported_extensions\":[23,42]}",
        NULL};
    fuzz(seeds, check_problem);
}
