/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Stands before libpq's own, and looks at the plan of each statement that the
 * store prepares, in a database whose tables nobody has analysed: one that reads
 * more than its index condition finds only shows when a table is large.
 */

/* A statement's own words, and the index that it is to use, or with what condition. */
static const struct {
    const char *words, *index;
} expected[] = {
    {"(stored_at, number) > ($2, $3)", "segment_waiting"},
    {"WITH RECURSIVE wheel (task", "segment_waiting"},
    {"WITH RECURSIVE wheel (id", "job_turn"},
    {"WITH RECURSIVE wheel (number", "resource_turn"},
    {"SELECT id FROM job WHERE task = $2 AND due_at", "job_turn"},
    {"SELECT id FROM job WHERE due_at", "job_due"},
    {"WHERE kind = $2 AND task = $3 AND state = 0 AND due_at", "resource_turn"},
    {"WHERE kind = $2 AND state = 0 AND due_at", "resource_due"},
    {"INSERT INTO report_id", "(epoch = e.epoch) AND (id = k.id)"},
    {"SELECT number, remaining, unassigned, bytes FROM segment", "segment_by_epoch"},
    {"SELECT number FROM resource WHERE task = $1 AND state <> 0", "resource_ended"},
    {"SELECT 1 FROM collected_batch", "collected_batch_pkey"},
    {"SELECT finish FROM collected_interval", "collected_interval_pkey"},
};

/* Tables of few rows, or statements that are about all rows. */
static bool may_scan(const char *text, const char *line) {
    static const char *const small[] = {"config_version", "data_key", "hpke_key", "peer",
                                        "id_epoch", "moiety_schema", "pg_", "commit_mark"};
    static const char *const whole[] = {
        "FROM task",       /* the list of all tasks, the next number, a peer's tasks */
        "config_ids FROM", /* a key that is to be deleted */
        "leased_until <> 0"};
    const char *table = strstr(line, " on ");
    for (size_t i = 0; table != NULL && i < sizeof small / sizeof small[0]; i++) {
        if (strncmp(table + 4, small[i], strlen(small[i])) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        if (strstr(text, whole[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void fail(const char *text, const PGresult *plan, const char *why) {
    fprintf(stderr, "bad plan (%s) of: %s\n", why, text);
    for (int row = 0; row < PQntuples(plan); row++) {
        fprintf(stderr, "    %s\n", PQgetvalue(plan, row, 0));
    }
    abort(); /* any thread may come here, and only the first may fail an assertion */
}

static void scans_check(const char *text, const PGresult *plan) {
    for (int row = 0; row < PQntuples(plan); row++) {
        const char *line = PQgetvalue(plan, row, 0);
        const char *next = row + 1 < PQntuples(plan) ? PQgetvalue(plan, row + 1, 0) : "";
        bool index = strstr(line, "Index Scan") != NULL || strstr(line, "Index Only Scan") != NULL;
        bool whole = strstr(line, "Seq Scan") != NULL ||
                     (index && strstr(next, "Index Cond:") == NULL);
        if (whole && !may_scan(text, line)) {
            fail(text, plan, "it reads a whole table");
        }
    }
}

static void index_check(const char *text, const PGresult *plan) {
    const char *index = NULL;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0] && index == NULL; i++) {
        index = strstr(text, expected[i].words) != NULL ? expected[i].index : NULL;
    }
    for (int row = 0; index != NULL && row < PQntuples(plan); row++) {
        index = strstr(PQgetvalue(plan, row, 0), index) != NULL ? NULL : index;
    }
    if (index != NULL) {
        fail(text, plan, index);
    }
}

static void run(PGconn *connection, const char *text) {
    PGresult *result = PQexec(connection, text);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s: %s", text, PQerrorMessage(connection));
        abort();
    }
    PQclear(result);
}

/* The session of the store's own settings: they are what its first statement is. */
static PGconn *session(PGconn *like) {
    char port[8];
    snprintf(port, sizeof port, "%s", PQport(like));
    PGconn *connection = PQsetdbLogin(PQhost(like), port, NULL, NULL, PQdb(like), PQuser(like), NULL);
    static const char *const settings[] = {
        "enable_seqscan = off", "enable_bitmapscan = off", "enable_hashjoin = off",
        "enable_mergejoin = off", "enable_sort = off", "enable_incremental_sort = off",
        "plan_cache_mode = force_generic_plan"};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char text[80];
        snprintf(text, sizeof text, "SET %s", settings[i]);
        run(connection, text);
    }
    return connection;
}

static void plan_check(PGconn *like, const char *text, int count, const Oid *types) {
    char execute[256] = "EXPLAIN (COSTS OFF) EXECUTE looked_at";
    PGconn *connection = session(like);
    PGresult *prepared = PQprepare(connection, "looked_at", text, count, types);
    bool known = PQresultStatus(prepared) == PGRES_COMMAND_OK;
    PQclear(prepared);
    for (int i = 0; i < count; i++) {
        strcat(execute, i == 0 ? "(NULL" : ", NULL");
    }
    strcat(execute, count > 0 ? ")" : "");
    PGresult *plan = known ? PQexec(connection, execute) : NULL;
    if (PQresultStatus(plan) == PGRES_TUPLES_OK) { /* BEGIN and its like have none */
        scans_check(text, plan);
        index_check(text, plan);
    }
    PQclear(plan);
    PQfinish(connection);
}

/* Each test is a process of its own, but the server's folder is common to all:
 * a file in it says that a statement was looked at. */
static bool first_time(const char *text) {
    char path[300];
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *at = text; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    }
    snprintf(path, sizeof path, "%s/plan-%016llx", getenv("MOIETY_TEST_CLUSTER"),
             (unsigned long long)hash);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

int PQsendPrepare(PGconn *connection, const char *name, const char *text, int count,
                  const Oid *types) {
    __typeof__(&PQsendPrepare) real;
    *(void **)&real = dlsym(RTLD_NEXT, "PQsendPrepare");
    if (strchr(text, '$') != NULL && first_time(text)) {
        plan_check(connection, text, count, types);
    }
    return real(connection, name, text, count, types);
}
