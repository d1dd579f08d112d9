/* SPDX-License-Identifier: Apache-2.0 */
#include "net/router.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "net/support.h"

static void handle_show(void *context, struct http_request *request) {
    struct buffer text = BUFFER_INIT;
    cr_assert(status_ok(
        buffer_printf(&text, "%s %s", (const char *)context, request->route)));
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct span value = http_request_parameter(request, request->parameters[i].name);
        cr_assert(status_ok(buffer_printf(&text, " %s=%.*s", request->parameters[i].name,
                                          (int)value.len, (const char *)value.data)));
    }
    struct span value;
    if (http_request_query(request, "step", &value)) {
        cr_assert(status_ok(
            buffer_printf(&text, " step=%.*s", (int)value.len, (const char *)value.data)));
    }
    cr_assert_eq(http_request_parameter(request, "other").len, 0);
    if (http_request_is_media_type(request, "application/dap-upload-req")) {
        cr_assert(status_ok(buffer_append_string(&text, " upload")));
    }
    http_reply(request, &(struct http_response){.status = 200, .owned = &text});
}

static const char *const origins[] = {"https://a.example", "https://b.example"};
static const struct cors_policy some = {.origins = origins,
                                        .origin_count = 2,
                                        .headers = "content-type",
                                        .max_age_s = 600};
static const char *const any[] = {"*"};
static const struct cors_policy all = {.origins = any, .origin_count = 1, .max_age_s = 5};

static const struct route routes[] = {
    {.method = "GET", .pattern = "/tasks", .handle = handle_show},
    {.method = "GET", .pattern = "/tasks/{task}", .handle = handle_show, .cors = &all},
    {.method = "DELETE", .pattern = "/tasks/{task}", .handle = handle_show},
    {.method = "POST",
     .pattern = "/tasks/{task}/reports",
     .handle = handle_show,
     .cors = &some},
    {.method = "PUT", .pattern = "/tasks/{task}/jobs/{job}", .handle = handle_show},
    {.method = "GET", .pattern = "/tasks/special/jobs/{job}", .handle = handle_show},
};
static const struct route others[] = {{.method = "GET", .pattern = "/", .handle = handle_show}};

static struct fixture fixture;

static void start(void) {
    fixture_start(&fixture, (struct http_server_config){0});
    cr_assert(status_ok(router_mount(fixture.router, "/dap", routes,
                                     sizeof(routes) / sizeof(routes[0]), (void *)"dap")));
    cr_assert(status_ok(router_mount(fixture.router, "", others, 1, (void *)"root")));
}

static void stop(void) { fixture_stop(&fixture); }

TestSuite(router, .init = start, .fini = stop, .timeout = 60);

static struct reply ask(const char *line, const char *headers) {
    char request[512];
    snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", line, headers);
    const int fd = dial(&fixture);
    say(fd, request);
    struct reply reply = hear(fd, false);
    close(fd);
    return reply;
}

static void expect(const char *line, const char *headers, const char *body) {
    struct reply reply = ask(line, headers);
    cr_assert_eq(reply.status, 200, "%s: %d", line, reply.status);
    cr_assert_str_eq(reply.body, body);
    reply_release(&reply);
}

static void expect_header(const char *line, const char *headers, int status, const char *header,
                          bool present) {
    struct reply reply = ask(line, headers);
    cr_assert_eq(reply.status, status, "%s: %d", line, reply.status);
    cr_assert_eq(strstr(reply.head, header) != NULL, present, "%s:\n%s", line, reply.head);
    reply_release(&reply);
}

Test(router, finds) {
    expect("GET /", "", "root /");
    expect("GET /dap/tasks", "", "dap /dap/tasks");
    expect("GET /dap/tasks/abc", "", "dap /dap/tasks/{task} task=abc");
    expect("GET /dap/tasks/%41?x=1&step=2&step=3", "", "dap /dap/tasks/{task} task=%41 step=2");
    expect("PUT /dap/tasks/special/jobs/1", "",
           "dap /dap/tasks/{task}/jobs/{job} task=special job=1");
    expect("GET /dap/tasks/special/jobs/1", "", "dap /dap/tasks/special/jobs/{job} job=1");
    expect("POST /dap/tasks/t/reports", "Content-Type: Application/DAP-upload-req ; message=x\r\n",
           "dap /dap/tasks/{task}/reports task=t upload");
    expect("POST /dap/tasks/t/reports", "Content-Type: application/dap-upload-req2\r\n",
           "dap /dap/tasks/{task}/reports task=t");
}

