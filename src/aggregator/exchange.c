/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/exchange.h"

#include "aggregator/auth.h"
#include "base/log.h"
#include "wire/base64url.h"

/* The role and the caller are checked before anything that tells about the
 * task; a task in which this server has the other role is as good as unknown. */
static struct status exchange_check(struct exchange *exchange) {
    const struct endpoint *endpoint = exchange->endpoint;
    const struct http_request *request = exchange->request;
    const struct served_task *task = exchange->task;
    if (task->role != endpoint->role) {
        return FAIL(UNRECOGNIZED_TASK);
    }
    if (endpoint->caller == CALLER_AGGREGATOR) {
        TRY(auth_check(request, &task->aggregator_peer));
    } else if (endpoint->caller == CALLER_COLLECTOR) {
        TRY(task->has_collector_peer ? auth_check(request, &task->collector_peer)
                                     : FAIL(UNAUTHORIZED));
    }
    if (endpoint->has_body &&
        !media_type_matches(http_request_header(request, "content-type"), endpoint->body_type)) {
        return exchange_fail(exchange, FAIL(UNSUPPORTED_MEDIA_TYPE),
                             media_type_string(endpoint->body_type));
    }
    return OK;
}

static struct status exchange_admit(struct exchange *exchange) {
    const struct served_task *task;
    TRY(task_acquire_text(exchange->aggregator,
                          http_request_parameter(exchange->request, "task"), &task));
    exchange->task = task;
    return exchange_check(exchange);
}

/* Takes a small request on the loop's thread. If anything is wrong with it, or the
 * store has to be asked, a worker starts afresh with it. */
static bool exchange_take_small(struct exchange *exchange) {
    const struct endpoint *endpoint = exchange->endpoint;
    const struct http_request *request = exchange->request;
    const struct served_task *task;
    if (endpoint->run_small == NULL || request->body.len > EXCHANGE_SMALL_BYTES ||
        !task_acquire_cached(exchange->aggregator, http_request_parameter(request, "task"),
                             &task)) {
        return false;
    }
    exchange->task = task;
    if (status_ok(exchange_check(exchange)) && endpoint->run_small(exchange)) {
        return true;
    }
    exchange->task = NULL;
    exchange->detail = NULL;
    task_release(task);
    return false;
}

/* Of an exchange that its endpoint will see no more of. */
static void let_go(struct exchange *exchange) {
    if (exchange->state != NULL && exchange->endpoint->abandon != NULL) {
        exchange->endpoint->abandon(exchange);
    }
}

static void exchange_work(void *argument, bool cancelled) {
    struct exchange *exchange = argument;
    struct status status;
    if (cancelled) {
        status = exchange_fail(exchange, FAIL(BUSY), "shutting down");
    } else if (http_request_gone(exchange->request)) {
        /* Under load, work for who no longer waits would starve who does. */
        status = exchange_fail(exchange, FAIL(REQUEST_TIMEOUT), "the client has gone");
    } else {
        status = exchange->admitted ? OK : exchange_admit(exchange);
    }
    if (!status_ok(status)) {
        let_go(exchange);
        exchange_finish(exchange, status, NULL);
        return;
    }
    exchange->admitted = true;
    exchange->complete ? exchange->endpoint->run(exchange) : exchange->endpoint->run_part(exchange);
}

/* The request's exchange, which is made with its first part; NULL if out of
 * memory. */
static struct exchange *exchange_of(struct aggregator *aggregator, struct http_request *request,
                                    const struct endpoint *endpoint) {
    if (request->user == NULL) {
        struct exchange *exchange = ARENA_NEW(&request->arena, struct exchange);
        if (exchange != NULL) {
            *exchange = (struct exchange){.aggregator = aggregator,
                                          .request = request,
                                          .arena = &request->arena,
                                          .endpoint = endpoint,
                                          .started_ns = clock_monotonic_ns()};
        }
        request->user = exchange;
    }
    return request->user;
}

