/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "aggregator/task.h"
#include "dap/interval.h"
#include "task_lookup.h"

enum { SMALL_BATCH = 100 };

static const char *config_path;
static bool confirmed;
static const char *new_settings;

static const struct option_spec options[] = {CLI_CONFIG_OPTION(config_path), {.name = NULL}};
static const struct option_spec remove_options[] = {
    CLI_CONFIG_OPTION(config_path),
    {"yes", OPTION_FLAG, &confirmed, NULL, "yes, delete it", NULL},
    {.name = NULL},
};
static const struct option_spec set_options[] = {
    CLI_CONFIG_OPTION(config_path),
    {"settings", OPTION_STRING, &new_settings, "JSON",
     "an object with the members to change, as `moiety\ntask show` prints them", NULL},
    {.name = NULL},
};

static const struct command_spec list_command = {
    .name = "moiety task list",
    .arguments = "[options]",
    .summary = "Lists this server's tasks.",
    .options = options,
};
static const struct command_spec show_command = {
    .name = "moiety task show",
    .arguments = "[options] TASK",
    .summary = "Shows a task, what happened in it and what waits.",
    .help = "TASK is the task's id or the beginning of it. Nothing shown is secret.\n",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
};
static const struct command_spec set_command = {
    .name = "moiety task set",
    .arguments = "--settings JSON TASK",
    .summary = "Changes how this server runs a task. What the parties agreed on never changes.",
    .help = "example: moiety task set --settings '{\"max_job_size\": 500}' AbCdEf\n",
    .options = set_options,
    .min_arguments = 1,
    .max_arguments = 1,
};
static const struct command_spec remove_command = {
    .name = "moiety task rm",
    .arguments = "--yes TASK",
    .summary = "Deletes a task and all that belongs to it, uncollected reports too.",
    .help = "What guards against collecting twice goes as well, so never import it again.\n",
    .options = remove_options,
    .min_arguments = 1,
    .max_arguments = 1,
};

/* ---- What all of them do ---- */

/* A task as its row, decoded; and the server's other rows. */
struct opened {
    struct task_table table;
    const struct store_task *row;
    struct served_task *task;
};

static struct status decode(const struct task_table *table, const struct store_task *row,
                            struct served_task **out, char error[TASK_SETTINGS_ERROR_MAX]) {
    error[0] = '\0';
    return task_from_row(row, task_table_peer(table, row->aggregator_peer),
                         task_table_peer(table, row->collector_peer), out, error);
}

static bool open_task(struct cli_server *server, const char *prefix, struct opened *out) {
    char error[TASK_SETTINGS_ERROR_MAX];
    struct status status = task_table_read(server, &out->table);
    if (!status_ok(status)) {
        cli_fail_status(status, "the tasks can't be read");
        return false;
    }
    out->row = task_table_find(&out->table, prefix);
    if (out->row == NULL) {
        return false;
    }
    status = decode(&out->table, out->row, &out->task, error);
    if (!status_ok(status)) {
        cli_fail_status(status, "the task can't be read: %s", error);
        return false;
    }
    return true;
}

/* ---- task list ---- */

static void print_row(const struct task_table *table, const struct store_task *row) {
    char error[TASK_SETTINGS_ERROR_MAX], id[TASK_ID_TEXT];
    struct served_task *task;
    if (!status_ok(decode(table, row, &task, error))) {
        printf("%s  (can't be read: %s)\n", task_id_text(row->id, id), error);
        return;
    }
    const struct task_configuration *c = &task->dap.configuration;
    printf("%s  %-6s  %-21s  %-15s  %8llu  %.*s%s\n", task->id_text,
           task->role == ROLE_LEADER ? "leader" : "helper", vdaf_name(task->vdaf),
           batch_mode_name(c->batch_mode), (unsigned long long)c->min_batch_size,
           (int)c->task_info.len, (const char *)c->task_info.data,
           c->min_batch_size < SMALL_BATCH ? "  (small batches!)" : "");
    task_release(task);
}

static int run_list(struct cli_server *server, char **argv) {
    struct task_table table;
    (void)argv;
    struct status status = task_table_read(server, &table);
    if (!status_ok(status)) {
        return cli_fail_status(status, "the tasks can't be read");
    }
    printf("%-43s  %-6s  %-21s  %-15s  %8s  %s\n", "task", "role", "vdaf", "batch mode", "minimum",
           "info");
    for (size_t i = 0; i < table.task_count; i++) {
        print_row(&table, &table.tasks[i]);
    }
    return EXIT_SUCCESS;
}

