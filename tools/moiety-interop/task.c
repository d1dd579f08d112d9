/* SPDX-License-Identifier: Apache-2.0 */
#include "interop.h"

/* The API has no field for it; all who speak it bind these bytes. */
static const char task_info[] = "task-info";

enum { PARAMS_MAX = 8 };

/* {"type": "Prio3Sum", "max_measurement": "255"}: the type's name, and its
 * parameters under the names that vdaf_new() takes. */
static struct status read_vdaf(struct interop_call *call, struct vdaf **out) {
    json_t *object = json_object_get(call->body, "vdaf");
    const char *type = json_string_value(json_object_get(object, "type"));
    if (type == NULL) {
        return interop_error(call, "\"vdaf\" is missing or has no \"type\"");
    }
    struct vdaf_param params[PARAMS_MAX];
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        if (strcmp(name, "type") == 0) {
            continue;
        }
        if (count == PARAMS_MAX) {
            return interop_error(call, "\"vdaf\" has too many parameters");
        }
        params[count].name = name;
        TRY(interop_u64(call, object, name, &params[count].value));
        count++;
    }
    if (!status_ok(vdaf_new(type, params, count, 2, out))) {
        return interop_error(call, "\"vdaf\": %s is unknown, or a parameter is", type);
    }
    return OK;
}

/* task_start and task_end, in seconds, both or neither. */
static struct status read_interval(struct interop_call *call, uint64_t time_precision,
                                   struct task_extension *extension, size_t *count) {
    if (!interop_has(call, "task_start") && !interop_has(call, "task_end")) {
        *count = 0;
        return OK;
    }
    uint64_t start;
    uint64_t end;
    TRY(interop_u64(call, call->body, "task_start", &start));
    TRY(interop_u64(call, call->body, "task_end", &end));
    if (end < start) {
        return interop_error(call, "\"task_end\" is before \"task_start\"");
    }
    start /= time_precision;
    end /= time_precision;
    struct task_interval_task_extension interval = {
        .task_interval = {.start = start, .duration = end - start}};
    struct buffer encoded = BUFFER_INIT;
    struct status status = task_interval_task_extension_encode(&interval, &encoded);
    if (status_ok(status)) {
        status = arena_copy(call->arena, buffer_span(&encoded), &extension->extension_data);
    }
    buffer_release(&encoded);
    extension->extension_type = TASK_EXTENSION_TYPE_TASK_INTERVAL;
    *count = 1;
    return status;
}

static struct status encode_config(struct interop_call *call, struct interop_task *task,
                                   uint64_t min_batch_size, const char *leader,
                                   const char *helper) {
    struct buffer vdaf_config = BUFFER_INIT;
    struct buffer encoded = BUFFER_INIT;
    struct task_extension extension;
    size_t extension_count;
    struct status status;
    TRY_GOTO(status, vdaf_encode_config(task->vdaf, &vdaf_config), out);
    TRY_GOTO(status, read_interval(call, task->time_precision, &extension, &extension_count), out);
    struct task_configuration configuration = {
        .task_info = span_of_string(task_info),
        .leader_aggregator_endpoint = span_of_string(leader),
        .helper_aggregator_endpoint = span_of_string(helper),
        .time_precision = task->time_precision,
        .min_batch_size = min_batch_size,
        .batch_mode = task->batch_mode,
        .vdaf_type = vdaf_codepoint(task->vdaf),
        .vdaf_configuration = buffer_span(&vdaf_config),
        .extensions = {.items = &extension, .count = extension_count},
    };
    TRY_GOTO(status, task_configuration_encode(&configuration, &encoded), out);
    status = arena_copy(call->arena, buffer_span(&encoded), &task->config);
out:
    buffer_release(&encoded);
    buffer_release(&vdaf_config);
    return status;
}

struct status interop_task_read(struct interop_call *call, struct interop_task *out) {
    struct interop_task task = {.vdaf = NULL};
    uint64_t mode;
    uint64_t min_batch_size;
    const char *leader;
    const char *helper;
    TRY(interop_bytes(call, "task_id", task.id, sizeof(task.id)));
    TRY(interop_string(call, "leader", &leader));
    TRY(interop_string(call, "helper", &helper));
    TRY(interop_u64(call, call->body, "time_precision", &task.time_precision));
    TRY(interop_u64(call, call->body, "batch_mode", &mode));
    TRY(interop_u64(call, call->body, "min_batch_size", &min_batch_size));
    if (task.time_precision == 0) {
        return interop_error(call, "\"time_precision\" is 0");
    }
    if (mode != BATCH_MODE_TIME_INTERVAL && mode != BATCH_MODE_LEADER_SELECTED) {
        return interop_error(call, "\"batch_mode\" is neither 1 nor 2");
    }
    task.batch_mode = (enum batch_mode)mode;
    TRY(read_vdaf(call, &task.vdaf));
    struct status status = encode_config(call, &task, min_batch_size, leader, helper);
    if (!status_ok(status)) {
        vdaf_free(task.vdaf);
        return status;
    }
    *out = task;
    return OK;
}
