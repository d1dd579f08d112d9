/* SPDX-License-Identifier: Apache-2.0 */
#include "client/description.h"

#include "dap/interval.h"

/* An app built against an older header has a shorter struct; what it lacks is
 * zero. */
static struct status current_form(const struct moiety_task *given, struct moiety_task *out) {
    size_t size;
    memcpy(&size, &given->size, sizeof(size));
    *out = (struct moiety_task){0};
    if (size < offsetof(struct moiety_task, task_info) || size > 4096) {
        return FAIL(INVALID_ARGUMENT);
    }
    memcpy(out, given, size < sizeof(*out) ? size : sizeof(*out));
    return out->task_id == NULL ? FAIL(INVALID_ARGUMENT) : OK;
}

static struct span span_of_nullable(const char *string) {
    return string == NULL ? SPAN_EMPTY : span_of_string(string);
}

/* The encoded VDAF configuration of a name and its parameters. */
static struct status encode_vdaf(const struct moiety_task *given, struct arena *arena,
                                 struct task_configuration *configuration) {
    struct vdaf_param *params = ARENA_ARRAY(arena, struct vdaf_param, given->param_count);
    if (params == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < given->param_count; i++) {
        params[i] = (struct vdaf_param){given->params[i].name, given->params[i].value};
    }
    struct vdaf *vdaf;
    struct buffer encoded = BUFFER_INIT;
    TRY(vdaf_new(given->vdaf, params, given->param_count, 2, &vdaf));
    struct status status;
    TRY_GOTO(status, vdaf_encode_config(vdaf, &encoded), done);
    configuration->vdaf_type = vdaf_codepoint(vdaf);
    status = arena_copy(arena, buffer_span(&encoded), &configuration->vdaf_configuration);
done:
    buffer_release(&encoded);
    vdaf_free(vdaf);
    return status;
}

static struct status make_from_fields(const struct moiety_task *given, const struct task_id *id,
                                      struct arena *arena, struct task *task) {
    if (given->vdaf == NULL || (given->param_count > 0 && given->params == NULL)) {
        return FAIL(INVALID_ARGUMENT);
    }
    struct task_configuration configuration = {
        .task_info = span_of(given->task_info, given->task_info_len),
        .leader_aggregator_endpoint = span_of_nullable(given->leader_url),
        .helper_aggregator_endpoint = span_of_nullable(given->helper_url),
        .time_precision = given->time_precision,
        .min_batch_size = given->min_batch_size,
        .batch_mode = (enum batch_mode)given->batch_mode,
    };
    TRY(encode_vdaf(given, arena, &configuration));
    struct task_extension extension;
    if (given->has_interval) {
        struct interval interval = {given->interval_start, given->interval_duration};
        TRY(task_interval_extension(&interval, arena, &extension));
        configuration.extensions = (struct task_extension_list){&extension, 1};
    }
    return task_make(id, &configuration, arena, task);
}

struct status description_open(const struct moiety_task *description, struct arena *arena,
                               struct task *task, struct vdaf **vdaf) {
    struct moiety_task given;
    struct task_id id;
    TRY(current_form(description, &given));
    memcpy(id.bytes, given.task_id, sizeof(id.bytes));
    if (given.configuration != NULL) {
        TRY(task_open(&id, span_of(given.configuration, given.configuration_len), arena, task));
    } else {
        TRY(make_from_fields(&given, &id, arena, task));
    }
    return vdaf_from_config(task->configuration.vdaf_type, task->configuration.vdaf_configuration,
                            vdaf);
}

enum moiety_result result_of(struct status status) {
    switch (status.code) {
    case STATUS_OK:
        return MOIETY_OK;
    case STATUS_INVALID_ARGUMENT:
    case STATUS_INVALID_CONFIG:
    case STATUS_BATCH_INVALID:
        return MOIETY_INVALID_ARGUMENT;
    case STATUS_INVALID_MESSAGE:
    case STATUS_INVALID_EXTENSION:
        return MOIETY_INVALID_MESSAGE;
    case STATUS_UNSUPPORTED_ALGORITHM:
    case STATUS_UNSUPPORTED_EXTENSION:
        return MOIETY_UNSUPPORTED;
    case STATUS_UNKNOWN_KEY:
        return MOIETY_WRONG_KEY;
    case STATUS_DECRYPT_FAILED:
        return MOIETY_DECRYPT_FAILED;
    case STATUS_FORBIDDEN:
        return MOIETY_BAD_LOCATION;
    case STATUS_NO_MEMORY:
        return MOIETY_NO_MEMORY;
    case STATUS_CRYPTO:
        return MOIETY_CRYPTO;
    default:
        return MOIETY_INTERNAL;
    }
}

enum moiety_result result_of_opening(struct status status) {
    enum moiety_result result = result_of(status);
    return result == MOIETY_INVALID_MESSAGE ? MOIETY_INVALID_ARGUMENT : result;
}

enum moiety_result result_of_http(int http_status) {
    switch (http_status) {
    case 0:
    case 408: /* Request Timeout */
    case 425: /* Too Early */
    case 429: /* Too Many Requests */
        return MOIETY_RETRY_LATER;
    default:
        break;
    }
    if (http_status >= 500) {
        return MOIETY_RETRY_LATER;
    }
    return http_status >= 200 && http_status < 300 ? MOIETY_OK : MOIETY_REFUSED;
}