int task_list_main(int argc, char **argv) {
    return cli_on_server(&list_command, &config_path, false, argc, argv, run_list);
}

/* ---- task show ---- */

struct activity {
    struct arena *arena;
    const uint8_t *task_id;
    struct store_counter *counters;
    size_t counter_count;
    struct store_usage usage;
};

static struct status read_activity(struct store_tx *tx, void *argument) {
    struct activity *a = argument;
    TRY(store_counter_list(tx, a->arena, a->task_id, &a->counters, &a->counter_count));
    return store_usage_get(tx, a->task_id, &a->usage);
}

static void print_peer(const char *what, const struct task_peer *peer) {
    printf("%-18s %s%s%s%s%s%s\n", what, peer->name,
           peer->dialect == TASK_DIALECT_JANUS ? ", dialect janus-2026-08" : "",
           peer->token.len > 0 ? ", we send it a token" : "",
           peer->token_hash.len > 0 ? ", it sends us a token" : "",
           peer->certificate_name != NULL ? ", or a certificate of " : "",
           peer->certificate_name != NULL ? peer->certificate_name : "");
}

static void print_agreed(const struct served_task *task) {
    const struct task_configuration *c = &task->dap.configuration;
    const struct vdaf_param *params;
    char start[CLI_TIME_MAX], end[CLI_TIME_MAX];
    size_t count = vdaf_params(task->vdaf, &params);
    printf("%-18s %s\n", "task", task->id_text);
    printf("%-18s %.*s\n", "info", (int)c->task_info.len, (const char *)c->task_info.data);
    printf("%-18s %s\n", "our role", task->role == ROLE_LEADER ? "leader" : "helper");
    printf("%-18s %.*s\n", "leader", (int)c->leader_aggregator_endpoint.len,
           (const char *)c->leader_aggregator_endpoint.data);
    printf("%-18s %.*s\n", "helper", (int)c->helper_aggregator_endpoint.len,
           (const char *)c->helper_aggregator_endpoint.data);
    printf("%-18s %s", "vdaf", vdaf_name(task->vdaf));
    for (size_t i = 0; i < count; i++) {
        printf(" %s=%llu", params[i].name, (unsigned long long)params[i].value);
    }
    printf("\n%-18s %s\n", "batch mode", batch_mode_name(c->batch_mode));
    printf("%-18s %llu\n", "minimum batch", (unsigned long long)c->min_batch_size);
    printf("%-18s %llu s\n", "time precision", (unsigned long long)c->time_precision);
    if (task->dap.has_task_interval) {
        const struct interval *interval = &task->dap.task_interval;
        printf("%-18s %s to %s\n", "task interval",
               cli_format_time(interval->start * c->time_precision, start),
               cli_format_time(interval_end(interval) * c->time_precision, end));
    }
}

static void print_activity(const struct activity *a) {
    char count[CLI_COUNT_MAX];
    printf("\nsince the task was made:\n");
    for (size_t i = 0; i < a->counter_count; i++) {
        printf("  %-40s %14s\n", a->counters[i].name,
               cli_format_count(a->counters[i].value, count));
    }
    if (a->counter_count == 0) {
        printf("  nothing yet\n");
    }
    printf("not aggregated yet:\n  %-40s %14s\n", "reports",
           cli_format_count(a->usage.reports, count));
    printf("  %-40s %14s\n", "bytes", cli_format_count(a->usage.bytes, count));
}

static int run_show(struct cli_server *server, char **argv) {
    struct opened opened;
    char made[CLI_TIME_MAX];
    if (!open_task(server, argv[0], &opened)) {
        return EXIT_FAILURE;
    }
    struct activity activity = {.arena = &server->arena, .task_id = opened.row->id};
    struct status status = store_run(server->store, STORE_READ, read_activity, &activity);
    if (status_ok(status)) {
        const struct served_task *task = opened.task;
        print_agreed(task);
        print_peer("other aggregator", &task->aggregator_peer);
        if (task->has_collector_peer) {
            print_peer("collector", &task->collector_peer);
        }
        printf("%-18s %s\n", "made here",
               cli_format_time((uint64_t)(opened.row->created_at / 1000000), made));
        printf("%-18s %.*s\n", "settings", (int)opened.row->settings.len,
               (const char *)opened.row->settings.data);
        print_activity(&activity);
        if (task->dap.configuration.min_batch_size < SMALL_BATCH) {
            cli_warn("a minimum batch size of %llu says too much about each person: for tests only",
                     (unsigned long long)task->dap.configuration.min_batch_size);
        }
    }
    task_release(opened.task);
    return status_ok(status) ? EXIT_SUCCESS : cli_fail_status(status, "the task can't be read");
}

