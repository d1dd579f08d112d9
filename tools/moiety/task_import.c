/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "aggregator/auth.h"
#include "task_file.h"
#include "task_lookup.h"

enum { SMALL_BATCH = 100 };

static struct {
    const char *config, *peer, *peer_certificate, *collector_certificate, *as, *out;
    bool allow_small_batches;
} o;

static const struct option_spec import_options[] = {
    CLI_CONFIG_OPTION(o.config),
    {"peer", OPTION_STRING, &o.peer, "NAME",
     "the other aggregator is this peer, which the\nserver knows: use its credentials, not the file's",
     NULL},
    {"peer-certificate", OPTION_STRING, &o.peer_certificate, "NAME",
     "the leader may show a TLS certificate of this\nname instead of its token, such as\n"
     "DNS:leader.example",
     NULL},
    {"collector-certificate", OPTION_STRING, &o.collector_certificate, "NAME",
     "and so may the collector", NULL},
    {"allow-small-batches", OPTION_FLAG, &o.allow_small_batches, NULL,
     "accept a minimum batch size under 100", NULL},
    {.name = NULL},
};

static const struct command_spec import_command = {
    .name = "moiety task import",
    .arguments = "[options] FILE",
    .summary = "Adds a task to this server, from the file that `moiety task new` made for it.",
    .help = "Works while moietyd runs, which sees the task within a second. The same file may\n"
            "be imported again. Delete the file afterwards: it holds secrets.\n",
    .options = import_options,
    .min_arguments = 1,
    .max_arguments = 1,
};

static const struct option_spec export_options[] = {
    CLI_CONFIG_OPTION(o.config),
    {"as", OPTION_STRING, &o.as, "PARTY", "leader, helper or client; default: what this\nserver is",
     NULL},
    {"out", OPTION_STRING, &o.out, "FILE", "default: TASK.PARTY.json here", NULL},
    {.name = NULL},
};

static const struct command_spec export_command = {
    .name = "moiety task export",
    .arguments = "[options] TASK",
    .summary = "Writes a task's file again: this server's own, the helper's, or the clients'.",
    .help = "TASK is the task's id or the beginning of it. The leader's and the helper's files\n"
            "hold secrets. The collector's can't be written again: its key was never here.\n",
    .options = export_options,
    .min_arguments = 1,
    .max_arguments = 1,
};

/* ---- Import ---- */

struct import {
    struct store_task task;
    struct store_peer aggregator, collector;
    bool has_collector;
    bool known_peer; /* use what the store has of the aggregator */
};

static struct status run_import(struct store_tx *tx, void *argument) {
    const struct import *import = argument;
    if (!import->known_peer) {
        TRY(store_peer_put(tx, &import->aggregator));
    }
    if (import->has_collector) {
        TRY(store_peer_put(tx, &import->collector));
    }
    return store_task_put(tx, &import->task);
}

static struct store_peer store_peer_of(const struct task_file_peer *peer, const char *certificate) {
    return (struct store_peer){.name = peer->name,
                               .dialect = peer->dialect,
                               .token = peer->token,
                               .token_hash = peer->token_hash,
                               .certificate_name = certificate};
}

/* The operator of this server accepts small batches, or nobody does. */
static struct status import_settings(const struct task_file *file, struct arena *arena,
                                     struct span *out, char error[TASK_SETTINGS_ERROR_MAX]) {
    struct task_settings settings;
    struct buffer text = BUFFER_INIT;
    TRY(task_settings_parse(file->settings, &settings, error));
    settings.allow_small_batches = o.allow_small_batches;
    struct status status = task_settings_print(&settings, &text);
    if (status_ok(status)) {
        status = arena_copy(arena, buffer_span(&text), out);
    }
    buffer_release(&text);
    return status;
}

