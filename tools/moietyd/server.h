/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_MOIETYD_SERVER_H
#define MOIETY_MOIETYD_SERVER_H

#include <stdatomic.h>

#include "aggregator/aggregator.h"
#include "config/server.h"
#include "net/http_server.h"

enum { LISTENERS_MAX = 16 };

/*
 * All that a running moietyd is made of, in the order in which it is made; it
 * is taken down in the reverse order. Members that are NULL don't exist yet.
 */
struct moietyd {
    const struct server_config *config;
    struct store *store;
    struct metrics *metrics;
    struct work_queue *queue;
    struct http_client *client;
    struct loop_group *loops;
    struct aggregator *aggregator;
    struct router *router;       /* DAP, and the probes */
    struct router *admin_router; /* metrics and the probes */
    struct http_server *servers[LISTENERS_MAX];
    size_t server_count;
    struct certificate *certificate; /* what ACME obtains; NULL: no listener uses it */
    struct router *acme_router;      /* challenges alone */
    bool started; /* the loops run */
    char *cors_origins;
    atomic_bool serving; /* what /readyz says, with the aggregator's own answer */
    atomic_uint drained; /* servers that have finished draining */
};

/* Makes everything and starts serving; false was logged. */
bool moietyd_start(struct moietyd *d, const struct server_config *config);
/* Stops accepting work; moietyd_idle() says when what was under way is done. */
void moietyd_drain(struct moietyd *d);
bool moietyd_idle(struct moietyd *d);
/* Reads the TLS files again. */
void moietyd_reload(struct moietyd *d);
/* Takes down what there is, also after a failed start. */
void moietyd_stop(struct moietyd *d);

/* The algorithms of HPKE keys that this server makes. */
struct hpke_suite moietyd_suite(const struct server_config *config);

/* certificate.c: the certificate that the acme section asks for, and whoever renews it. What
 * goes wrong is logged. */
struct status certificate_make(struct moietyd *d);
/* What listeners with tls: acme serve. */
const struct tls_source *certificate_source(const struct certificate *certificate);
/* Has http-01 answered by a router, and tls-alpn-01 by a listener. */
struct status certificate_mount(struct certificate *certificate, struct router *router);
void certificate_serve(struct certificate *certificate, struct http_server *server);
struct status certificate_start(struct certificate *certificate);
/* Before the listeners end, and after. NULL is allowed. */
void certificate_stop(struct certificate *certificate);
void certificate_free(struct certificate *certificate);

/* admin.c: /healthz, /readyz and /metrics. */
struct status admin_mount_probes(struct moietyd *d, struct router *router);
struct status admin_mount_metrics(struct moietyd *d, struct router *router);

/* startup.c: what a first start or a look at the tasks has to do. Logged. */
bool startup_make_key(struct moietyd *d);
bool startup_review_tasks(struct moietyd *d);
void startup_raise_limits(void);

/* check.c: whether the files that a configuration names can be used, and its
 * database if it is there. What is wrong was said. */
bool check_files(const struct server_config *config);

/* notify.c: tells systemd, if it asked for it (sd_notify's protocol). */
void notify_systemd(const char *state);

#endif
