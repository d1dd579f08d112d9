/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/pair.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "aggregator/auth.h"
#include "aggregator/keyring.h"
#include "aggregator/relay.h"
#include "dap/batch.h"
#include "dap/binding.h"
#include "dap/media_type.h"
#include "dap/url.h"
#include "hpke/provider/default.h"
#include "wire/base64url.h"

#define LEADER_TOKEN "the-leader's-token"
#define COLLECTOR_TOKEN "the-collector's-token"

#define must(expression)                                                                           \
    do {                                                                                           \
        struct status must_status_ = (expression);                                                 \
        cr_assert(status_ok(must_status_), "%s: %s", #expression, status_text(must_status_.code)); \
    } while (0)

static const struct hpke_suite suite = {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256,
                                        MOIETY_AEAD_AES_128_GCM};

/* ---- Servers -------------------------------------------------------------- */

static void server_open(struct pair *pair, struct server *server, bool create) {
    struct store_wrapping_key key = {{7}};
    struct store_options store = {
        .wrapping_keys = &key, .wrapping_key_count = 1, .clock = &clock_system, .create = create};
    must(store_open(server->database, &store, &server->store));
    uint8_t key_id;
    if (create) {
        must(keyring_add(server->store, hpke_provider_default(), suite, clock_now_us(&clock_system),
                         &key_id));
    }
    must(work_queue_new(&server->queue,
                        &(struct work_queue_config){.threads = 2, .name = server->name}));
    must(http_client_new(&server->client, &(struct http_client_config){0}));
    struct aggregator_options options = {
        .store = server->store,
        .queue = server->queue,
        .http_client = server->client,
        .provider = hpke_provider_default(),
        .clock = &clock_system,
        .job_poll_ms = 20,
        .lease_s = server == &pair->leader ? pair->options.lease_s : 0,
        .clock_skew_s = server == &pair->leader ? pair->options.clock_skew_s : 0,
        .base_path = server == &pair->helper ? "/helper" : NULL,
    };
    must(aggregator_new(&options, &server->aggregator));
    must(router_new(&server->router));
    must(aggregator_add_routes(server->aggregator, server->router));
    must(loop_group_new(&server->loops, 1));
    struct http_server_config http = {.loops = server->loops,
                                      .service = router_service(server->router)};
    char listen[32];
    snprintf(listen, sizeof listen, "127.0.0.1:%u", server->port);
    must(address_parse(&http.listen, listen));
    must(http_server_new(&server->http, &http));
    must(loop_group_start(server->loops));
    must(aggregator_start(server->aggregator));
    struct address address = http_server_address(server->http);
    server->port = address_port(&address);
}

void pair_drop(struct pair *pair, struct server *server) {
    (void)pair;
    if (server->store == NULL) {
        return;
    }
    http_client_stop(server->client);
    http_server_stop(server->http);
    work_queue_stop(server->queue);
    http_server_free(server->http);
    loop_group_free(server->loops);
    router_free(server->router);
    aggregator_free(server->aggregator);
    work_queue_free(server->queue);
    http_client_free(server->client);
    store_close(server->store);
    server->store = NULL;
}

void pair_restart(struct pair *pair, struct server *server) {
    pair_drop(pair, server);
    server_open(pair, server, false);
}

static void server_start(struct pair *pair, struct server *server, const char *name) {
    server->name = name;
    snprintf(server->database, sizeof server->database, "/tmp/moiety-%s-XXXXXX", name);
    int fd = mkstemp(server->database);
    cr_assert(fd >= 0);
    close(fd);
    unlink(server->database);
    server_open(pair, server, true);
}

static void server_remove(struct pair *pair, struct server *server) {
    pair_drop(pair, server);
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s%s", server->database, suffixes[i]);
        unlink(path);
    }
}

/* ---- The task ------------------------------------------------------------- */

