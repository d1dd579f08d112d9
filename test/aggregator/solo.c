/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/solo.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "aggregator/auth.h"
#include "aggregator/keyring.h"
#include "wire/base64url.h"

static const struct hpke_suite suite = {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256,
                                        MOIETY_AEAD_AES_128_GCM};

static int64_t solo_now(const struct clock *clock) {
    const struct solo *solo =
        (const struct solo *)((const char *)clock - offsetof(struct solo, clock));
    return __atomic_load_n(&solo->now_us, __ATOMIC_RELAXED);
}

/* ---- The server --------------------------------------------------------------- */

static void server_open(struct solo *solo, bool create) {
    struct store_wrapping_key key = {{7}};
    char path[96];
    snprintf(path, sizeof(path), "sqlite:%s/store", solo->folder);
    must(store_open(path,
                    &(struct store_options){.wrapping_keys = &key,
                                            .wrapping_key_count = 1,
                                            .clock = &solo->clock,
                                            .create = create},
                    &solo->store));
    must(metrics_new(&solo->metrics));
    struct work_queue_config queue = {
        .threads = solo->options.threads != 0 ? solo->options.threads : 2,
        .capacity = solo->options.queue_capacity != 0 ? solo->options.queue_capacity : 256};
    must(work_queue_new(&solo->queue, &queue));
    must(http_client_new(&solo->client, &(struct http_client_config){0}));
    struct aggregator_options options = {.store = solo->store,
                                         .queue = solo->queue,
                                         .http_client = solo->client,
                                         .provider = hpke_provider_default(),
                                         .clock = &solo->clock,
                                         .metrics = solo->metrics,
                                         .job_poll_ms = 20,
                                         .max_upload_bytes = solo->options.max_upload_bytes,
                                         .cors_origins = solo->options.cors_origins};
    must(aggregator_new(&options, &solo->aggregator));
    must(router_new(&solo->router));
    must(aggregator_add_routes(solo->aggregator, solo->router));
    must(loop_group_new(&solo->loops, 1));
    struct http_server_config http = {.loops = solo->loops,
                                      .service = router_service(solo->router)};
    must(address_parse(&http.listen, "127.0.0.1:0"));
    must(http_server_new(&solo->server, &http));
    must(loop_group_start(solo->loops));
    if (!solo->options.idle) {
        must(aggregator_start(solo->aggregator));
    }
}

static void server_close(struct solo *solo) {
    aggregator_drain(solo->aggregator);
    http_client_stop(solo->client);
    http_server_stop(solo->server);
    work_queue_stop(solo->queue);
    http_server_free(solo->server);
    loop_group_free(solo->loops);
    router_free(solo->router);
    work_queue_free(solo->queue);
    http_client_free(solo->client);
    aggregator_free(solo->aggregator);
    metrics_free(solo->metrics);
    store_close(solo->store);
}

void solo_restart(struct solo *solo) {
    server_close(solo);
    server_open(solo, false);
}

/* ---- The task ------------------------------------------------------------------ */

static void task_configure(struct solo *solo) {
    const struct solo_options *options = &solo->options;
    struct buffer config = BUFFER_INIT;
    struct task_extension extension;
    struct task_id id;
    cr_assert_eq(hpke_provider_default()->random(id.bytes, sizeof(id.bytes)), 0);
    must(vdaf_new(options->vdaf != NULL ? options->vdaf : "Prio3Count", options->params,
                  options->param_count, 2, &solo->vdaf));
    must(vdaf_encode_config(solo->vdaf, &config));
    struct task_configuration configuration = {
        .task_info = SPAN_OF_LITERAL("a test"),
        .leader_aggregator_endpoint = SPAN_OF_LITERAL("https://leader.example/"),
        .helper_aggregator_endpoint = SPAN_OF_LITERAL("https://helper.example/"),
        .time_precision = SOLO_PRECISION,
        .min_batch_size = options->min_batch_size != 0 ? options->min_batch_size : 1,
        .batch_mode =
            options->batch_mode != 0 ? options->batch_mode : BATCH_MODE_TIME_INTERVAL,
        .vdaf_type = vdaf_codepoint(solo->vdaf),
        .vdaf_configuration = buffer_span(&config),
    };
    if (options->has_interval) {
        must(task_interval_extension(&options->interval, &solo->arena, &extension));
        configuration.extensions = (struct task_extension_list){&extension, 1};
    }
    must(task_make(&id, &configuration, &solo->arena, &solo->dap));
    buffer_release(&config);
}

