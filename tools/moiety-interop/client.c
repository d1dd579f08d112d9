/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <time.h>

#include "interop.h"
#include "moiety/client_curl.h"

struct interop_client {
    struct work_queue *queue;
};

/* "3", or ["1", "0", "2"], as the text that moiety_client_parse() reads. */
static struct status read_measurement(struct interop_call *call, struct buffer *text) {
    const json_t *value = json_object_get(call->body, "measurement");
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (i > 0) {
            TRY(buffer_append_u8(text, ','));
        }
        if (json_is_string(item)) {
            TRY(buffer_append_string(text, json_string_value(item)));
        } else if (json_is_integer(item)) {
            TRY(buffer_printf(text, "%lld", (long long)json_integer_value(item)));
        } else {
            return interop_error(call, "\"measurement\" is missing or not made of numbers");
        }
    }
    return buffer_append_u8(text, '\0');
}

static struct status parse_measurement(struct interop_call *call, struct moiety_client *client,
                                       uint64_t **values) {
    struct buffer text = BUFFER_INIT;
    *values = ARENA_ARRAY(call->arena, uint64_t, moiety_client_measurement_len(client));
    struct status status = *values == NULL ? FAIL(NO_MEMORY) : read_measurement(call, &text);
    if (status_ok(status) &&
        moiety_client_parse(client, (const char *)text.data, *values) != MOIETY_OK) {
        status = interop_error(call, "\"measurement\" does not fit the VDAF");
    }
    buffer_release(&text);
    return status;
}

static struct status failed(struct interop_call *call, struct moiety_client_curl *curl,
                            enum moiety_result result) {
    return interop_error(call, "%s: %s", moiety_result_text(result),
                         moiety_client_curl_error(curl));
}

/* Makes the report and sends it; `*remake` says that the configurations were
 * too old and that it is worth another try with fresh ones. */
static struct status upload_once(struct interop_call *call, struct moiety_client_curl *curl,
                                 const uint64_t values[], uint64_t time_s, bool again,
                                 bool *remake) {
    struct moiety_client *client = moiety_client_curl_client(curl);
    struct moiety_report *report;
    struct moiety_outcome outcome;
    enum moiety_result result = moiety_client_curl_configure(curl, again);
    if (result == MOIETY_OK) {
        result = moiety_client_report(client, values, moiety_client_measurement_len(client),
                                      time_s, &report);
    }
    if (result != MOIETY_OK) {
        return failed(call, curl, result);
    }
    result = moiety_client_curl_upload(curl, &report, 1, &outcome);
    moiety_report_free(report);
    if (result != MOIETY_OK) {
        return failed(call, curl, result);
    }
    *remake = outcome.verdict == MOIETY_REPORT_REMAKE && !again;
    if (outcome.verdict != MOIETY_REPORT_ACCEPTED && !*remake) {
        return interop_error(call, "the leader refused the report: %s",
                             moiety_report_error_name(outcome.error));
    }
    return OK;
}

static struct status upload_with(struct interop_call *call, struct moiety_client_curl *curl) {
    uint64_t *values;
    uint64_t time_s = (uint64_t)time(NULL);
    bool remake;
    if (interop_has(call, "time")) {
        TRY(interop_u64(call, call->body, "time", &time_s));
    }
    TRY(parse_measurement(call, moiety_client_curl_client(curl), &values));
    TRY(upload_once(call, curl, values, time_s, false, &remake));
    return remake ? upload_once(call, curl, values, time_s, true, &remake) : OK;
}

static struct status upload(void *context, struct interop_call *call) {
    (void)context;
    struct interop_task task;
    TRY(interop_task_read(call, &task));
    vdaf_free(task.vdaf);
    const struct moiety_task description = {
        .size = sizeof(description),
        .task_id = task.id,
        .configuration = task.config.data,
        .configuration_len = task.config.len,
    };
    struct moiety_client_curl *curl;
    enum moiety_result result = moiety_client_curl_new(&description, NULL, &curl);
    if (result != MOIETY_OK) {
        return interop_error(call, "%s", moiety_result_text(result));
    }
    struct status status = upload_with(call, curl);
    moiety_client_curl_free(curl);
    return status;
}

static struct status ready(void *context, struct interop_call *call) {
    (void)context;
    (void)call;
    return OK;
}

static void handle_upload(void *context, struct http_request *request) {
    struct interop_client *client = context;
    interop_serve(request, client->queue, upload, client);
}

static void handle_ready(void *context, struct http_request *request) {
    struct interop_client *client = context;
    interop_serve(request, client->queue, ready, client);
}

static const struct route routes[] = {
    {.method = "POST", .pattern = "/internal/test/ready", .body_limit = 65536, .handle = handle_ready},
    {.method = "POST", .pattern = "/internal/test/upload", .body_limit = 16 << 20, .handle = handle_upload},
};

struct status interop_client_new(const struct interop_options *options,
                                 struct interop_client **out) {
    struct interop_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return FAIL(NO_MEMORY);
    }
    client->queue = options->queue;
    struct status status =
        router_mount(options->router, "", routes, sizeof(routes) / sizeof(routes[0]), client);
    if (!status_ok(status)) {
        free(client);
        return status;
    }
    *out = client;
    return OK;
}

void interop_client_free(struct interop_client *client) { free(client); }
