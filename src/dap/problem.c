/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/problem.h"

#include <jansson.h>

#include "wire/base64url.h"

#define URN "urn:ietf:params:ppm:dap:error:"

/* The phrase of RFC 9110, which is the title of a problem without a type. */
static const char *http_phrase(int status) {
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {400, "Bad Request"},         {401, "Unauthorized"},
        {403, "Forbidden"},           {404, "Not Found"},
        {405, "Method Not Allowed"},  {408, "Request Timeout"},
        {409, "Conflict"},            {410, "Gone"},
        {413, "Content Too Large"},   {415, "Unsupported Media Type"},
        {429, "Too Many Requests"},   {431, "Request Header Fields Too Large"},
        {502, "Bad Gateway"},         {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return status >= 500 ? "Internal Server Error" : "Bad Request";
}

/* Steals `value`. False for a value that couldn't be made, too. */
static bool set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

static json_t *numbers(const uint16_t *values, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < count; i++) {
        if (json_array_append_new(array, json_integer(values[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

static bool set_task_id(json_t *object, const struct task_id *id) {
    char text[64];
    if (id == NULL) {
        return true;
    }
    base64url_encode(text, task_id_span(id));
    return set(object, "taskid", json_string(text));
}

static bool fill(json_t *object, const struct problem *problem) {
    const char *type = status_problem(problem->code);
    const char *text = status_text(problem->code);
    const char *detail = problem->detail != NULL ? problem->detail : text;
    int status = problem->status != 0 ? problem->status : status_http(problem->code);
    char urn[128];
    snprintf(urn, sizeof(urn), "%s%s", URN, type != NULL ? type : "");
    return set(object, "type", json_string(type != NULL ? urn : "about:blank")) &&
           set(object, "title", json_string(type != NULL ? text : http_phrase(status))) &&
           set(object, "status", json_integer(status)) &&
           set(object, "detail", json_string(detail)) && set_task_id(object, problem->task_id) &&
           (problem->unsupported_extension_count == 0 ||
            set(object, "unsupported_extensions",
                numbers(problem->unsupported_extensions, problem->unsupported_extension_count)));
}

struct status problem_encode(const struct problem *problem, struct buffer *out) {
    struct status status = FAIL(NO_MEMORY);
    char *text = NULL;
    json_t *object = json_object();
    if (object == NULL) {
        goto done;
    }
    if (!fill(object, problem)) {
        status = FAIL(INVALID_ARGUMENT);
        goto done;
    }
    text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text != NULL) {
        status = buffer_append_string(out, text);
    }
done:
    free(text);
    json_decref(object);
    return status;
}

/* ---- Decoding ---- */

static enum status_code code_of(const char *type, int http) {
    size_t prefix = strlen(URN);
    if (type != NULL && strncmp(type, URN, prefix) == 0) {
        for (int code = 0; code < STATUS_COUNT; code++) {
            const char *known = status_problem((enum status_code)code);
            if (known != NULL && strcmp(known, type + prefix) == 0) {
                return (enum status_code)code;
            }
        }
    }
    return http >= 500 ? STATUS_PEER_FAILED : STATUS_BAD_REQUEST;
}

/* NULL for what is missing or isn't a string. */
static struct status get_string(const json_t *object, const char *key, struct arena *arena,
                                const char **out) {
    const char *text = json_string_value(json_object_get(object, key));
    *out = NULL;
    if (text != NULL) {
        *out = arena_printf(arena, "%s", text);
        return *out != NULL ? OK : FAIL(NO_MEMORY);
    }
    return OK;
}

static struct status get_task_id(const json_t *object, struct arena *arena,
                                 const struct task_id **out) {
    const char *text = json_string_value(json_object_get(object, "taskid"));
    struct task_id *id = ARENA_NEW(arena, struct task_id);
    if (id == NULL) {
        return FAIL(NO_MEMORY);
    }
    bool good = text != NULL && status_ok(base64url_decode(id->bytes, sizeof(id->bytes),
                                                           span_of_string(text)));
    *out = good ? id : NULL;
    return OK;
}

static struct status get_unsupported(const json_t *object, struct arena *arena,
                                     struct problem *out) {
    const json_t *array = json_object_get(object, "unsupported_extensions");
    size_t count = json_array_size(array);
    uint16_t *types = ARENA_ARRAY(arena, uint16_t, count);
    if (types == NULL && count > 0) {
        return FAIL(NO_MEMORY);
    }
    out->unsupported_extensions = types;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        json_int_t value = json_integer_value(item);
        if (json_is_integer(item) && value >= 0 && value <= UINT16_MAX) {
            types[out->unsupported_extension_count++] = (uint16_t)value;
        }
    }
    return OK;
}

static struct status read_members(const json_t *object, struct arena *arena,
                                  struct problem *out) {
    struct problem problem = {0};
    json_int_t http = json_integer_value(json_object_get(object, "status"));
    problem.status = http >= 100 && http <= 599 ? (int)http : 0;
    TRY(get_string(object, "type", arena, &problem.type));
    TRY(get_string(object, "title", arena, &problem.title));
    TRY(get_string(object, "detail", arena, &problem.detail));
    TRY(get_task_id(object, arena, &problem.task_id));
    TRY(get_unsupported(object, arena, &problem));
    problem.code = code_of(problem.type, problem.status);
    *out = problem;
    return OK;
}

struct status problem_decode(struct span body, struct arena *arena, struct problem *out) {
    json_error_t error;
    json_t *document = body.len > 0 ? json_loadb((const char *)body.data, body.len, 0, &error)
                                    : NULL;
    struct status status = FAIL(INVALID_MESSAGE);
    if (json_is_object(document)) {
        status = read_members(document, arena, out);
    }
    json_decref(document);
    return status;
}
