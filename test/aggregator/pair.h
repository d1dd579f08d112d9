/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_AGGREGATOR_PAIR_H
#define TEST_AGGREGATOR_PAIR_H

#include <stdatomic.h>

#include "aggregator/aggregator.h"
#include "aggregator/task.h"
#include "dap/messages.h"
#include "hpke/hpke.h"
#include "net/http_server.h"
#include "vdaf/vdaf.h"

/*
 * A leader and a helper in this process, each with its own store, queue and
 * HTTP server on loopback, and between them a relay that a test can tell to
 * lose requests and answers, to alter them, or to stand in for the helper.
 * Either server can be dropped at any moment and started again on its store,
 * which is what a kill comes down to.
 */

/* What the relay does with one request to the helper. */
struct relay_request {
    unsigned number; /* of the request, from 0 */
    const char *method;
    const char *path; /* and query */
    struct span body;
};
struct relay_verdict {
    enum {
        RELAY_FORWARD,     /* and hand the answer back */
        RELAY_LOSE,        /* answer `status` without forwarding */
        RELAY_LOSE_ANSWER, /* forward, but answer `status` */
        RELAY_STRIP_BODY,  /* forward, but answer as if it weren't ready yet */
    } action;
    int status;
    const char *content_type;
    const char *location;
    const char *retry_after;
    struct span body;
};
typedef struct relay_verdict relay_script(void *argument, const struct relay_request *request);

struct server {
    const char *name;
    char database[128];
    struct store *store;
    struct work_queue *queue;
    struct http_client *client;
    struct loop_group *loops;
    struct router *router;
    struct http_server *http;
    struct aggregator *aggregator;
    unsigned port; /* stays when it is started again */
};

struct pair_options {
    const char *vdaf; /* and its parameters */
    struct vdaf_param params[4];
    size_t param_count;
    enum batch_mode batch_mode;
    uint64_t min_batch_size;     /* 0: 1 */
    uint64_t time_precision;     /* 0: 3600 */
    const char *leader_settings; /* JSON; NULL: quick jobs */
    const char *helper_settings;
    const char *dialect;   /* of the helper, as the leader knows it, and the reverse */
    uint32_t lease_s;      /* of the leader; 0: the default */
    uint32_t clock_skew_s; /* likewise; may be changed before a restart */
    bool no_helper;        /* the relay's script is the helper */
};

struct relay;
struct pair {
    struct pair_options options;
    struct server leader, helper;
    struct relay *relay;
    relay_script *script; /* may be changed at any time; NULL forwards all */
    void *script_argument;
    atomic_uint busy_answers; /* of the helper to a POST: 503 with Retry-After */
    struct task dap; /* the task */
    struct vdaf *vdaf;
    struct hpke_key collector_key;
    struct hpke_key leader_key, helper_key; /* public parts: of the servers' own */
    struct arena arena;
    uint64_t now_s; /* when the pair was made: the reports' time by default */
};

/* Asserts that all went well, as everything here does. */
void pair_start(struct pair *pair, const struct pair_options *options);
void pair_stop(struct pair *pair);
/* Ends a server without any of the manners of a drain, and starts it again. */
void pair_drop(struct pair *pair, struct server *server);
void pair_restart(struct pair *pair, struct server *server);

/* An HTTP exchange; the response is the caller's. `token` may be NULL. */
struct http_client_response *pair_call(struct pair *pair, const char *method, const char *url,
                                       const char *token, const char *content_type,
                                       struct span body);
/* The URL of something below the leader's task, such as "collection_jobs". */
const char *pair_leader_url(struct pair *pair, const char *below);

/* Uploads a report of a measurement, given as text. `spoil` makes it bad. */
enum pair_spoil {
    PAIR_GOOD,
    PAIR_BAD_LEADER_CIPHERTEXT,
    PAIR_BAD_HELPER_CIPHERTEXT,
    PAIR_BAD_PROOF, /* the helper's share belongs to another measurement */
};
void pair_upload(struct pair *pair, const char *measurement, uint64_t time, enum pair_spoil spoil);
/* `count` reports of the same measurement in one request. */
void pair_upload_many(struct pair *pair, const char *measurement, size_t count, uint64_t time);
/* What one report's upload is refused for; REPORT_ERROR_RESERVED: it isn't. */
enum report_error pair_upload_error(struct pair *pair, const char *measurement, uint64_t time);
/* Waits until a script's count gets there. */
void pair_wait(const unsigned *count, unsigned number);
/* In the task's units. */
uint64_t pair_time(const struct pair *pair);

/* Collection, as a collector does it. */
struct pair_result {
    uint64_t report_count;
    struct interval interval;
    vdaf_value *values; /* vdaf_result_len(), in the pair's arena */
};
/* The encoded CollectionJobReq for the next batch, or for an interval. */
struct span pair_query(struct pair *pair, uint64_t start, uint64_t duration);
/* POSTs it; returns the absolute URL of the job, in the arena. */
const char *pair_collect(struct pair *pair, struct span request);
/* One GET: 0 if it is pending, else the HTTP status; `*body` lives in the arena. */
int pair_poll(struct pair *pair, const char *job, struct span *body);
/* Polls until it is ready, opens the shares. Fails after `timeout_ms`. */
void pair_result(struct pair *pair, const char *job, struct span request, int timeout_ms,
                 struct pair_result *out);
/* DELETE; returns the HTTP status. */
int pair_delete(struct pair *pair, const char *job);

/* A counter of the leader's or helper's store, such as "aggregated". */
uint64_t pair_counter(struct pair *pair, const struct server *server, const char *name);
/* Collects all of `number` reports, each of which measured 1, and that both counted them. */
void pair_expect_all(struct pair *pair, unsigned number, int timeout_ms);
/* Waits until the leader has nothing left to aggregate. */
void pair_settle(struct pair *pair, int timeout_ms);

#endif
