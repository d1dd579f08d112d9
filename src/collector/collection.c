/* SPDX-License-Identifier: Apache-2.0 */
/* Collection jobs (draft 18, section 4.6.1). */
#include <stdlib.h>

#include "collector/collector.h"
#include "dap/batch.h"
#include "dap/interval.h"
#include "dap/media_type.h"
#include "dap/url.h"

struct moiety_collection {
    const struct moiety_collector *collector;
    struct buffer request; /* encoded CollectionJobReq, which the shares authenticate */
    char *job_url;         /* NULL until the leader gave one */
};

static struct status collection_of(const struct moiety_collector *collector, struct span request,
                                   struct moiety_collection **out) {
    struct moiety_collection *collection = calloc(1, sizeof(*collection));
    if (collection == NULL) {
        return FAIL(NO_MEMORY);
    }
    collection->collector = collector;
    struct status status = buffer_append(&collection->request, request);
    if (status_ok(status)) {
        *out = collection;
    } else {
        moiety_collection_free(collection);
    }
    return status;
}

/* The aggregation parameter is empty, the only one that Prio3 has. */
static struct status collection_new(const struct moiety_collector *collector,
                                    const struct batch *batch, struct moiety_collection **out) {
    struct arena arena = ARENA_INIT;
    struct buffer encoded = BUFFER_INIT;
    struct collection_job_req request = {.agg_param = SPAN_EMPTY};
    struct status status;
    TRY_GOTO(status, batch_to_query(batch, &arena, &request.query), done);
    TRY_GOTO(status, collection_job_req_encode(&request, &encoded), done);
    status = collection_of(collector, buffer_span(&encoded), out);
done:
    buffer_release(&encoded);
    arena_release(&arena);
    return status;
}

enum moiety_result moiety_collector_interval(const struct moiety_collector *collector,
                                             uint64_t start_s, uint64_t duration_s,
                                             struct moiety_collection **out) {
    uint64_t precision = collector->task.configuration.time_precision;
    struct batch batch = {
        .mode = BATCH_MODE_TIME_INTERVAL,
        .interval = {start_s / precision, duration_s / precision},
    };
    if (collector->task.configuration.batch_mode != BATCH_MODE_TIME_INTERVAL || out == NULL ||
        start_s % precision != 0 || duration_s % precision != 0 || duration_s == 0 ||
        duration_s > UINT64_MAX - start_s) {
        return MOIETY_INVALID_ARGUMENT;
    }
    return result_of(collection_new(collector, &batch, out));
}

enum moiety_result moiety_collector_next_batch(const struct moiety_collector *collector,
                                               struct moiety_collection **out) {
    const struct batch next = {.mode = BATCH_MODE_LEADER_SELECTED};
    if (collector->task.configuration.batch_mode != BATCH_MODE_LEADER_SELECTED || out == NULL) {
        return MOIETY_INVALID_ARGUMENT;
    }
    return result_of(collection_new(collector, &next, out));
}

/* Takes a Location for the job's URL if it is one of this task's. */
static struct status take_location(struct moiety_collection *collection, const char *location) {
    const struct moiety_collector *collector = collection->collector;
    struct arena arena = ARENA_INIT;
    char *resolved;
    struct status status;
    TRY_GOTO(status,
             location_resolve(collector->task.configuration.leader_aggregator_endpoint,
                              RESOURCE_COLLECTION_JOBS, &collector->task.id,
                              span_of_string(moiety_collection_url(collection)),
                              span_of_string(location), &arena, &resolved),
             done);
    char *copy = strdup(resolved);
    if (copy == NULL) {
        status = FAIL(NO_MEMORY);
        goto done;
    }
    free(collection->job_url);
    collection->job_url = copy;
done:
    arena_release(&arena);
    return status;
}

static struct status check_request(const struct moiety_collector *collector, struct span request) {
    struct arena arena = ARENA_INIT;
    struct collection_job_req decoded;
    struct batch batch;
    struct status status;
    TRY_GOTO(status, collection_job_req_decode(request, &arena, &decoded), done);
    TRY_GOTO(status,
             batch_of_query(&decoded.query, collector->task.configuration.batch_mode, &batch),
             done);
    status = vdaf_check_agg_param(collector->vdaf, decoded.agg_param);
done:
    arena_release(&arena);
    return status_ok(status) || status.code == STATUS_NO_MEMORY ? status : FAIL(INVALID_MESSAGE);
}

enum moiety_result moiety_collection_load(const struct moiety_collector *collector,
                                          const void *request, size_t len, const char *job_url,
                                          struct moiety_collection **out) {
    struct moiety_collection *collection = NULL;
    if (out == NULL || (request == NULL && len > 0)) {
        return MOIETY_INVALID_ARGUMENT;
    }
    struct status status = check_request(collector, span_of(request, len));
    if (status_ok(status)) {
        status = collection_of(collector, span_of(request, len), &collection);
    }
    if (status_ok(status) && job_url != NULL) {
        status = take_location(collection, job_url);
    }
    if (!status_ok(status)) {
        moiety_collection_free(collection);
        return result_of(status);
    }
    *out = collection;
    return MOIETY_OK;
}

void moiety_collection_free(struct moiety_collection *collection) {
    if (collection != NULL) {
        buffer_release(&collection->request);
        free(collection->job_url);
        free(collection);
    }
}

const uint8_t *moiety_collection_request(const struct moiety_collection *collection, size_t *len) {
    *len = collection->request.len;
    return collection->request.data;
}

const char *moiety_collection_media_type(const struct moiety_collection *collection) {
    (void)collection;
    return media_type_string(MEDIA_COLLECTION_JOB_REQ);
}

const char *moiety_collection_url(const struct moiety_collection *collection) {
    return collection->job_url != NULL ? collection->job_url
                                       : collection->collector->creation_url;
}

int moiety_collection_created(const struct moiety_collection *collection) {
    return collection->job_url != NULL;
}

static struct status open_body(const struct moiety_collection *collection,
                               const char *content_type, struct span body,
                               struct moiety_aggregate **out) {
    struct arena arena = ARENA_INIT;
    struct span request = buffer_span(&collection->request);
    struct collection_job_req decoded;
    struct status status;
    if (content_type == NULL ||
        !media_type_matches(span_of_string(content_type), MEDIA_COLLECTION_JOB_RESP)) {
        return FAIL(INVALID_MESSAGE);
    }
    TRY_GOTO(status, collection_job_req_decode(request, &arena, &decoded), done);
    status = aggregate_open(collection->collector, request, decoded.agg_param, body, out);
done:
    arena_release(&arena);
    return status;
}

enum moiety_result moiety_collection_answer(struct moiety_collection *collection, int status,
                                            const char *location, const char *content_type,
                                            const void *body, size_t len,
                                            struct moiety_aggregate **out) {
    if (out == NULL || (body == NULL && len > 0)) {
        return MOIETY_INVALID_ARGUMENT;
    }
    enum moiety_result result = result_of_http(status);
    if (result != MOIETY_OK) {
        return result;
    }
    if (location != NULL) {
        result = result_of(take_location(collection, location));
    } else if (collection->job_url == NULL) {
        result = MOIETY_INVALID_MESSAGE;
    }
    if (result != MOIETY_OK) {
        return result;
    }
    return len == 0 ? MOIETY_PENDING
                    : result_of(open_body(collection, content_type, span_of(body, len), out));
}
