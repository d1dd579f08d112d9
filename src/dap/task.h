/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_DAP_TASK_H
#define MOIETY_DAP_TASK_H

#include "dap/messages.h"

/*
 * A task as all participants agree on it (draft 18, section 4.2): its ID and
 * its TaskConfiguration, kept as the very bytes that were agreed on, since they
 * are authenticated with each share. Everything borrows the arena that it was
 * opened in. Immutable, so thread-safe.
 */
struct task {
    struct task_id id;
    struct task_configuration configuration;
    struct span encoded;    /* of the TaskConfiguration */
    struct span aad_prefix; /* TaskID and encoded TaskConfiguration */
    bool has_task_interval;
    struct interval task_interval; /* if has_task_interval */
};

/*
 * Opens a task from its encoded TaskConfiguration, which is copied.
 *
 * INVALID_MESSAGE if it doesn't decode; UNSUPPORTED_EXTENSION for a task
 * extension that we don't know, since one must not take part in such a task;
 * INVALID_EXTENSION for extensions out of order or badly encoded;
 * INVALID_CONFIG for a value that no task can have: a time precision or minimum
 * batch size of 0, a batch mode with a configuration that it doesn't define, or
 * an endpoint that isn't an http or https URL.
 */
struct status task_open(const struct task_id *id, struct span encoded, struct arena *arena,
                        struct task *out);

/* The same from values: encodes them, then opens. For whoever makes tasks. */
struct status task_make(const struct task_id *id, const struct task_configuration *configuration,
                        struct arena *arena, struct task *out);

/* A task_interval extension, whose data lives in the arena. */
struct status task_interval_extension(const struct interval *interval, struct arena *arena,
                                      struct task_extension *out);

/* "dap-18" and the task ID: the application context of every VDAF operation. */
#define TASK_VDAF_CONTEXT_SIZE 38
void task_vdaf_context(const struct task_id *id, uint8_t out[TASK_VDAF_CONTEXT_SIZE]);

#endif
