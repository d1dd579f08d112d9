/* SPDX-License-Identifier: Apache-2.0 */
#include "task_lookup.h"

#include <string.h>

#include "dap/messages.h"
#include "wire/base64url.h"

struct reading {
    struct arena *arena;
    struct task_table *table;
};

static struct status read_table(struct store_tx *tx, void *argument) {
    struct reading *r = argument;
    TRY(store_task_list(tx, r->arena, &r->table->tasks, &r->table->task_count));
    return store_peer_list(tx, r->arena, &r->table->peers, &r->table->peer_count);
}

struct status task_table_read(struct cli_server *server, struct task_table *out) {
    struct reading reading = {&server->arena, out};
    return store_run(server->store, STORE_READ, read_table, &reading);
}

const char *task_id_text(const uint8_t id[STORE_TASK_ID_SIZE], char text[TASK_ID_TEXT]) {
    base64url_encode(text, span_of(id, STORE_TASK_ID_SIZE));
    return text;
}

static bool has_info(const struct store_task *task, const char *info) {
    struct arena arena = ARENA_INIT;
    struct task_configuration config;
    bool same = status_ok(task_configuration_decode(task->config, &arena, &config)) &&
                span_equal_vartime(config.task_info, span_of_string(info));
    arena_release(&arena);
    return same;
}

const struct store_task *task_table_find(const struct task_table *table, const char *word) {
    const struct store_task *found = NULL;
    char text[TASK_ID_TEXT];
    for (size_t i = 0; i < table->task_count; i++) {
        const struct store_task *task = &table->tasks[i];
        if (strncmp(task_id_text(task->id, text), word, strlen(word)) != 0 &&
            !has_info(task, word)) {
            continue;
        }
        if (found != NULL) {
            cli_fail("more than one task is called \"%s\" or has an id that starts so; give more "
                     "of its id",
                     word);
            return NULL;
        }
        found = task;
    }
    if (found == NULL) {
        cli_fail("this server has no task that is called \"%s\" or has an id that starts so; "
                 "`moiety task list` shows them",
                 word);
    }
    return found;
}

const struct store_peer *task_table_peer(const struct task_table *table, const char *name) {
    for (size_t i = 0; name != NULL && i < table->peer_count; i++) {
        if (strcmp(table->peers[i].name, name) == 0) {
            return &table->peers[i];
        }
    }
    return NULL;
}
