/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/fixture.h"

/* A process that makes many databases migrates one of them, and copies that. */
static void file_copy(const char *from, const char *to) {
    char bytes[1 << 16];
    size_t len;
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    cr_assert(in != NULL && out != NULL && fchmod(fileno(out), 0600) == 0);
    while ((len = fread(bytes, 1, sizeof bytes, in)) > 0) {
        cr_assert_eq(fwrite(bytes, 1, len, out), len);
    }
    fclose(in);
    cr_assert_eq(fclose(out), 0);
}

static char migrated[160]; /* its path, and that of its folder */
static char migrated_folder[128];

static void migrated_remove(void) {
    unlink(migrated);
    rmdir(migrated_folder);
}

static void migrated_make(const char *folder) {
    struct store_options options = fixture_options();
    struct store_migration done;
    snprintf(migrated_folder, sizeof migrated_folder, "%s", folder);
    cr_assert_not_null(mkdtemp(migrated_folder));
    snprintf(migrated, sizeof migrated, "%s/migrated.db", migrated_folder);
    ASSERT_OK(store_migrate(migrated, &options, &done));
    atexit(migrated_remove);
}

/* A directory of its own holds the file and what lies beside it. */
static char *sqlite_make(void) {
    static unsigned made;
    const char *parent = getenv("TMPDIR");
    char directory[128];
    char *url;
    snprintf(directory, sizeof directory, "%s/moiety-store-XXXXXX",
             parent != NULL ? parent : "/tmp");
    if (++made == 2) {
        migrated_make(directory);
    }
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_gt(asprintf(&url, "sqlite:%s/test.db", directory), 0);
    if (made >= 2) {
        file_copy(migrated, url + strlen("sqlite:"));
    }
    return url;
}

static const char *const suffixes[] = {"", "-wal", "-shm"};

static void sqlite_drop(const char *url) {
    char path[256];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", url + strlen("sqlite:"), suffixes[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s", url + strlen("sqlite:"));
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

/* A process takes its locks with it. */
static void sqlite_settle(const char *url) { (void)url; }

static sqlite3 *sqlite_connect(const char *url) {
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(url + strlen("sqlite:"), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    return db;
}

static void sqlite_execute(const char *url, const char *sql) {
    sqlite3 *db = sqlite_connect(url);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql,
                 sqlite3_errmsg(db));
    sqlite3_close(db);
}

static int64_t sqlite_query(const char *url, const char *sql) {
    sqlite3 *db = sqlite_connect(url);
    sqlite3_stmt *statement;
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK, "%s", sql);
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static void flip_function(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    int len = sqlite3_value_bytes(values[0]);
    int offset = sqlite3_value_int(values[1]);
    uint8_t *copy = malloc((size_t)len);
    memcpy(copy, sqlite3_value_blob(values[0]), (size_t)len);
    copy[offset] ^= 1;
    sqlite3_result_blob(context, copy, len, free);
}

static void sqlite_flip(const char *url, const char *table, const char *column, size_t offset) {
    sqlite3 *db = sqlite_connect(url);
    char sql[200];
    snprintf(sql, sizeof sql, "UPDATE %s SET %s = flip(%s, %zu)", table, column, column, offset);
    sqlite3_create_function(db, "flip", 2, SQLITE_UTF8, NULL, flip_function, NULL, NULL);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
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
    cr_assert_eq(fread(content, 1, len, file), len);
    fclose(file);
    bool found = memmem(content, len, bytes.data, bytes.len) != NULL;
    free(content);
    return found;
}

static bool sqlite_contains(const char *url, struct span bytes) {
    bool found = false;
    for (int i = 0; i < 3 && !found; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s", url + strlen("sqlite:"), suffixes[i]);
        found = file_contains(path, bytes);
    }
    return found;
}

#ifndef FIXTURE_FAULTS /* the same statements, thousands of times */
/* ---- Query plans ---------------------------------------------------------------- */

/*
 * Stands before SQLite's own, and looks at the plan of each statement that the
 * store prepares: reading all of a table that grows with the reports is an
 * error that only shows when it is large.
 */
static bool plan_step_is_good(const char *sql, const char *step) {
    static const char *const growing[] = {"report_id", "segment_body", "job_body", "bucket",
                                          "resource_body"};
    static const char probe[] = "SEARCH r USING";
    for (size_t i = 0; i < sizeof growing / sizeof growing[0]; i++) {
        char scan[64];
        size_t len = (size_t)snprintf(scan, sizeof scan, "SCAN %s", growing[i]);
        if (strncmp(step, scan, len) == 0 && (step[len] == '\0' || step[len] == ' ')) {
            return false;
        }
    }
    return strstr(sql, "INSERT INTO report_id") == NULL ||
           strncmp(step, probe, sizeof probe - 1) != 0 ||
           strstr(step, "(task=? AND kind=? AND epoch=? AND id=?)") != NULL;
}

/* Any thread may come here, and only the first may fail an assertion. */
static void plan_check(const char *sql, const char *step) {
    if (!plan_step_is_good(sql, step)) {
        fprintf(stderr, "bad plan: %s: %s\n", sql, step);
        abort();
    }
}

int sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags, sqlite3_stmt **out,
                       const char **tail) {
    char explain[2048];
    sqlite3_stmt *plan;
    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    if (sqlite3_prepare_v2(db, explain, -1, &plan, NULL) == SQLITE_OK) {
        while (sqlite3_step(plan) == SQLITE_ROW) {
            plan_check(sql, (const char *)sqlite3_column_text(plan, 3));
        }
        sqlite3_finalize(plan);
    }
    int (*real)(sqlite3 *, const char *, int, unsigned, sqlite3_stmt **, const char **);
    *(void **)&real = dlsym(RTLD_NEXT, "sqlite3_prepare_v3");
    return real(db, sql, len, flags, out, tail);
}

#endif

const struct fixture_backend fixture_sqlite = {
    .make = sqlite_make,
    .drop = sqlite_drop,
    .settle = sqlite_settle,
    .execute = sqlite_execute,
    .query = sqlite_query,
    .flip = sqlite_flip,
    .contains = sqlite_contains,
};
