/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CLI_H
#define MOIETY_CLI_H

#include "base/arena.h"
#include "config/server.h"
#include "store/store.h"
#include "support/options.h"

/*
 * One command of the moiety program. `run` gets the arguments after the
 * command's name and returns the exit status: 0 for success, 1 for a failure
 * (said on standard error), EXIT_USAGE for a command line that makes no sense,
 * EXIT_NOT_YET for what may succeed later.
 */
struct cli_command {
    const char *group; /* "task", or NULL */
    const char *name;  /* "new" */
    const char *summary;
    int (*run)(int argc, char **argv);
};

enum { EXIT_NOT_YET = 3 };

int task_new_main(int argc, char **argv);
int task_import_main(int argc, char **argv);
int task_export_main(int argc, char **argv);
int task_header_main(int argc, char **argv);
int task_list_main(int argc, char **argv);
int task_show_main(int argc, char **argv);
int task_set_main(int argc, char **argv);
int task_remove_main(int argc, char **argv);
int batch_dump_main(int argc, char **argv);
int key_list_main(int argc, char **argv);
int key_rotate_main(int argc, char **argv);
int peer_list_main(int argc, char **argv);
int peer_set_main(int argc, char **argv);
int peer_remove_main(int argc, char **argv);
int db_migrate_main(int argc, char **argv);
int db_reseal_main(int argc, char **argv);
int db_rotate_key_main(int argc, char **argv);
int db_check_main(int argc, char **argv);
int db_restored_main(int argc, char **argv);
int ca_init_main(int argc, char **argv);
int ca_serve_main(int argc, char **argv);
int ca_eab_add_main(int argc, char **argv);
int ca_eab_list_main(int argc, char **argv);
int ca_eab_remove_main(int argc, char **argv);
int ca_list_main(int argc, char **argv);
int ca_revoke_main(int argc, char **argv);
int ca_audit_main(int argc, char **argv);
int init_main(int argc, char **argv);
int upload_main(int argc, char **argv);
int collect_main(int argc, char **argv);
int report_decode_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int cert_issue_main(int argc, char **argv);
int cert_renew_main(int argc, char **argv);
int cert_revoke_main(int argc, char **argv);
int cert_account_main(int argc, char **argv);

/* Says what went wrong on standard error, and returns 1 for the caller to
 * return: `return cli_fail("...")`. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with a status's own text behind a colon. */
int cli_fail_status(struct status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Parses a command line; true to go on, else `*result` is the exit status. */
bool cli_options(const struct command_spec *command, int *argc, char **argv, int *result);

/* ---- Commands that work on a server's database ---- */

#define CLI_CONFIG_OPTION(variable)                                                                \
    {                                                                                              \
        "config", OPTION_STRING, &(variable), "FILE",                                              \
            "moietyd's configuration; default $MOIETY_CONFIG,\nthen moietyd.yaml", NULL            \
    }

struct cli_server {
    struct arena arena;
    struct server_config config;
    struct store *store;
};

/* Loads the configuration alone (`path` NULL: the default), or opens its
 * database too. False was said. */
bool cli_server_load(struct cli_server *server, const char *path);
bool cli_server_open(struct cli_server *server, const char *path, bool write);
void cli_server_close(struct cli_server *server);

/* A whole command on a server's database: parses the line, opens what --config
 * (in `*config_path`, once parsed) names, runs, closes. `argv` of `run` holds
 * what is no option. */
int cli_on_server(const struct command_spec *command, const char *const *config_path, bool write,
                  int argc, char **argv, int (*run)(struct cli_server *server, char **argv));

/* ---- Text ---- */

/* POSIX seconds from 1700000000, 2026-01-31, 2026-01-31T12:00 or
 * 2026-01-31T12:00:00Z, always UTC; or "now". */
bool cli_parse_time(const char *text, uint64_t *seconds);
/* "2026-01-31T12:00:00Z" */
enum { CLI_TIME_MAX = 32 };
const char *cli_format_time(uint64_t seconds, char text[CLI_TIME_MAX]);
/* "17,982" */
enum { CLI_COUNT_MAX = 32 };
const char *cli_format_count(uint64_t value, char text[CLI_COUNT_MAX]);

#endif
