/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/batch.h"

#include "dap/interval.h"

/* A batch holds at least one bucket, whose duration is one time precision. */
static struct status check_interval(const struct interval *interval) {
    return interval->duration > 0 && interval_valid(interval) ? OK : FAIL(BATCH_INVALID);
}

struct status batch_of_query(const struct query *query, enum batch_mode task_mode,
                             struct batch *out) {
    struct batch batch = {.mode = task_mode};
    if (query->batch_mode != task_mode) {
        return FAIL(INVALID_MESSAGE);
    }
    if (task_mode == BATCH_MODE_TIME_INTERVAL) {
        struct time_interval_query_config config;
        TRY(time_interval_query_config_decode(query->config, NULL, &config));
        TRY(check_interval(&config.batch_interval));
        batch.interval = config.batch_interval;
    } else if (query->config.len > 0) {
        return FAIL(INVALID_MESSAGE);
    }
    *out = batch;
    return OK;
}

struct status batch_of_selector(const struct batch_selector *selector, const struct query *query,
                                enum batch_mode task_mode, struct batch *out) {
    struct batch batch;
    TRY(batch_of_query(query, task_mode, &batch));
    if (selector->batch_mode != task_mode) {
        return FAIL(INVALID_MESSAGE);
    }
    if (task_mode == BATCH_MODE_TIME_INTERVAL) {
        struct time_interval_batch_selector_config config;
        TRY(time_interval_batch_selector_config_decode(selector->config, NULL, &config));
        TRY(check_interval(&config.batch_interval));
        if (!interval_within(&config.batch_interval, &batch.interval)) {
            return FAIL(BATCH_INVALID);
        }
        batch.interval = config.batch_interval;
    } else {
        struct leader_selected_batch_selector_config config;
        TRY(leader_selected_batch_selector_config_decode(selector->config, NULL, &config));
        batch.id = config.batch_id;
    }
    *out = batch;
    return OK;
}

static struct status encode_interval(const struct batch *batch, struct arena *arena,
                                     struct span *out) {
    struct buffer encoded = BUFFER_INIT;
    struct status status;
    TRY_GOTO(status, interval_encode(&batch->interval, &encoded), done);
    status = arena_copy(arena, buffer_span(&encoded), out);
done:
    buffer_release(&encoded);
    return status;
}

struct status batch_to_query(const struct batch *batch, struct arena *arena, struct query *out) {
    struct query query = {.batch_mode = batch->mode};
    if (batch->mode == BATCH_MODE_TIME_INTERVAL) {
        TRY(encode_interval(batch, arena, &query.config));
    }
    *out = query;
    return OK;
}

struct status batch_to_selector(const struct batch *batch, struct arena *arena,
                                struct batch_selector *out) {
    struct batch_selector selector = {.batch_mode = batch->mode};
    if (batch->mode == BATCH_MODE_TIME_INTERVAL) {
        TRY(encode_interval(batch, arena, &selector.config));
    } else {
        TRY(arena_copy(arena, batch_id_span(&batch->id), &selector.config));
    }
    *out = selector;
    return OK;
}

static struct status check_job_extensions(const struct aggregation_job_extension_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].extension_type !=
            AGGREGATION_JOB_EXTENSION_TYPE_LEADER_SELECTED_BATCH_ID) {
            return FAIL(UNSUPPORTED_EXTENSION);
        }
    }
    for (size_t i = 1; i < list->count; i++) {
        if (list->items[i].extension_type <= list->items[i - 1].extension_type) {
            return FAIL(INVALID_MESSAGE);
        }
    }
    return OK;
}

struct status batch_of_extensions(const struct aggregation_job_extension_list *extensions,
                                  enum batch_mode task_mode, struct batch_id *out) {
    TRY(check_job_extensions(extensions));
    /* The one extension that passes is the batch ID, and it passes once. */
    if (task_mode != BATCH_MODE_LEADER_SELECTED) {
        return extensions->count == 0 ? OK : FAIL(INVALID_MESSAGE);
    }
    if (extensions->count == 0 || extensions->items[0].extension_data.len != sizeof(out->bytes)) {
        return FAIL(INVALID_MESSAGE);
    }
    memcpy(out->bytes, extensions->items[0].extension_data.data, sizeof(out->bytes));
    return OK;
}

struct status batch_to_extensions(const struct batch *batch, struct arena *arena,
                                  struct aggregation_job_extension_list *out) {
    if (batch->mode != BATCH_MODE_LEADER_SELECTED) {
        *out = (struct aggregation_job_extension_list){0};
        return OK;
    }
    struct aggregation_job_extension *extension =
        ARENA_NEW(arena, struct aggregation_job_extension);
    if (extension == NULL) {
        return FAIL(NO_MEMORY);
    }
    extension->extension_type = AGGREGATION_JOB_EXTENSION_TYPE_LEADER_SELECTED_BATCH_ID;
    TRY(arena_copy(arena, batch_id_span(&batch->id), &extension->extension_data));
    *out = (struct aggregation_job_extension_list){extension, 1};
    return OK;
}

struct status collection_job_check_extensions(const struct collection_job_extension_list *extensions) {
    for (size_t i = 1; i < extensions->count; i++) {
        if (extensions->items[i].extension_type <= extensions->items[i - 1].extension_type) {
            return FAIL(INVALID_EXTENSION);
        }
    }
    return extensions->count == 0 ? OK : FAIL(UNSUPPORTED_EXTENSION);
}