static void task_configure(struct pair *pair) {
    struct task_id id;
    must(hpke_provider_default()->random(id.bytes, sizeof id.bytes) == 0 ? OK : FAIL(CRYPTO));
    char *leader = arena_printf(&pair->arena, "http://127.0.0.1:%u/", pair->leader.port);
    char *helper =
        arena_printf(&pair->arena, "http://127.0.0.1:%u/helper", relay_port(pair->relay));
    struct buffer config = BUFFER_INIT;
    must(vdaf_encode_config(pair->vdaf, &config));
    struct task_configuration configuration = {
        .task_info = SPAN_OF_LITERAL("a test"),
        .leader_aggregator_endpoint = span_of_string(leader),
        .helper_aggregator_endpoint = span_of_string(helper),
        .time_precision = pair->options.time_precision,
        .min_batch_size = pair->options.min_batch_size,
        .batch_mode = pair->options.batch_mode,
        .vdaf_type = vdaf_codepoint(pair->vdaf),
        .vdaf_configuration = buffer_span(&config),
    };
    must(task_make(&id, &configuration, &pair->arena, &pair->dap));
    buffer_release(&config);
}

struct task_rows {
    struct store_task task;
    struct store_peer peers[2];
    size_t peer_count;
};

static struct status rows_put(struct store_tx *tx, void *argument) {
    const struct task_rows *rows = argument;
    for (size_t i = 0; i < rows->peer_count; i++) {
        TRY(store_peer_put(tx, &rows->peers[i]));
    }
    return store_task_put(tx, &rows->task);
}

static void task_store(struct pair *pair, struct span verify_keys, struct span collector) {
    uint8_t leader_hash[32], collector_hash[32];
    auth_hash(SPAN_OF_LITERAL(LEADER_TOKEN), leader_hash);
    auth_hash(SPAN_OF_LITERAL(COLLECTOR_TOKEN), collector_hash);
    struct task_rows rows = {
        .task = {.role = ROLE_LEADER,
                 .config = pair->dap.encoded,
                 .collector_config = collector,
                 .verify_keys = verify_keys,
                 .aggregator_peer = "other",
                 .collector_peer = "collector",
                 .settings = span_of_string(pair->options.leader_settings)},
        .peers = {{.name = "other",
                   .dialect = pair->options.dialect,
                   .token = SPAN_OF_LITERAL(LEADER_TOKEN)},
                  {.name = "collector",
                   .dialect = pair->options.dialect,
                   .token_hash = SPAN_OF_ARRAY(collector_hash)}},
        .peer_count = 2,
    };
    memcpy(rows.task.id, pair->dap.id.bytes, sizeof rows.task.id);
    must(store_run(pair->leader.store, STORE_WRITE, rows_put, &rows));
    if (pair->options.no_helper) {
        return;
    }
    rows.task.role = ROLE_HELPER;
    rows.task.collector_peer = NULL;
    rows.task.settings = span_of_string(pair->options.helper_settings);
    rows.peers[0] = (struct store_peer){.name = "other",
                                        .dialect = pair->options.dialect,
                                        .token_hash = SPAN_OF_ARRAY(leader_hash)};
    rows.peer_count = 1;
    must(store_run(pair->helper.store, STORE_WRITE, rows_put, &rows));
}

static void task_make_pair(struct pair *pair) {
    const struct moiety_provider *provider = hpke_provider_default();
    uint8_t verify_key[32] = {1, 2, 3};
    struct task_verify_key key = {5, span_of(verify_key, vdaf_verify_key_size(pair->vdaf))};
    struct buffer keys = BUFFER_INIT, collector = BUFFER_INIT;
    must(task_verify_keys_encode(&key, 1, &keys));
    must(hpke_key_generate(provider, suite, 200, &pair->collector_key));
    struct hpke_config config = hpke_key_config(&pair->collector_key);
    must(hpke_config_encode(&config, &collector));
    task_configure(pair);
    task_store(pair, buffer_span(&keys), buffer_span(&collector));
    buffer_release(&keys);
    buffer_release(&collector);
}

