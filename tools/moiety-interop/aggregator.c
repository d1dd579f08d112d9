/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "aggregator/aggregator.h"
#include "aggregator/auth.h"
#include "aggregator/keyring.h"
#include "aggregator/task.h"
#include "base/log.h"
#include "hpke/provider/default.h"
#include "interop.h"
#include "wire/base64url.h"

struct interop_aggregator {
    struct interop_options options;
    struct store *store;
    struct http_client *http_client;
    struct aggregator *aggregator;
};

/* ---- add_task --------------------------------------------------------------- */

struct task_rows {
    struct store_peer aggregator;
    struct store_peer collector;
    struct store_task task;
};

static struct status put_rows(struct store_tx *tx, void *argument) {
    const struct task_rows *rows = argument;
    TRY(store_peer_put(tx, &rows->aggregator));
    if (rows->task.collector_peer != NULL) {
        TRY(store_peer_put(tx, &rows->collector));
    }
    return store_task_put(tx, &rows->task);
}

static struct status read_role(struct interop_call *call, uint8_t *out) {
    const char *role;
    TRY(interop_string(call, "role", &role));
    if (strcmp(role, "leader") == 0) {
        *out = ROLE_LEADER;
    } else if (strcmp(role, "helper") == 0) {
        *out = ROLE_HELPER;
    } else {
        return interop_error(call, "\"role\" is neither leader nor helper");
    }
    return OK;
}

static struct status hash_token(struct interop_call *call, const char *name, struct span *out) {
    const char *token;
    uint8_t hash[32];
    TRY(interop_string(call, name, &token));
    auth_hash(span_of_string(token), hash);
    return arena_copy(call->arena, SPAN_OF_ARRAY(hash), out);
}

/* The tokens: a leader sends the leader's and expects the collector's, a helper
 * expects the leader's. Each task has peers of its own, since here tokens
 * belong to tasks. */
static struct status fill_peers(struct interop_call *call, const struct interop_options *options,
                                struct task_rows *rows) {
    const char *id = base64url_string(call->arena, SPAN_OF_ARRAY(rows->task.id));
    const char *aggregator = arena_printf(call->arena, "aggregator-%s", id);
    const char *collector = arena_printf(call->arena, "collector-%s", id);
    if (id == NULL || aggregator == NULL || collector == NULL) {
        return FAIL(NO_MEMORY);
    }
    rows->aggregator = (struct store_peer){.name = aggregator, .dialect = options->dialect};
    rows->task.aggregator_peer = aggregator;
    if (rows->task.role == ROLE_HELPER) {
        return hash_token(call, "leader_authentication_token", &rows->aggregator.token_hash);
    }
    const char *token;
    TRY(interop_string(call, "leader_authentication_token", &token));
    rows->aggregator.token = span_of_string(token);
    rows->collector =
        (struct store_peer){.name = collector, .dialect = options->collector_dialect};
    rows->task.collector_peer = collector;
    return hash_token(call, "collector_authentication_token", &rows->collector.token_hash);
}

static struct status fill_settings(struct interop_call *call, bool helper_async,
                                   struct span *out) {
    struct task_settings settings = TASK_SETTINGS_DEFAULT;
    settings.allow_small_batches = true;
    settings.helper_async = helper_async;
    settings.job_linger_ms = 50;
    struct buffer text = BUFFER_INIT;
    struct status status = task_settings_print(&settings, &text);
    if (status_ok(status)) {
        status = arena_copy(call->arena, buffer_span(&text), out);
    }
    buffer_release(&text);
    return status;
}

static struct status fill_verify_key(struct interop_call *call, struct span *out) {
    struct task_verify_key key = {.id = 0};
    TRY(interop_bytes_any(call, "vdaf_verify_key", &key.key));
    struct buffer encoded = BUFFER_INIT;
    struct status status = task_verify_keys_encode(&key, 1, &encoded);
    if (status_ok(status)) {
        status = arena_copy(call->arena, buffer_span(&encoded), out);
    }
    buffer_release(&encoded);
    return status;
}

static struct status fill_rows(struct interop_aggregator *aggregator, struct interop_call *call,
                               struct task_rows *rows) {
    struct interop_task described;
    TRY(interop_task_read(call, &described));
    vdaf_free(described.vdaf);
    *rows = (struct task_rows){
        .task = {.config = described.config, .created_at = clock_now_us(&clock_system)}};
    memcpy(rows->task.id, described.id, sizeof(described.id));
    TRY(read_role(call, &rows->task.role));
    TRY(interop_bytes_any(call, "collector_hpke_config", &rows->task.collector_config));
    TRY(fill_verify_key(call, &rows->task.verify_keys));
    TRY(fill_settings(call, aggregator->options.helper_async, &rows->task.settings));
    return fill_peers(call, &aggregator->options, rows);
}

