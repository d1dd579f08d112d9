/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/task.h"

#include "dap/interval.h"
#include "dap/url.h"

static struct status open_task_interval(struct span data, struct task *task) {
    struct task_interval_task_extension extension;
    struct status status = task_interval_task_extension_decode(data, NULL, &extension);
    if (!status_ok(status) || !interval_valid(&extension.task_interval)) {
        return FAIL(INVALID_EXTENSION);
    }
    task->has_task_interval = true;
    task->task_interval = extension.task_interval;
    return OK;
}

static struct status open_extensions(struct task *task) {
    const struct task_extension_list *list = &task->configuration.extensions;
    for (size_t i = 0; i < list->count; i++) {
        const struct task_extension *extension = &list->items[i];
        if (i > 0 && extension->extension_type <= extension[-1].extension_type) {
            return FAIL(INVALID_EXTENSION);
        }
        if (extension->extension_type != TASK_EXTENSION_TYPE_TASK_INTERVAL) {
            return FAIL(UNSUPPORTED_EXTENSION);
        }
        TRY(open_task_interval(extension->extension_data, task));
    }
    return OK;
}

static struct status check_values(const struct task_configuration *configuration) {
    struct url url;
    bool good = configuration->time_precision > 0 && configuration->min_batch_size > 0 &&
                configuration->batch_config.len == 0 &&
                status_ok(url_parse(configuration->leader_aggregator_endpoint, &url)) &&
                url.query.len == 0 &&
                status_ok(url_parse(configuration->helper_aggregator_endpoint, &url)) &&
                url.query.len == 0;
    return good ? OK : FAIL(INVALID_CONFIG);
}

struct status task_open(const struct task_id *id, struct span encoded, struct arena *arena,
                        struct task *out) {
    struct task task = {.id = *id};
    uint8_t *prefix = ARENA_ARRAY(arena, uint8_t, sizeof(id->bytes) + encoded.len);
    if (prefix == NULL) {
        return FAIL(NO_MEMORY);
    }
    memcpy(prefix, id->bytes, sizeof(id->bytes));
    if (encoded.len > 0) {
        memcpy(prefix + sizeof(id->bytes), encoded.data, encoded.len);
    }
    task.aad_prefix = span_of(prefix, sizeof(id->bytes) + encoded.len);
    task.encoded = span_of(prefix + sizeof(id->bytes), encoded.len);
    TRY(task_configuration_decode(task.encoded, arena, &task.configuration));
    TRY(open_extensions(&task));
    TRY(check_values(&task.configuration));
    *out = task;
    return OK;
}

struct status task_make(const struct task_id *id, const struct task_configuration *configuration,
                        struct arena *arena, struct task *out) {
    struct buffer encoded = BUFFER_INIT;
    struct status status;
    TRY_GOTO(status, task_configuration_encode(configuration, &encoded), done);
    status = task_open(id, buffer_span(&encoded), arena, out);
done:
    buffer_release(&encoded);
    return status;
}

struct status task_interval_extension(const struct interval *interval, struct arena *arena,
                                      struct task_extension *out) {
    struct task_interval_task_extension extension = {*interval};
    struct buffer encoded = BUFFER_INIT;
    struct span data;
    struct status status;
    TRY_GOTO(status, task_interval_task_extension_encode(&extension, &encoded), done);
    TRY_GOTO(status, arena_copy(arena, buffer_span(&encoded), &data), done);
    *out = (struct task_extension){TASK_EXTENSION_TYPE_TASK_INTERVAL, data};
done:
    buffer_release(&encoded);
    return status;
}

void task_vdaf_context(const struct task_id *id, uint8_t out[TASK_VDAF_CONTEXT_SIZE]) {
    struct span version = SPAN_OF_LITERAL("dap-18");
    memcpy(out, version.data, version.len);
    memcpy(out + version.len, id->bytes, sizeof(id->bytes));
}
