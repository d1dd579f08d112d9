/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/task.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/secret.h"
#include "dap/messages.h"
#include "vdaf/verify.h"
#include "wire/base64url.h"

/* What task_hold() and task_release() count. */
struct counted_task {
    struct served_task task; /* first: a served_task is always in one of these */
    atomic_uint holds;
};

static struct counted_task *counted(const struct served_task *task) {
    return (struct counted_task *)(uintptr_t)task;
}

const struct served_task *task_hold(const struct served_task *task) {
    atomic_fetch_add(&counted(task)->holds, 1);
    return task;
}

void task_release(const struct served_task *task) {
    if (task == NULL || atomic_fetch_sub(&counted(task)->holds, 1) != 1) {
        return;
    }
    struct counted_task *last = counted(task);
    vdaf_free(last->task.vdaf);
    arena_release(&last->task.arena);
    free(last);
}

const struct task_verify_key *task_verify_key(const struct served_task *task, uint8_t id) {
    for (size_t i = 0; i < task->verify_key_count; i++) {
        if (task->verify_keys[i].id == id) {
            return &task->verify_keys[i];
        }
    }
    return NULL;
}

struct status task_verify_keys_encode(const struct task_verify_key keys[], size_t count,
                                      struct buffer *out) {
    struct writer writer = writer_to(out);
    for (size_t i = 0; i < count; i++) {
        writer_u8(&writer, keys[i].id);
        writer_vector(&writer, 2, 1, UINT16_MAX, keys[i].key);
    }
    return writer_finish(&writer);
}

/* ---- Decoding a row ------------------------------------------------------ */

/* Notes what is wrong and gives the failure. */
static struct status wrong(char *error, struct status failure, const char *what) {
    if (error != NULL) {
        size_t len = strlen(what);
        len = len < TASK_SETTINGS_ERROR_MAX ? len : TASK_SETTINGS_ERROR_MAX - 1;
        memcpy(error, what, len);
        error[len] = '\0';
    }
    return failure;
}

static struct status read_verify_keys(struct served_task *task, struct span encoded, char *error) {
    size_t key_size = vdaf_verify_key_size(task->vdaf);
    struct task_verify_key *keys = ARENA_ARRAY(&task->arena, struct task_verify_key, 256);
    if (keys == NULL) {
        return FAIL(NO_MEMORY);
    }
    task->verify_keys = keys;
    struct reader reader = reader_of(encoded);
    while (reader_left(&reader) > 0) {
        uint8_t id = reader_u8(&reader);
        struct span key = reader_vector(&reader, 2, key_size, key_size);
        if (reader.failed) {
            return wrong(error, FAIL(INVALID_CONFIG),
                         "a verification key hasn't the size that the VDAF needs");
        }
        if (task_verify_key(task, id) != NULL) {
            return wrong(error, FAIL(INVALID_CONFIG), "two verification keys have the same id");
        }
        keys[task->verify_key_count].id = id;
        TRY(arena_copy(&task->arena, key, &keys[task->verify_key_count].key));
        task->verify_key_count++;
    }
    return task->verify_key_count > 0
               ? OK
               : wrong(error, FAIL(INVALID_CONFIG), "the task has no verification key");
}

static struct status read_collector_config(struct served_task *task, struct span encoded,
                                           char *error) {
    struct span copy;
    TRY(arena_copy(&task->arena, encoded, &copy));
    struct hpke_config *config = &task->collector_config;
    struct status status = hpke_config_decode(copy, &task->arena, config);
    if (!status_ok(status)) {
        return wrong(error, status, "the collector's HPKE configuration does not decode");
    }
    if (!hpke_suite_supported(config->suite) ||
        config->public_key.len != hpke_public_key_size(config->suite.kem_id)) {
        return wrong(error, FAIL(UNSUPPORTED_ALGORITHM),
                     "the collector's HPKE configuration is of an unsupported suite");
    }
    return OK;
}

