/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "interop.h"
#include "moiety/collector.h"
#include "moiety/provider_openssl.h"
#include "net/http_client.h"
#include "wire/base64url.h"

enum { POLL_MS = 250, REQUEST_MAX = 4096 };

/* A task as add_task made it; lives as long as the collector. */
struct collector_task {
    struct collector_task *next;
    uint8_t id[32];
    bool vector; /* whether results are arrays */
    char *token;
    struct moiety_collector_key *key;
    struct moiety_collector *collector;
};

/* A collection, from collection_start on. */
struct collector_job {
    struct collector_job *next;
    struct interop_collector *owner;
    const struct collector_task *task;
    char handle[23]; /* 16 random bytes in base64url */
    struct moiety_collection *collection;
    char *put_url; /* Janus's dialect, until the job is made; else NULL */
    struct moiety_aggregate *aggregate; /* once complete */
    char error[256];                    /* once failed */
    bool done;
};

struct interop_collector {
    struct work_queue *queue;
    struct http_client *http_client;
    bool janus;
    pthread_mutex_t lock; /* guards the lists, and of a job what a poll reads */
    struct collector_task *tasks;
    struct collector_job *jobs;
};

/* ---- add_task ------------------------------------------------------------------ */

static void task_free(struct collector_task *task) {
    moiety_collector_free(task->collector);
    moiety_collector_key_free(task->key);
    free(task->token);
    free(task);
}

static const struct collector_task *task_find(const struct interop_collector *collector,
                                              const uint8_t id[32]) {
    const struct collector_task *task = collector->tasks;
    while (task != NULL && memcmp(task->id, id, 32) != 0) {
        task = task->next;
    }
    return task;
}

/* Results of VDAFs with a length are arrays, of length 1 too. */
static bool has_length(const struct vdaf *vdaf) {
    const struct vdaf_param *params;
    size_t count = vdaf_params(vdaf, &params);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(params[i].name, "length") == 0) {
            return true;
        }
    }
    return false;
}

static struct status task_open(struct interop_call *call, struct collector_task *task) {
    struct interop_task described;
    const char *token;
    uint8_t config_id;
    TRY(interop_string(call, "collector_authentication_token", &token));
    TRY(interop_task_read(call, &described));
    task->vector = has_length(described.vdaf);
    vdaf_free(described.vdaf);
    memcpy(task->id, described.id, sizeof(task->id));
    task->token = strdup(token);
    if (task->token == NULL || getrandom(&config_id, 1, 0) != 1) {
        return FAIL(NO_MEMORY);
    }
    const struct moiety_task description = {
        .size = sizeof(description),
        .task_id = described.id,
        .configuration = described.config.data,
        .configuration_len = described.config.len,
    };
    enum moiety_result result = moiety_collector_key_generate(
        &moiety_provider_openssl, MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_AEAD_AES_128_GCM,
        config_id, &task->key);
    if (result == MOIETY_OK) {
        result = moiety_collector_new(&description, task->key, &moiety_provider_openssl,
                                      &task->collector);
    }
    return result == MOIETY_OK ? OK : interop_error(call, "%s", moiety_result_text(result));
}

