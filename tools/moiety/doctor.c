/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <stdio.h>
#include <stdlib.h>

#include "task_lookup.h"

enum { FILES_MAX = 8, SMALL_BATCH = 100 };

static struct {
    const char *config, *ca, *certificate, *key;
    bool allow_plain_http, batch;
} o;

static const struct option_spec options[] = {
    {"config", OPTION_STRING, &o.config, "FILE",
     "examine all tasks of the server with this\nconfiguration of moietyd", NULL},
    {"ca", OPTION_STRING, &o.ca, "FILE", "whom to trust for TLS (PEM); default: the system's",
     NULL},
    {"certificate", OPTION_STRING, &o.certificate, "FILE", "our TLS certificate (PEM)", NULL},
    {"key", OPTION_STRING, &o.key, "FILE", "and its key (PEM)", NULL},
    {"allow-plain-http", OPTION_FLAG, &o.allow_plain_http, NULL,
     "talk plain http to other machines", NULL},
    {"batch", OPTION_FLAG, &o.batch, NULL,
     "compare two FILEs that leader and helper wrote\nwith `moiety batch dump`", NULL},
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "moiety doctor",
    .arguments = "[options] [FILE...]",
    .summary = "Checks a live pair of aggregators and says in words what is wrong.",
    .help = "FILEs are what `moiety task new` wrote, any of the four: with the client's it looks\n"
            "at what clients need, with the collector's also at its token, with the leader's at\n"
            "whether leader and helper agree. Several are compared with each other too.\n"
            "Nothing is changed, but for one refused report in the helper's counters: a nonsense\n"
            "report that shows whether it has the same task. Exit status 1 if anything is bad.\n",
    .options = options,
    .max_arguments = FILES_MAX,
};

static void examine(struct doctor *doctor, const struct task_file *file) {
    const struct task_configuration *c = &file->task.configuration;
    struct hpke_config helper_key;
    char id[TASK_ID_TEXT];
    printf("task %s, as the %s sees it\n", task_id_text(file->task.id.bytes, id),
           task_file_kind_name(file->kind));
    bool leader = doctor_check_endpoint(doctor, "leader", c->leader_aggregator_endpoint, NULL);
    bool helper =
        doctor_check_endpoint(doctor, "helper", c->helper_aggregator_endpoint, &helper_key);
    if (c->min_batch_size < SMALL_BATCH) {
        doctor_warn(doctor,
                    "the minimum batch size is %llu; under 100 a result says too much "
                    "about each person",
                    (unsigned long long)c->min_batch_size);
    }
    if (leader) {
        doctor_check_client(doctor, file);
    }
    if (leader && file->kind == TASK_FILE_COLLECTOR) {
        doctor_check_collector(doctor, file);
    }
    if (helper && file->kind == TASK_FILE_LEADER) {
        doctor_check_leader(doctor, file, &helper_key);
    }
}

/* Without a network. */
static int examine_dumps(int count, char **paths) {
    struct doctor doctor = {.arena = ARENA_INIT};
    if (count != 2) {
        options_complain(&command, "--batch takes two FILEs, the leader's and the helper's");
        return EXIT_USAGE;
    }
    doctor_compare_dumps(&doctor, (const char *const[]){paths[0], paths[1]});
    arena_release(&doctor.arena);
    return doctor.bad > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void examine_files(struct doctor *doctor, int count, char **paths) {
    static struct task_file files[FILES_MAX];
    for (int i = 0; i < count; i++) {
        if (!task_file_read(paths[i], &doctor->arena, &files[i])) {
            doctor->bad++;
            return;
        }
    }
    for (int i = 0; i < count; i++) {
        examine(doctor, &files[i]);
        if (i > 0) {
            doctor_compare(doctor, &files[0], &files[i]);
        }
    }
}

/* A stored task as the file that it came from. */
static struct task_file file_of_row(const struct served_task *task) {
    const struct task_peer *peer = &task->aggregator_peer;
    return (struct task_file){
        .kind = task->role == ROLE_LEADER ? TASK_FILE_LEADER : TASK_FILE_HELPER,
        .task = task->dap,
        .verify_keys = task->verify_keys,
        .verify_key_count = task->verify_key_count,
        .aggregator = {.name = peer->name,
                       .dialect =
                           peer->dialect == TASK_DIALECT_JANUS ? "janus-2026-08" : "draft-18",
                       .token = peer->token},
    };
}

static void examine_row(struct doctor *doctor, const struct task_table *table,
                        const struct store_task *row) {
    char error[TASK_SETTINGS_ERROR_MAX] = "", id[TASK_ID_TEXT];
    struct served_task *task;
    if (!status_ok(task_from_row(row, task_table_peer(table, row->aggregator_peer),
                                 task_table_peer(table, row->collector_peer), &task, error))) {
        doctor_bad(doctor, "task %s can't be read: %s", task_id_text(row->id, id), error);
        return;
    }
    struct task_file file = file_of_row(task);
    examine(doctor, &file);
    task_release(task);
}

static void examine_server(struct doctor *doctor) {
    struct cli_server server;
    struct task_table table;
    if (!cli_server_open(&server, o.config, false)) {
        doctor->bad++;
        return;
    }
    doctor->tls = o.ca != NULL ? doctor->tls
                               : (struct http_client_tls){server.config.peers.ca,
                                                          server.config.peers.certificate,
                                                          server.config.peers.key};
    struct status status = task_table_read(&server, &table);
    if (!status_ok(status)) {
        doctor_bad(doctor, "the tasks can't be read: %s", status_text(status.code));
    } else if (table.task_count == 0) {
        doctor_warn(doctor, "this server has no task yet: `moiety task import` adds one");
    } else {
        for (size_t i = 0; i < table.task_count; i++) {
            examine_row(doctor, &table, &table.tasks[i]);
        }
    }
    cli_server_close(&server);
}

int doctor_main(int argc, char **argv) {
    int result;
    struct doctor doctor = {.arena = ARENA_INIT};
    if (!cli_options(&command, &argc, argv, &result)) {
        return result;
    }
    if (o.batch) {
        return examine_dumps(argc, argv);
    }
    if (argc == 0 && o.config == NULL) {
        options_complain(&command, "what is to be examined? Give a FILE, or --config");
        return EXIT_USAGE;
    }
    const struct http_client_config config = {.allow_plain_http = o.allow_plain_http,
                                              .user_agent = "moiety-doctor"};
    struct status status = http_client_new(&doctor.client, &config);
    if (!status_ok(status)) {
        return cli_fail_status(status, "the HTTP client can't start");
    }
    doctor.tls = (struct http_client_tls){o.ca, o.certificate, o.key};
    if (o.config != NULL) {
        examine_server(&doctor);
    }
    examine_files(&doctor, argc, argv);
    http_client_free(doctor.client);
    arena_release(&doctor.arena);
    printf("%u good, %u warnings, %u bad\n", doctor.good, doctor.warnings, doctor.bad);
    return doctor.bad > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
