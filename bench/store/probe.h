/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_STORE_PROBE_H
#define MOIETY_BENCH_STORE_PROBE_H

#include <stdint.h>

/* What the database has used so far, seen from beside the store. */
struct probe {
    double cpu_s;      /* of this process, and of PostgreSQL's on this machine */
    int64_t log_bytes; /* written to PostgreSQL's WAL; with SQLite, written at all */
    int64_t bytes;     /* of the database now */
    int64_t id_bytes;  /* of the report IDs in it, table and index */
    int64_t segments;  /* rows */
};

/* Ends the program if the database can't be asked. */
struct probe probe_take(const char *url);

#endif
