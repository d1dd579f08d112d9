/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_AGGREGATOR_SOLO_H
#define TEST_AGGREGATOR_SOLO_H

#include <criterion/criterion.h>
#include <pthread.h>

#include "aggregator/aggregator.h"
#include "dap/batch.h"
#include "dap/media_type.h"
#include "dap/task.h"
#include "hpke/provider/default.h"
#include "net/http_server.h"
#include "vdaf/verify.h"

/*
 * One aggregator in this process, behind HTTP on loopback, with one task and a
 * clock that stands where the test puts it. The test is everybody else: clients,
 * the other aggregator and the collector.
 */
#define SOLO_TOKEN "the other aggregator's token"
enum { SOLO_NOW_S = 1800000000, SOLO_PRECISION = 3600, SOLO_TIME = SOLO_NOW_S / SOLO_PRECISION };
enum { SOLO_VERIFY_KEY_ID = 5 };

struct solo_options {
    enum role role;
    const char *vdaf; /* NULL: Prio3Count */
    struct vdaf_param params[4];
    size_t param_count;
    enum batch_mode batch_mode; /* 0: time_interval */
    uint64_t min_batch_size;    /* 0: 1 */
    const char *settings;       /* JSON; NULL: defaults */
    bool has_interval;          /* the task_interval extension */
    struct interval interval;
    bool idle;                  /* don't start the pollers */
    unsigned threads;           /* of the queue; 0: 2 */
    size_t queue_capacity;      /* 0: 256 */
    size_t max_upload_bytes;
    const char *cors_origins;
};

struct solo {
    struct solo_options options;
    char folder[64];
    struct clock clock; /* first reads now_us: see solo.c */
    int64_t now_us;
    struct store *store;
    struct work_queue *queue;
    struct metrics *metrics;
    struct aggregator *aggregator;
    struct router *router;
    struct loop_group *loops;
    struct http_server *server;
    struct http_client *client;
    struct task dap;
    struct vdaf *vdaf;
    uint8_t verify_key[32];
    struct hpke_key own_key;   /* the public half of the aggregator's */
    struct hpke_key other_key; /* of the aggregator that the test plays */
    struct hpke_key collector_key;
    struct arena arena;
};

#define must(expression)                                                                   \
    do {                                                                                   \
        struct status must_status_ = (expression);                                         \
        cr_assert(status_ok(must_status_), "%s: %s", #expression,                          \
                  status_name(must_status_.code));                                         \
    } while (0)

void solo_start(struct solo *solo, const struct solo_options *options);
/* Closes the aggregator and its store and opens them again. */
void solo_restart(struct solo *solo);
void solo_stop(struct solo *solo);

/* ---- HTTP -------------------------------------------------------------------- */

struct answer {
    int status;
    const char *content_type; /* NULL if absent, like the others */
    const char *location;
    const char *retry_after;
    const char *cache_control;
    struct span body;
    const char *problem; /* the type's last part, or "" */
    const char *text;    /* the body, terminated */
};

/* `path` below the server's root. `type` and `token` may be NULL. */
struct answer solo_call(struct solo *solo, const char *method, const char *path,
                        const char *content_type, const char *token, struct span body);
/* "/tasks/{task}/" and what follows. */
const char *solo_path(struct solo *solo, const char *below);
/* A POST of the task's with the message's media type and the token. */
struct answer solo_post(struct solo *solo, const char *below, enum media_type type,
                        struct span body);
/* The same by GET or DELETE at a Location. */
struct answer solo_at(struct solo *solo, const char *method, const char *location);

/* Requests that are under way at the same time: POSTs to the same resource, whose
 * answers come in any order. */
struct crowd {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct http_client_response **responses;
    size_t count; /* of responses so far */
};
void crowd_send(struct solo *solo, struct crowd *crowd, const char *below, enum media_type type,
                const struct span bodies[], size_t count);
/* Waits until that many have been answered. */
void crowd_wait(struct crowd *crowd, size_t count);
size_t crowd_with_status(struct crowd *crowd, int status);
void crowd_release(struct crowd *crowd); /* after all were answered */

void assert_problem(struct answer answer, int http_status, const char *type);

/* ---- Reports ------------------------------------------------------------------ */

enum spoil {
    GOOD,
    UNKNOWN_LEADER_KEY,
    UNKNOWN_HELPER_KEY,
    BAD_LEADER_CIPHERTEXT,
    BAD_HELPER_CIPHERTEXT,
    UNKNOWN_PUBLIC_EXTENSION,
    UNKNOWN_PRIVATE_EXTENSION,
    SHORT_SHARE,       /* the helper's input share lacks its last byte */
    NOT_A_SHARE,       /* the helper's plaintext is no PlaintextInputShare */
    LONG_PUBLIC_SHARE, /* a byte too many */
};

struct sample {
    struct report report;
    struct span leader_share; /* the payload, in the clear */
};

/* A client's report of `measurement` (text) at `time`. */
struct sample solo_sample(struct solo *solo, const char *measurement, uint64_t time,
                          enum spoil spoil);
/* The same after each other, encoded: an UploadRequest. */
struct span solo_encode(struct solo *solo, const struct sample samples[], size_t count);

/* ---- The other aggregator: a leader -------------------------------------------- */

struct hand_job {
    const struct sample *samples;
    size_t count;
    struct verify_batch *batch; /* the leader's */
    struct aggregation_job_init_req request;
    struct verify_init *inits;
    struct aggregation_job_extension extension;
    struct span body; /* the encoded request */
};

/* `batch_id` NULL: time_interval. */
void hand_init(struct solo *solo, struct hand_job *job, const struct sample samples[],
               size_t count, const struct batch_id *batch_id);
/* After changes to `request` or `inits`. */
void hand_encode(struct solo *solo, struct hand_job *job);
/* Takes the helper's answer: errors[i] is 0 for a report that the helper
 * committed and the leader finished; those are added to the leader's share,
 * count and checksum. */
struct hand_total {
    uint8_t *agg_share;
    uint64_t count;
    uint8_t checksum[32];
};
void hand_finish(struct solo *solo, struct hand_job *job, struct span response,
                 struct hand_total *total, enum report_error errors[]);
void hand_release(struct hand_job *job);

/* The AggregateShareReq for a batch, asked by `query_batch`. */
struct span hand_share_request(struct solo *solo, const struct batch *query_batch,
                               const struct batch *batch, const struct hand_total *total,
                               struct span *collection_job_req);
/* Opens the helper's AggregateShare and adds it to the leader's. */
void hand_result(struct solo *solo, struct span collection_job_req, struct span response,
                 const struct hand_total *total, vdaf_value values[]);

/* ---- Looking inside --------------------------------------------------------------- */

uint64_t solo_counter(struct solo *solo, const char *name);
struct store_usage solo_usage(struct solo *solo);
void solo_set_settings(struct solo *solo, const char *json);
void solo_run(struct solo *solo, store_function *function, void *argument);

#endif
