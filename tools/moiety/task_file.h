/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TASK_FILE_H
#define MOIETY_TASK_FILE_H

#include "aggregator/task.h"
#include "dap/task.h"
#include "moiety/task.h"

/*
 * What one party needs to know of a task, in one JSON file. `moiety task new`
 * writes four: the leader's and the helper's, for `moiety task import`; the
 * collector's, for `moiety collect`; the client's, for `moiety upload`. All but
 * the client's hold secrets.
 *
 * The encoded TaskConfiguration is what counts; the file's "about" object says
 * the same for people and is not read back.
 */
enum task_file_kind {
    TASK_FILE_LEADER,
    TASK_FILE_HELPER,
    TASK_FILE_COLLECTOR,
    TASK_FILE_CLIENT,
};

struct task_file_peer {
    const char *name;
    const char *dialect;
    struct span token;      /* what we send it; may be empty */
    struct span token_hash; /* SHA-256 of what it sends us; may be empty */
};

/* Members that a kind has no use for are empty. Everything borrows the arena. */
struct task_file {
    enum task_file_kind kind;
    struct task task;

    /* Leader and helper. */
    const struct task_verify_key *verify_keys;
    size_t verify_key_count;
    struct task_file_peer aggregator; /* the other one */
    struct task_file_peer collector;  /* leader */
    struct span settings;             /* JSON; may be empty */

    /* Leader, helper and collector: the collector's encoded HpkeConfig. */
    struct span collector_config;

    /* Collector. */
    struct span collector_token;
    struct span collector_key; /* as moiety_collector_key_export() gives it */
};

/* The task as the client and collector libraries take it; borrows the file. */
struct moiety_task task_file_library_task(const struct task_file *file);

const char *task_file_kind_name(enum task_file_kind kind);

/* Reads a file; false was said on standard error. */
bool task_file_read(const char *path, struct arena *arena, struct task_file *out);
/* Writes it, readable by its owner alone unless it is a client's. CONFLICT if
 * the path exists. */
struct status task_file_write(const char *path, const struct task_file *file);

/* Whether it can stand behind "Bearer" (RFC 6750, "b64token"). */
bool task_file_is_token(struct span text);
/* A fresh token: 256 random bits as 43 characters, and their SHA-256. */
struct status task_file_new_token(struct arena *arena, struct span *token, struct span *hash);

#endif