/* The configuration that a client would fetch. */
static void fetch_config(struct pair *pair, const char *url, struct hpke_key *out) {
    struct http_client_response *response = pair_call(pair, "GET", url, NULL, NULL, SPAN_EMPTY);
    cr_assert_eq(response->status, 200, "%s: %d", url, response->status);
    struct hpke_config_list list;
    must(hpke_config_list_decode(buffer_span(&response->body), &pair->arena, &list));
    cr_assert_gt(list.count, 0);
    *out = (struct hpke_key){.id = list.items[0].id,
                             .suite = list.items[0].suite,
                             .public_key_len = (uint8_t)list.items[0].public_key.len};
    memcpy(out->public_key, list.items[0].public_key.data, list.items[0].public_key.len);
    http_client_response_free(response);
}

void pair_start(struct pair *pair, const struct pair_options *options) {
    *pair = (struct pair){.options = *options, .arena = ARENA_INIT};
    struct pair_options *o = &pair->options;
    o->min_batch_size = o->min_batch_size != 0 ? o->min_batch_size : 1;
    o->time_precision = o->time_precision != 0 ? o->time_precision : 3600;
    o->leader_settings = o->leader_settings != NULL
                             ? o->leader_settings
                             : "{\"job_linger_ms\": 20, \"allow_small_batches\": true}";
    o->helper_settings =
        o->helper_settings != NULL ? o->helper_settings : "{\"allow_small_batches\": true}";
    o->dialect = o->dialect != NULL ? o->dialect : "draft-18";
    pair->now_s = clock_now_s(&clock_system);
    must(vdaf_new(o->vdaf, o->params, o->param_count, 2, &pair->vdaf));
    must(relay_new(pair, &pair->relay));
    server_start(pair, &pair->leader, "leader");
    if (!o->no_helper) {
        server_start(pair, &pair->helper, "helper");
    }
    task_make_pair(pair);
    fetch_config(pair,
                 arena_printf(&pair->arena, "http://127.0.0.1:%u/hpke_config", pair->leader.port),
                 &pair->leader_key);
    if (o->no_helper) {
        must(hpke_key_generate(hpke_provider_default(), suite, 9, &pair->helper_key));
    } else {
        fetch_config(
            pair,
            arena_printf(&pair->arena, "http://127.0.0.1:%u/helper/hpke_config", pair->helper.port),
            &pair->helper_key);
    }
}

void pair_stop(struct pair *pair) {
    server_remove(pair, &pair->leader);
    if (!pair->options.no_helper) {
        server_remove(pair, &pair->helper);
    }
    relay_free(pair->relay);
    vdaf_free(pair->vdaf);
    arena_release(&pair->arena);
}

static bool speaks_janus(const struct pair *pair) {
    return strcmp(pair->options.dialect, "janus-2026-08") == 0;
}

/* ---- Calls ---------------------------------------------------------------- */

struct http_client_response *pair_call(struct pair *pair, const char *method, const char *url,
                                       const char *token, const char *content_type,
                                       struct span body) {
    struct http_header headers[2];
    struct http_client_request request = {
        .method = method, .url = url, .headers = headers, .body = body};
    if (token != NULL) {
        headers[request.header_count++] =
            speaks_janus(pair)
                ? HTTP_HEADER("DAP-Auth-Token", span_of_string(token))
                : HTTP_HEADER("Authorization",
                              span_of_string(arena_printf(&pair->arena, "Bearer %s", token)));
    }
    if (content_type != NULL) {
        headers[request.header_count++] = HTTP_HEADER("Content-Type", span_of_string(content_type));
    }
    struct http_client *client;
    struct http_client_response *response;
    must(http_client_new(&client, &(struct http_client_config){0}));
    must(http_client_call(client, &request, &response));
    must(response->outcome);
    http_client_free(client);
    return response;
}

const char *pair_leader_url(struct pair *pair, const char *below) {
    char *base = resource_url(pair->dap.configuration.leader_aggregator_endpoint, RESOURCE_REPORTS,
                              &pair->dap.id, NULL, &pair->arena);
    size_t len = strlen(base) - strlen("reports");
    return arena_printf(&pair->arena, "%.*s%s", (int)len, base, below);
}

/* ---- Uploading ------------------------------------------------------------ */