static struct status add_task(void *context, struct interop_call *call) {
    struct interop_collector *collector = context;
    struct collector_task *task = calloc(1, sizeof(*task));
    if (task == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = task_open(call, task);
    if (!status_ok(status)) {
        task_free(task);
        return status;
    }
    size_t len;
    const uint8_t *config = moiety_collector_key_config(task->key, &len);
    json_object_set_new(call->answer, "collector_hpke_config",
                        json_string(base64url_string(call->arena, span_of(config, len))));
    pthread_mutex_lock(&collector->lock);
    bool taken = task_find(collector, task->id) != NULL;
    if (!taken) {
        task->next = collector->tasks;
        collector->tasks = task;
    }
    pthread_mutex_unlock(&collector->lock);
    if (taken) {
        task_free(task);
        return interop_error(call, "there is a task with this id");
    }
    return OK;
}

/* ---- A collection on its way ------------------------------------------------------ */

static void job_end(struct collector_job *job, struct moiety_aggregate *aggregate,
                    const char *error) {
    pthread_mutex_lock(&job->owner->lock);
    job->aggregate = aggregate;
    snprintf(job->error, sizeof(job->error), "%s", error);
    job->done = true;
    pthread_mutex_unlock(&job->owner->lock);
}

static void job_step(void *argument, bool cancelled);

/* In Janus's dialect the collector chooses the job's id and PUTs the request
 * there; from then on its URL serves as the draft's does. */
static struct status job_put_done(struct collector_job *job, int http_status) {
    if (http_status != 200 && http_status != 201) {
        return OK;
    }
    size_t len;
    const uint8_t *request = moiety_collection_request(job->collection, &len);
    struct moiety_collection *made;
    if (moiety_collection_load(job->task->collector, request, len, job->put_url, &made) !=
        MOIETY_OK) {
        return FAIL(INVALID_MESSAGE);
    }
    moiety_collection_free(job->collection);
    job->collection = made;
    free(job->put_url);
    job->put_url = NULL;
    return OK;
}

static const char *header_string(struct http_client_response *response, const char *name) {
    struct span value = http_client_response_header(response, name);
    return value.data == NULL ? NULL
                              : arena_printf(&response->arena, "%.*s", (int)value.len,
                                             (const char *)value.data);
}

static void job_answer(struct collector_job *job, struct http_client_response *response) {
    struct moiety_aggregate *aggregate = NULL;
    if (job->put_url != NULL && !status_ok(job_put_done(job, response->status))) {
        job_end(job, NULL, "the job's URL can't be used");
        return;
    }
    enum moiety_result result = moiety_collection_answer(
        job->collection, response->status, header_string(response, "location"),
        header_string(response, "content-type"), response->body.data, response->body.len,
        &aggregate);
    if (result == MOIETY_PENDING || result == MOIETY_RETRY_LATER) {
        if (!status_ok(
                work_queue_submit_after_ms(job->owner->queue, POLL_MS, job_step, job))) {
            job_end(job, NULL, "out of memory");
        }
        return;
    }
    char error[256] = "";
    if (result != MOIETY_OK) {
        snprintf(error, sizeof(error), "%s (status %d): %.*s", moiety_result_text(result),
                 response->status, (int)(response->body.len < 160 ? response->body.len : 160),
                 (const char *)response->body.data);
    }
    job_end(job, aggregate, error);
}

/* Sends what is due and reads the answer: a test's collector may wait in a
 * worker. */
static void job_step(void *argument, bool cancelled) {
    struct collector_job *job = argument;
    if (cancelled) {
        return;
    }
    bool created = moiety_collection_created(job->collection) != 0;
    size_t len;
    const uint8_t *body = moiety_collection_request(job->collection, &len);
    char token[512];
    snprintf(token, sizeof(token), "%s%s", job->owner->janus ? "" : "Bearer ", job->task->token);
    const struct http_header headers[] = {
        {span_of_string(job->owner->janus ? "DAP-Auth-Token" : "Authorization"),
         span_of_string(token)},
        HTTP_HEADER("Content-Type",
                    span_of_string(moiety_collection_media_type(job->collection))),
    };
    const struct http_client_request request = {
        .method = created ? "GET" : job->put_url != NULL ? "PUT" : "POST",
        .url = job->put_url != NULL ? job->put_url : moiety_collection_url(job->collection),
        .headers = headers,
        .header_count = created ? 1 : 2,
        .body = created ? SPAN_EMPTY : span_of(body, len),
    };
    struct http_client_response *response;
    if (!status_ok(http_client_call(job->owner->http_client, &request, &response))) {
        job_end(job, NULL, "the request can't be sent");
        return;
    }
    job_answer(job, response);
    http_client_response_free(response);
}

/* ---- collection_start, collection_poll --------------------------------------------- */

static void job_free(struct collector_job *job) {
    moiety_aggregate_free(job->aggregate);
    moiety_collection_free(job->collection);
    free(job->put_url);
    free(job);
}

static struct status random_name(struct interop_call *call, char out[23]) {
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return interop_error(call, "no random bytes");
    }
    base64url_encode(out, SPAN_OF_ARRAY(bytes));
    return OK;
}

static struct status make_query(struct interop_call *call, struct collector_job *job) {
    const json_t *query = json_object_get(call->body, "query");
    uint64_t mode;
    uint64_t start = 0;
    uint64_t duration = 0;
    TRY(interop_u64(call, query, "type", &mode));
    enum moiety_result result;
    if (mode == MOIETY_TIME_INTERVAL) {
        TRY(interop_u64(call, query, "batch_interval_start", &start));
        TRY(interop_u64(call, query, "batch_interval_duration", &duration));
        result = moiety_collector_interval(job->task->collector, start, duration,
                                           &job->collection);
    } else {
        result = moiety_collector_next_batch(job->task->collector, &job->collection);
    }
    if (result != MOIETY_OK) {
        return interop_error(call, "\"query\": %s", moiety_result_text(result));
    }
    return OK;
}

static struct status job_open(struct interop_collector *collector, struct interop_call *call,
                              struct collector_job *job) {
    uint8_t id[32];
    char name[23];
    TRY(interop_bytes(call, "task_id", id, sizeof(id)));
    if (interop_has(call, "agg_param")) {
        struct span agg_param;
        TRY(interop_bytes_any(call, "agg_param", &agg_param));
        if (agg_param.len > 0) {
            return interop_error(call, "\"agg_param\" is not empty, as Prio3's is");
        }
    }
    job->owner = collector;
    pthread_mutex_lock(&collector->lock);
    job->task = task_find(collector, id);
    pthread_mutex_unlock(&collector->lock);
    if (job->task == NULL) {
        return interop_error(call, "there is no task with this id");
    }
    TRY(random_name(call, job->handle));
    TRY(make_query(call, job));
    if (collector->janus) {
        char url[REQUEST_MAX];
        TRY(random_name(call, name));
        snprintf(url, sizeof(url), "%s/%s", moiety_collection_url(job->collection), name);
        job->put_url = strdup(url);
    }
    return OK;
}

