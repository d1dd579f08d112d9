/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_AGGREGATOR_H
#define MOIETY_AGGREGATOR_AGGREGATOR_H

#include "base/clock.h"
#include "base/metrics.h"
#include "hpke/hpke.h"
#include "moiety/provider.h"
#include "net/http_client.h"
#include "net/router.h"
#include "net/work_queue.h"
#include "store/store.h"

/*
 * A DAP aggregator (draft-ietf-ppm-dap-18): leader of some tasks, helper of
 * others. It answers HTTP through the routes that it adds to a router, does
 * its computing and its database work on a queue of workers, and talks to the
 * other aggregator through an HTTP client. Event loops never wait for it.
 *
 * All that it needs is borrowed and must outlive it. Thread-safe once started.
 */
struct aggregator;

struct aggregator_options {
    struct store *store;
    struct work_queue *queue;
    struct http_client *http_client; /* to the other aggregator */
    struct http_client_tls peer_tls; /* whom to trust there and who we are, for each request */
    const struct moiety_provider *provider;
    const struct clock *clock;
    struct metrics *metrics;

    /* Limits and policies of this server; 0 takes the default. */
    size_t max_upload_bytes;      /* body of one upload; default 1 GiB */
    size_t max_job_bytes;         /* body of one aggregation job; default 64 MiB */
    uint32_t upload_delay_us;     /* how long a lone upload waits for company; default 0 */
    uint32_t upload_patience_ms;  /* how long one waits for the database; default 5000 */
    uint32_t clock_skew_s;        /* how far ahead a report's time may be; default 300 */
    uint32_t job_poll_ms;         /* how often the leader looks for work; default 200 */
    uint32_t lease_s;             /* how long a claim lasts if it isn't renewed; default 60 */
    uint32_t hpke_config_max_age_s;  /* Cache-Control of hpke_config; default 86400 */
    uint32_t hpke_key_lifetime_s;    /* age at which a new key is advertised; 0: by hand only */
    struct hpke_suite hpke_suite;    /* of new keys; all 0: X25519, HKDF-SHA256, AES-128-GCM */
    uint32_t gc_interval_s;          /* default 60 */
    const char *base_path; /* where its routes stand: NULL or "" for the root, or "/dap" */
    const char *cors_origins;     /* for hpke_config and reports: NULL none, "*" any, or a list */
};

struct status aggregator_new(const struct aggregator_options *options, struct aggregator **out);
/* Before the server starts. INVALID_ARGUMENT for a bad base path, NO_MEMORY. The
 * aggregator must outlive the router. */
struct status aggregator_add_routes(struct aggregator *aggregator, struct router *router);
/* Starts the pollers: job creation, driving, collection, expiry, key rotation. */
struct status aggregator_start(struct aggregator *aggregator);
/* Whether it can serve: the store answers and a key is advertised. On false,
 * `why` is a static text. */
bool aggregator_ready(struct aggregator *aggregator, const char **why);
/* First step of a drain: no new work is claimed; what runs ends. */
void aggregator_drain(struct aggregator *aggregator);
/* After the queue and the HTTP client have stopped. */
void aggregator_free(struct aggregator *aggregator);

#endif
