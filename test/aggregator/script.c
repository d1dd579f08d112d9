/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/script.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#include "dap/media_type.h"

void script_init(struct script *script, const char *kind, script_step *const steps[]) {
    *script = (struct script){.kind = kind, .arena = ARENA_INIT};
    for (size_t i = 0; steps[i] != NULL; i++) {
        script->steps[i] = steps[i];
    }
}

void script_release(struct script *script) { arena_release(&script->arena); }

struct relay_verdict script_run(void *argument, const struct relay_request *request) {
    struct script *script = argument;
    if (strstr(request->path, "/helper/tasks/") != request->path) {
        script->others++;
    }
    if (strstr(request->path, script->kind) == NULL) {
        return (struct relay_verdict){.action = RELAY_FORWARD};
    }
    unsigned i = script->count;
    cr_assert_lt(i, SCRIPT_SEEN_MAX);
    snprintf(script->seen[i].method, sizeof script->seen[i].method, "%s", request->method);
    snprintf(script->seen[i].path, sizeof script->seen[i].path, "%s", request->path);
    crypto_hash_sha256(script->seen[i].digest, request->body.data, request->body.len);
    script->seen[i].at_ns = clock_monotonic_ns();
    __atomic_store_n(&script->count, i + 1, __ATOMIC_RELEASE); /* tests wait for it */
    script_step *step = i < SCRIPT_STEPS_MAX ? script->steps[i] : NULL;
    return step != NULL ? step(script, request) : (struct relay_verdict){.action = RELAY_FORWARD};
}

unsigned script_same_bodies(const struct script *script, const char *method) {
    unsigned found = 0, first = 0;
    for (unsigned i = 0; i < script->count; i++) {
        if (strcmp(script->seen[i].method, method) != 0) {
            continue;
        }
        first = found == 0 ? i : first;
        cr_assert_arr_eq(script->seen[i].digest, script->seen[first].digest, 32,
                         "request %u differs from request %u", i, first);
        found++;
    }
    return found;
}

/* ---- Steps ---------------------------------------------------------------- */

#define STEP(name)                                                                                 \
    struct relay_verdict name(struct script *script, const struct relay_request *request)
#define UNUSED (void)script, (void)request

STEP(step_forward) {
    UNUSED;
    return (struct relay_verdict){.action = RELAY_FORWARD};
}
STEP(step_error_500) {
    UNUSED;
    return (struct relay_verdict){.action = RELAY_LOSE, .status = 500};
}
STEP(step_lose_answer) {
    UNUSED;
    return (struct relay_verdict){.action = RELAY_LOSE_ANSWER, .status = 504};
}
STEP(step_strip_body) {
    UNUSED;
    return (struct relay_verdict){.action = RELAY_STRIP_BODY};
}
STEP(step_401) {
    UNUSED;
    return (struct relay_verdict){.action = RELAY_LOSE, .status = 401};
}

STEP(step_413) {
    UNUSED;
    return (struct relay_verdict){.action = RELAY_LOSE, .status = 413};
}

static struct relay_verdict problem(struct script *script, const char *type) {
    char *text = arena_printf(
        &script->arena, "{\"type\":\"urn:ietf:params:ppm:dap:error:%s\",\"status\":400}", type);
    return (struct relay_verdict){.action = RELAY_LOSE,
                                  .status = 400,
                                  .content_type = "application/problem+json",
                                  .body = span_of_string(text)};
}
STEP(step_refuse) {
    (void)request;
    return problem(script, "invalidMessage");
}
STEP(step_refuse_repeated) {
    (void)request;
    const uint8_t *digest = script->seen[script->count - 1].digest;
    return memcmp(digest, script->seen[0].digest, 32) == 0
               ? problem(script, "invalidMessage")
               : (struct relay_verdict){.action = RELAY_FORWARD};
}
STEP(step_batch_mismatch) {
    (void)request;
    return problem(script, "batchMismatch");
}
STEP(step_redirect) {
    UNUSED;
    return (struct relay_verdict){.action = RELAY_LOSE, .status = 307, .location = "/elsewhere"};
}
STEP(step_html) {
    UNUSED;
    return (struct relay_verdict){.action = RELAY_LOSE,
                                  .status = 200,
                                  .content_type = "text/html",
                                  .body = SPAN_OF_LITERAL("<h1>It works!</h1>")};
}
STEP(step_poll_404) {
    UNUSED;
    return (struct relay_verdict){.action = RELAY_LOSE, .status = 404};
}

static struct relay_verdict response(struct span body) {
    return (struct relay_verdict){.action = RELAY_LOSE,
                                  .status = 200,
                                  .content_type = media_type_string(MEDIA_AGGREGATION_JOB_RESP),
                                  .body = body};
}
STEP(step_garbage) {
    UNUSED;
    return response(SPAN_OF_LITERAL("what is this?"));
}