static struct status make_import(struct cli_server *server, const struct task_file *file,
                                 const struct task_table *table, struct import *out,
                                 char error[TASK_SETTINGS_ERROR_MAX]) {
    struct buffer keys = BUFFER_INIT;
    struct import import = {.has_collector = file->kind == TASK_FILE_LEADER,
                            .known_peer = o.peer != NULL};
    const struct store_peer *known = task_table_peer(table, o.peer);
    if (import.known_peer && known == NULL) {
        snprintf(error, TASK_SETTINGS_ERROR_MAX, "there is no peer %.80s (see moiety peer list)",
                 o.peer);
        return FAIL(INVALID_CONFIG);
    }
    import.aggregator =
        import.known_peer ? *known : store_peer_of(&file->aggregator, o.peer_certificate);
    import.collector = store_peer_of(&file->collector, o.collector_certificate);
    import.task = (struct store_task){
        .role = file->kind == TASK_FILE_LEADER ? ROLE_LEADER : ROLE_HELPER,
        .config = file->task.encoded,
        .collector_config = file->collector_config,
        .aggregator_peer = import.aggregator.name,
        .collector_peer = import.has_collector ? import.collector.name : NULL,
        .created_at = clock_now_us(&clock_system),
    };
    memcpy(import.task.id, file->task.id.bytes, sizeof(import.task.id));
    TRY(import_settings(file, &server->arena, &import.task.settings, error));
    struct status status =
        task_verify_keys_encode(file->verify_keys, file->verify_key_count, &keys);
    if (status_ok(status)) {
        status = arena_copy(&server->arena, buffer_span(&keys), &import.task.verify_keys);
    }
    buffer_release(&keys);
    *out = import;
    return status;
}

/* That the server will be able to work with it. */
static struct status check_import(const struct import *import,
                                  char error[TASK_SETTINGS_ERROR_MAX]) {
    struct served_task *task;
    TRY(task_from_row(&import->task, &import->aggregator,
                      import->has_collector ? &import->collector : NULL, &task, error));
    task_release(task);
    return OK;
}

static int store_import(struct cli_server *server, const char *path, struct import *import) {
    char text[TASK_ID_TEXT];
    struct status status = store_run(server->store, STORE_WRITE, run_import, import);
    if (status.code == STATUS_CONFLICT) {
        return cli_fail("%s: this server has task %s already, with other parameters; "
                        "`moiety task show` and `moiety task set` may help",
                        path, task_id_text(import->task.id, text));
    }
    if (!status_ok(status)) {
        return cli_fail_status(status, "%s can't be imported", path);
    }
    printf("task %s, %s\n", task_id_text(import->task.id, text),
           import->task.role == ROLE_LEADER ? "leader" : "helper");
    return EXIT_SUCCESS;
}

/* An import of what is there already: same task, same credentials. */
static const struct store_task *imported_before(const struct task_table *table,
                                                const struct import *import) {
    for (size_t i = 0; i < table->task_count; i++) {
        if (memcmp(table->tasks[i].id, import->task.id, sizeof(import->task.id)) == 0) {
            return &table->tasks[i];
        }
    }
    return NULL;
}

static int import_file(struct cli_server *server, char **argv) {
    const char *path = argv[0];
    struct task_file file;
    struct task_table table;
    struct import import;
    char error[TASK_SETTINGS_ERROR_MAX] = "";
    if (!task_file_read(path, &server->arena, &file)) {
        return EXIT_FAILURE;
    }
    if (file.kind != TASK_FILE_LEADER && file.kind != TASK_FILE_HELPER) {
        return cli_fail("%s is the %s's file; import the leader's or the helper's", path,
                        task_file_kind_name(file.kind));
    }
    if (file.task.configuration.min_batch_size < SMALL_BATCH && !o.allow_small_batches) {
        return cli_fail("%s: a minimum batch size of %llu says too much about each person; "
                        "--allow-small-batches accepts it, for tests",
                        path, (unsigned long long)file.task.configuration.min_batch_size);
    }
    struct status status = task_table_read(server, &table);
    if (status_ok(status)) {
        status = make_import(server, &file, &table, &import, error);
    }
    if (status_ok(status)) {
        status = check_import(&import, error);
    }
    if (!status_ok(status)) {
        return cli_fail_status(status, "%s%s%s", path, error[0] == '\0' ? "" : ": ", error);
    }
    const struct store_task *before = imported_before(&table, &import);
    if (before != NULL) {
        import.task.created_at = before->created_at;
        import.task.settings = before->settings;
    }
    return store_import(server, path, &import);
}