uint64_t pair_time(const struct pair *pair) { return pair->now_s / pair->options.time_precision; }

static void shard(struct pair *pair, const char *measurement, const uint8_t *nonce,
                  struct shard_output *out) {
    uint64_t *values = ARENA_ARRAY(&pair->arena, uint64_t, vdaf_measurement_len(pair->vdaf));
    uint8_t *rand = ARENA_ARRAY(&pair->arena, uint8_t, vdaf_rand_size(pair->vdaf));
    uint8_t *context = ARENA_ARRAY(&pair->arena, uint8_t, TASK_VDAF_CONTEXT_SIZE);
    must(vdaf_parse_measurement(pair->vdaf, span_of_string(measurement), values));
    cr_assert_eq(hpke_provider_default()->random(rand, vdaf_rand_size(pair->vdaf)), 0);
    task_vdaf_context(&pair->dap.id, context);
    struct shard_input input = {span_of(context, TASK_VDAF_CONTEXT_SIZE), nonce, rand, values};
    out->input_shares = ARENA_ARRAY(&pair->arena, struct span, 2);
    must(vdaf_shard(pair->vdaf, &input, 1, &pair->arena, out));
}

static struct hpke_ciphertext encrypt(struct pair *pair, const struct report *report,
                                      const struct hpke_key *key, enum role role, struct span share,
                                      bool spoil) {
    struct plaintext_input_share plain = {.payload = share};
    struct buffer bytes = BUFFER_INIT;
    must(plaintext_input_share_encode(&plain, &bytes));
    struct span aad;
    must(input_share_aad_make(&pair->dap, &report->report_metadata, report->public_share,
                              &pair->arena, &aad));
    struct hpke_ciphertext out = {.config_id = key->id};
    struct hpke_config config = hpke_key_config(key);
    must(hpke_seal(hpke_provider_default(), &config, input_share_info(role), aad,
                   buffer_span(&bytes), &pair->arena, &out.enc, &out.payload));
    if (spoil) {
        ((uint8_t *)out.payload.data)[0] ^= 1;
    }
    buffer_release(&bytes);
    return out;
}

static void report_make(struct pair *pair, const char *measurement, uint64_t time,
                        enum pair_spoil spoil, struct buffer *out) {
    struct report report = {.report_metadata.time = time};
    uint8_t *nonce = report.report_metadata.report_id.bytes;
    cr_assert_eq(hpke_provider_default()->random(nonce, 16), 0);
    struct shard_output shares, others;
    shard(pair, measurement, nonce, &shares);
    if (spoil == PAIR_BAD_PROOF) {
        shard(pair, measurement, nonce, &others);
        shares.input_shares[1] = others.input_shares[1];
    }
    report.public_share = shares.public_share;
    report.leader_encrypted_input_share =
        encrypt(pair, &report, &pair->leader_key, ROLE_LEADER, shares.input_shares[0],
                spoil == PAIR_BAD_LEADER_CIPHERTEXT);
    report.helper_encrypted_input_share =
        encrypt(pair, &report, &pair->helper_key, ROLE_HELPER, shares.input_shares[1],
                spoil == PAIR_BAD_HELPER_CIPHERTEXT);
    must(report_encode(&report, out));
}

static struct http_client_response *post_reports(struct pair *pair, struct buffer *body) {
    struct http_client_response *response =
        pair_call(pair, "POST", pair_leader_url(pair, "reports"), NULL,
                  media_type_string(MEDIA_UPLOAD_REQ), buffer_span(body));
    cr_assert_eq(response->status, 200, "upload: %d", response->status);
    return response;
}

static void upload(struct pair *pair, struct buffer *body) {
    struct http_client_response *response = post_reports(pair, body);
    cr_assert_eq(response->body.len, 0, "upload: some reports were refused");
    http_client_response_free(response);
    buffer_release(body);
}

void pair_upload(struct pair *pair, const char *measurement, uint64_t time, enum pair_spoil spoil) {
    struct buffer body = BUFFER_INIT;
    report_make(pair, measurement, time, spoil, &body);
    upload(pair, &body);
}