static struct status add_task(void *context, struct interop_call *call) {
    struct interop_aggregator *aggregator = context;
    struct task_rows rows;
    TRY(fill_rows(aggregator, call, &rows));
    struct served_task *decoded;
    char error[TASK_SETTINGS_ERROR_MAX] = "";
    const struct store_peer *collector =
        rows.task.collector_peer == NULL ? NULL : &rows.collector;
    if (!status_ok(task_from_row(&rows.task, &rows.aggregator, collector, &decoded, error))) {
        return interop_error(call, "not a valid task: %s", error);
    }
    task_release(decoded);
    struct status status = store_run(aggregator->store, STORE_WRITE, put_rows, &rows);
    return status_ok(status) ? OK
                             : interop_error(call, "the task can't be stored: %s",
                                             status_text(status.code));
}

static void handle_add_task(void *context, struct http_request *request) {
    struct interop_aggregator *aggregator = context;
    interop_serve(request, aggregator->options.queue, add_task, aggregator);
}

/* ---- ready, endpoint_for_task ------------------------------------------------ */

static struct status check_ready(void *context, struct interop_call *call) {
    struct interop_aggregator *aggregator = context;
    const char *why = "";
    return aggregator_ready(aggregator->aggregator, &why) ? OK : interop_error(call, "%s", why);
}

static void handle_ready(void *context, struct http_request *request) {
    struct interop_aggregator *aggregator = context;
    interop_serve(request, aggregator->options.queue, check_ready, aggregator);
}

static struct status tell_endpoint(void *context, struct interop_call *call) {
    (void)context;
    json_object_set_new(call->answer, "endpoint", json_string("/"));
    return OK;
}

static void handle_endpoint(void *context, struct http_request *request) {
    struct interop_aggregator *aggregator = context;
    interop_serve(request, aggregator->options.queue, tell_endpoint, aggregator);
}

static const struct route routes[] = {
    {.method = "POST", .pattern = "/internal/test/ready", .body_limit = 65536, .handle = handle_ready},
    {.method = "POST", .pattern = "/internal/test/endpoint_for_task", .body_limit = 65536, .handle = handle_endpoint},
    {.method = "POST", .pattern = "/internal/test/add_task", .body_limit = 65536, .handle = handle_add_task},
};

/* ---- Start and end ------------------------------------------------------------ */

/* The database lives no longer than the test, so its wrapping key may live in
 * memory. */
static struct status open_store(struct interop_aggregator *aggregator) {
    struct store_wrapping_key key;
    char url[4096];
    if (getrandom(&key, sizeof(key), 0) != (ssize_t)sizeof(key)) {
        return FAIL(CRYPTO);
    }
    snprintf(url, sizeof(url), "sqlite:%s/interop.db", aggregator->options.directory);
    const struct store_options options = {
        .wrapping_keys = &key, .wrapping_key_count = 1, .clock = &clock_system, .create = true};
    return store_open(url, &options, &aggregator->store);
}

static struct status start(struct interop_aggregator *aggregator) {
    static const struct hpke_suite suite = {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256,
                                            MOIETY_AEAD_AES_128_GCM};
    uint8_t id;
    TRY(open_store(aggregator));
    TRY(keyring_add(aggregator->store, hpke_provider_default(), suite, clock_now_us(&clock_system),
                    &id));
    TRY(http_client_new(&aggregator->http_client, &(struct http_client_config){0}));
    const struct aggregator_options options = {
        .store = aggregator->store,
        .queue = aggregator->options.queue,
        .http_client = aggregator->http_client,
        .provider = hpke_provider_default(),
        .clock = &clock_system,
        .job_poll_ms = 100,
    };
    TRY(aggregator_new(&options, &aggregator->aggregator));
    TRY(router_mount(aggregator->options.router, "", routes, sizeof(routes) / sizeof(routes[0]),
                     aggregator));
    TRY(aggregator_add_routes(aggregator->aggregator, aggregator->options.router));
    return aggregator_start(aggregator->aggregator);
}

struct status interop_aggregator_new(const struct interop_options *options,
                                     struct interop_aggregator **out) {
    struct interop_aggregator *aggregator = calloc(1, sizeof(*aggregator));
    if (aggregator == NULL) {
        return FAIL(NO_MEMORY);
    }
    aggregator->options = *options;
    struct status status = start(aggregator);
    if (!status_ok(status)) {
        interop_aggregator_free(aggregator);
        return status;
    }
    *out = aggregator;
    return OK;
}

void interop_aggregator_stop(struct interop_aggregator *aggregator) {
    if (aggregator != NULL) {
        aggregator_drain(aggregator->aggregator);
        http_client_stop(aggregator->http_client);
    }
}

void interop_aggregator_free(struct interop_aggregator *aggregator) {
    if (aggregator == NULL) {
        return;
    }
    if (aggregator->http_client != NULL) {
        http_client_stop(aggregator->http_client);
    }
    aggregator_free(aggregator->aggregator);
    http_client_free(aggregator->http_client);
    store_close(aggregator->store);
    free(aggregator);
}
