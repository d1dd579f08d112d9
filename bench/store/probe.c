/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void die(const char *what) {
    fprintf(stderr, "bench-store: %s\n", what);
    exit(EXIT_FAILURE);
}

static double own_cpu(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Fields 14 and 15 of a process's stat, which begin behind its name's bracket. */
static double process_cpu(const char *pid) {
    char path[64];
    char line[1024] = "";
    unsigned long user = 0;
    unsigned long system = 0;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    const char *end = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    fclose(file);
    if (end != NULL) {
        sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* ---- PostgreSQL ------------------------------------------------------------------ */

static int64_t postgres_int(PGconn *connection, const char *sql) {
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1) {
        die(PQerrorMessage(connection));
    }
    int64_t value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return value;
}

/* The store's own parameter comes last, and libpq doesn't know it. */
static PGconn *postgres_connect(const char *url) {
    const char *own = strstr(url, "&prepared=");
    char *conninfo = own != NULL ? strndup(url, (size_t)(own - url)) : strdup(url);
    PGconn *connection = conninfo != NULL ? PQconnectdb(conninfo) : NULL;
    free(conninfo);
    return connection;
}

static struct probe postgres_probe(const char *url) {
    PGconn *connection = postgres_connect(url);
    struct probe probe = {.cpu_s = own_cpu()};
    if (PQstatus(connection) != CONNECTION_OK) {
        die(PQerrorMessage(connection));
    }
    PGresult *result = PQexec(connection, "SELECT pid FROM pg_stat_activity");
    for (int row = 0; row < PQntuples(result); row++) {
        probe.cpu_s += process_cpu(PQgetvalue(result, row, 0));
    }
    PQclear(result);
    probe.log_bytes =
        postgres_int(connection, "SELECT (pg_current_wal_lsn() - '0/0')::bigint");
    probe.bytes = postgres_int(connection, "SELECT pg_database_size(current_database())");
    probe.id_bytes = postgres_int(connection, "SELECT pg_total_relation_size('report_id')");
    probe.segments = postgres_int(connection, "SELECT COUNT(*) FROM segment");
    PQfinish(connection);
    return probe;
}

/* ---- SQLite ------------------------------------------------------------------------ */

static int64_t sqlite_int(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement;
    int64_t value = -1; /* dbstat is not in every SQLite */
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK) {
        value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    }
    sqlite3_finalize(statement);
    return value;
}

static int64_t written_bytes(void) {
    char line[128];
    long long bytes = 0;
    FILE *file = fopen("/proc/self/io", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        sscanf(line, "wchar: %lld", &bytes);
    }
    if (file != NULL) {
        fclose(file);
    }
    return bytes;
}

static struct probe sqlite_probe(const char *path) {
    sqlite3 *db;
    struct probe probe = {.cpu_s = own_cpu(), .log_bytes = written_bytes()};
    if (sqlite3_open(path, &db) != SQLITE_OK) {
        die(sqlite3_errmsg(db));
    }
    probe.bytes = sqlite_int(db, "SELECT page_count * page_size FROM pragma_page_count,"
                                 " pragma_page_size");
    probe.id_bytes = sqlite_int(db, "SELECT SUM(pgsize) FROM dbstat WHERE name = 'report_id'");
    probe.segments = sqlite_int(db, "SELECT COUNT(*) FROM segment");
    sqlite3_close(db);
    return probe;
}

struct probe probe_take(const char *url) {
    return strncmp(url, "postgresql:", 11) == 0 ? postgres_probe(url)
                                                 : sqlite_probe(url + strlen("sqlite:"));
}