struct task_rows {
    struct store_peer peer;
    struct store_peer collector;
    struct store_task task;
};

static struct status put_rows(struct store_tx *tx, void *argument) {
    const struct task_rows *rows = argument;
    TRY(store_peer_put(tx, &rows->peer));
    TRY(store_peer_put(tx, &rows->collector));
    return store_task_put(tx, &rows->task);
}

static void task_put(struct solo *solo) {
    uint8_t hash[32];
    struct buffer keys = BUFFER_INIT, collector = BUFFER_INIT;
    struct hpke_config config = hpke_key_config(&solo->collector_key);
    memset(solo->verify_key, 9, sizeof(solo->verify_key));
    struct task_verify_key key = {SOLO_VERIFY_KEY_ID,
                                  span_of(solo->verify_key, vdaf_verify_key_size(solo->vdaf))};
    must(task_verify_keys_encode(&key, 1, &keys));
    must(hpke_config_encode(&config, &collector));
    auth_hash(SPAN_OF_LITERAL(SOLO_TOKEN), hash);
    struct task_rows rows = {
        .peer = {.name = "other", .dialect = "draft-18", .token_hash = SPAN_OF_ARRAY(hash)},
        .collector = {.name = "collector",
                      .dialect = "draft-18",
                      .token_hash = SPAN_OF_ARRAY(hash)},
        .task = {.role = (uint8_t)solo->options.role,
                 .config = solo->dap.encoded,
                 .collector_config = buffer_span(&collector),
                 .verify_keys = buffer_span(&keys),
                 .aggregator_peer = "other",
                 .collector_peer = solo->options.role == ROLE_LEADER ? "collector" : NULL},
    };
    if (solo->options.settings != NULL) {
        rows.task.settings = span_of_string(solo->options.settings);
    }
    memcpy(rows.task.id, solo->dap.id.bytes, sizeof(rows.task.id));
    must(store_run(solo->store, STORE_WRITE, put_rows, &rows));
    buffer_release(&keys);
    buffer_release(&collector);
}

static void fetch_own_key(struct solo *solo) {
    struct answer answer = solo_call(solo, "GET", "/hpke_config", NULL, NULL, SPAN_EMPTY);
    struct hpke_config_list list;
    cr_assert_eq(answer.status, 200, "%s", answer.text);
    must(hpke_config_list_decode(answer.body, &solo->arena, &list));
    solo->own_key = (struct hpke_key){.id = list.items[0].id,
                                      .suite = list.items[0].suite,
                                      .public_key_len = (uint8_t)list.items[0].public_key.len};
    memcpy(solo->own_key.public_key, list.items[0].public_key.data,
           list.items[0].public_key.len);
}

void solo_start(struct solo *solo, const struct solo_options *options) {
    const struct moiety_provider *provider = hpke_provider_default();
    uint8_t key_id;
    *solo = (struct solo){.options = *options,
                          .clock = {solo_now},
                          .now_us = (int64_t)SOLO_NOW_S * 1000000,
                          .arena = ARENA_INIT};
    snprintf(solo->folder, sizeof(solo->folder), "/tmp/moiety-solo-XXXXXX");
    cr_assert_not_null(mkdtemp(solo->folder));
    server_open(solo, true);
    must(keyring_add(solo->store, provider, suite, solo->now_us, &key_id));
    must(hpke_key_generate(provider, suite, (uint8_t)(key_id + 1), &solo->other_key));
    must(hpke_key_generate(provider, suite, 200, &solo->collector_key));
    task_configure(solo);
    task_put(solo);
    fetch_own_key(solo);
}

