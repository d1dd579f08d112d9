/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli.h"
#include "dap/messages.h"
#include "task_lookup.h"

static const char *config_path;
static bool confirmed;

static const struct option_spec options[] = {
    CLI_CONFIG_OPTION(config_path),
    {"yes", OPTION_FLAG, &confirmed, NULL, "do it", NULL},
    {.name = NULL},
};

static const struct command_spec restored_command = {
    .name = "moiety db restored",
    .arguments = "[options]",
    .summary = "Makes a restored backup safe to serve: closes all that may have gone on since.",
    .help = "For a database that was put back to an earlier state, before moietyd runs on it.\n"
            "It has forgotten which reports were counted since, so every batch that began\n"
            "before now is closed, and reports of that time are refused. Tasks with\n"
            "leader-selected batches take new reports from the next epoch on, at most a week\n"
            "away; tasks with time intervals at once. Results already collected stay.\n",
    .options = options,
};

struct restoring {
    const struct store_task *task;
    const struct task_configuration *config;
    uint64_t horizon; /* report time */
    struct store_restored result;
};

static struct status restore_run(struct store_tx *tx, void *argument) {
    struct restoring *restoring = argument;
    bool by_interval = restoring->config->batch_mode == BATCH_MODE_TIME_INTERVAL;
    uint64_t epoch = store_epoch(restoring->horizon, restoring->config->time_precision);
    return store_task_restored(tx, restoring->task->id, by_interval, restoring->horizon,
                               by_interval ? epoch : epoch + 1, &restoring->result);
}

/* The first report time that nobody can have used yet: a server takes reports
 * that are ahead of its clock by the allowed skew, whose bucket ends later. */
static uint64_t horizon_of(const struct cli_server *server, uint64_t time_precision) {
    uint64_t us = (uint64_t)clock_now_us(&clock_system) + server->config.aggregator.clock_skew;
    return us / 1000000 / time_precision + 1;
}

static struct status restore_task(struct cli_server *server, const struct store_task *task) {
    struct task_configuration config;
    char id[TASK_ID_TEXT];
    TRY(task_configuration_decode(task->config, &server->arena, &config));
    struct restoring restoring = {.task = task, .config = &config};
    restoring.horizon = horizon_of(server, config.time_precision);
    TRY(store_run(server->store, STORE_WRITE, restore_run, &restoring));
    printf("%s: %llu waiting reports and %llu jobs dropped, %llu aggregated reports given up\n",
           task_id_text(task->id, id), (unsigned long long)restoring.result.reports,
           (unsigned long long)restoring.result.jobs,
           (unsigned long long)restoring.result.aggregated);
    return OK;
}

static int run_restored(struct cli_server *server, char **argv) {
    struct task_table table;
    (void)argv;
    struct status status = task_table_read(server, &table);
    if (!status_ok(status)) {
        return cli_fail_status(status, "the tasks can't be read");
    }
    if (!confirmed) {
        return cli_fail("the open batches of %zu tasks would be given up; add --yes",
                        table.task_count);
    }
    for (size_t i = 0; i < table.task_count; i++) {
        status = restore_task(server, &table.tasks[i]);
        if (!status_ok(status)) {
            return cli_fail_status(status, "not all is done; run it again");
        }
    }
    printf("%zu tasks are safe to serve\n", table.task_count);
    return EXIT_SUCCESS;
}

int db_restored_main(int argc, char **argv) {
    return cli_on_server(&restored_command, &config_path, true, argc, argv, run_restored);
}
