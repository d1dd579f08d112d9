/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "server.h"

static void reply_text(struct http_request *request, int status, const char *media_type,
                       struct buffer *body) {
    const struct http_header headers[] = {
        HTTP_HEADER("Content-Type", span_of_string(media_type)),
        HTTP_HEADER("Cache-Control", SPAN_OF_LITERAL("no-store")),
    };
    http_reply(request,
               &(struct http_response){
                   .status = status, .headers = headers, .header_count = 2, .owned = body});
}

static void reply_line(struct http_request *request, int status, const char *line) {
    struct buffer body = BUFFER_INIT;
    if (status_ok(buffer_printf(&body, "%s\n", line))) {
        reply_text(request, status, "text/plain; charset=utf-8", &body);
    } else {
        http_reply_problem(request, 500, NULL, 0);
    }
    buffer_release(&body);
}

/* The process lives: its loops answer. */
static void handle_healthz(void *context, struct http_request *request) {
    (void)context;
    reply_line(request, 200, "ok");
}

/* Asking the store may wait, so it is a worker that looks. */
struct probe {
    struct moietyd *d;
    struct http_request *request;
};

static void run_readyz(void *argument, bool cancelled) {
    struct probe *probe = argument;
    const char *why = "not serving";
    bool ready = !cancelled && atomic_load(&probe->d->serving) &&
                 aggregator_ready(probe->d->aggregator, &why);
    reply_line(probe->request, ready ? 200 : 503, ready ? "ready" : why);
}

static void handle_readyz(void *context, struct http_request *request) {
    struct moietyd *d = context;
    struct probe *probe = ARENA_NEW(&request->arena, struct probe);
    if (probe == NULL) {
        http_reply_problem(request, 500, NULL, 0);
        return;
    }
    *probe = (struct probe){d, request};
    if (!atomic_load(&d->serving)) {
        reply_line(request, 503, "starting or stopping");
    } else if (!status_ok(work_queue_submit(d->queue, run_readyz, probe))) {
        reply_line(request, 503, "the work queue is full");
    }
}

static void handle_metrics(void *context, struct http_request *request) {
    struct moietyd *d = context;
    struct buffer body = BUFFER_INIT;
    if (status_ok(metrics_write(d->metrics, &body))) {
        reply_text(request, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    } else {
        http_reply_problem(request, 500, NULL, 0);
    }
    buffer_release(&body);
}

struct status admin_mount_probes(struct moietyd *d, struct router *router) {
    static const struct route routes[] = {
        {.method = "GET", .pattern = "/healthz", .handle = handle_healthz},
        {.method = "GET", .pattern = "/readyz", .handle = handle_readyz},
    };
    return router_mount(router, "", routes, sizeof(routes) / sizeof(routes[0]), d);
}

struct status admin_mount_metrics(struct moietyd *d, struct router *router) {
    static const struct route routes[] = {
        {.method = "GET", .pattern = "/metrics", .handle = handle_metrics},
    };
    return router_mount(router, "", routes, sizeof(routes) / sizeof(routes[0]), d);
}