void solo_stop(struct solo *solo) {
    static const char *const files[] = {"store", "store-wal", "store-shm"};
    char path[96];
    server_close(solo);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", solo->folder, files[i]);
        unlink(path);
    }
    rmdir(solo->folder);
    vdaf_free(solo->vdaf);
    arena_release(&solo->arena);
}

/* ---- HTTP -------------------------------------------------------------------- */

static const char *header_text(struct solo *solo, const struct http_client_response *response,
                               const char *name) {
    struct span value = http_client_response_header(response, name);
    return value.data == NULL ? NULL
                              : arena_printf(&solo->arena, "%.*s", (int)value.len,
                                             (const char *)value.data);
}

/* The problem type in the document, after the URN's prefix. */
static const char *problem_of(struct solo *solo, const struct answer *answer) {
    static const char prefix[] = "urn:ietf:params:ppm:dap:error:";
    const char *at = strstr(answer->text, prefix);
    if (answer->content_type == NULL ||
        strcmp(answer->content_type, "application/problem+json") != 0 || at == NULL) {
        return "";
    }
    at += strlen(prefix);
    return arena_printf(&solo->arena, "%.*s", (int)strcspn(at, "\""), at);
}

struct answer solo_call(struct solo *solo, const char *method, const char *path,
                        const char *content_type, const char *token, struct span body) {
    struct address address = http_server_address(solo->server);
    struct http_header headers[2];
    struct http_client_request request = {
        .method = method,
        .url = arena_printf(&solo->arena, "http://127.0.0.1:%u%s", address_port(&address), path),
        .headers = headers,
        .body = body};
    if (content_type != NULL) {
        headers[request.header_count++] =
            HTTP_HEADER("Content-Type", span_of_string(content_type));
    }
    if (token != NULL) {
        headers[request.header_count++] = HTTP_HEADER(
            "Authorization", span_of_string(arena_printf(&solo->arena, "Bearer %s", token)));
    }
    struct http_client_response *response;
    must(http_client_call(solo->client, &request, &response));
    must(response->outcome);
    struct answer answer = {.status = response->status,
                            .content_type = header_text(solo, response, "content-type"),
                            .location = header_text(solo, response, "location"),
                            .retry_after = header_text(solo, response, "retry-after"),
                            .cache_control = header_text(solo, response, "cache-control")};
    must(arena_copy(&solo->arena, buffer_span(&response->body), &answer.body));
    answer.text = arena_printf(&solo->arena, "%.*s", (int)answer.body.len,
                               answer.body.len > 0 ? (const char *)answer.body.data : "");
    answer.problem = problem_of(solo, &answer);
    http_client_response_free(response);
    return answer;
}

static void crowd_answer(void *argument, struct http_client_response *response) {
    struct crowd *crowd = argument;
    pthread_mutex_lock(&crowd->lock);
    crowd->responses[crowd->count++] = response;
    pthread_cond_signal(&crowd->answered);
    pthread_mutex_unlock(&crowd->lock);
}

void crowd_send(struct solo *solo, struct crowd *crowd, const char *below, enum media_type type,
                const struct span bodies[], size_t count) {
    struct address address = http_server_address(solo->server);
    struct http_header headers[] = {
        HTTP_HEADER("Content-Type", span_of_string(media_type_string(type))),
        HTTP_HEADER("Authorization", SPAN_OF_LITERAL("Bearer " SOLO_TOKEN))};
    struct http_client_request request = {
        .method = "POST",
        .url = arena_printf(&solo->arena, "http://127.0.0.1:%u%s", address_port(&address),
                            solo_path(solo, below)),
        .headers = headers,
        .header_count = 2};
    *crowd = (struct crowd){
        .responses = ARENA_ARRAY(&solo->arena, struct http_client_response *, count)};
    pthread_mutex_init(&crowd->lock, NULL);
    pthread_cond_init(&crowd->answered, NULL);
    for (size_t i = 0; i < count; i++) {
        request.body = bodies[i];
        must(http_client_send(solo->client, &request, crowd_answer, crowd));
    }
}