int task_import_main(int argc, char **argv) {
    return cli_on_server(&import_command, &o.config, true, argc, argv, import_file);
}

/* ---- Export ---- */

static bool export_kind(const struct served_task *task, enum task_file_kind *out) {
    enum task_file_kind own = task->role == ROLE_LEADER ? TASK_FILE_LEADER : TASK_FILE_HELPER;
    *out = own;
    if (o.as == NULL || strcmp(o.as, task_file_kind_name(own)) == 0) {
        return true;
    }
    *out = strcmp(o.as, "client") == 0 ? TASK_FILE_CLIENT : TASK_FILE_HELPER;
    if (*out == TASK_FILE_CLIENT || (own == TASK_FILE_LEADER && strcmp(o.as, "helper") == 0)) {
        return true;
    }
    cli_fail("this server is the %s and has what it takes to write the %s and client's files",
             task_file_kind_name(own), own == TASK_FILE_LEADER ? "leader's, helper's" : "helper's");
    return false;
}

static struct task_file_peer file_peer_of(const struct store_peer *peer) {
    return (struct task_file_peer){peer->name, peer->dialect, peer->token, peer->token_hash};
}

/* What the helper has to know of us: the hash of the token that we send it. */
static struct status mirrored_peer(struct arena *arena, const struct store_peer *helper,
                                   const char *id, struct task_file_peer *out) {
    uint8_t hash[32];
    *out = (struct task_file_peer){.dialect = "draft-18"};
    out->name = arena_printf(arena, "leader-%.8s", id);
    if (out->name == NULL) {
        return FAIL(NO_MEMORY);
    }
    auth_hash(helper->token, hash);
    return arena_copy(arena, SPAN_OF_ARRAY(hash), &out->token_hash);
}

static int export_task(struct cli_server *server, const struct store_task *row,
                       const struct task_table *table, const struct served_task *task) {
    const struct store_peer *aggregator = task_table_peer(table, row->aggregator_peer);
    const struct store_peer *collector = task_table_peer(table, row->collector_peer);
    struct task_file file = {.task = task->dap,
                             .verify_keys = task->verify_keys,
                             .verify_key_count = task->verify_key_count,
                             .collector_config = row->collector_config,
                             .settings = row->settings,
                             .aggregator = file_peer_of(aggregator)};
    struct status status = OK;
    if (!export_kind(task, &file.kind)) {
        return EXIT_USAGE;
    }
    if (file.kind == TASK_FILE_LEADER) {
        file.collector = file_peer_of(collector);
    } else if (task->role == ROLE_LEADER && file.kind == TASK_FILE_HELPER) {
        status = mirrored_peer(&server->arena, aggregator, task->id_text, &file.aggregator);
    }
    const char *path = o.out != NULL ? o.out
                                     : arena_printf(&server->arena, "%.8s.%s.json", task->id_text,
                                                    task_file_kind_name(file.kind));
    if (status_ok(status)) {
        status = path == NULL ? FAIL(NO_MEMORY) : task_file_write(path, &file);
    }
    if (!status_ok(status)) {
        return cli_fail_status(status, "%s can't be written", path == NULL ? "the file" : path);
    }
    printf("%s\n", path);
    return EXIT_SUCCESS;
}

static int find_and_export(struct cli_server *server, char **argv) {
    struct task_table table;
    struct served_task *task;
    char error[TASK_SETTINGS_ERROR_MAX] = "";
    struct status status = task_table_read(server, &table);
    if (!status_ok(status)) {
        return cli_fail_status(status, "the tasks can't be read");
    }
    const struct store_task *row = task_table_find(&table, argv[0]);
    if (row == NULL) {
        return EXIT_FAILURE;
    }
    status = task_from_row(row, task_table_peer(&table, row->aggregator_peer),
                           task_table_peer(&table, row->collector_peer), &task, error);
    if (!status_ok(status)) {
        return cli_fail_status(status, "the task can't be read: %s", error);
    }
    int result = export_task(server, row, &table, task);
    task_release(task);
    return result;
}

int task_export_main(int argc, char **argv) {
    return cli_on_server(&export_command, &o.config, false, argc, argv, find_and_export);
}
