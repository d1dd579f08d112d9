/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/url.h"

#include <criterion/criterion.h>

#include "dap/golden.h"

#define TASK "8BY0RzZMzxvA46_8ymhzycOB9krN-QIGYvg_RsByGec"
#define JOB "lc7aUeGpdSNosNlh-UZhKA"
#define BASE "https://example.com/api/dap"
#define JOBS "/tasks/" TASK "/aggregation_jobs"

static struct arena arena;
static struct task_id task;
static struct job_id job;

static void init(void) {
    struct span task_bytes = golden_hex("f0163447364ccf1bc0e3affcca6873c9"
                                        "c381f64acdf9020662f83f46c07219e7");
    struct span job_bytes = golden_hex("95ceda51e1a9752368b0d961f9466128");
    memcpy(task.bytes, task_bytes.data, sizeof(task.bytes));
    memcpy(job.bytes, job_bytes.data, sizeof(job.bytes));
    golden_free(task_bytes);
    golden_free(job_bytes);
}

static void release(void) { arena_release(&arena); }

TestSuite(url, .init = init, .fini = release);

static const char *build(const char *base, enum resource resource, const struct job_id *id) {
    return resource_url(span_of_string(base), resource, &task, id, &arena);
}

Test(url, expands_the_drafts_example) {
    cr_expect_str_eq(build(BASE, RESOURCE_AGGREGATION_JOBS, &job), BASE JOBS "/" JOB);
}

Test(url, has_each_resource) {
    cr_expect_str_eq(build(BASE, RESOURCE_HPKE_CONFIG, NULL), BASE "/hpke_config");
    cr_expect_str_eq(build(BASE, RESOURCE_REPORTS, NULL), BASE "/tasks/" TASK "/reports");
    cr_expect_str_eq(build(BASE, RESOURCE_AGGREGATION_JOBS, NULL), BASE JOBS);
    cr_expect_str_eq(build(BASE, RESOURCE_COLLECTION_JOBS, NULL),
                     BASE "/tasks/" TASK "/collection_jobs");
    cr_expect_str_eq(build(BASE, RESOURCE_AGGREGATE_SHARES, &job),
                     BASE "/tasks/" TASK "/aggregate_shares/" JOB);
}

Test(url, does_not_double_a_slash) {
    cr_expect_str_eq(build("https://h/", RESOURCE_HPKE_CONFIG, NULL), "https://h/hpke_config");
    cr_expect_str_eq(build("https://h/a/", RESOURCE_REPORTS, NULL),
                     "https://h/a/tasks/" TASK "/reports");
}

Test(url, keeps_the_base_as_it_is) {
    cr_expect_str_eq(build("HTTPS://H:443/%7e/A", RESOURCE_HPKE_CONFIG, NULL),
                     "HTTPS://H:443/%7e/A/hpke_config");
}

Test(url, makes_locations_without_an_origin) {
    char *path;
    cr_assert(status_ok(resource_location(SPAN_OF_LITERAL(BASE "/"), RESOURCE_AGGREGATION_JOBS,
                                          &task, &job, -1, &arena, &path)));
    cr_expect_str_eq(path, "/api/dap" JOBS "/" JOB);
    cr_assert(status_ok(resource_location(SPAN_OF_LITERAL("https://h"),
                                          RESOURCE_AGGREGATION_JOBS, &task, &job, 0, &arena,
                                          &path)));
    cr_expect_str_eq(path, JOBS "/" JOB "?step=0");
}

Test(url, parses_what_is_absolute) {
    struct url url;
    cr_assert(status_ok(url_parse(SPAN_OF_LITERAL("https://[::1]:8080/a/b?c=d"), &url)));
    cr_expect(span_equal_vartime(url.scheme, SPAN_OF_LITERAL("https")));
    cr_expect(span_equal_vartime(url.authority, SPAN_OF_LITERAL("[::1]:8080")));
    cr_expect(span_equal_vartime(url.path, SPAN_OF_LITERAL("/a/b")));
    cr_expect(span_equal_vartime(url.query, SPAN_OF_LITERAL("?c=d")));
    cr_assert(status_ok(url_parse(SPAN_OF_LITERAL("http://h"), &url)));
    cr_expect_eq(url.path.len, 0);
}