static struct status copy_string(struct arena *arena, const char *string, const char **out) {
    *out = string != NULL ? arena_printf(arena, "%s", string) : NULL;
    return *out != NULL || string == NULL ? OK : FAIL(NO_MEMORY);
}

static struct status read_peer(struct served_task *task, const struct store_peer *row,
                               struct task_peer *out, char *error) {
    if (row->dialect == NULL || strcmp(row->dialect, "draft-18") == 0) {
        out->dialect = TASK_DIALECT_DRAFT_18;
    } else if (strcmp(row->dialect, "janus-2026-08") == 0) {
        out->dialect = TASK_DIALECT_JANUS;
    } else {
        return wrong(error, FAIL(INVALID_CONFIG),
                     "a peer's dialect is neither draft-18 nor janus-2026-08");
    }
    TRY(copy_string(&task->arena, row->name, &out->name));
    TRY(copy_string(&task->arena, row->certificate_name, &out->certificate_name));
    TRY(arena_copy(&task->arena, row->token, &out->token));
    return arena_copy(&task->arena, row->token_hash, &out->token_hash);
}

static struct status read_configuration(struct served_task *task, const struct store_task *row,
                                        char *error) {
    if (row->role != ROLE_LEADER && row->role != ROLE_HELPER) {
        return wrong(error, FAIL(INVALID_CONFIG), "the role is neither leader nor helper");
    }
    task->role = (enum role)row->role;
    struct task_id id;
    memcpy(id.bytes, row->id, sizeof(id.bytes));
    struct status status = task_open(&id, row->config, &task->arena, &task->dap);
    if (!status_ok(status)) {
        return wrong(error, status, status.code == STATUS_UNSUPPORTED_EXTENSION
                                        ? "the task has an extension that this server lacks"
                                        : "the task configuration is not valid");
    }
    const struct task_configuration *config = &task->dap.configuration;
    status = vdaf_from_config(config->vdaf_type, config->vdaf_configuration, &task->vdaf);
    if (!status_ok(status)) {
        return wrong(error, status, "the VDAF is unknown or its configuration not valid");
    }
    uint8_t *context = arena_alloc(&task->arena, TASK_VDAF_CONTEXT_SIZE, 1);
    task->id_text = base64url_string(&task->arena, task_id_span(&task->dap.id));
    if (context == NULL || task->id_text == NULL) {
        return FAIL(NO_MEMORY);
    }
    task_vdaf_context(&task->dap.id, context);
    task->vdaf_context = span_of(context, TASK_VDAF_CONTEXT_SIZE);
    return OK;
}

static struct status read_row(struct served_task *task, const struct store_task *row,
                              const struct store_peer *aggregator,
                              const struct store_peer *collector, char *error) {
    TRY(read_configuration(task, row, error));
    TRY(read_verify_keys(task, row->verify_keys, error));
    TRY(read_collector_config(task, row->collector_config, error));
    TRY(read_peer(task, aggregator, &task->aggregator_peer, error));
    if (collector != NULL) {
        task->has_collector_peer = true;
        TRY(read_peer(task, collector, &task->collector_peer, error));
    } else if (task->role == ROLE_LEADER) {
        return wrong(error, FAIL(INVALID_CONFIG), "a leader's task needs a collector");
    }
    return task_settings_parse(row->settings, &task->settings, error);
}

struct status task_from_row(const struct store_task *row, const struct store_peer *aggregator,
                            const struct store_peer *collector, struct served_task **out,
                            char error[TASK_SETTINGS_ERROR_MAX]) {
    struct counted_task *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return FAIL(NO_MEMORY);
    }
    made->task.arena = ARENA_INIT;
    atomic_init(&made->holds, 1);
    struct status status = read_row(&made->task, row, aggregator, collector, error);
    if (!status_ok(status)) {
        task_release(&made->task);
        return status;
    }
    *out = &made->task;
    return OK;
}