static void exchange_submit(struct aggregator *aggregator, struct http_request *request,
                            const struct endpoint *endpoint, bool complete) {
    struct exchange *exchange = exchange_of(aggregator, request, endpoint);
    if (exchange == NULL) {
        http_reply_problem(request, 503, NULL, REPLY_BUSY_RETRY_S);
        return;
    }
    exchange->complete = complete;
    if (complete && !exchange->admitted && exchange_take_small(exchange)) {
        return;
    }
    /* What was admitted once doesn't queue behind what wasn't yet: a body half
     * taken holds memory. */
    struct work_queue *queue = aggregator->options.queue;
    struct status status = exchange->admitted
                               ? work_queue_submit_after_ms(queue, 0, exchange_work, exchange)
                               : work_queue_submit(queue, exchange_work, exchange);
    if (!status_ok(status)) {
        let_go(exchange);
        exchange_finish(exchange, FAIL(BUSY), NULL);
    }
}

void exchange_begin(struct aggregator *aggregator, struct http_request *request,
                    const struct endpoint *endpoint) {
    exchange_submit(aggregator, request, endpoint, true);
}

void exchange_part(struct aggregator *aggregator, struct http_request *request,
                   const struct endpoint *endpoint) {
    exchange_submit(aggregator, request, endpoint, false);
}

void exchange_abandon(struct http_request *request) {
    struct exchange *exchange = request->user;
    if (exchange != NULL) {
        let_go(exchange);
        task_release(exchange->task);
    }
}

void exchange_continue(struct exchange *exchange, size_t consumed) {
    http_continue(exchange->request, consumed);
}

static void log_failure(const struct exchange *exchange, struct status status) {
    bool ours = status_http(status.code) >= 500 && status.code != STATUS_BUSY;
    log_event(ours ? LOG_ERROR : LOG_DEBUG, "request refused",
              LOG_STRING("endpoint", exchange->endpoint->name),
              LOG_STRING("task", exchange->task != NULL ? exchange->task->id_text : ""),
              LOG_STRING("status", status_name(status.code)),
              LOG_STRING("detail", exchange->detail != NULL ? exchange->detail : ""));
}

/* The task that the URL names, whether we have it or not; NULL if that is no id. */
static const struct task_id *named_task(const struct exchange *exchange, struct task_id *room) {
    if (exchange->task != NULL) {
        return &exchange->task->dap.id;
    }
    struct span text = http_request_parameter(exchange->request, "task");
    return status_ok(base64url_decode(room->bytes, sizeof(room->bytes), text)) ? room : NULL;
}

void exchange_finish(struct exchange *exchange, struct status status, const struct reply *reply) {
    struct reply problem;
    const struct served_task *task = exchange->task;
    struct task_id id;
    const char *name = exchange->endpoint->name;
    aggregator_note(exchange->aggregator, status);
    if (!status_ok(status)) {
        log_failure(exchange, status);
        reply_problem(exchange->arena,
                      &(struct problem){
                          .code = status.code,
                          .detail = exchange->detail,
                          .task_id = named_task(exchange, &id),
                          .unsupported_extensions = exchange->unsupported_extensions,
                          .unsupported_extension_count = exchange->unsupported_extension_count,
                      },
                      &problem);
        reply = &problem;
    }
    metric_observe(metric_series(exchange->aggregator->counts.seconds, &name),
                   (double)(clock_monotonic_ns() - exchange->started_ns) / 1e9);
    reply_send(exchange->request, reply); /* the exchange is in the request's arena */
    task_release(task);
}

struct status exchange_id(const struct exchange *exchange, const char *parameter,
                          enum status_code missing, uint8_t id[STORE_ID_SIZE]) {
    struct span text = http_request_parameter(exchange->request, parameter);
    struct status status = base64url_decode(id, STORE_ID_SIZE, text);
    return status_ok(status) ? OK : (struct status){missing};
}

struct status exchange_location(const struct exchange *exchange, enum resource resource,
                                const uint8_t id[STORE_ID_SIZE], int step, const char **out) {
    const struct served_task *task = exchange->task;
    const struct task_configuration *config = &task->dap.configuration;
    struct span base = task->role == ROLE_LEADER ? config->leader_aggregator_endpoint
                                                 : config->helper_aggregator_endpoint;
    struct job_id job;
    char *location;
    memcpy(job.bytes, id, sizeof(job.bytes));
    TRY(resource_location(base, resource, &task->dap.id, &job, step, exchange->arena, &location));
    *out = location;
    return OK;
}