Test(router, finds_nothing) {
    static const char *const lines[] = {
        "GET /dap",         "GET /dap/",        "GET /dap/tasks/",         "GET /tasks",
        "GET //dap/tasks",  "GET /dap//tasks",  "POST /dap/tasks//reports", "GET /dap/tasks/a/b",
        "GET /dap/tasks/special/jobs/", "OPTIONS /nothing",
        "GET /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct reply reply = ask(lines[i], "");
        cr_assert_eq(reply.status, 404, "%s: %d", lines[i], reply.status);
        reply_release(&reply);
    }
}

Test(router, says_what_is_allowed) {
    expect_header("POST /dap/tasks", "", 405, "\r\nAllow: GET, HEAD, OPTIONS\r\n", true);
    expect_header("PUT /dap/tasks/t", "", 405, "\r\nAllow: GET, HEAD, DELETE, OPTIONS\r\n", true);
    expect_header("OPTIONS /dap/tasks/t", "", 204, "\r\nAllow: GET, HEAD, DELETE, OPTIONS\r\n",
                  true);
    expect_header("OPTIONS /dap/tasks/t", "", 204, "Content-Length", false);
}

#define ALLOW_ORIGIN "\r\nAccess-Control-Allow-Origin: "

Test(router, lets_pages_in) {
    static const char *const upload = "OPTIONS /dap/tasks/t/reports";
#define ASKED "Access-Control-Request-Method: POST\r\n"
    static const char *const a = "Origin: https://a.example\r\n" ASKED;
    expect_header(upload, a, 204, ALLOW_ORIGIN "https://a.example\r\n", true);
    expect_header(upload, a, 204, "\r\nAccess-Control-Allow-Methods: POST\r\n", true);
    expect_header(upload, a, 204, "\r\nAccess-Control-Allow-Headers: content-type\r\n", true);
    expect_header(upload, a, 204, "\r\nAccess-Control-Max-Age: 600\r\n", true);
    expect_header(upload, a, 204, "\r\nVary: Origin\r\n", true);
    expect_header(upload, "Origin: https://b.example\r\n" ASKED, 204,
                  ALLOW_ORIGIN "https://b.example\r\n", true);
    static const char *const c = "Origin: https://c.example\r\n" ASKED;
    expect_header(upload, c, 204, "Access-Control", false);
    expect_header(upload, c, 204, "\r\nVary: Origin\r\n", true);
    expect_header(upload, "Origin: https://a.example.evil\r\n" ASKED, 204, "Access-Control", false);
    expect_header(upload, "Origin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n",
                  204, "Access-Control", false);
    expect_header("OPTIONS /dap/tasks/t",
                  "Origin: https://c.example\r\nAccess-Control-Request-Method: GET\r\n", 204,
                  ALLOW_ORIGIN "*\r\n", true);
    expect_header("OPTIONS /dap/tasks/t",
                  "Origin: https://c.example\r\nAccess-Control-Request-Method: DELETE\r\n", 204,
                  "Access-Control", false);
}

Test(router, lets_pages_read_the_answer) {
    expect_header("POST /dap/tasks/t/reports", "Origin: https://a.example\r\n", 200,
                  ALLOW_ORIGIN "https://a.example\r\n", true);
    expect_header("POST /dap/tasks/t/reports", "Origin: https://c.example\r\n", 200,
                  "Access-Control", false);
    expect_header("POST /dap/tasks/t/reports", "", 200, "\r\nVary: Origin\r\n", true);
    expect_header("GET /dap/tasks/t", "Origin: https://c.example\r\n", 200, ALLOW_ORIGIN "*\r\n",
                  true);
    expect_header("DELETE /dap/tasks/t", "Origin: https://a.example\r\n", 200, "Access-Control",
                  false);
}

Test(router, refuses_patterns) {
    static const char *const patterns[] = {
        "",       "tasks",  "/{",    "/}",     "/{}",      "/a{b}",
        "/{b}a",  "/{a}{b}", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}",
        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
    };
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        const struct route route = {.method = "GET", .pattern = patterns[i]};
        cr_assert_eq(router_mount(fixture.router, "", &route, 1, NULL).code,
                     STATUS_INVALID_ARGUMENT, "%s", patterns[i]);
    }
}