static struct status start(void *context, struct interop_call *call) {
    struct interop_collector *collector = context;
    struct collector_job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = job_open(collector, call, job);
    if (!status_ok(status)) {
        job_free(job);
        return status;
    }
    pthread_mutex_lock(&collector->lock);
    job->next = collector->jobs;
    collector->jobs = job;
    pthread_mutex_unlock(&collector->lock);
    json_object_set_new(call->answer, "handle", json_string(job->handle));
    return work_queue_submit_after_ms(collector->queue, 0, job_step, job);
}

/* One number, or an array of them, all as strings. */
static json_t *result_json(const struct moiety_aggregate *aggregate, bool vector) {
    if (!vector) {
        return json_string(moiety_aggregate_value(aggregate, 0)->decimal);
    }
    json_t *values = json_array();
    for (size_t i = 0; i < moiety_aggregate_len(aggregate); i++) {
        json_array_append_new(values,
                              json_string(moiety_aggregate_value(aggregate, i)->decimal));
    }
    return values;
}

static struct status report_job(struct interop_call *call, const struct collector_job *job) {
    if (!job->done) {
        json_object_set_new(call->answer, "status", json_string("in progress"));
        return OK;
    }
    const struct moiety_aggregate *aggregate = job->aggregate;
    if (aggregate == NULL) {
        return interop_error(call, "%s", job->error);
    }
    json_t *answer = call->answer;
    json_object_set_new(answer, "status", json_string("complete"));
    json_object_set_new(answer, "report_count",
                        json_integer((json_int_t)moiety_aggregate_report_count(aggregate)));
    json_object_set_new(answer, "interval_start",
                        json_integer((json_int_t)moiety_aggregate_start_s(aggregate)));
    json_object_set_new(answer, "interval_duration",
                        json_integer((json_int_t)moiety_aggregate_duration_s(aggregate)));
    json_object_set_new(answer, "result",
                        result_json(aggregate, job->task->vector));
    return OK;
}

static struct status poll_job(void *context, struct interop_call *call) {
    struct interop_collector *collector = context;
    const char *handle;
    TRY(interop_string(call, "handle", &handle));
    pthread_mutex_lock(&collector->lock);
    const struct collector_job *job = collector->jobs;
    while (job != NULL && strcmp(job->handle, handle) != 0) {
        job = job->next;
    }
    struct status status =
        job == NULL ? interop_error(call, "there is no such handle") : report_job(call, job);
    pthread_mutex_unlock(&collector->lock);
    return status;
}

/* ---- Routes --------------------------------------------------------------------------- */

static struct status ready(void *context, struct interop_call *call) {
    (void)context;
    (void)call;
    return OK;
}

static void handle_ready(void *context, struct http_request *request) {
    interop_serve(request, ((struct interop_collector *)context)->queue, ready, context);
}

static void handle_add_task(void *context, struct http_request *request) {
    interop_serve(request, ((struct interop_collector *)context)->queue, add_task, context);
}

static void handle_start(void *context, struct http_request *request) {
    interop_serve(request, ((struct interop_collector *)context)->queue, start, context);
}

static void handle_poll(void *context, struct http_request *request) {
    interop_serve(request, ((struct interop_collector *)context)->queue, poll_job, context);
}

static const struct route routes[] = {
    {.method = "POST", .pattern = "/internal/test/ready", .body_limit = 65536, .handle = handle_ready},
    {.method = "POST", .pattern = "/internal/test/add_task", .body_limit = 65536, .handle = handle_add_task},
    {.method = "POST", .pattern = "/internal/test/collection_start", .body_limit = 65536, .handle = handle_start},
    {.method = "POST", .pattern = "/internal/test/collection_poll", .body_limit = 65536, .handle = handle_poll},
};

struct status interop_collector_new(const struct interop_options *options,
                                    struct interop_collector **out) {
    struct interop_collector *collector = calloc(1, sizeof(*collector));
    if (collector == NULL) {
        return FAIL(NO_MEMORY);
    }
    pthread_mutex_init(&collector->lock, NULL);
    collector->queue = options->queue;
    collector->janus = strcmp(options->dialect, "draft-18") != 0;
    struct status status =
        http_client_new(&collector->http_client, &(struct http_client_config){0});
    if (status_ok(status)) {
        status = router_mount(options->router, "", routes, sizeof(routes) / sizeof(routes[0]),
                              collector);
    }
    if (!status_ok(status)) {
        interop_collector_free(collector);
        return status;
    }
    *out = collector;
    return OK;
}

void interop_collector_free(struct interop_collector *collector) {
    if (collector == NULL) {
        return;
    }
    http_client_free(collector->http_client);
    for (struct collector_job *job = collector->jobs; job != NULL;) {
        struct collector_job *next = job->next;
        job_free(job);
        job = next;
    }
    for (struct collector_task *task = collector->tasks; task != NULL;) {
        struct collector_task *next = task->next;
        task_free(task);
        task = next;
    }
    pthread_mutex_destroy(&collector->lock);
    free(collector);
}
