/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture_postgres.h"

#include <criterion/hooks.h>
#include <dirent.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * One server for the whole program, made before the first test and ended after
 * the last one; a database in it for each test.
 */
#define CLUSTER "MOIETY_TEST_CLUSTER" /* in the environment: its folder */

void cluster_do(const char *action, const char *settings) {
    char command[512];
    snprintf(command, sizeof command, "exec '%s' %s '%s' %s", MOIETY_TEST_POSTGRES, action,
             getenv(CLUSTER), settings);
    int status = system(command);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        _exit(77); /* ctest: skipped */
    }
    if (status != 0) {
        fprintf(stderr, "%s failed\n", command);
        abort();
    }
}

ReportHook(PRE_ALL)(struct criterion_test_set *tests) {
    (void)tests;
    char directory[] = "/tmp/moiety-pg-XXXXXX";
    if (mkdtemp(directory) == NULL) {
        abort();
    }
    setenv(CLUSTER, directory, 1);
    cluster_do("start", MOIETY_TEST_POSTGRES_SETTINGS);
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats) {
    (void)stats;
    cluster_do("stop", "");
}

static PGconn *connect_to(const char *url) {
    PGconn *connection = PQconnectdb(url);
    cr_assert_eq(PQstatus(connection), CONNECTION_OK, "%s", PQerrorMessage(connection));
    return connection;
}

static PGresult *run(PGconn *connection, const char *sql) {
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s", sql,
              PQerrorMessage(connection));
    return result;
}

static void postgres_execute(const char *url, const char *sql) {
    PGconn *connection = connect_to(url);
    PQclear(run(connection, sql));
    PQfinish(connection);
}

static int64_t postgres_query(const char *url, const char *sql) {
    PGconn *connection = connect_to(url);
    PGresult *result = run(connection, sql);
    int64_t value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    PQfinish(connection);
    return value;
}

char *cluster_url(const char *user, const char *database) {
    char *url;
    cr_assert_gt(asprintf(&url, "postgresql://%s@/%s?host=%s", user, database, getenv(CLUSTER)), 0);
    return url;
}

static char *postgres_make(void) {
    static int made;
    char name[40];
    char sql[80];
    snprintf(name, sizeof name, "test_%d_%d", (int)getpid(), made++);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    char *server = cluster_url("moiety", "postgres");
    postgres_execute(server, sql);
    free(server);
    return cluster_url("moiety", name);
}

/* Databases go with the server. */
static void postgres_drop(const char *url) { (void)url; }

static void postgres_settle(const char *url) {
    while (postgres_query(url, "SELECT COUNT(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                               " AND datname = current_database()") > 0) {
        usleep(2000);
    }
}

static void postgres_flip(const char *url, const char *table, const char *column, size_t offset) {
    char sql[200];
    snprintf(sql, sizeof sql, "UPDATE %s SET %s = set_byte(%s, %zu, get_byte(%s, %zu) # 1)", table,
             column, column, offset, column, offset);
    postgres_execute(url, sql);
}

static bool file_contains(const char *path, struct span bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    fseek(file, 0, SEEK_END);
    size_t len = (size_t)ftell(file);
    rewind(file);
    uint8_t *content = malloc(len + 1);
    len = fread(content, 1, len, file);
    fclose(file);
    bool found = memmem(content, len, bytes.data, bytes.len) != NULL;
    free(content);
    return found;
}

static bool folder_contains(const char *path, struct span bytes) {
    DIR *folder = opendir(path);
    bool found = false;
    cr_assert_not_null(folder, "%s", path);
    for (struct dirent *entry; !found && (entry = readdir(folder)) != NULL;) {
        char file[600];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        found = entry->d_type == DT_REG && file_contains(file, bytes);
    }
    closedir(folder);
    return found;
}

static bool postgres_contains(const char *url, struct span bytes) {
    char path[300];
    postgres_execute(url, "CHECKPOINT");
    int64_t number =
        postgres_query(url, "SELECT oid FROM pg_database WHERE datname = current_database()");
    snprintf(path, sizeof path, "%s/data/base/%lld", getenv(CLUSTER), (long long)number);
    if (folder_contains(path, bytes)) {
        return true;
    }
    snprintf(path, sizeof path, "%s/data/pg_wal", getenv(CLUSTER));
    return folder_contains(path, bytes);
}

const struct fixture_backend fixture_postgres = {
    .make = postgres_make,
    .drop = postgres_drop,
    .settle = postgres_settle,
    .execute = postgres_execute,
    .query = postgres_query,
    .flip = postgres_flip,
    .contains = postgres_contains,
};
