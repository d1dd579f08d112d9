/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "interop.h"
#include "wire/base64url.h"

struct interop_work {
    struct http_request *request;
    interop_function *function;
    void *context;
};

static void answer_json(struct http_request *request, json_t *answer) {
    char *text = json_dumps(answer, JSON_COMPACT);
    const struct http_header type = HTTP_HEADER("Content-Type", SPAN_OF_LITERAL("application/json"));
    http_reply(request, &(struct http_response){.status = 200,
                                                .headers = &type,
                                                .header_count = 1,
                                                .body = span_of_string(text == NULL ? "{}" : text)});
    free(text);
}

static void work_run(void *argument, bool cancelled) {
    struct interop_work *work = argument;
    struct http_request *request = work->request;
    if (cancelled) {
        http_reply_problem(request, 503, NULL, 1);
        return;
    }
    json_error_t parse_error = {0};
    struct interop_call call = {.arena = &request->arena, .answer = json_object()};
    call.body = json_loadb((const char *)request->body.data, request->body.len, 0, &parse_error);
    struct status status;
    if (!json_is_object(call.body)) {
        status = interop_error(&call, "the body is not a JSON object: %s", parse_error.text);
    } else {
        status = work->function(work->context, &call);
    }
    if (status_ok(status)) {
        if (json_object_get(call.answer, "status") == NULL) {
            json_object_set_new(call.answer, "status", json_string("success"));
        }
    } else {
        json_object_clear(call.answer);
        json_object_set_new(call.answer, "status", json_string("error"));
        json_object_set_new(call.answer, "error",
                            json_string(call.error[0] != '\0' ? call.error
                                                              : status_text(status.code)));
    }
    json_t *answer = call.answer;
    json_decref(call.body);
    answer_json(request, answer);
    json_decref(answer);
}

void interop_serve(struct http_request *request, struct work_queue *queue,
                   interop_function *function, void *context) {
    struct interop_work *work = ARENA_NEW(&request->arena, struct interop_work);
    if (work == NULL) {
        http_reply_problem(request, 503, NULL, 1);
        return;
    }
    *work = (struct interop_work){request, function, context};
    if (!status_ok(work_queue_submit(queue, work_run, work))) {
        http_reply_problem(request, 503, NULL, 1);
    }
}

struct status interop_error(struct interop_call *call, const char *format, ...) {
    if (call->error[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(call->error, sizeof(call->error), format, arguments);
        va_end(arguments);
    }
    return FAIL(INVALID_ARGUMENT);
}

struct status interop_string(struct interop_call *call, const char *name, const char **out) {
    const char *string = json_string_value(json_object_get(call->body, name));
    if (string == NULL) {
        return interop_error(call, "\"%s\" is missing or not a string", name);
    }
    *out = string;
    return OK;
}

bool interop_has(const struct interop_call *call, const char *name) {
    const json_t *value = json_object_get(call->body, name);
    return value != NULL && !json_is_null(value);
}

struct status interop_u64(struct interop_call *call, const json_t *object, const char *name,
                          uint64_t *out) {
    const json_t *value = json_object_get(object, name);
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *out = (uint64_t)json_integer_value(value);
        return OK;
    }
    const char *text = json_string_value(value);
    char *end = NULL;
    errno = 0;
    if (text != NULL && text[0] >= '0' && text[0] <= '9') {
        unsigned long long number = strtoull(text, &end, 10);
        if (errno == 0 && *end == '\0') {
            *out = number;
            return OK;
        }
    }
    return interop_error(call, "\"%s\" is missing or not a number", name);
}

struct status interop_bytes(struct interop_call *call, const char *name, void *out, size_t len) {
    const char *text = NULL;
    TRY(interop_string(call, name, &text));
    if (!status_ok(base64url_decode(out, len, span_of_string(text)))) {
        return interop_error(call, "\"%s\" is not base64url of %zu bytes", name, len);
    }
    return OK;
}

struct status interop_bytes_any(struct interop_call *call, const char *name, struct span *out) {
    const char *text = NULL;
    TRY(interop_string(call, name, &text));
    if (!status_ok(base64url_decode_any(call->arena, span_of_string(text), out))) {
        return interop_error(call, "\"%s\" is not base64url", name);
    }
    return OK;
}