enum report_error pair_upload_error(struct pair *pair, const char *measurement, uint64_t time) {
    struct buffer body = BUFFER_INIT;
    struct upload_errors errors;
    report_make(pair, measurement, time, PAIR_GOOD, &body);
    struct http_client_response *response = post_reports(pair, &body);
    must(upload_errors_decode(buffer_span(&response->body), &pair->arena, &errors));
    enum report_error error =
        errors.status.count > 0 ? errors.status.items[0].error : REPORT_ERROR_RESERVED;
    http_client_response_free(response);
    buffer_release(&body);
    return error;
}

void pair_wait(const unsigned *count, unsigned number) {
    for (int i = 0; i < 1000 && __atomic_load_n(count, __ATOMIC_ACQUIRE) < number; i++) {
        usleep(10000);
    }
    cr_assert_geq(*count, number);
}

void pair_upload_many(struct pair *pair, const char *measurement, size_t count, uint64_t time) {
    struct buffer body = BUFFER_INIT;
    for (size_t i = 0; i < count; i++) {
        report_make(pair, measurement, time, PAIR_GOOD, &body);
    }
    upload(pair, &body);
}

/* ---- Collecting ----------------------------------------------------------- */

struct span pair_query(struct pair *pair, uint64_t start, uint64_t duration) {
    struct batch batch = {.mode = pair->options.batch_mode, .interval = {start, duration}};
    struct collection_job_req request = {.agg_param = SPAN_EMPTY};
    struct buffer bytes = BUFFER_INIT;
    struct span out;
    must(batch_to_query(&batch, &pair->arena, &request.query));
    must(collection_job_req_encode(&request, &bytes));
    must(arena_copy(&pair->arena, buffer_span(&bytes), &out));
    buffer_release(&bytes);
    return out;
}

/* As Janus's collector does it: the id is its own. */
static const char *collect_put(struct pair *pair, struct span request) {
    uint8_t id[16];
    char text[32];
    cr_assert_eq(hpke_provider_default()->random(id, sizeof id), 0);
    base64url_encode(text, SPAN_OF_ARRAY(id));
    const char *url = pair_leader_url(pair, arena_printf(&pair->arena, "collection_jobs/%s", text));
    for (int i = 0; i < 2; i++) { /* twice: it may try again */
        struct http_client_response *response =
            pair_call(pair, "PUT", url, COLLECTOR_TOKEN,
                      media_type_string(MEDIA_COLLECTION_JOB_REQ), request);
        cr_assert_eq(response->status, 201, "collect: %d: %.*s", response->status,
                     (int)response->body.len, (const char *)response->body.data);
        http_client_response_free(response);
    }
    return url;
}

const char *pair_collect(struct pair *pair, struct span request) {
    if (speaks_janus(pair)) {
        return collect_put(pair, request);
    }
    const char *url = pair_leader_url(pair, "collection_jobs");
    struct http_client_response *response = pair_call(
        pair, "POST", url, COLLECTOR_TOKEN, media_type_string(MEDIA_COLLECTION_JOB_REQ), request);
    cr_assert(response->status >= 200 && response->status < 300, "collect: %d: %.*s",
              response->status, (int)response->body.len, (const char *)response->body.data);
    char *job;
    must(location_resolve(pair->dap.configuration.leader_aggregator_endpoint,
                          RESOURCE_COLLECTION_JOBS, &pair->dap.id, span_of_string(url),
                          http_client_response_header(response, "location"), &pair->arena, &job));
    http_client_response_free(response);
    return job;
}

int pair_poll(struct pair *pair, const char *job, struct span *body) {
    struct http_client_response *response =
        pair_call(pair, "GET", job, COLLECTOR_TOKEN, NULL, SPAN_EMPTY);
    int status = response->status == 200 && response->body.len == 0 ? 0 : response->status;
    must(arena_copy(&pair->arena, buffer_span(&response->body), body));
    http_client_response_free(response);
    return status;
}