/* Answers for the reports of the request but the last `leave_out`, each with what
 * `base` says. */
static struct relay_verdict respond(struct script *script, const struct relay_request *request,
                                    const struct verify_resp *base, size_t leave_out,
                                    bool reverse) {
    struct aggregation_job_init_req init;
    cr_assert(status_ok(aggregation_job_init_req_decode(request->body, &script->arena, &init)));
    struct buffer out = BUFFER_INIT;
    struct span body;
    size_t count = init.verify_inits.count;
    for (size_t i = 0; i + leave_out < count; i++) {
        struct verify_resp one = *base;
        size_t of = reverse ? count - 1 - i : i;
        one.report_id = init.verify_inits.items[of].report_share.report_metadata.report_id;
        cr_assert(status_ok(verify_resp_encode(&one, &out)));
    }
    cr_assert(status_ok(arena_copy(&script->arena, buffer_span(&out), &body)));
    buffer_release(&out);
    return response(body);
}

static const struct verify_resp reject_early = {.verify_resp_type = VERIFY_RESP_TYPE_REJECT,
                                                .report_error = REPORT_ERROR_REPORT_TOO_EARLY};
static const struct verify_resp reject_invalid = {.verify_resp_type = VERIFY_RESP_TYPE_REJECT,
                                                  .report_error = REPORT_ERROR_INVALID_MESSAGE};

STEP(step_missing) { return respond(script, request, &reject_invalid, 1, false); }
STEP(step_reversed) { return respond(script, request, &reject_invalid, 0, true); }
STEP(step_reject_invalid) { return respond(script, request, &reject_invalid, 0, false); }
STEP(step_reject_reserved) {
    struct verify_resp reserved = {.verify_resp_type = VERIFY_RESP_TYPE_REJECT};
    return respond(script, request, &reserved, 0, false);
}
STEP(step_reject_early) { return respond(script, request, &reject_early, 0, false); }
STEP(step_finish) {
    struct verify_resp finish = {.verify_resp_type = VERIFY_RESP_TYPE_FINISH};
    return respond(script, request, &finish, 0, false);
}

/* To a continuation: "finish" for its reports in reverse, or one more
 * "continue". */
static struct relay_verdict respond_continue(struct script *script,
                                             const struct relay_request *request, bool reverse,
                                             const struct verify_resp *base) {
    struct aggregation_job_continue_req req;
    cr_assert(status_ok(aggregation_job_continue_req_decode(request->body, &script->arena, &req)));
    struct buffer out = BUFFER_INIT;
    struct span body;
    size_t count = req.verify_continues.count;
    for (size_t i = 0; i < count; i++) {
        struct verify_resp one = *base;
        one.report_id = req.verify_continues.items[reverse ? count - 1 - i : i].report_id;
        cr_assert(status_ok(verify_resp_encode(&one, &out)));
    }
    cr_assert(status_ok(arena_copy(&script->arena, buffer_span(&out), &body)));
    buffer_release(&out);
    return response(body);
}

STEP(step_continue_reversed) {
    struct verify_resp finish = {.verify_resp_type = VERIFY_RESP_TYPE_FINISH};
    return respond_continue(script, request, true, &finish);
}
STEP(step_continue_again) {
    struct verify_resp again = {.verify_resp_type = VERIFY_RESP_TYPE_CONTINUE,
                                .payload = SPAN_OF_LITERAL("more")};
    return respond_continue(script, request, false, &again);
}

STEP(step_foreign_location) {
    (void)request;
    (void)script;
    return (struct relay_verdict){
        .action = RELAY_LOSE, .status = 202, .location = "http://127.0.0.1:9/helper/tasks/x/y"};
}

/* As if the job were under way at the helper, below the request's own path. */
static struct relay_verdict pending(struct script *script, const struct relay_request *request,
                                    const char *retry_after) {
    char *location = arena_printf(
        &script->arena, "%.*s%s", (int)strcspn(request->path, "?"), request->path,
        strcmp(request->method, "POST") == 0 ? "/AAAAAAAAAAAAAAAAAAAAAA?step=0" : "?step=0");
    return (struct relay_verdict){
        .action = RELAY_LOSE, .status = 200, .location = location, .retry_after = retry_after};
}
STEP(step_retry_huge) { return pending(script, request, "999999999999"); }
STEP(step_retry_date) {
    char text[64];
    time_t then = time(NULL) + 2;
    struct tm tm;
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &tm));
    return pending(script, request, arena_printf(&script->arena, "%s", text));
}