int task_show_main(int argc, char **argv) {
    return cli_on_server(&show_command, &config_path, false, argc, argv, run_show);
}

/* ---- task set ---- */

struct setting {
    const uint8_t *id;
    struct span settings;
};

static struct status put_settings(struct store_tx *tx, void *argument) {
    const struct setting *setting = argument;
    return store_task_set_settings(tx, setting->id, setting->settings);
}

/* The stored settings with the members of `changes` replaced. */
static struct status merge_settings(struct span stored, const char *changes,
                                    struct task_settings *out,
                                    char error[TASK_SETTINGS_ERROR_MAX]) {
    json_t *base = json_loadb((const char *)stored.data, stored.len, 0, NULL);
    json_t *change = json_loads(changes, JSON_REJECT_DUPLICATES, NULL);
    char *merged = NULL;
    snprintf(error, TASK_SETTINGS_ERROR_MAX, "expected a JSON object");
    base = base == NULL ? json_object() : base;
    if (json_is_object(change) && json_object_update(base, change) == 0) {
        merged = json_dumps(base, JSON_COMPACT);
    }
    struct status status = merged == NULL ? FAIL(INVALID_CONFIG)
                                          : task_settings_parse(span_of_string(merged), out, error);
    free(merged);
    json_decref(change);
    json_decref(base);
    return status;
}

static int store_settings(struct cli_server *server, const struct store_task *row,
                          const struct task_settings *settings) {
    struct buffer text = BUFFER_INIT;
    struct status status = task_settings_print(settings, &text);
    if (status_ok(status)) {
        struct setting setting = {row->id, buffer_span(&text)};
        status = store_run(server->store, STORE_WRITE, put_settings, &setting);
    }
    if (status_ok(status)) {
        printf("%.*s\n", (int)text.len, (const char *)text.data);
    }
    buffer_release(&text);
    return status_ok(status) ? EXIT_SUCCESS : cli_fail_status(status, "the settings stay");
}

static int run_set(struct cli_server *server, char **argv) {
    struct opened opened;
    struct task_settings settings;
    char error[TASK_SETTINGS_ERROR_MAX];
    if (new_settings == NULL) {
        options_complain(&set_command, "--settings is needed");
        return EXIT_USAGE;
    }
    if (!open_task(server, argv[0], &opened)) {
        return EXIT_FAILURE;
    }
    int result = status_ok(merge_settings(opened.row->settings, new_settings, &settings, error))
                     ? store_settings(server, opened.row, &settings)
                     : cli_fail("--settings: %s", error);
    task_release(opened.task);
    return result;
}

int task_set_main(int argc, char **argv) {
    return cli_on_server(&set_command, &config_path, true, argc, argv, run_set);
}

/* ---- task rm ---- */

/* Peers that the import made for this task alone go with it. */
static struct status remove_task(struct store_tx *tx, void *argument) {
    const struct store_task *row = *(const struct store_task **)argument;
    const char *peers[] = {row->aggregator_peer, row->collector_peer};
    TRY(store_task_delete(tx, row->id));
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        struct status status = peers[i] == NULL ? OK : store_peer_delete(tx, peers[i]);
        if (!status_ok(status) && status.code != STATUS_CONFLICT &&
            status.code != STATUS_NOT_FOUND) {
            return status;
        }
    }
    return OK;
}

static int run_remove(struct cli_server *server, char **argv) {
    struct task_table table;
    char id[TASK_ID_TEXT];
    struct status status = task_table_read(server, &table);
    if (!status_ok(status)) {
        return cli_fail_status(status, "the tasks can't be read");
    }
    const struct store_task *row = task_table_find(&table, argv[0]);
    if (row == NULL) {
        return EXIT_FAILURE;
    }
    task_id_text(row->id, id);
    if (!confirmed) {
        return cli_fail("task %s would be deleted with all its reports and results; add --yes", id);
    }
    status = store_run(server->store, STORE_WRITE, remove_task, &row);
    if (!status_ok(status)) {
        return cli_fail_status(status, "task %s can't be deleted", id);
    }
    printf("task %s is gone\n", id);
    return EXIT_SUCCESS;
}

int task_remove_main(int argc, char **argv) {
    return cli_on_server(&remove_command, &config_path, true, argc, argv, run_remove);
}