Test(url, refuses_what_is_not_a_plain_http_url) {
    static const char *const bad[] = {
        "",          "https",      "https:/h/",    "https://",     "https:///a", "https://:80/",
        "//h/",      "/a",         "ftp://h/",     "https://u@h/", "https://h/#a", "https://h/ a",
        "https://h\\a", "https://h/\x7f", "https://h/\xc3\xa4", "https://h/\n", "javascript:x",
    };
    struct url url;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(url_parse(span_of_string(bad[i]), &url).code, STATUS_INVALID_ARGUMENT, "%s",
                     bad[i]);
    }
    cr_expect_eq(url_parse(span_of("https://h/\0a", 12), &url).code, STATUS_INVALID_ARGUMENT);
}

/* ---- Location ---- */

static struct status resolve(const char *location, char **out) {
    return location_resolve(SPAN_OF_LITERAL(BASE), RESOURCE_AGGREGATION_JOBS, &task,
                            SPAN_OF_LITERAL(BASE JOBS), span_of_string(location), &arena, out);
}

static void expect_resolved(const char *location, const char *wanted) {
    char *url = NULL;
    struct status status = resolve(location, &url);
    cr_assert(status_ok(status), "%s", location);
    cr_expect_str_eq(url, wanted);
}

Test(url, location_within_the_task_is_followed) {
    expect_resolved(BASE JOBS "/" JOB, BASE JOBS "/" JOB);
    expect_resolved(BASE JOBS "/anything.else_~-1", BASE JOBS "/anything.else_~-1");
    expect_resolved("/api/dap" JOBS "/" JOB "?step=0", BASE JOBS "/" JOB "?step=0");
    expect_resolved("aggregation_jobs/" JOB, BASE JOBS "/" JOB);
    expect_resolved("./aggregation_jobs/x/../" JOB, BASE JOBS "/" JOB);
    expect_resolved("//example.com/api/dap" JOBS "/" JOB, BASE JOBS "/" JOB);
    expect_resolved("HTTPS://EXAMPLE.com:443/api/dap" JOBS "/" JOB, BASE JOBS "/" JOB);
}

Test(url, location_from_the_base_is_followed) {
    expect_resolved(JOBS "/" JOB "?step=1", BASE JOBS "/" JOB "?step=1");
}

Test(url, location_as_a_query_alone_is_followed) {
    char *url;
    cr_assert(status_ok(location_resolve(
        SPAN_OF_LITERAL(BASE), RESOURCE_AGGREGATION_JOBS, &task,
        SPAN_OF_LITERAL(BASE JOBS "/" JOB), SPAN_OF_LITERAL("?step=2"), &arena, &url)));
    cr_expect_str_eq(url, BASE JOBS "/" JOB "?step=2");
}

Test(url, location_elsewhere_is_forbidden) {
    static const char *const bad[] = {
        "",
        "https://evil.example/api/dap" JOBS "/" JOB,
        "https://example.com.evil.example/api/dap" JOBS "/" JOB,
        "https://example.com:8443/api/dap" JOBS "/" JOB,
        "https://example.com@evil.example/api/dap" JOBS "/" JOB,
        "http://example.com/api/dap" JOBS "/" JOB,
        "//evil.example" JOBS "/" JOB,
        "/other" JOBS "/" JOB,
        "/api/dap" JOBS,
        "/api/dap" JOBS "/",
        "/api/dap" JOBS "/a/b",
        "/api/dap" JOBS "/..",
        "/api/dap" JOBS "/.",
        "/api/dap" JOBS "/%2e%2e",
        "/api/dap" JOBS "/a%2fb",
        "/api/dap" JOBS "/" JOB "#x",
        "/api/dap" JOBS "/../collection_jobs/" JOB,
        "/api/dap/tasks/" TASK "/collection_jobs/" JOB,
        "/api/dap/tasks/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/aggregation_jobs/" JOB,
        "/api/dapx" JOBS "/" JOB,
        JOB,
        "../../../../../etc/passwd",
        "\r\nHost: evil.example",
        "\\\\evil.example" JOBS "/" JOB,
        "javascript:alert(1)",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *url = NULL;
        cr_expect_eq(resolve(bad[i], &url).code, STATUS_FORBIDDEN, "%s", bad[i]);
        cr_expect_null(url);
    }
}
