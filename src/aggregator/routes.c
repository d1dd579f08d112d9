/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/routes.h"

#include <stdlib.h>

#include "aggregator/aggregate_share.h"
#include "aggregator/helper_job.h"
#include "aggregator/hpke_config.h"
#include "aggregator/janus.h"
#include "aggregator/leader.h"
#include "aggregator/upload.h"

/* A route's handler, on a loop's thread: the endpoint decides the rest. */
#define HANDLER(endpoint)                                                  \
    static void handle_##endpoint(void *context, struct http_request *request) { \
        exchange_begin(context, request, &endpoint);                       \
    }
HANDLER(upload_endpoint)

/* Uploads may be long: they are taken in parts. */
static void part_upload(void *context, struct http_request *request) {
    exchange_part(context, request, &upload_endpoint);
}

static void abandon_upload(void *context, struct http_request *request) {
    (void)context;
    exchange_abandon(request);
}

static void admit_upload(void *context, struct http_request *request, struct http_plan *plan) {
    (void)context;
    (void)request;
    plan->part = part_upload;
    plan->part_bytes = EXCHANGE_PART_BYTES;
    plan->abandon = abandon_upload;
}

HANDLER(helper_job_create)
HANDLER(helper_job_continue)
HANDLER(helper_job_get)
HANDLER(helper_job_delete)
HANDLER(aggregate_share_create)
HANDLER(aggregate_share_get)
HANDLER(aggregate_share_delete)
HANDLER(collection_create)
HANDLER(collection_get)
HANDLER(collection_delete)
HANDLER(janus_job_put)
HANDLER(janus_share_put)
HANDLER(janus_collection_put)

/* How large a body may be, and whether web pages may call the route. */
enum body_kind { BODY_NONE, BODY_UPLOAD, BODY_JOB, BODY_SMALL };
enum { BODY_SMALL_MAX = 1 << 20 };

static const struct route_row {
    const char *method;
    const char *pattern;
    void (*handle)(void *context, struct http_request *request);
    enum body_kind body;
    bool for_clients;
} rows[] = {
    {"GET", "/hpke_config", hpke_config_handle, BODY_NONE, true},
    {"POST", "/tasks/{task}/reports", handle_upload_endpoint, BODY_UPLOAD, true},

    {"POST", "/tasks/{task}/aggregation_jobs", handle_helper_job_create, BODY_JOB, false},
    {"POST", "/tasks/{task}/aggregation_jobs/{job}", handle_helper_job_continue, BODY_JOB, false},
    {"GET", "/tasks/{task}/aggregation_jobs/{job}", handle_helper_job_get, BODY_NONE, false},
    {"DELETE", "/tasks/{task}/aggregation_jobs/{job}", handle_helper_job_delete, BODY_NONE,
     false},

    {"POST", "/tasks/{task}/aggregate_shares", handle_aggregate_share_create, BODY_SMALL, false},
    {"GET", "/tasks/{task}/aggregate_shares/{share}", handle_aggregate_share_get, BODY_NONE,
     false},
    {"DELETE", "/tasks/{task}/aggregate_shares/{share}", handle_aggregate_share_delete, BODY_NONE,
     false},

    {"POST", "/tasks/{task}/collection_jobs", handle_collection_create, BODY_SMALL, false},
    {"GET", "/tasks/{task}/collection_jobs/{job}", handle_collection_get, BODY_NONE, false},
    {"DELETE", "/tasks/{task}/collection_jobs/{job}", handle_collection_delete, BODY_NONE, false},

    {"PUT", "/tasks/{task}/aggregation_jobs/{job}", handle_janus_job_put, BODY_JOB, false},
    {"PUT", "/tasks/{task}/aggregate_shares/{share}", handle_janus_share_put, BODY_SMALL, false},
    {"PUT", "/tasks/{task}/collection_jobs/{job}", handle_janus_collection_put, BODY_SMALL, false},
};
enum { ROUTE_COUNT = sizeof(rows) / sizeof(rows[0]) };

struct routes {
    struct arena arena;
    struct cors_policy cors;
    const char *base_path;
    struct route routes[ROUTE_COUNT];
};

/* "https://a.example, https://b.example" as a list. */
static struct status read_origins(struct routes *routes, const char *text) {
    static const char separators[] = ", ";
    char *copy = arena_printf(&routes->arena, "%s", text);
    const char **origins = ARENA_ARRAY(&routes->arena, const char *, strlen(text) + 1);
    if (copy == NULL || origins == NULL) {
        return FAIL(NO_MEMORY);
    }
    char *rest = NULL;
    for (char *origin = strtok_r(copy, separators, &rest); origin != NULL;
         origin = strtok_r(NULL, separators, &rest)) {
        origins[routes->cors.origin_count++] = origin;
    }
    routes->cors.origins = origins;
    routes->cors.headers = "content-type";
    routes->cors.max_age_s = 86400;
    return OK;
}

static uint64_t body_limit(const struct aggregator_options *options, enum body_kind kind) {
    switch (kind) {
    case BODY_NONE: return 0;
    case BODY_UPLOAD: return options->max_upload_bytes;
    case BODY_JOB: return options->max_job_bytes;
    case BODY_SMALL: break;
    }
    return BODY_SMALL_MAX;
}

struct status routes_new(const struct aggregator_options *options, struct routes **out) {
    struct routes *routes = calloc(1, sizeof(*routes));
    if (routes == NULL) {
        return FAIL(NO_MEMORY);
    }
    routes->arena = ARENA_INIT;
    routes->base_path = options->base_path != NULL ? options->base_path : "";
    struct status status =
        options->cors_origins != NULL ? read_origins(routes, options->cors_origins) : OK;
    if (!status_ok(status)) {
        routes_free(routes);
        return status;
    }
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        bool cors = rows[i].for_clients && routes->cors.origin_count > 0;
        routes->routes[i] = (struct route){.method = rows[i].method,
                                           .pattern = rows[i].pattern,
                                           .body_limit = body_limit(options, rows[i].body),
                                           .handle = rows[i].handle,
                                           .admit = rows[i].body == BODY_UPLOAD ? admit_upload : NULL,
                                           .cors = cors ? &routes->cors : NULL};
    }
    *out = routes;
    return OK;
}

void routes_free(struct routes *routes) {
    if (routes != NULL) {
        arena_release(&routes->arena);
        free(routes);
    }
}

struct status routes_mount(const struct routes *routes, struct aggregator *aggregator,
                           struct router *router) {
    return router_mount(router, routes->base_path, routes->routes, ROUTE_COUNT, aggregator);
}