int pair_delete(struct pair *pair, const char *job) {
    struct http_client_response *response =
        pair_call(pair, "DELETE", job, COLLECTOR_TOKEN, NULL, SPAN_EMPTY);
    int status = response->status;
    http_client_response_free(response);
    return status;
}

static struct span open_share(struct pair *pair, struct span request, enum role role,
                              const struct hpke_ciphertext *ciphertext) {
    struct hpke_open_item item = {.key = &pair->collector_key,
                                  .info = aggregate_share_info(role),
                                  .enc = ciphertext->enc,
                                  .ciphertext = ciphertext->payload};
    cr_assert_eq(ciphertext->config_id, pair->collector_key.id);
    must(aggregate_share_aad_make(&pair->dap, request, &pair->arena, &item.aad));
    must(hpke_open_batch(hpke_provider_default(), &item, 1, &pair->arena));
    cr_assert_eq(item.verdict, STATUS_OK);
    return item.plaintext;
}

void pair_result(struct pair *pair, const char *job, struct span request, int timeout_ms,
                 struct pair_result *out) {
    int64_t deadline = clock_monotonic_ns() + (int64_t)timeout_ms * 1000000;
    struct span body;
    int status;
    while ((status = pair_poll(pair, job, &body)) == 0 && clock_monotonic_ns() < deadline) {
        usleep(20000);
    }
    cr_assert_eq(status, 200, "the collection job ended with %d: %.*s", status, (int)body.len,
                 (const char *)body.data);
    struct collection_job_resp response;
    must(collection_job_resp_decode(body, &pair->arena, &response));
    struct span shares[2] = {
        open_share(pair, request, ROLE_LEADER, &response.leader_encrypted_agg_share),
        open_share(pair, request, ROLE_HELPER, &response.helper_encrypted_agg_share)};
    out->report_count = response.report_count;
    out->interval = response.interval;
    out->values = ARENA_ARRAY(&pair->arena, vdaf_value, vdaf_result_len(pair->vdaf));
    must(vdaf_unshard(pair->vdaf, SPAN_EMPTY, shares, response.report_count, out->values));
}

/* ---- Looking inside ------------------------------------------------------- */

struct counter_query {
    struct pair *pair;
    const char *name;
    uint64_t value;
    struct store_usage usage;
};

static struct status counter_run(struct store_tx *tx, void *argument) {
    struct counter_query *query = argument;
    struct store_counter *counters;
    size_t count;
    TRY(store_counter_list(tx, &query->pair->arena, query->pair->dap.id.bytes, &counters, &count));
    query->value = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counters[i].name, query->name) == 0) {
            query->value = counters[i].value;
        }
    }
    return OK;
}

uint64_t pair_counter(struct pair *pair, const struct server *server, const char *name) {
    struct counter_query query = {.pair = pair, .name = name};
    must(store_run(server->store, STORE_READ, counter_run, &query));
    return query.value;
}

void pair_expect_all(struct pair *pair, unsigned number, int timeout_ms) {
    const struct span query = pair_query(pair, pair_time(pair), 1);
    struct pair_result result;
    pair_result(pair, pair_collect(pair, query), query, timeout_ms, &result);
    cr_assert_eq(result.report_count, number);
    cr_assert(result.values[0] == number);
    cr_assert_eq(pair_counter(pair, &pair->leader, "aggregated"), number);
    cr_assert_eq(pair_counter(pair, &pair->helper, "aggregated"), number);
}

static struct status usage_run(struct store_tx *tx, void *argument) {
    struct counter_query *query = argument;
    return store_usage_get(tx, query->pair->dap.id.bytes, &query->usage);
}

void pair_settle(struct pair *pair, int timeout_ms) {
    int64_t deadline = clock_monotonic_ns() + (int64_t)timeout_ms * 1000000;
    struct counter_query query = {.pair = pair};
    do {
        must(store_run(pair->leader.store, STORE_READ, usage_run, &query));
        if (query.usage.reports == 0) {
            return;
        }
        usleep(20000);
    } while (clock_monotonic_ns() < deadline);
    cr_assert_fail("%llu reports are left", (unsigned long long)query.usage.reports);
}