void crowd_wait(struct crowd *crowd, size_t count) {
    pthread_mutex_lock(&crowd->lock);
    while (crowd->count < count) {
        pthread_cond_wait(&crowd->answered, &crowd->lock);
    }
    pthread_mutex_unlock(&crowd->lock);
}

size_t crowd_with_status(struct crowd *crowd, int status) {
    size_t found = 0;
    pthread_mutex_lock(&crowd->lock);
    for (size_t i = 0; i < crowd->count; i++) {
        found += crowd->responses[i]->status == status;
    }
    pthread_mutex_unlock(&crowd->lock);
    return found;
}

void crowd_release(struct crowd *crowd) {
    for (size_t i = 0; i < crowd->count; i++) {
        http_client_response_free(crowd->responses[i]);
    }
    pthread_cond_destroy(&crowd->answered);
    pthread_mutex_destroy(&crowd->lock);
}

void assert_problem(struct answer answer, int http_status, const char *type) {
    cr_assert_eq(answer.status, http_status, "%d %s", answer.status, answer.text);
    cr_assert_str_eq(answer.problem, type, "%s", answer.text);
}

const char *solo_path(struct solo *solo, const char *below) {
    struct span id = task_id_span(&solo->dap.id);
    return arena_printf(&solo->arena, "/tasks/%s/%s", base64url_string(&solo->arena, id), below);
}

struct answer solo_post(struct solo *solo, const char *below, enum media_type type,
                        struct span body) {
    return solo_call(solo, "POST", solo_path(solo, below), media_type_string(type), SOLO_TOKEN,
                     body);
}

struct answer solo_at(struct solo *solo, const char *method, const char *location) {
    cr_assert_not_null(location);
    return solo_call(solo, method, location, NULL, SOLO_TOKEN, SPAN_EMPTY);
}

/* ---- Looking inside ------------------------------------------------------------ */

void solo_run(struct solo *solo, store_function *function, void *argument) {
    must(store_run(solo->store, STORE_WRITE, function, argument));
}

struct look {
    struct solo *solo;
    struct store_usage usage;
    struct store_counter *counters;
    size_t count;
    const char *settings;
};

static struct status look_inside(struct store_tx *tx, void *argument) {
    struct look *look = argument;
    const uint8_t *id = look->solo->dap.id.bytes;
    TRY(store_usage_get(tx, id, &look->usage));
    return store_counter_list(tx, &look->solo->arena, id, &look->counters, &look->count);
}

uint64_t solo_counter(struct solo *solo, const char *name) {
    struct look look = {.solo = solo};
    must(store_run(solo->store, STORE_READ, look_inside, &look));
    for (size_t i = 0; i < look.count; i++) {
        if (strcmp(look.counters[i].name, name) == 0) {
            return look.counters[i].value;
        }
    }
    return 0;
}

struct store_usage solo_usage(struct solo *solo) {
    struct look look = {.solo = solo};
    must(store_run(solo->store, STORE_READ, look_inside, &look));
    return look.usage;
}

static struct status set_settings(struct store_tx *tx, void *argument) {
    struct look *look = argument;
    return store_task_set_settings(tx, look->solo->dap.id.bytes, span_of_string(look->settings));
}

/* Seen at once, since the cache starts afresh. */
void solo_set_settings(struct solo *solo, const char *json) {
    struct look look = {.solo = solo, .settings = json};
    solo_run(solo, set_settings, &look);
    solo_restart(solo);
}
