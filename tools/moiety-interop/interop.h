/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_INTEROP_H
#define MOIETY_INTEROP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "dap/messages.h"
#include "net/http.h"
#include "net/router.h"
#include "net/work_queue.h"
#include "vdaf/vdaf.h"

/*
 * The DAP interoperation test API (draft-dcook-ppm-dap-interop-test-design, as
 * Janus extends it for draft 18): JSON by POST to /internal/test/..., always
 * answered with status 200, failures told in the body's "status" and "error".
 *
 * Only for tests on one machine: anybody who reaches it can make tasks.
 */

struct interop;

/* One role of the API. `handle` functions run on a worker. */
struct interop_options {
    const char *role;
    const char *dialect;           /* of the other aggregator, or of a collector's leader */
    const char *collector_dialect; /* of a leader's collector */
    const char *directory; /* for an aggregator's database */
    bool helper_async;
    struct work_queue *queue;
    struct router *router;
};

/* Each mounts its routes; what it returns in `*out` is freed by its _free(). */
struct interop_client;
struct status interop_client_new(const struct interop_options *options,
                                 struct interop_client **out);
void interop_client_free(struct interop_client *client);

struct interop_collector;
struct status interop_collector_new(const struct interop_options *options,
                                    struct interop_collector **out);
void interop_collector_free(struct interop_collector *collector);

struct interop_aggregator;
struct status interop_aggregator_new(const struct interop_options *options,
                                     struct interop_aggregator **out);
/* First step of the end: stops what runs by itself. */
void interop_aggregator_stop(struct interop_aggregator *aggregator);
void interop_aggregator_free(struct interop_aggregator *aggregator);

/* ---- Requests and answers (json.c) ---------------------------------------- */

/* A call under way: what a handler reads its fields from and answers through. */
struct interop_call {
    struct arena *arena;
    json_t *body;      /* an object */
    json_t *answer;    /* an object: add members to it */
    char error[256];   /* set by the first failure */
};

typedef struct status interop_function(void *context, struct interop_call *call);

/* Runs `function` on a worker for this request and answers with its `answer`
 * and status "success", or with status "error" and the text. */
void interop_serve(struct http_request *request, struct work_queue *queue,
                   interop_function *function, void *context);

/* Sets the error's text, unless there is one, and gives INVALID_ARGUMENT. */
struct status interop_error(struct interop_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Members of an object. Numbers may be JSON numbers or decimal strings. */
struct status interop_string(struct interop_call *call, const char *name, const char **out);
struct status interop_u64(struct interop_call *call, const json_t *object, const char *name,
                          uint64_t *out);
bool interop_has(const struct interop_call *call, const char *name);
/* Unpadded base64url of exactly `len` bytes, or of any number. */
struct status interop_bytes(struct interop_call *call, const char *name, void *out, size_t len);
struct status interop_bytes_any(struct interop_call *call, const char *name, struct span *out);

/* ---- Tasks (task.c) -------------------------------------------------------- */

/* What every party of a task is told. The endpoints are bound into the
 * authenticated data byte for byte as they stand in the request. */
struct interop_task {
    uint8_t id[32];
    struct vdaf *vdaf;
    uint64_t time_precision;
    enum batch_mode batch_mode;
    struct span config; /* encoded TaskConfiguration, in the call's arena */
};
struct status interop_task_read(struct interop_call *call, struct interop_task *out);

#endif
