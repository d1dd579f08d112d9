/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/task_settings.h"

#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* One row for each member: its JSON name, where it lies and what it may be. */
enum member_kind { MEMBER_BOOL, MEMBER_U32, MEMBER_U64 };
struct member {
    const char *name;
    enum member_kind kind;
    size_t offset;
    uint64_t min, max;
};

#define MEMBER(field, kind, min, max) \
    {#field, kind, offsetof(struct task_settings, field), min, max}

/* JSON integers are signed 64-bit in the library. */
static const struct member members[] = {
    MEMBER(max_job_size, MEMBER_U32, 1, 100000),
    MEMBER(job_linger_ms, MEMBER_U32, 0, 3600000),
    MEMBER(batch_target_size, MEMBER_U64, 0, INT64_MAX),
    MEMBER(batch_deadline_s, MEMBER_U32, 0, UINT32_MAX),
    MEMBER(report_expiry_s, MEMBER_U64, 0, INT64_MAX),
    MEMBER(max_unaggregated_reports, MEMBER_U64, 0, INT64_MAX),
    MEMBER(max_unaggregated_bytes, MEMBER_U64, 0, INT64_MAX),
    MEMBER(helper_async, MEMBER_BOOL, 0, 1),
    MEMBER(allow_small_batches, MEMBER_BOOL, 0, 1),
};
enum { MEMBER_COUNT = sizeof(members) / sizeof(members[0]) };

static const struct member *member_find(const char *name) {
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (strcmp(members[i].name, name) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

static uint64_t member_get(const struct task_settings *settings, const struct member *member) {
    const void *at = (const uint8_t *)settings + member->offset;
    switch (member->kind) {
    case MEMBER_BOOL: return *(const bool *)at;
    case MEMBER_U32: return *(const uint32_t *)at;
    case MEMBER_U64: break;
    }
    return *(const uint64_t *)at;
}

static void member_set(struct task_settings *settings, const struct member *member,
                       uint64_t value) {
    void *at = (uint8_t *)settings + member->offset;
    switch (member->kind) {
    case MEMBER_BOOL: *(bool *)at = value != 0; break;
    case MEMBER_U32: *(uint32_t *)at = (uint32_t)value; break;
    case MEMBER_U64: *(uint64_t *)at = value; break;
    }
}

static struct status member_read(const struct member *member, const json_t *json,
                                 struct task_settings *settings,
                                 char error[TASK_SETTINGS_ERROR_MAX]) {
    if (member->kind == MEMBER_BOOL) {
        if (!json_is_boolean(json)) {
            snprintf(error, TASK_SETTINGS_ERROR_MAX, "%s must be true or false", member->name);
            return FAIL(INVALID_CONFIG);
        }
        member_set(settings, member, json_is_true(json));
        return OK;
    }
    json_int_t value = json_is_integer(json) ? json_integer_value(json) : -1;
    if (value < 0 || (uint64_t)value < member->min || (uint64_t)value > member->max) {
        snprintf(error, TASK_SETTINGS_ERROR_MAX,
                 "%s must be an integer from %" PRIu64 " to %" PRIu64, member->name, member->min,
                 member->max);
        return FAIL(INVALID_CONFIG);
    }
    member_set(settings, member, (uint64_t)value);
    return OK;
}

static struct status object_read(json_t *object, struct task_settings *settings,
                                 char error[TASK_SETTINGS_ERROR_MAX]) {
    if (!json_is_object(object)) {
        snprintf(error, TASK_SETTINGS_ERROR_MAX, "task settings must be a JSON object");
        return FAIL(INVALID_CONFIG);
    }
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        const struct member *member = member_find(name);
        if (member == NULL) {
            snprintf(error, TASK_SETTINGS_ERROR_MAX, "%.64s is not a task setting", name);
            return FAIL(INVALID_CONFIG);
        }
        TRY(member_read(member, value, settings, error));
    }
    return OK;
}

struct status task_settings_parse(struct span json, struct task_settings *out,
                                  char error[TASK_SETTINGS_ERROR_MAX]) {
    char unused[TASK_SETTINGS_ERROR_MAX];
    error = error != NULL ? error : unused;
    struct task_settings settings = TASK_SETTINGS_DEFAULT;
    if (json.len > 0) {
        json_error_t where;
        json_t *object =
            json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, &where);
        if (object == NULL) {
            snprintf(error, TASK_SETTINGS_ERROR_MAX, "task settings: %.120s", where.text);
            return FAIL(INVALID_CONFIG);
        }
        struct status status = object_read(object, &settings, error);
        json_decref(object);
        TRY(status);
    }
    *out = settings;
    return OK;
}

struct status task_settings_print(const struct task_settings *settings, struct buffer *out) {
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        uint64_t value = member_get(settings, &members[i]);
        TRY(buffer_printf(out, "%s\"%s\": ", i == 0 ? "{" : ", ", members[i].name));
        if (members[i].kind == MEMBER_BOOL) {
            TRY(buffer_append_string(out, value != 0 ? "true" : "false"));
        } else {
            TRY(buffer_printf(out, "%" PRIu64, value));
        }
    }
    return buffer_append_string(out, "}");
}
